"""Programs of real packages with their libraries, against the dynamic linker and readelf."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.cli.archive import archive_session
from rdcompose.cli.fetching import fetch
from rdcompose.cli.options import make_parser
from rdcompose.compose.additions import resolve_additions
from rdcompose.compose.addlist import parse_request
from rdcompose.compose.contents import TRIPLETS
from rdcompose.compose.dependencies import ArchiveSupplier, Dependencies
from rdcompose.compose.placement import place_additions
from rdcompose.compose.template import builtin_template
from rdcompose.kernel.release import ARCHITECTURES
from rdcompose.tree import Directory, File, Symlink, Tree, read_all
from tests.support.kernels import cache_directory, mirrors
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.compose.added import Additions

pytestmark = pytest.mark.reference

REQUESTS: Final = (
    *("nbd-client", "e2fsprogs:/sbin/e2fsck", "kmod", "cryptsetup-bin:/sbin/cryptsetup"),
)
PROGRAMS: Final = ("nbd-client", "e2fsck", "modprobe", "cryptsetup")
LOADER: Final = "lib64/ld-linux-x86-64.so.2"
PLACES: Final = (
    ("bookworm", "amd64"),
    ("trixie", "amd64"),
    ("trixie", "arm64"),
    ("bookworm", "armhf"),
    ("trixie", "riscv64"),
)


@functools.cache
def additions(suite: str, architecture: str) -> Additions:
    mirrors()
    cache = str(cache_directory() / "archive")
    arguments = make_parser().parse_args(
        ["build", "any", "--suite", suite, "--no-snapshot", "--cache", cache]
    )
    with archive_session(arguments, shown=False) as session:
        suites = session.archive.family(suite, architecture)
        supplier = ArchiveSupplier(
            lambda: Dependencies(suites, architecture),
            lambda rows: fetch(rows, session),
            ARCHITECTURES[architecture],
        )
        requests = [parse_request(text) for text in REQUESTS]
        return resolve_additions(requests, supplier, ARCHITECTURES[architecture])


def unpacked(added: Additions, directory: Path, *links: Symlink) -> Path:
    """A directory with the built-in template, with some links in it, and what is added."""
    tree = builtin_template()
    for link in links:
        tree.remove(link.path)
        tree.add(link)
    place_additions(tree, added)
    write(tree, directory)
    return directory


def write(tree: Tree, directory: Path) -> None:
    directory.mkdir()
    for entry in tree:
        path = directory / entry.path
        if isinstance(entry, Directory):
            path.mkdir()
        elif isinstance(entry, Symlink):
            path.symlink_to(entry.target)
        elif isinstance(entry, File):
            path.write_bytes(read_all(entry.content))
            path.chmod(entry.mode)


def real_path(root: Path, path: str) -> Path | None:
    """Where a path of the root leads, links followed as after chroot."""
    place = root / path.lstrip("/")
    for _ in range(40):
        folder = place.parent.resolve()
        place = folder / place.name
        if not place.is_symlink():
            return place if place.exists() else None
        target = str(place.readlink())
        place = root / target.lstrip("/") if target.startswith("/") else folder / target
    raise AssertionError(path)


def dynamic(path: Path) -> tuple[list[str], list[str]]:
    """What readelf says of a file: the interpreter, and the libraries that are needed."""
    text = run(tool("readelf"), "-ldW", path)
    interpreter = re.findall(r"Requesting program interpreter: (\S+)\]", text)
    return interpreter, re.findall(r"\(NEEDED\)\s+Shared library: \[(.+)\]", text)


def closure(root: Path, triplet: str) -> set[Path]:
    """All files that the programs need, by what readelf says."""
    found: set[Path] = set()
    start = [real_path(root, f"sbin/{name}") for name in PROGRAMS]
    left = [path for path in start if path is not None]
    assert len(left) == len(PROGRAMS)
    while left:
        path = left.pop()
        if path in found:
            continue
        found.add(path)
        interpreter, needed = dynamic(path)
        for name in interpreter:
            place = real_path(root, name)
            assert place is not None, f"{name} of {path}"
            left.append(place)
        for name in needed:
            places = [real_path(root, f"{top}/{triplet}/{name}") for top in ("lib", "usr/lib")]
            there = [place for place in places if place is not None]
            assert there, f"{name} of {path}"
            left.append(there[0])
    return found


def is_elf(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF"


@pytest.mark.parametrize(("suite", "architecture"), PLACES)
def test_nothing_is_missing_and_nothing_too_much(
    suite: str, architecture: str, tmp_path: Path
) -> None:
    root = unpacked(additions(suite, architecture), tmp_path.resolve() / "root")
    elves = {path for path in root.rglob("*") if is_elf(path)}
    assert closure(root, TRIPLETS[architecture]) == elves


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
@pytest.mark.parametrize("merged", [False, True])
def test_dynamic_linker_finds_the_same(suite: str, tmp_path: Path, *, merged: bool) -> None:
    """In the initramfs itself, with two library directories or one."""
    names = ("bin", "lib", "lib64", "sbin") if merged else ()
    links = [Symlink(path=name, target=f"usr/{name}") for name in names]
    added = additions(suite, "amd64")
    root = unpacked(added, tmp_path.resolve() / "root", *links)
    listed: set[Path] = set()
    for name in PROGRAMS:
        text = run(
            *(tool("unshare"), "--user", "--map-root-user", tool("chroot"), root),
            *(f"/{LOADER}", "--list", f"/sbin/{name}"),
        )
        assert "not found" not in text
        for path in re.findall(r"(/\S+) \(0x", text):
            place = real_path(root, path)
            assert place is not None
            listed.add(place)
    libraries = {path for path in root.rglob("*.so*") if is_elf(path)}
    assert listed == libraries


def test_programs_run(tmp_path: Path) -> None:
    root = unpacked(additions("trixie", "amd64"), tmp_path / "root")
    inside = (tool("unshare"), "--user", "--map-root-user", tool("chroot"), str(root))
    assert "kmod version" in run(*inside, "/sbin/modprobe", "--version")
    assert "cryptsetup 2." in run(*inside, "/sbin/cryptsetup", "--version")


def test_same_again() -> None:
    first = additions("trixie", "amd64")
    additions.cache_clear()
    second = additions("trixie", "amd64")
    assert first.inputs == second.inputs
    assert [row.why for row in first.files] == [row.why for row in second.files]
    assert [row.entry for row in first.files] == [row.entry for row in second.files]
