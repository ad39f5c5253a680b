"""The command ``rdcompose ls`` on files of all kinds, sound and damaged."""

from __future__ import annotations

import gzip
import json
import lzma
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.cli.main import main
from rdcompose.tree import Bytes, Directory, File, Node, NodeKind, Symlink
from tests.support.artifacts import (
    MODULES,
    cpio,
    disk_bytes,
    disk_files,
    initramfs_bytes,
    initramfs_files,
    tree_of,
)
from tests.support.devicetrees import make_dtb
from tests.support.images import make_bzimage
from tests.support.packages import CONFIG, RELEASE, kernel_deb

if TYPE_CHECKING:
    from pathlib import Path

EARLY = cpio(tree_of({"kernel/x86/microcode/GenuineIntel.bin": b"code"}))


def ls(capsys: pytest.CaptureFixture[str], *words: object, status: int = 0) -> tuple[str, str]:
    assert main(["ls", *map(str, words)]) == status
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return printed.out, printed.err


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "initrd.img"
    path.write_bytes(EARLY + initramfs_bytes(initramfs_files()))
    return path


def test_an_initramfs(capsys: pytest.CaptureFixture[str], image: Path) -> None:
    out, err = ls(capsys, image)
    lines = out.splitlines()
    assert err == ""
    assert lines[0] == "segment 1, from byte 0, not compressed:"
    assert lines[4].endswith("4 1970-01-01 00:00 kernel/x86/microcode/GenuineIntel.bin")
    assert lines[5] == f"segment 2, from byte {len(EARLY)}, gzip:"
    assert "lrwxrwxrwx  1    0    0          7 1970-01-01 00:00 bin/sh -> busybox" in lines
    assert (
        lines[-3]
        == f"{image}: initramfs of {RELEASE} for amd64, {image.stat().st_size / 1e3:.1f} kB"
    )
    assert lines[-2] == "  segment 1: from byte 0, 652 B, not compressed, 4 entries"
    assert lines[-1].startswith(f"  segment 2: from byte {len(EARLY)}, ")
    assert lines[-1].endswith("kB unpacked, 23 entries")


def test_forms(capsys: pytest.CaptureFixture[str], image: Path) -> None:
    summary, _ = ls(capsys, "-s", image)
    assert summary.splitlines()[0].startswith(f"{image}: initramfs of")
    names, _ = ls(capsys, "--names", image, "bin/")
    assert names == "bin\nbin/busybox\nbin/mount\nbin/sh\n"
    tree, _ = ls(capsys, "--tree", image, "/bin")
    assert [line.partition("  [")[0] for line in tree.splitlines()[:4]] == [
        "└── bin/",
        "    ├── busybox",
        "    ├── mount",
        "    └── sh -> busybox",
    ]
    modules, _ = ls(capsys, "--modules", image)
    rows = [line.split() for line in modules.splitlines()]
    assert rows[0] == ["module", "size", "version", "why"]
    assert rows[2][0] == "virtio_ring"
    assert rows[2][3:] == ["needed", "by", "virtio_blk"]
    assert rows[3] == ["ext4", "built", "in", "it", "is", "part", "of", "the", "kernel"]


def read_json(capsys: pytest.CaptureFixture[str], *words: object, status: int = 0) -> Any:
    return json.loads(ls(capsys, "--json", *words, status=status)[0])


def test_json(capsys: pytest.CaptureFixture[str], image: Path) -> None:
    found = read_json(capsys, image)
    assert found["kind"] == "initramfs"
    assert (found["release"], found["releases"]) == (RELEASE, [RELEASE])
    assert found["architectures"] == ["amd64"]
    assert [part["entries"] for part in found["parts"]] == [4, 23]
    by_path = {entry["path"]: entry for entry in found["entries"]}
    assert by_path["bin/sh"] == {
        "path": "bin/sh",
        "type": "symlink",
        "target": "busybox",
        "mode": "0777",
        "uid": 0,
        "gid": 0,
        "mtime": 0,
        "links": 1,
        "part": 1,
    }
    assert found["problem"] is None
    assert read_json(capsys, image, "/init")["entries"][0]["size"] == 10
    assert "entries" not in read_json(capsys, "-s", image)
    found = read_json(capsys, "--modules", image)
    assert found["damaged_indexes"] is None
    modules = found["modules"]
    assert [row["name"] for row in modules] == ["virtio_blk", "virtio_ring", "ext4"]
    assert modules[0]["path"].startswith(MODULES)
    assert read_json(capsys, image, "nope", status=1)["entries"] == []


def test_damage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    image = tmp_path / "cut"
    image.write_bytes(EARLY + gzip.compress(cpio(tree_of({"a": b"1", "b": b"2"})))[:-9])
    out, err = ls(capsys, image, status=1)
    assert "1 1970-01-01 00:00 b\n" in out
    assert f"{image}: initramfs, " in out
    assert err == (
        f"rdcompose: error: {image} cannot be read to its end: the gzip data is cut short\n"
        f"  hint: in segment 2 (gzip, from byte {len(EARLY)}), at byte 512 of what it unpacks to, "
        "the last good entry is 'b'\n"
    )
    problem = read_json(capsys, image, status=1)["problem"]
    assert problem == {
        "message": "the gzip data is cut short",
        "offset": len(EARLY),
        "inner": 512,
        "part": 1,
        "last": "b",
    }
    image.write_bytes(EARLY + b"rubbish")
    out, err = ls(capsys, image, status=1)
    assert "at offset 1024 is neither a cpio archive nor a known compression" in err
    assert "GenuineIntel.bin" in out


