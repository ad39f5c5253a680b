"""Lists and directories against GNU cpio: what it reads of the initramfs, and makes of them."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from rdcompose.formats.cpio import read_newc
from tests.support.kernels import package
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

KINDS = {"dir": stat.S_IFDIR, "file": stat.S_IFREG, "slink": stat.S_IFLNK, "nod": stat.S_IFCHR}
ROW = re.compile(r"(\S{10}) +\d+ +0 +0 +(?:\d+|\d+, *\d+) \w+ +\d+ +\S+ (\S+)(?: -> (\S+))?")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("emit")
    kernel = package("bookworm", "amd64", "linux-image-cloud-amd64")
    busybox = package("bookworm", "amd64", "busybox-static")
    options = ["--busybox", busybox, "--e2fsck", "none", "--disk", "none", "-o", directory, "-q"]
    for form in ("cpio", "cpio-list", "directory"):
        options += ["--emit", form]
    assert main(["build", str(kernel), *map(str, options)]) == 0
    return directory


def test_the_list_says_what_the_archive_holds(out: Path) -> None:
    (archive,) = out.glob("*.cpio")
    command = [tool("cpio"), "-itvn", "--quiet"]
    rows = [ROW.fullmatch(line) for line in run(*command, stdin=archive.read_bytes()).splitlines()]
    theirs = [(row[1], row[2], row[3]) for row in rows if row is not None]
    assert len(theirs) == len(rows) > 100
    own = []
    for line in next(out.glob("*.list")).read_text(encoding="utf-8").splitlines():
        kind, name, *words = line.split()
        target = words.pop(0) if kind == "slink" else None
        if kind == "file":
            location = out / words.pop(0)
            assert location.is_file()
        assert words[1:3] == ["0", "0"]
        mode = stat.filemode(KINDS[kind] | int(words[0], 8))
        own.append((mode, name.removeprefix("/"), target))
    assert own == theirs


def test_cpio_makes_the_same_of_the_directory(out: Path) -> None:
    (archive,) = out.glob("*.cpio")
    (directory,) = out.glob("*.d")
    names = sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))
    text = "".join(f"{name}\n" for name in names).encode()
    made = out / "made.cpio"
    run(
        tool("cpio"), "-o", "-H", "newc", "--quiet", "-R", "0:0", "-F", made,
        stdin=text, cwd=directory,
    )  # fmt: skip
    theirs = {entry.path: entry for entry in read_newc(made.read_bytes())}
    own = {entry.path: entry for entry in read_newc(archive.read_bytes())}
    (nodes,) = out.glob("*.nodes")
    special = {line.split()[1][1:] for line in nodes.read_text(encoding="utf-8").splitlines()}
    assert special == set(own) - set(theirs) == {"dev/console", "dev/null"}
    assert {path: entry for path, entry in own.items() if path not in special} == theirs


def test_nothing_takes_them_for_an_initramfs_of_another_kernel(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(out)]) == 0
    assert "FAILED" not in capsys.readouterr().out
