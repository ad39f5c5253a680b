"""The commands ``rdcompose unpack`` and ``rdcompose cat``."""

from __future__ import annotations

import errno
import io
import lzma
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.cli.main import main
from rdcompose.formats.compression import compress
from tests.support.artifacts import MODULES, Content, cpio, disk_bytes, disk_files, tree_of
from tests.support.debs import make_deb
from tests.support.images import make_bzimage
from tests.support.packages import RELEASE, kernel_deb
from tests.support.unmeasured import run_limited, unmeasured

if TYPE_CHECKING:
    from pathlib import Path

CODE: Final = "kernel/x86/microcode/GenuineIntel.bin"
PACKED: Final = lzma.compress(b"\x7fELF module")
MODULE: Final = f"{MODULES}/kernel/dummy.ko.xz"
MAIN: Final[dict[str, Content]] = {
    "init": (0o755, b"#!/bin/sh\n"),
    "bin/su": (0o4755, b"su"),
    "sbin/init": "/init",
    "x\n\x1b[2J\udcfc": b"strange",
    MODULE: PACKED,
}
SIZE: Final = 4 + 10 + 2 + 7 + len(PACKED)
PROGRAM: Final = "import sys; from rdcompose.cli.main import entrypoint; entrypoint()"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An initramfs with an early segment."""
    early = cpio(tree_of({CODE: b"code"}))
    path = tmp_path / "initrd.img"
    path.write_bytes(early + compress("zstd", cpio(tree_of(MAIN))))
    return path


def run(
    capfdbinary: pytest.CaptureFixture[bytes], *words: object, status: int = 0
) -> tuple[bytes, str]:
    """Run a command; returns what it prints and what it says."""
    assert main([str(word) for word in words]) == status
    sys.stdout.flush()
    printed = capfdbinary.readouterr()
    assert b"Traceback" not in printed.err
    return printed.out, printed.err.decode()


def files(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*")}


def test_everything(image: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    out = tmp_path / "new/out"
    printed, said = run(capfdbinary, "unpack", image, out)
    assert printed.decode().splitlines() == [
        f"15 entries, {SIZE} B, in {out}",
        "1 entry in template.list, for build --template",
    ]
    assert said == ""
    assert {CODE, *MAIN, "template.list"} <= files(out)
    assert (out / "bin/su").stat().st_mode & 0o7777 == 0o755
    printed, said = run(capfdbinary, "unpack", image, out, status=1)
    assert f"error: {out} is not empty\n  hint: " in said
    assert run(capfdbinary, "unpack", image, out, "-q", "--force") == (b"", "")


def test_paths_are_printed_as_they_are(
    image: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    printed, _ = run(capfdbinary, "unpack", "-v", image, tmp_path / "out", "x\n*", "/init")
    assert set(printed.split(b"\n")) == {b"init", b"x", b"\x1b[2J\xfc", b""}


def test_a_directory_whose_name_is_no_text(image: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "unpack", image, tmp_path / "\udcfc", "/init"],
        env={**unmeasured(), "PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.endswith(b"/\xfc\n")
    assert (tmp_path / "\udcfc/init").exists()


def test_built_again_it_is_the_same(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/modules.ramfs").write_text("drivers/block/virtio_blk.ko\n")
    kernel = tmp_path / "kernel.deb"
    kernel.write_bytes(kernel_deb())
    template = tmp_path / "template"
    template.mkdir()
    (template / "init").touch(mode=0o755)
    (template / "a name").write_text("content")
    lines = (
        *("nod /dev/console 600 0 0 c 5 1", "pipe /run/fifo 622 7 8", "dir /home 750 1000 1000"),
        *('file "/bin/s u" init 6755 0 5', "slink /bin/sh s\\040u 777 3 3", "dir /shut 0 0 0"),
    )
    (template / "template.list").write_text("\n".join(lines))
    options = ("--busybox", "none", "--e2fsck", "none", "--profile", tmp_path / "lists")
    trees = (template, tmp_path / "1/tree")
    for number, tree in enumerate(trees, 1):
        out = tmp_path / str(number)
        run(capfdbinary, "build", "-q", kernel, "-o", out, *options, "--template", tree)
        run(capfdbinary, "unpack", "-q", out / f"initramfs-{RELEASE}", out / "tree")
    one, two = (tmp_path / f"{number}/initramfs-{RELEASE}" for number in (1, 2))
    assert one.read_bytes() == two.read_bytes()
    assert (tmp_path / "1/tree/template.list").read_text().splitlines()[1:] == [
        *('file "/bin/s u" "./bin/s u" 6755 0 5', "slink /bin/sh s\\040u 777 3 3"),
        *("nod /dev/console 600 0 0 c 5 1", "dir /home 750 1000 1000"),
        *("pipe /run/fifo 622 7 8", "dir /shut 0 0 0"),
    ]


def test_segments(image: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    run(capfdbinary, "unpack", image, tmp_path / "out", "--segments")
    assert {f"early/{CODE}", "main/init", "main/template.list"} <= files(tmp_path / "out")


def test_patterns(image: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    out = tmp_path / "out"
    _, said = run(capfdbinary, "unpack", image, out, "*.ko.*", "gone", "lib/nothing", status=1)
    assert said == f"rdcompose: error: nothing in {image} matches 'gone', 'lib/nothing'\n"
    assert {path.name for path in out.rglob("*") if path.is_file()} == {"dummy.ko.xz"}


def test_disks_and_packages(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    disk, package = tmp_path / "disk", tmp_path / "x.deb"
    disk.write_bytes(disk_bytes(disk_files()))
    package.write_bytes(make_deb({"./usr/": None, "./usr/x": b"data"}))
    run(capfdbinary, "unpack", disk, tmp_path / "1")
    assert any(name.endswith(".ko") for name in files(tmp_path / "1"))
    run(capfdbinary, "unpack", package, tmp_path / "2")
    assert files(tmp_path / "2") == {"usr", "usr/x"}
    assert run(capfdbinary, "cat", package, "usr/x") == (b"data", "")
    _, said = run(capfdbinary, "unpack", package, tmp_path / "3", "--segments", status=1)
    assert "is a Debian package, which has no segments\n  hint: leave out --segments\n" in said
    assert not (tmp_path / "3").exists()


def test_damage_is_told_and_the_rest_kept(
    image: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    image.write_bytes(image.read_bytes()[:-20])
    printed, said = run(capfdbinary, "unpack", image, tmp_path / "out", status=1)
    assert said.startswith(f"rdcompose: error: {image} cannot be read to its end: the zstd data ")
    assert "hint: in segment 2 (zstd, from byte 1024), " in said
    assert said.endswith("GenuineIntel.bin'; 4 entries could be unpacked before that\n")
    assert CODE in files(tmp_path / "out")
    printed, said = run(capfdbinary, "cat", image, CODE, status=1)
    assert printed == b"code"
    assert "cannot be read to its end: the zstd data is cut short" in said
    _, said = run(capfdbinary, "cat", image, "init", status=1)
    assert f"there is no 'init' in {image}\n  hint: it cannot be read to its end: " in said


def test_what_has_no_files(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    kernel = tmp_path / "vmlinuz"
    kernel.write_bytes(make_bzimage())
    empty = tmp_path / "empty"
    empty.touch()
    for words, message in (
        ((kernel, tmp_path / "out"), f"there are no files in {kernel}: it is a kernel"),
        ((empty, tmp_path / "out"), f"there are no files in {empty}: it is empty"),
        ((tmp_path, tmp_path / "out"), f"{tmp_path} is a directory"),
        ((tmp_path / "gone", tmp_path / "out"), f"cannot read {tmp_path}/gone: No such file"),
    ):
        _, said = run(capfdbinary, "unpack", *words, status=1)
        assert said.startswith(f"rdcompose: error: {message}")
        assert not (tmp_path / "out").exists()


def test_entries_without_a_place(
    image: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    names = [f"{number:02}\x1b[2J" for number in range(11)]
    full = cpio(tree_of({f"{name}/x": b"" for name in names}))
    image.write_bytes(full + cpio(tree_of(dict.fromkeys([*names, "z"], b""))))
    out = tmp_path / "out"
    _, said = run(capfdbinary, "unpack", image, out, status=1)
    *lines, last = said.splitlines()
    assert len(lines) == 10
    why = "a directory that is not empty is in its place"
    assert lines[0] == f"warning: '00\\x1b[2J' in {image} is left out: {why}"
    assert last == f"rdcompose: error: 11 entries of {image} could not be unpacked"
    assert files(out) == {"z", *names, *(f"{name}/x" for name in names)}


@pytest.mark.parametrize(
    ("hostile", "inside"),
    [(b"../evil", None), (b"a/../../evil", None), (b"/etc/evil", "etc/evil"), (b"./evil", "evil")],
    ids=["up", "back", "absolute", "here"],
)
def test_names_do_not_lead_out(
    hostile: bytes,
    inside: str | None,
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    name = "x" * len(hostile)
    image = tmp_path / "image"
    image.write_bytes(cpio(tree_of({"a": b"", name: b""})).replace(name.encode(), hostile))
    top = tmp_path / "top"
    _, said = run(capfdbinary, "unpack", "-q", image, top / "out", status=int(inside is None))
    assert ("hostile name in the cpio archive" in said) == (inside is None)
    assert files(top) >= {"out", "out/a", *([f"out/{inside}"] if inside else [])}
    assert {path.name for path in top.iterdir()} == {"out"}
    assert {path.name for path in tmp_path.iterdir()} == {"image", "top"}


def test_limits(image: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    _, said = run(capfdbinary, "unpack", image, tmp_path / "1", "--max-size", "10", status=1)
    assert "more than 10 bytes of files to unpack\n  hint: --max-size allows more" in said
    _, said = run(capfdbinary, "unpack", image, tmp_path / "2", "--max-entries", "3", status=1)
    assert "has more than 3 entries\n  hint: --max-entries allows more" in said
    run(capfdbinary, "unpack", image, tmp_path / "3", "--max-size", "1k", "--max-entries", "99")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--max-size", "1X"), "'1X' is no size like 500M or 16G"),
        (("--max-entries", "-1"), "'-1' is no number"),
        (("--max-entries", "1e3"), "'1e3' is no number"),
        (("",), "it is empty"),
    ],
    ids=["size", "negative", "number", "pattern"],
)
def test_wrong_words(
    words: tuple[str, ...], message: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["unpack", "file", "out", *words])
    assert caught.value.code == 2
    assert message in capfdbinary.readouterr().err.decode()


def test_only_root_preserves(
    image: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    _, said = run(capfdbinary, "unpack", image, tmp_path / "out", "--preserve", status=1)
    assert "only root can make device nodes" in said
    assert not (tmp_path / "out").exists()


def test_a_full_disk(image: Path, tmp_path: Path) -> None:
    large = tree_of({"a": b"a", "b": b"b" * 100_000, "c": b"c"})
    image.write_bytes(cpio(large))
    done = run_limited(["-c", PROGRAM, "unpack", image, tmp_path / "out"], 50_000)
    assert done.returncode == 1
    where = tmp_path / "out/b"
    assert done.stderr == f"rdcompose: error: cannot write {where}: {os.strerror(errno.EFBIG)}\n"
    assert files(tmp_path / "out") == {"a"}


INTERRUPTED: Final = """
import os, signal
rename = os.rename
def interrupted(old, new, **fds):
    if new == b"sbin":
        signal.raise_signal(signal.SIGTERM)
    rename(old, new, **fds)
