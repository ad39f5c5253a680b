from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from rdcompose.formats.compression import decompress
from rdcompose.formats.cpio import read_newc
from tests.support.debs import make_apk, make_deb
from tests.support.disks import QCOW2_DATA, disk_files
from tests.support.dump import digest, dump
from tests.support.modules import make_ko
from tests.support.packages import RELEASE, VERMAGIC, module, sample_files
from tests.support.programs import APPLETS, make_busybox, make_e2fsck, make_program

if TYPE_CHECKING:
    from pathlib import Path

MODULES = {
    path.partition("lib/modules/")[2]: data
    for path, data in sample_files().items()
    if path.startswith("lib/modules/")
}
RAMFS = b"""\
# Modules for initramfs

drivers/block/virtio_blk.ko\t# comment
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MiniVM's directory: modules, lists and a template."""
    monkeypatch.chdir(tmp_path)
    for name, data in MODULES.items():
        write(tmp_path / "lib/modules" / name, data)
    (tmp_path / "lib/modules" / RELEASE / "build").symlink_to("/usr/src/linux")
    write(tmp_path / "modules.ramfs", RAMFS)
    write(tmp_path / "modules.autoload", b"dummy\n")
    write(tmp_path / "ramdisk-template/init", b"#!/bin/sh\n").chmod(0o755)
    write(tmp_path / "ramdisk-template/bin/busybox", b"an old one").chmod(0o755)
    (tmp_path / "ramdisk-template/bin/sh").symlink_to("busybox")
    return tmp_path


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(arguments) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    return streams.err.splitlines()[0].removeprefix("rdcompose: error: ")


def test_mkinitramfs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mkinitramfs", "ramdisk-template", RELEASE]) == 0
    data = (here / f"initramfs-{RELEASE}").read_bytes()
    assert data[:2] == b"\x1f\x8b"
    found = dump(read_newc(decompress(data, limit=1 << 30)))
    base = f"lib/modules/{RELEASE}"
    assert [path.removeprefix(base) for path in found if path.endswith(".ko")] == [
        "/kernel/drivers/block/virtio_blk.ko",
        "/kernel/drivers/virtio/virtio_ring.ko",
        "/kernel/fs/squashfs/squashfs.ko",
        "/kernel/net/dummy.ko",
    ]
    # Squashfs is loaded too: the modules disk is one, and the root mounts it by itself.
    autoload = digest(b"dummy\nsquashfs\n")
    assert found["modules.autoload"] == found["etc/modules.autoload"] == f"file 0644 {autoload}"
    assert found["init"].startswith("file 0755 ")
    assert found["bin/sh"] == "symlink busybox"
    # MiniVM's init mounts on them, and git does not keep empty directories.
    assert {found[path] for path in ("dev", "mnt/root", "proc", "sys", "tmp")} == {"dir 0755"}
    assert capsys.readouterr().out.startswith(f"Initial RAM disk 'initramfs-{RELEASE}' created")


def test_mkinitramfs_is_deterministic(here: Path) -> None:
    results = []
    for _ in range(2):
        assert main(["mkinitramfs", "ramdisk-template", RELEASE]) == 0
        results.append((here / f"initramfs-{RELEASE}").read_bytes())
    assert results[0] == results[1]


def test_autoload_is_optional(here: Path) -> None:
    (here / "modules.autoload").unlink()
    assert main(["mkinitramfs", "ramdisk-template", RELEASE]) == 0


@pytest.mark.parametrize(
    ("gone", "arguments", "message"),
    [
        ("modules.ramfs", ["mkinitramfs", "ramdisk-template", RELEASE], "modules.ramfs"),
        ("lib", ["mkinitramfs", "ramdisk-template", RELEASE], f"lib/modules/{RELEASE}"),
        ("lib", ["modules2qcow2", RELEASE], f"lib/modules/{RELEASE}"),
        ("ramdisk-template", ["mkinitramfs", "ramdisk-template", RELEASE], "ramdisk-template"),
        ("ramdisk-template", ["update-busybox", "busybox"], "ramdisk-template"),
    ],
)
def test_something_is_missing(
    here: Path, capsys: pytest.CaptureFixture[str], gone: str, arguments: list[str], message: str
) -> None:
    (here / gone).rename(here / "elsewhere")
    assert message in error(capsys, *arguments)


def test_modules2qcow2(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["modules2qcow2", RELEASE]) == 0
    found = disk_files((here / f"modules-{RELEASE}.qcow2").read_bytes()[QCOW2_DATA:])
    assert {path: data for path, data in found.items() if path in MODULES} == MODULES
    assert {f"{RELEASE}/modules.dep", f"{RELEASE}/modules.dep.bin"} <= found.keys()
    assert not any("build" in path.split("/") for path in found)
    assert capsys.readouterr().out.startswith(f"Image 'modules-{RELEASE}.qcow2' created: 5 modules")


@pytest.mark.parametrize(
    ("imports", "number"),
    [(["zstd_init_dstream", "zlib_inflate"], 6), (["xz_dec_run", "zlib_inflate"], 4), ([], 1)],
)
def test_the_disk_is_compressed_as_squashfs_can_read(
    here: Path, imports: list[str], number: int
) -> None:
    squashfs = make_ko({"vermagic": VERMAGIC}, imports=imports)
    write(here / "lib/modules" / RELEASE / "kernel/fs/squashfs/squashfs.ko", squashfs)
    assert main(["modules2qcow2", RELEASE]) == 0
    superblock = (here / f"modules-{RELEASE}.qcow2").read_bytes()[QCOW2_DATA:]
    assert int.from_bytes(superblock[20:22], "little") == number


