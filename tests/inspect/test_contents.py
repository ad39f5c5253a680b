from __future__ import annotations

import lzma

import pytest

from rdcompose.formats.executable import read_executable
from rdcompose.inspect.contents import Contents, examine, module_place
from rdcompose.inspect.placing import Damage
from rdcompose.tree import Bytes, Directory, Entry, File, Symlink
from tests.support.artifacts import (
    BLOCK,
    DUMMY,
    MODULES,
    RING,
    Content,
    disk_files,
    entry,
    initramfs_files,
    module,
    tree_of,
)
from tests.support.packages import RELEASE
from tests.support.programs import make_program


def of(files: dict[str, Content], *, disk: bool = False) -> Contents:
    return examine(tree_of(files), disk=disk)


def in_order(*entries: Entry) -> Contents:
    return examine(entries, disk=False)


def test_what_an_initramfs_holds() -> None:
    found = of(initramfs_files())
    modules = {module.inner: module for module in found.modules}
    assert modules.keys() == {RING, BLOCK}
    assert {module.release for module in found.modules} == {RELEASE}
    assert modules[BLOCK].name == "virtio_blk"
    assert modules[BLOCK].elf.value("depends") == "virtio_ring"
    assert modules[BLOCK].versions.imports["virtqueue_kick"] == 7
    assert modules[RING].versions.exports == {"virtqueue_kick": 7}
    assert found.directories == (RELEASE,)
    assert found.lists[RELEASE].keys() == {"modules.dep", "modules.builtin"}
    assert {program.path for program in found.programs} == {
        *("bin/busybox", "bin/mount", "usr/lib64/ld.so.2", "usr/lib64/libc.so.6"),
    }
    assert (found.lost, found.damaged) == ((), ())


def test_what_a_disk_holds() -> None:
    found = of(disk_files(), disk=True)
    [dummy] = found.modules
    assert (dummy.path, dummy.release, dummy.inner) == (f"{RELEASE}/{DUMMY}", RELEASE, DUMMY)
    assert found.directories == (RELEASE,)
    assert found.lists[RELEASE]["modules.builtin"] == b"kernel/fs/ext4/ext4.ko\n"
    assert found.programs == ()


@pytest.mark.parametrize(
    ("path", "disk", "place"),
    [
        ("lib/modules/6.1/kernel/a.ko", False, ("6.1", "kernel/a.ko")),
        ("usr/lib/modules/6.1/kernel/a.ko", False, ("6.1", "kernel/a.ko")),
        ("lib/modules/6.1/kernel/a.ko", True, ("6.1", "kernel/a.ko")),
        ("6.1/kernel/a.ko", True, ("6.1", "kernel/a.ko")),
        ("kernel/a.ko", True, (None, "kernel/a.ko")),
        ("modules.dep", True, (None, "modules.dep")),
        ("6.1/kernel/a.ko", False, None),
        ("kernel/a.ko", False, None),
        ("etc/passwd", True, None),
        ("lib/modules/6.1", False, None),
    ],
)
def test_module_places(path: str, disk: bool, place: tuple[str | None, str] | None) -> None:
    assert module_place(path, disk=disk) == place


def test_modules_are_unpacked_and_loose_ones_taken() -> None:
    found = of({f"usr/lib/modules/6.1/{RING}.xz": lzma.compress(module()), "root/x.ko": module()})
    assert [(m.release, m.inner, m.name) for m in found.modules] == [
        (None, "root/x.ko", "x"),
        ("6.1", f"{RING}.xz", "virtio_ring"),
    ]
    assert found.directories == ("6.1",)


def test_what_equal_modules_say_is_held_once() -> None:
    packed = lzma.compress(module())
    path = f"{MODULES}/{RING}"
    first, again = (of({f"{path}.xz": packed}) for _ in range(2))
    assert first.modules[0].elf is again.modules[0].elf
    assert first.modules[0].versions is again.modules[0].versions
    # It is the name that says how a module is stored.
    assert of({path: packed}).damaged[0].path == path
    assert of({path: module()}).modules[0].elf == first.modules[0].elf