os.rename = interrupted
"""


def test_an_interrupt_leaves_whole_files_only(image: Path, tmp_path: Path) -> None:
    image.write_bytes(cpio(tree_of({"init": b"init", "sbin": b"x" * 5000, "z": b""})))
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED + PROGRAM, "unpack", image, tmp_path / "out"],
        env=unmeasured(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, "rdcompose: interrupted\n")
    assert files(tmp_path / "out") == {"init"}


def test_cat(image: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(capfdbinary, "cat", image, "sbin/init", "bin/su") == (b"#!/bin/sh\nsu", "")
    assert run(capfdbinary, "cat", image, MODULE) == (PACKED, "")
    assert run(capfdbinary, "cat", "-d", image, MODULE, "init") == (
        b"\x7fELF module#!/bin/sh\n",
        "",
    )


def test_cat_prints_nothing_if_a_path_is_wrong(
    image: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    printed, said = run(capfdbinary, "cat", image, "init", "int", status=1)
    assert printed == b""
    assert said.endswith("hint: there is init\n")
    _, said = run(capfdbinary, "cat", "-d", image, "bin/su", "bin", status=1)
    assert "'bin' in " in said


def test_cat_of_what_cannot_be_decompressed(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    image = tmp_path / "image"
    image.write_bytes(cpio(tree_of({"x.xz": lzma.compress(b"data")[:-5]})))
    _, said = run(capfdbinary, "cat", "--decompress", image, "x.xz", status=1)
    assert said == f"rdcompose: error: 'x.xz' in {image}: the xz data is cut short\n"


def test_directories_are_read_as_roots(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hostname").write_text("here")
    (tmp_path / "name").symlink_to("/etc/hostname")
    assert run(capfdbinary, "cat", tmp_path, "name") == (b"here", "")


def test_standard_input(
    image: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    def given() -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(image.read_bytes())))

    given()
    assert run(capfdbinary, "cat", "-", "init") == (b"#!/bin/sh\n", "")
    given()
    run(capfdbinary, "unpack", "-", tmp_path / "out", "bin")
    assert (tmp_path / "out/bin/su").read_bytes() == b"su"
    given()
    _, said = run(capfdbinary, "cat", "-", "gone", status=1)
    assert "there is no 'gone' in standard input" in said


def test_no_room_for_standard_input(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfileobj", full)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    _, said = run(capfdbinary, "cat", "-", "init", status=1)
    assert said == "rdcompose: error: cannot keep standard input: No space left on device\n"


def test_standard_output_that_is_full(image: Path) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "cat", image, "init"],
            env=unmeasured(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    message = "rdcompose: error: cannot write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, message)


@pytest.mark.parametrize(
    ("words", "closed", "status", "said"),
    [
        ("ls {}", "1", 0, ""),
        ("cat {} init", "1", 0, ""),
        ("ls -", "0", 1, "rdcompose: error: standard input: it is empty\n"),
        ("ls gone", "2", 1, ""),
    ],
    ids=["ls", "cat", "input", "error"],
)
def test_what_is_closed(image: Path, words: str, closed: str, status: int, said: str) -> None:
    """As daemons have it, and some who start programs."""
    program = [sys.executable, "-c", PROGRAM, *words.format(image).split()]
    done = subprocess.run(
        ["bash", "-c", f'exec "$0" "$@" {closed}>&-', *program],
        env=unmeasured(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, said)


def test_no_reader(image: Path) -> None:
    """As in ``rdcompose cat … | head -c 1``; nothing is said then."""
    image.write_bytes(cpio(tree_of({"large": bytes(1 << 20)})))
    script = f'"$0" -c "$1" cat {image} large | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, PROGRAM],
        env=unmeasured(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")