def test_a_disk_that_grows_too_large(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        here / "lib/modules" / RELEASE / "kernel/large.ko",
        make_ko({"vermagic": VERMAGIC, "random": os.urandom(1 << 20).hex()}),
    )
    message = error(capsys, "modules2qcow2", RELEASE, "1")
    assert message.startswith(f"modules-{RELEASE}.qcow2 would have 1.")
    assert message.endswith(" MB, more than the 1 MiB allowed")
    assert not (here / f"modules-{RELEASE}.qcow2").exists()
    assert main(["modules2qcow2", RELEASE, "200"]) == 0


@pytest.mark.parametrize("command", ["mkinitramfs", "modules2qcow2"])
def test_a_module_of_another_release(
    here: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    other = module(VERMAGIC.replace(RELEASE, "9.9"))
    write(here / "lib/modules" / RELEASE / "kernel/net/veth.ko", other)
    template = ["ramdisk-template"] if command == "mkinitramfs" else []
    assert f"the kernel is {RELEASE}, but 1 of 6 modules is of 9.9" in error(
        capsys, command, *template, RELEASE
    )
    assert not [path for path in here.iterdir() if path.name.endswith(RELEASE)]


def test_a_release_that_is_none(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no kernel release" in error(capsys, "modules2qcow2", "../../etc")
    assert sorted(path.name for path in here.iterdir()) == [
        "lib",
        "modules.autoload",
        "modules.ramfs",
        "ramdisk-template",
    ]


def test_an_empty_directory(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "lib/modules/1.2.3").mkdir()
    message = error(capsys, "modules2qcow2", "1.2.3")
    assert message == "lib/modules/1.2.3 holds no modules and no list of built-in ones"


@pytest.mark.parametrize("size", ["0", "-5", "many"])
def test_a_size_that_is_none(here: Path, size: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["modules2qcow2", RELEASE, size])
    assert caught.value.code == 2
    assert not list(here.glob("*.qcow2"))


def test_update_busybox(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = here / "ramdisk-template"
    (template / "bin/gone").symlink_to("busybox")
    write(template / "bin/cat", b"my own")
    write(here / "new", make_busybox(APPLETS))
    assert main(["update-busybox", "new"]) == 0
    assert (template / "bin/busybox").read_bytes() == make_busybox(APPLETS)
    assert (template / "bin/busybox").stat().st_mode & 0o777 == 0o755
    assert (template / "bin/cat").read_bytes() == b"my own"
    assert not (template / "bin/gone").is_symlink()
    links = {
        str(path.relative_to(template)): str(path.readlink())
        for path in template.rglob("*")
        if path.is_symlink()
    }
    assert links["sbin/modprobe"] == "../bin/busybox"
    assert links["usr/bin/awk"] == "../../bin/busybox"
    assert "busybox for amd64" in capsys.readouterr().out


def test_update_from_a_package(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deb = make_deb(
        {"usr/sbin/e2fsck.static": (0o755, make_e2fsck(machine=183))},
        control={"Package": "e2fsck-static", "Version": "1.47.2-3", "Architecture": "arm64"},
    )
    write(here / "e2fsck.deb", deb)
    assert main(["update-e2fsck", "e2fsck.deb"]) == 0
    template = here / "ramdisk-template/sbin"
    assert (template / "e2fsck").read_bytes() == make_e2fsck(machine=183)
    assert {path.name for path in template.iterdir() if path.is_symlink()} == {
        "fsck.ext2",
        "fsck.ext3",
        "fsck.ext4",
    }
    assert "e2fsck 1.47.2-3 for arm64, 3 links" in capsys.readouterr().out


def test_update_from_alpine(here: Path) -> None:
    apk = make_apk({"bin/busybox.static": (0o755, make_busybox())})
    write(here / "busybox-static-1.37.0-r0.apk", apk)
    assert main(["update-busybox", "busybox-static-1.37.0-r0.apk"]) == 0
    assert (here / "ramdisk-template/bin/busybox").read_bytes() == make_busybox()


def test_update_with_an_unknown_machine(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here / "odd", make_program(b"Usage: e2fsck\0", machine=4242))
    message = error(capsys, "update-e2fsck", "odd")
    assert message == "odd is for 64-bit machine 4242, which no Debian architecture is"


def test_a_template_that_cannot_be_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "ramdisk-template/sbin").write_bytes(b"")
    write(here / "new", make_busybox())
    assert error(capsys, "update-busybox", "new").startswith("cannot write ramdisk-template/sbin")


def test_update_a_template_with_linked_directories(here: Path) -> None:
    """MiniVM's own template: usr/bin and usr/sbin are links to bin and sbin."""
    template = here / "ramdisk-template"
    (template / "usr").mkdir()
    (template / "usr/bin").symlink_to("../bin")
    (template / "usr/sbin").symlink_to("../sbin")
    (template / "sbin").mkdir()
    write(here / "new", make_busybox(APPLETS))
    assert main(["update-busybox", "new"]) == 0
    assert (template / "usr/bin").is_symlink()
    for name, target in (("bin/awk", "busybox"), ("sbin/chroot", "../bin/busybox")):
        assert str((template / name).readlink()) == target
        assert (template / name).resolve() == (template / "bin/busybox").resolve()
