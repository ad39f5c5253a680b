"""Owners, times and extended attributes of single files, as squashfs-tools-ng reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.boards.root_tar import tar_files
from rdcompose.formats.squashfs.tables import Details
from rdcompose.formats.squashfs.writer import write_squashfs
from tests.support.dump import dump
from tests.support.rootfiles import CAPABILITY, TIME, root_files
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

XATTRS: Final[dict[str, tuple[tuple[str, bytes], ...]]] = {
    "": (("user.root", b"1"),),
    "etc": (("user.folder", b"2"), ("trusted.x", b"")),
    "usr/bin/ping": (("security.capability", CAPABILITY),),
    "noise": (("user.large", bytes(range(256)) * 30),),
    "bin": (("trusted.link", b"3"),),
    "many/näme-00001": (("security.capability", CAPABILITY),),
}
SPECIAL: Final = {"dev/null": (("trusted.node", b"4"),), "run/fifo": (("trusted.fifo", b"5"),)}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = root_files()
    tree = files.tree
    tree.remove("ü\udcff")
    # More than one block of the table holds.
    numbers = {f"many/näme-{n:05}": [("user.number", b"%d" % n)] for n in range(2, 300)}
    xattrs = {**XATTRS, **SPECIAL, **numbers}
    path = tmp_path_factory.mktemp("squashfs") / "image"
    with path.open("w+b") as out:
        write_squashfs(
            out,
            tree,
            mtime=TIME,
            details=Details(root=files.root, times=files.times, xattrs=xattrs),
        )
    return path


def test_squashfs_tools_ng_reads_them(tmp_path: Path, image: Path) -> None:
    packed = tmp_path / "out.tar"
    packed.write_bytes(run_bytes(tool("sqfs2tar"), image))
    with packed.open("rb") as source:
        found = tar_files(source)
        tree = root_files().tree
        tree.remove("ü\udcff")
        tree.remove("run/socket")
        assert dump(found.tree) == dump(tree)
    for path, rows in XATTRS.items():
        if path:
            assert sorted(found.xattrs[path]) == sorted(rows)
    assert found.xattrs["many/näme-00299"] == (("user.number", b"299"),)
    assert found.times["bin"] == TIME + 1
    # What squashfs cannot tell is bounded.
    assert found.times["etc"] == 0xFFFFFFFF
    assert found.times["etc/hostname"] == 0
    assert found.times["noise"] == TIME


def test_unsquashfs_reads_it(image: Path) -> None:
    listed = run(tool("unsquashfs"), "-lln", image)
    assert "drwx--x--x 3/4" in listed
    assert "-rw------- 70000/80000" in listed
    said = run(tool("unsquashfs"), "-s", image)
    assert "Xattrs are compressed" in said
