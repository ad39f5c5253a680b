"""Archives of GNU tar, in all its forms."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from rdcompose.boards.root_tar import tar_files
from rdcompose.tree import File, read_all
from tests.support.dump import dump
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("root")
    noise = random.Random(3)
    (top / "file").write_bytes(noise.randbytes(100_000))
    (top / "linked").hardlink_to(top / "file")
    deep = top / ("d" * 120) / ("e" * 120)
    deep.mkdir(parents=True)
    (deep / "näme").symlink_to("../" * 40 + "x")
    os.mkfifo(top / "fifo")
    for name, size in (("holes", 3_000_000), ("all-hole", 1_000_000), ("many", 8_000_000)):
        with (top / name).open("wb") as out:
            out.truncate(size)
            # More than the four and the twenty-one pieces of the old form's headers.
            for at in range(0, size, 200_000) if name != "all-hole" else ():
                out.seek(at + 100_000 * (name == "holes"))
                out.write(noise.randbytes(5000))
    return top


@pytest.mark.parametrize(
    "options",
    [
        ("--format=gnu", "--sparse"),
        ("--format=posix",),
        *(("--format=posix", "--sparse", f"--sparse-version={v}") for v in ("0.0", "0.1", "1.0")),
    ],
    ids=" ".join,
)
def test_archives_of_gnu_tar(tmp_path: Path, tree: Path, options: tuple[str, ...]) -> None:
    archive = tmp_path / "root.tar"
    run(tool("tar"), "--owner=root:0", "--group=root:0", *options, "-C", tree, "-cf", archive, ".")
    with archive.open("rb") as source:
        files = tar_files(source)
        found = dump(files.tree)
        for name in ("file", "holes", "all-hole", "many"):
            entry = files.tree.get(files.links.get(name, name))
            assert isinstance(entry, File)
            assert read_all(entry.content) == (tree / name).read_bytes()
    assert len(found) == 8
    assert found["fifo"].startswith("fifo ")
    assert found[f"{'d' * 120}/{'e' * 120}/näme"] == "symlink " + "../" * 40 + "x"
    assert {*files.links, *files.links.values()} == {"file", "linked"}