def test_what_the_kernel_would_not_unpack(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    image = tmp_path / "initrd.xz"
    image.write_bytes(lzma.compress(EARLY))
    out, _ = ls(capsys, "-s", image)
    assert "\n    not for the kernel: the kernel knows no check of .xz data but CRC32" in out


def test_damaged_indexes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    image = tmp_path / "initrd"
    files = initramfs_files()
    del files[f"{MODULES}/modules.dep"]
    image.write_bytes(initramfs_bytes(files | {f"{MODULES}/modules.dep.bin": b"no index"}))
    out, err = ls(capsys, "--modules", image)
    assert "needed by virtio_blk" in out
    assert err.startswith("warning: indexes of modules are passed over: ")
    assert read_json(capsys, "--modules", image)["damaged_indexes"] is not None


def test_a_damaged_disk(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    image = tmp_path / "disk"
    data = bytearray(disk_bytes(disk_files(), container="squashfs"))
    # The table of inodes is not where the superblock says.
    data[64:72] = (200).to_bytes(8, "little")
    image.write_bytes(data)
    out, err = ls(capsys, image, status=1)
    assert f"{image}: modules disk, 4.1 kB\n" in out
    assert err.startswith(f"rdcompose: error: {image} cannot be read to its end: ")
    assert "  hint: in squashfs (gzip, from byte 0), there is no good entry before\n" in err


def test_hostile_names(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    entries = [
        File(path="bell\a", content=Bytes(b"")),
        File(path="caf\udce9", content=Bytes(b"")),
        Symlink(path="s", target="\x1b]0;title\a"),
        Node(path="n", kind=NodeKind.CHARACTER, major=1, minor=3),
        Directory(path="d"),
    ]
    image = tmp_path / "initrd"
    image.write_bytes(cpio(entries))
    for option in ((), ("--tree",)):
        out, _ = ls(capsys, image, *option)
        assert "bell\\007" in out
        assert "caf\\351" in out
        assert "s -> \\033]0;title\\007" in out
        assert not set(out) & {"\a", "\x1b"}
    assert read_json(capsys, image)["entries"][1]["path"] == "caf\udce9"


def test_a_tree_of_too_many(
    capsys: pytest.CaptureFixture[str], image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rdcompose.cli.ls._MAX_TREE", 9)
    out, err = ls(capsys, "--tree", image, status=1)
    assert out == ""
    assert "a tree of more than 9 entries is not drawn\n  hint: without --tree" in err


def test_disk_package_and_directory(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    disk = tmp_path / f"modules-{RELEASE}.qcow2"
    disk.write_bytes(disk_bytes(disk_files()))
    out, _ = ls(capsys, "-s", disk)
    assert f"{disk}: modules disk of {RELEASE} for amd64, " in out
    assert "kB in qcow2\n  squashfs: from byte 0, " in out
    package = tmp_path / "linux-image.deb"
    package.write_bytes(kernel_deb())
    out, _ = ls(capsys, package, "vmlinuz*")
    assert out.splitlines()[0].endswith(f"boot/vmlinuz-{RELEASE}")
    assert f"{package}: Debian package of {RELEASE} for amd64" in out
    (tmp_path / f"vmlinuz-{RELEASE}").write_bytes(make_bzimage(release=RELEASE))
    out, _ = ls(capsys, tmp_path)
    lines = out.splitlines()
    assert lines[-3:] == [
        f"{tmp_path}: directory",
        f"  modules-{RELEASE}.qcow2: modules disk of {RELEASE}",
        f"  vmlinuz-{RELEASE}: kernel of {RELEASE}",
    ]


def test_single_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = {
        "vmlinuz": (make_bzimage(release=RELEASE), f"kernel of {RELEASE} for "),
        f"config-{RELEASE}": (CONFIG.encode(), f"configuration of {RELEASE}, "),
        "x.dtb": (make_dtb({"model": b"Board\0", "compatible": b"a,b\0"}), "Board: a,b"),
    }
    for name, (data, expected) in files.items():
        (tmp_path / name).write_bytes(data)
        assert expected in ls(capsys, tmp_path / name)[0]
        assert read_json(capsys, tmp_path / name)["facts"]["problem"] is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (b"some text\n", "it is a text of no known kind"),
        (b"\x89LZO\0\r\n\x1a\n", "it is packed with lzo, which is not unpacked here"),
        (b"070707" + b"0" * 70 + b".\0", "it is a cpio archive in the old portable format"),
        (b"\xc7\x71" * 40, "it is a cpio archive in the old binary format"),
        (b"QFI\xfb" + bytes(100), "qcow2"),
    ],
    ids=["empty", "text", "lzo", "odc", "binary", "qcow2"],
)
def test_what_is_not_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, data: bytes, message: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    _, err = ls(capsys, path, status=1)
    assert err.startswith("rdcompose: error: ")
    assert message in err


def test_wrong_words(capsys: pytest.CaptureFixture[str], image: Path) -> None:
    _, err = ls(capsys, image, "nope", status=1)
    assert err == f"rdcompose: error: nothing in {image} matches 'nope'\n"
    _, err = ls(capsys, image.parent / "gone", status=1)
    assert "No such file or directory" in err
    empty = (["ls", str(image), ""], ["ls", ""], ["cat", "", "init"])
    for words in (["ls"], ["ls", str(image), "--tree", "--names"], *empty):
        with pytest.raises(SystemExit, match="2"):
            main(words)
    capsys.readouterr()
    for words, lacking in ((["ls"], "FILE|DIR"), (["unpack", str(image)], "DIR")):
        with pytest.raises(SystemExit, match="2"):
            main(words)
        assert capsys.readouterr().err.endswith(f"arguments are required: {lacking}\n")
