"""The rows of ``rdcompose diff``, where files and modules have something in common or not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from rdcompose.cli.diff_files import file_rows
from rdcompose.cli.diff_modules import module_rows, modules_title
from rdcompose.cli.diff_row import Row, sizes_text, together
from rdcompose.cli.diff_sections import sections
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.compare.changes import Changed, Shifted
from rdcompose.inspect.compare.facts import FileFacts
from rdcompose.inspect.compare.files import EntryFacts, FilesDifference, compare_files
from rdcompose.inspect.compare.modules import (
    ModuleChange,
    ModuleFacts,
    ModuleSays,
    ModulesDifference,
    PlacedModule,
)
from rdcompose.inspect.compare.results import (
    FileDifference,
    GroupDifference,
    SymbolsDifference,
)
from rdcompose.inspect.compare.sides import Group, Member
from rdcompose.inspect.walks import Part


def entry(path: str, kind: str = "file", **fields: object) -> EntryFacts:
    plain = EntryFacts(path=path, kind=kind, mode=0o644, uid=0, gid=0, size=5, sha256=f"of {path}")
    return dataclasses.replace(plain, **fields)  # type: ignore[arg-type]


def rows(before: list[EntryFacts], now: list[EntryFacts], *, whole: bool = False) -> list[Row]:
    return [*file_rows(compare_files(before, now), whole=whole)]


def test_a_file_that_moved() -> None:
    one, other = entry("a/x", sha256="s"), entry("b/x", sha256="s", mode=0o755)
    assert rows([one], [other]) == [Row(">", "/a/x → /b/x", "mode 0644 → 0755")]


def test_what_is_merged_below_usr() -> None:
    names = [entry(f"bin/{name}") for name in "abc"]
    merged = [dataclasses.replace(row, path=f"usr/{row.path}") for row in names]
    assert rows(names, merged) == [Row(">", "/bin → /usr/bin", "3 entries as before")]
    assert rows(names, merged, whole=True)[0] == Row("~", "/usr/bin/a", "was /bin/a")


def test_indexes_of_modules() -> None:
    names = [f"lib/modules/1.2/modules.{name}" for name in ("dep", "alias", "symbols", "order")]
    before = [entry(name) for name in names]
    now = [entry(name, sha256="other") for name in names]
    assert rows(before, now) == [Row("~", "/lib/modules/1.2", "4 indexes of modules changed")]
    listed = "modules.alias, modules.dep, modules.order, modules.symbols"
    assert rows([], now) == [Row("+", "/lib/modules/1.2/", f"4 indexes of modules: {listed}")]
    assert len(rows(before, now, whole=True)) == 4


def test_names_of_one_file() -> None:
    names = [entry(f"bin/{name}", sha256="busybox") for name in "abcd"]
    remark = "4 names of a file of 5 B: a, b, c, d"
    assert rows(names, []) == [Row("-", "/bin/", remark)]
    empty = [entry(f"bin/{name}", sha256="e", size=0) for name in "abcd"]
    assert len(rows(empty, [])) == 4


def test_directories_are_told_with_what_is_in_them() -> None:
    before = [
        *(entry(path, "directory") for path in ("new", "new/in", "empty", "kernel", "kernel/net")),
        *(entry(path) for path in ("new/a", "new/in/b")),
    ]
    assert rows(before, []) == [Row("-", "/empty/"), Row("-", "/new/", "2 files, 10 B")]


def test_a_file_with_many_names_is_there_once() -> None:
    names = [entry(f"new/{name}", sha256="busybox") for name in "abc"]
    before = [entry("new", "directory"), *names, entry("new/other")]
    assert rows(before, []) == [Row("-", "/new/", "4 files, 10 B")]


KINDS = {
    "device": (
        entry("n", "block device", device="8, 1", sha256=""),
        entry("n", "block device", device="8, 2", sha256=""),
        "device 8, 1 → 8, 2",
    ),
    "owner": (entry("n"), entry("n", uid=1, gid=2), "owner 0:0 → 1:2"),
    "content": (entry("n"), entry("n", sha256="", size=5), "content, still 5 B"),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_changed(name: str) -> None:
    before, now, remark = KINDS[name]
    assert rows([before], [now]) == [Row("~", "/n", remark)]


def test_sizes() -> None:
    assert sizes_text(1000, 2500) == "1.0 kB → 2.5 kB (+1.5 kB)"
    assert sizes_text(7, 7) == "still 7 B"
    assert sizes_text(None, 7) == "new, 7 B"
    assert sizes_text(7, None) == "no more, 7 B"


def test_rows_together() -> None:
    few = [Row("~", name, "same") for name in "abc"]
    assert [*together(few, "x")] == few
    assert [*together([*few, Row("~", "d", "same")], "x")] == [Row("~", "4 x", "same: a, b, c, d")]
    silent = [Row("~", name) for name in "abcde"]
    assert [*together(silent, "x")] == silent


def module(name: str, **texts: str) -> ModuleFacts:
    plain = {"version": "", "srcversion": "", "vermagic": "v"}
    says = ModuleSays(sha256="s", size=5, signed=False, texts=plain | texts, sets={})
    inner = f"kernel/{name}.ko"
    return ModuleFacts(
        path=inner, inner=inner, release=None, packed="", stored=5, place="initramfs", says=says
    )


def change(name: str, *texts: Changed, sets: tuple[Shifted, ...] = ()) -> ModuleChange:
    facts = module(name)
    return ModuleChange(name=name, before=facts, now=facts, content=True, texts=texts, sets=sets)


def told(*changes: ModuleChange, **fields: object) -> list[Row]:
    found = ModulesDifference(changed=changes, **fields)  # type: ignore[arg-type]
    return [*module_rows(found, whole=False, places=True)]


def test_modules_that_are_new_or_gone() -> None:
    placed = PlacedModule(
        facts=module("m", version="2"), places=("initramfs", "modules disk"), builtin=True
    )
    where = "kernel/m.ko, initramfs and modules disk, version 2"
    assert told(new=(placed,), gone=(placed,)) == [
        Row("+", "m", f"{where}, was built in"),
        Row("-", "m", f"{where}, now built in"),
    ]


def test_modules_that_changed() -> None:
    sets = (
        Shifted("alias", ("a", "b"), ("c",)),
        Shifted("parameter", tuple("abcdefgh"), ()),
    )
    said = "version 1 → none; aliases +2 -1; parameter +a +b +c +d +e +f +2 others"
    assert told(change("m", Changed("version", "1", ""), sets=sets)) == [Row("~", "m", said)]
    assert told(change("m", Changed("srcversion", "A", "B"))) == [Row("~", "m", "other sources")]
    assert told(change("m", Changed("srcversion", "", "B"))) == [
        Row("~", "m", "srcversion none → B")
    ]
    assert told(change("m")) == [Row("~", "m", "content, still 5 B")]


def test_what_many_modules_have_in_common() -> None:
    packed = Changed("packed", "xz", "plain")
    same = [dataclasses.replace(change(name, packed), content=False) for name in "abcd"]
    assert told(*same) == [Row("~", "4 modules", "packed xz → plain")]
    assert told(*same, change("e"))[1:] == [
        Row("~", "1 modules", "built anew, with nothing else to tell")
    ]


def test_the_title_counts() -> None:
    moved = change("m", Changed("in", "a", "b"))
    found = ModulesDifference(changed=(moved, change("n")), same=3, aliases=(1, 2))
    assert modules_title(found) == "modules: 1 moved, 1 changed, 3 the same; aliases 1 → 2"


def facts(name: str, kind: Kind, *parts: Part, size: int = 9) -> FileFacts:
    return FileFacts(name=name, kind=kind, size=size, sha256=name, releases=(), parts=parts)


def sizes(*files: FileDifference) -> list[Row]:
    group = Group(release=None, members=(Member(path=Path("x"), name="x", label="x"),))
    difference = GroupDifference(before=group, now=group, files=files)
    return [
        row
        for section in sections(difference, None, ["sizes"], whole=False)
        for row in section.rows
    ]


def test_sizes_of_files_and_their_parts() -> None:
    one, two = (
        Part(label=f"segment {number}", compression="gzip", unpacked=9) for number in (1, 2)
    )
    before, now = facts("a", Kind.INITRAMFS, one, two), facts("b", Kind.INITRAMFS, one, size=7)
    assert sizes(FileDifference(before=before, now=now)) == [
        Row("~", "initramfs", "9 B → 7 B (-2 B); unpacked 18 B → 9 B (-9 B)"),
        Row("-", "  segment 1", "gzip"),
    ]
    assert sizes(FileDifference(before=now, now=before))[1:] == [Row("+", "  segment 1", "gzip")]
    assert sizes(FileDifference(before=None, now=now)) == [Row("+", "initramfs", "7 B")]
    assert sizes(FileDifference(before=now, now=None)) == [Row("-", "initramfs", "7 B")]


def test_parts_belong_together_from_the_last_on() -> None:
    early = Part(label="segment 1", unpacked=1)
    main = [Part(label=f"segment {n}", compression="xz", unpacked=1) for n in (1, 2)]
    before, now = facts("a", Kind.INITRAMFS, main[0]), facts("b", Kind.INITRAMFS, early, main[1])
    found = sizes(FileDifference(before=before, now=now))[1:]
    assert found == [Row("+", "  segment 1", "none")]


def test_sections_belong_together_by_name() -> None:
    linux, cmdline, initrd = (
        Part(label=label, unpacked=1) for label in (".linux", ".cmdline", ".initrd, segment 1")
    )
    packed = dataclasses.replace(initrd, compression="zstd")
    before, now = facts("a", Kind.UKI, linux, initrd), facts("b", Kind.UKI, cmdline, packed, linux)
    assert sizes(FileDifference(before=before, now=now))[1:] == [
        Row("+", "  .cmdline", "none"),
        Row("~", "  .initrd, segment 1", "none → zstd"),
    ]


def test_kernels() -> None:
    before, now = facts("a", Kind.KERNEL), facts("b", Kind.KERNEL)
    banners = [f"Linux #1 SMP Debian {number} (2026-01-01)" for number in ("6.1-1", "6.1-2")]
    texts = (Changed("banner", *banners), Changed("packed", "", "xz"))
    symbols = SymbolsDifference(new=1, gone=0, changed=2)
    found = FileDifference(before=before, now=now, texts=texts, symbols=symbols)
    assert sizes(found)[1:] == [
        Row("~", "  package", "6.1-1 → 6.1-2"),
        Row("~", "  packed", "none → xz"),
        Row("~", "  symbols for modules", "1 new, 2 changed"),
    ]


def test_kernels_of_one_package_version() -> None:
    before, now = facts("a", Kind.KERNEL), facts("b", Kind.KERNEL)
    banners = [f"Linux {number} #1 SMP Debian 6.1-1 (2026-01-01)" for number in ("6.1", "6.1-rt")]
    found = FileDifference(before=before, now=now, texts=(Changed("banner", *banners),))
    assert sizes(found)[1:] == [Row("~", "  banner", " → ".join(banners))]


def test_other_kinds_and_other_names() -> None:
    before, now = facts("a", Kind.INITRAMFS), facts("b", Kind.DISK)
    assert sizes(FileDifference(before=before, now=now))[0].name == "initramfs → modules disk"
    before, now = facts("a.txt", Kind.UNKNOWN), facts("b.txt", Kind.UNKNOWN)
    assert sizes(FileDifference(before=before, now=now))[0].name == "a.txt → b.txt"
    two = [FileDifference(before=facts(name, Kind.INITRAMFS), now=None) for name in "ab"]
    assert [row.name for row in sizes(*two)] == ["a", "b"]
    assert FilesDifference() == two[0].entries
