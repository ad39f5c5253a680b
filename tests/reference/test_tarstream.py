"""The tar reader on what GNU tar writes."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from rdcompose.formats.tarstream import Kind, iter_tar
from tests.support.tools import run_bytes, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

LONG = "long-directory-name-" * 6 + "/" + "long-file-name-" * 8


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / LONG).parent.mkdir(parents=True)
    (root / LONG).write_bytes(b"long")
    (root / "plain").write_bytes(b"plain" * 500)
    (root / "plain").chmod(0o750)
    (root / "link").symlink_to("x" * 150)
    (root / "second").hardlink_to(root / "plain")
    os.mkfifo(root / "fifo")
    with (root / "sparse").open("wb") as out:
        for place in (1, 1 << 20, 3 << 20, 5 << 20, 7 << 20, 9 << 20):
            out.seek(place)
            out.write(b"data" * 1024)
        out.truncate(10 << 20)
    return root


@pytest.mark.parametrize("tar_format", ["gnu", "pax", "oldgnu"])
@pytest.mark.parametrize("sparse", [[], ["--sparse"]], ids=["full", "sparse"])
def test_archives_of_tar(directory: Path, tar_format: str, sparse: list[str]) -> None:
    options = [f"--format={tar_format}", *sparse, "--sort=name", "-cf", "-", "."]
    tar = run_bytes(tool("tar"), *options, cwd=directory)
    assert len(tar) < 1 << 20 or not sparse
    # The first name of a file in the archive carries its content.
    hard_link = {"second": "plain"}
    expected = {}
    for path in sorted(directory.rglob("*")):
        name, status = path.relative_to(directory).as_posix(), path.lstat()
        kind, target, content = Kind.OTHER, "", b""
        if name in hard_link:
            kind, target = Kind.HARDLINK, hard_link[name]
        elif stat.S_ISREG(status.st_mode):
            kind, content = Kind.FILE, path.read_bytes()
        elif stat.S_ISDIR(status.st_mode):
            kind = Kind.DIRECTORY
        elif stat.S_ISLNK(status.st_mode):
            kind, target = Kind.SYMLINK, str(path.readlink())
        mode, mtime = stat.S_IMODE(status.st_mode), int(status.st_mtime)
        expected[name] = (kind, mode, mtime, target, len(content), content)
    found = {
        m.path: (m.kind, m.mode, m.mtime, m.target, m.size, m.content) for m in iter_tar([tar])
    }
    assert found == expected
