"""Builds of ``rdcompose.toml``: what counts, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.cli.options import make_parser
from rdcompose.cli.project import read_project
from rdcompose.cli.project_builds import NamedBuild, arguments_of, chosen, read_builds
from rdcompose.errors import SpecError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def builds(tmp_path: Path, text: str) -> tuple[NamedBuild, ...]:
    path = tmp_path / "rdcompose.toml"
    path.write_text(text, encoding="utf-8")
    return read_builds(read_project(path), path)


def merged(tmp_path: Path, text: str, *options: str) -> argparse.Namespace:
    """The arguments of the first build, under options of the command line."""
    return arguments_of(builds(tmp_path, text)[0], make_parser().parse_args(["build", *options]))


def refused(tmp_path: Path, text: str) -> tuple[str, str | None]:
    with pytest.raises(SpecError) as caught:
        builds(tmp_path, text)
    assert caught.value.message.isprintable()
    path, _, message = caught.value.message.partition(": ")
    assert path == str(tmp_path / "rdcompose.toml")
    return message, caught.value.hint


A = '[[build]]\nname = "a"\n'


@pytest.mark.parametrize(
    ("text", "option", "value"),
    [
        ("", "kernel", []),
        ('kernel = "cloud-amd64"', "kernel", ["cloud-amd64"]),
        ('kernel = ["a.deb", "b.deb"]', "kernel", ["a.deb", "b.deb"]),
        ('profile = "pi"', "profile", ["pi"]),
        ('profile = ["pi", "netboot"]', "profile", ["pi", "netboot"]),
        ('template = "t"', "template", Path("t")),
        ('symvers = "Module.symvers"\nmodule = "m.ko"', "symvers", ["Module.symvers"]),
        ('add = ["strace", "ltrace:/usr/bin/ltrace"]', "add", ["strace", "ltrace:/usr/bin/ltrace"]),
        ("uki = true", "uki", True),
        ("uki = false", "uki", False),
        ('emit = ["cpio", "tree"]', "emit", ["cpio", "tree"]),
        ('disk = "all"', "disk", "all"),
        ('disk-compress = "zstd:19"', "disk_compress", "zstd:19"),
        ('mirror = "http://a/debian"', "mirror", ["http://a/debian"]),
        ("allow-unverified = true", "allow_unverified", True),
        ('locked = "m.json"', "locked", Path("m.json")),
    ],
)
def test_keys_are_options(tmp_path: Path, text: str, option: str, value: object) -> None:
    assert getattr(merged(tmp_path, A + text), option) == value


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        (f'[defaults]\ncompress = "xz"\n{A}', (), {"compress": "xz"}),
        (f'[defaults]\ncompress = "xz"\n{A}compress = "gzip"', (), {"compress": "gzip"}),
        (f'{A}compress = "gzip"', ("--compress", "zstd"), {"compress": "zstd"}),
        (f'{A}add = ["a", "b"]', ("--add", "c"), {"add": ["c"]}),
        (f'[defaults]\nadd = ["a"]\n{A}add = []', (), {"add": []}),
        (f"[defaults]\nuki = true\n{A}uki = false", (), {"uki": False}),
        (f"{A}uki = false", ("--uki",), {"uki": True}),
        (f'{A}kernel = "a"', ("--jobs", "3", "--threads", "5"), {"jobs": 3, "threads": 5}),
        # What contradicts something nearer is dropped.
        (f'[defaults]\nmirror = "m"\n{A}snapshot = "s"', (), {"mirror": None, "snapshot": "s"}),
        (f'{A}snapshot = "s"', ("--mirror", "m"), {"mirror": ["m"], "snapshot": None}),
        (f'{A}snapshot = "s"', ("--no-snapshot",), {"no_snapshot": True, "snapshot": None}),
        (f"{A}no-snapshot = true", ("--snapshot", "s"), {"no_snapshot": False, "snapshot": "s"}),
        (f"[defaults]\nsmall = true\n{A}fast = true", (), {"small": False, "fast": True}),
        (f"[defaults]\nsmall = true\n{A}fast = false", (), {"small": True, "fast": False}),
        (f'{A}compress = "xz"', ("--fast",), {"compress": None, "fast": True}),
        (f"{A}small = true", ("--compress", "xz"), {"compress": "xz", "small": True}),
        (f"[defaults]\nfast = true\n{A}small = true", (), {"fast": False, "small": True}),
        (f"[defaults]\nfast = true\n{A}small = false", (), {"fast": True, "small": False}),
        (f"{A}fast = true", ("--small",), {"fast": False, "small": True}),
        # Of the defaults that mean nothing to a build, it is spared.
        (f'[defaults]\ndisk-compress = "xz"\n{A}disk = "none"', (), {"disk_compress": None}),
        (f'{A}disk-compress = "xz"', ("--disk", "none"), {"disk_compress": None}),
        (f'[defaults]\ncmdline = "quiet"\n{A}', (), {"cmdline": None}),
        (f'[defaults]\ncmdline = "quiet"\n{A}uki = true', (), {"cmdline": "quiet"}),
        (f'[defaults]\nsymvers = "s"\n{A}', (), {"symvers": None}),
        # Said by the build itself they are its mistake.
        (f'{A}disk-compress = "xz"\ndisk = "none"', (), {"disk_compress": "xz", "disk": "none"}),
    ],
)
def test_what_is_nearer_counts(
    tmp_path: Path, text: str, options: Sequence[str], expected: dict[str, Any]
) -> None:
    found = vars(merged(tmp_path, text, *options))
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        (A, (), "a"),
        (f'[defaults]\noutput = "out"\n{A}', (), "out/a"),
        (f'[defaults]\noutput = "out"\n{A}output = "here"', (), "here"),
        (f'{A}output = "here"', ("-o", "there"), "there/a"),
        (f'{A}output = "here"', ("-o", "."), "a"),
    ],
)
def test_where_it_goes(tmp_path: Path, text: str, options: Sequence[str], expected: str) -> None:
    assert merged(tmp_path, text, *options).output == Path(expected)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[build]", "build is no list of tables", "[[build]]"),
        ("build = 3", "build is no list of tables", "[[build]]"),
        ("defaults = 3", "defaults is no table", "[defaults]"),
        ("[[build]]", "build 1 has no name", "name ="),
        (f'{A}[[build]]\nkernel = "k"', "build 2 has no name", "name ="),
        ("[[build]]\nname = 3", "build 1: name = 3 is no name", "64 letters"),
        ('[[build]]\nname = "a/b"', "build 1: name = 'a/b' is no name", "64 letters"),
        ('[[build]]\nname = "-a"', "build 1: name = '-a' is no name", "64 letters"),
        ('[[build]]\nname = "\\u001b"', "build 1: name = '\\x1b' is no name", "64 letters"),
        (f"{A}{A}", "build 'a' is there twice", "a name of its own"),
        (f'{A}proflie = "x"', "build 'a': unknown key 'proflie'", "did you mean 'profile'?"),
        (f'{A}disk_format = "x"', "build 'a': unknown key 'disk_format'", "'disk-format'"),
        (f"{A}threads = 2", "build 'a': unknown key 'threads'", ""),
        (f'{A}report = "r.txt"', "build 'a': unknown key 'report'", ""),
        (f"{A}zzzzzz = 2", "build 'a': unknown key 'zzzzzz'", "known are kernel, output"),
        ('[defaults]\nname = "x"', "defaults: unknown key 'name'", "known are kernel"),
        (f'{A}disk = "some"', "build 'a': disk = 'some' is not known", "remaining, all, none"),
        (f'{A}emit = ["cpio", "x"]', "build 'a': emit = 'x' is not known", "cpio, cpio-list"),
        (f'{A}uki = "yes"', "build 'a': uki = 'yes' is not true or false", None),
        (f"{A}compress = 3", "build 'a': compress = 3 is not a text", None),
        (f'{A}compress = ""', "build 'a': compress = '' is not a text", None),
        (f"{A}add = 3", "build 'a': add = 3 is not a text or a list of texts", None),
        (f'{A}add = ["a", ""]', "build 'a': add = ['a', ''] is not a text or a list", None),
        (f'{A}mirror = ["http://u:w@h/", 3]', "mirror = ['http://h/', 3] is not", None),
        ("[defaults]\nuki = 1", "defaults: uki = 1 is not true or false", None),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, message: str, hint: str | None) -> None:
    said, advice = refused(tmp_path, text)
    assert message in said
    assert (advice is None) if hint is None else (hint in (advice or ""))


def test_only(tmp_path: Path) -> None:
    found = builds(tmp_path, "".join(f'[[build]]\nname = "{name}"\n' for name in "abc"))
    assert [build.name for build in chosen(found, None)] == ["a", "b", "c"]
    assert [build.name for build in chosen(found, ["c", "a", "c"])] == ["a", "c"]
    with pytest.raises(UsageError) as caught:
        chosen(found, ["a", "x"])
    assert (caught.value.message, caught.value.hint) == (
        "rdcompose.toml has no build 'x'",
        "it names a, b, c",
    )