def test_a_directory_without_modules_is_one() -> None:
    assert of({f"{MODULES}/kernel": None}).directories == (RELEASE,)


def test_later_entries_replace_earlier_ones() -> None:
    path = f"{MODULES}/{RING}"
    parents = [
        Directory(path="/".join(path.split("/")[:end])) for end in range(1, path.count("/") + 1)
    ]
    found = in_order(*parents, entry(path, b"broken"), entry(path, module()))
    assert [row.path for row in found.modules] == [path]
    assert found.damaged == ()
    found = in_order(*parents, entry(path, module()), entry(path, "elsewhere"))
    assert found.modules == ()
    assert isinstance(found.tree.get(path), Symlink)


def test_entries_go_where_links_lead() -> None:
    found = in_order(
        *(Directory(path=path) for path in ("usr", "usr/lib")),
        Symlink(path="lib", target="usr/lib"),
        Directory(path="lib/modules"),
        Directory(path="lib/modules/6.1"),
        entry("lib/modules/6.1/x.ko", module()),
    )
    assert [row.path for row in found.modules] == ["usr/lib/modules/6.1/x.ko"]
    assert found.lost == ()


def test_what_the_kernel_leaves_out() -> None:
    found = in_order(
        entry("a/b/c", b"x"),
        Directory(path="d"),
        entry("d/file", b"x"),
        entry("d", b"no longer a directory"),
        entry("d/file/below", b"x"),
        Symlink(path="l", target="l"),
        entry("l/x", b""),
    )
    assert [row.path for row in found.lost] == ["a/b/c", "d", "d/file/below", "l/x"]
    assert found.lost[0] == Damage("a/b/c", "its directory 'a/b' is not there")
    assert {row.path for row in found.tree} == {"d", "d/file", "l"}


def test_what_needs_no_directory_in_the_archive() -> None:
    found = in_order(
        entry("kernel/x86/microcode/GenuineIntel.bin", b"x"),
        entry("dev/console", b""),
        entry("root/x", b""),
    )
    assert found.lost == ()
    assert "kernel/x86/microcode/GenuineIntel.bin" in found.tree


def test_a_lost_file_that_comes_again() -> None:
    found = in_order(entry("a/b", b"x"), Directory(path="a"), entry("a/b", b"y"))
    assert found.lost == ()


def test_damage_ends_nothing() -> None:
    found = of(
        initramfs_files()
        | {
            f"{MODULES}/{DUMMY}": b"no module",
            f"{MODULES}/{BLOCK}.xz": lzma.compress(module())[:-20],
            "bin/broken": make_program(interpreter="/x", needed=["y"])[:150],
        }
    )
    assert {row.path for row in found.damaged} == {
        *(f"{MODULES}/{DUMMY}", f"{MODULES}/{BLOCK}.xz", "bin/broken")
    }
    assert len(found.modules) == 2


def test_what_is_no_program() -> None:
    elf = make_program(machine=40, bits=32)
    found = of(
        {
            "lib/firmware/modem.mbn": elf,
            f"{MODULES}/vdso/vdso32.so": elf,
            "etc/bpf.o": make_program(kind=1),
            "etc/short": b"\x7fELF",
            "etc/text": b"text" * 100,
        }
    )
    assert found.programs == ()


def test_sizes_are_looked_at_first() -> None:
    class Huge(Bytes):
        @property
        def size(self) -> int:
            return 1 << 40

    found = in_order(
        *(Directory(path=path) for path in ("lib", "lib/modules", "lib/modules/6.1")),
        File(path="lib/modules/6.1/x.ko", content=Huge(b"")),
        File(path="lib/modules/6.1/modules.dep", content=Huge(b"")),
        File(path="lib/program", content=Huge(b"\x7fELF")),
    )
    assert [row.why for row in found.damaged] == [
        "it is too large for a module",
        "it is too large for an index of modules",
    ]


def test_programs_are_as_their_headers_say() -> None:
    [program] = of({"bin/x": make_program(interpreter="/lib/ld.so", needed=["a"])}).programs
    assert program.elf == read_executable(make_program(interpreter="/lib/ld.so", needed=["a"]))
