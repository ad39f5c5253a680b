"""``rdcompose unpack`` beside unmkinitramfs, cpio, unsquashfs and dpkg-deb, file by file."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from rdcompose.compose.template import LIST_NAME, read_template
from rdcompose.inspect.opened import open_image
from rdcompose.tree import Bytes, File, Tree, read_all
from tests.support.dump import dump
from tests.support.foreign import BUILDERS, foreign_initramfs
from tests.support.kernels import lsinitramfs, package
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.reference


def unpack(file: Path, directory: Path, *options: str) -> None:
    assert main(["unpack", "-q", str(file), str(directory), *options]) == 0


def files(directory: Path, *, times: bool = True) -> dict[str, tuple[object, ...]]:
    """Return what a test compares of everything below a directory, the list left out."""
    found: dict[str, tuple[object, ...]] = {}
    for base, directories, names in os.walk(directory):
        for name in [*directories, *names]:
            path = Path(base, name)
            found[str(path.relative_to(directory))] = tuple(_facts(path, times=times))
    found.pop(LIST_NAME, None)
    return found


def _facts(path: Path, *, times: bool) -> Iterator[object]:
    status = path.lstat()
    # Ordinary users do not set these.
    yield stat.filemode(status.st_mode & ~0o6000)
    if path.is_symlink():
        yield path.readlink()
    elif path.is_file():
        yield hashlib.sha256(path.read_bytes()).hexdigest()
        yield status.st_nlink
        if times:
            yield int(status.st_mtime)


@pytest.mark.parametrize("builder", BUILDERS)
def test_what_others_made(tmp_path: Path, builder: str) -> None:
    image = foreign_initramfs(builder)
    unpack(image, tmp_path / "ours")
    unmkinitramfs = Path(lsinitramfs()).with_name("unmkinitramfs")
    run(unmkinitramfs, image, tmp_path / "theirs")
    ours = files(tmp_path / "ours")
    assert len(ours) > 200
    assert ours == files(tmp_path / "theirs")
    linked = [facts for facts in ours.values() if len(facts) == 4 and facts[2] != 1]
    assert bool(linked) == (builder == "initramfs-tools")
    assert _template(tmp_path / "ours") == _entries(image)


def _template(directory: Path) -> dict[str, str]:
    return dump(read_template(directory))


def _entries(image: Path) -> dict[str, str]:
    """Return what is in an image as a template has it."""
    tree = Tree()
    with open_image(image) as opened:
        for located in opened.entries():
            entry = located.entry
            # Contents are there until the next entry.
            if isinstance(entry, File):
                entry = dataclasses.replace(entry, content=Bytes(read_all(entry.content)))
            tree.add(entry)
    return dump(tree)


def test_segments(tmp_path: Path) -> None:
    """Two plain archives in front, as initramfs-tools has microcode and packed modules."""
    tree = tmp_path / "tree"
    (tree / "kernel/x86/microcode").mkdir(parents=True)
    (tree / "kernel/x86/microcode/GenuineIntel.bin").write_bytes(b"code" * 1000)
    early = run_bytes(tool("cpio"), "-o", "-H", "newc", "--quiet", stdin=_names(tree), cwd=tree)
    image = tmp_path / "image"
    packed = run_bytes(tool("gzip"), "-nc", stdin=early)
    image.write_bytes(early + early + packed)
    unpack(image, tmp_path / "ours", "--segments")
    run(Path(lsinitramfs()).with_name("unmkinitramfs"), image, tmp_path / "theirs")
    assert {path.name for path in (tmp_path / "ours").iterdir()} == {"early", "early2", "main"}
    assert files(tmp_path / "ours") == files(tmp_path / "theirs")


def _names(tree: Path) -> bytes:
    return run(*("find", ".", "-mindepth", "1"), cwd=tree).encode()


def test_cpio_and_its_patterns(tmp_path: Path) -> None:
    image = foreign_initramfs("initramfs-tools")
    plain = run_bytes(tool("zstd"), "-dcq", image)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    run(tool("cpio"), "-idm", "--quiet", "usr/lib/modules/*", stdin=plain, cwd=theirs)
    unpack(image, tmp_path / "ours", "/usr/lib/modules/*")
    assert files(tmp_path / "ours") == files(theirs)
    (tmp_path / "plain").write_bytes(plain)
    unpack(tmp_path / "plain", tmp_path / "all")
    (tmp_path / "cpio").mkdir()
    run(tool("cpio"), "-idm", "--quiet", stdin=plain, cwd=tmp_path / "cpio")
    assert files(tmp_path / "all") == files(tmp_path / "cpio")


def test_squashfs(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    unpack(foreign_initramfs("dracut"), tree, "etc", "usr/lib/modules")
    (tree / "holes").write_bytes(bytes(3 << 20) + b"end")
    (tree / "program").write_bytes(b"program")
    (tree / "program").chmod(0o4755)
    (tree / "other name").hardlink_to(tree / "program")
    image = tmp_path / "image"
    run(tool("mksquashfs"), tree, image, "-quiet", "-no-progress", "-comp", "zstd")
    unpack(image, tmp_path / "ours")
    run(tool("unsquashfs"), "-q", "-n", "-d", tmp_path / "theirs", image)
    assert files(tmp_path / "ours") == files(tmp_path / "theirs")


def test_ext4(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    unpack(foreign_initramfs("dracut"), tree, "etc", "usr/lib/modules")
    (tree / "etc/other name").hardlink_to(tree / "etc/passwd")
    image = tmp_path / "image"
    run(tool("mke2fs"), "-q", "-t", "ext4", "-d", tree, image, "32m")
    unpack(image, tmp_path / "ours")
    (tmp_path / "ours/lost+found").rmdir()
    assert files(tmp_path / "ours") == files(tree)


def test_packages(tmp_path: Path) -> None:
    deb = package("bookworm", "amd64", "busybox-static")
    unpack(deb, tmp_path / "ours")
    run(tool("dpkg-deb"), "-x", deb, tmp_path / "theirs")
    assert files(tmp_path / "ours") == files(tmp_path / "theirs")
