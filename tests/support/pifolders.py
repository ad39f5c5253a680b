"""Boot folders of a Raspberry Pi, small and sound, for tests to break in one place."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdcompose.formats.fat.writer import write_fat32
from rdcompose.formats.mbr import Mbr, Partition
from rdcompose.inspect.bootfolder import BootFolder, FolderKind
from rdcompose.inspect.boots import BootFacts
from tests.support.artifacts import checksums, initramfs_bytes, manifest, tree_of
from tests.support.devicetrees import make_dtb
from tests.support.images import banner as linux_banner
from tests.support.images import gzipped, make_arm64, make_zimage
from tests.support.modules import make_ko
from tests.support.packages import CONFIG
from tests.support.programs import make_program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdcompose.inspect.artifact import Artifact
    from rdcompose.tree import Tree

RELEASE: Final = "6.12.9+deb13-arm64"
OLD: Final = "6.12.7+deb13-arm64"
CONFIG_TXT: Final = """\
# mine
[all]
os_prefix=R/
arm_64bit=1
initramfs initramfs8 followkernel
upstream_kernel=1
enable_uart=1
"""
CMDLINE: Final = b"console=tty0 root=/dev/mmcblk0p2 rootfstype=ext4 rootwait\n"
FIRMWARE: Final = ("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat")
EXT4: Final = "kernel/fs/ext4/ext4.ko"


def dtb(chip: str) -> bytes:
    """Return a device tree for boards with a chip: ``bcm2711``."""
    return make_dtb({"model": b"A board\0", "compatible": f"raspberrypi,x\0brcm,{chip}\0".encode()})


def initramfs(
    release: str = RELEASE, *, ext4: bool = True, builtin: str = "", machine: int = 183
) -> bytes:
    """Return an initramfs, by default with the driver of its root."""
    vermagic = f"{release} SMP mod_unload modversions aarch64"
    modules = f"lib/modules/{release}"
    files: dict[str, bytes | tuple[int, bytes] | str | None] = {
        "init": (0o755, b"#!/bin/sh\n"),
        "bin/sh": (0o755, make_program(machine=machine)),
        f"{modules}/modules.dep": f"{EXT4}:\n".encode() if ext4 else b"",
    }
    if builtin:
        files[f"{modules}/modules.builtin"] = f"{builtin}\n".encode()
    if ext4:
        files[f"{modules}/{EXT4}"] = make_ko({"vermagic": vermagic}, machine=machine)
    return initramfs_bytes(files)


def kernel_config(release: str = RELEASE, *extra: str) -> bytes:
    """Return a configuration, by default with ext4 as a module."""
    text = CONFIG.replace("Linux/x86 6.1.99", f"Linux/arm64 {release.partition('+')[0]}")
    return "".join([text, *(f"{line}\n" for line in extra or ("CONFIG_EXT4_FS=m",))]).encode()


def stamped(files: Mapping[str, bytes], release: str = RELEASE) -> dict[str, bytes]:
    """Return files with a manifest and checksums of them."""
    found = dict(files)
    found[f"manifest-{release}.json"] = manifest(files, release=release, initramfs=None)
    return found | {"SHA256SUMS": checksums(found)}


def boot_set(release: str = RELEASE, prefix: str = "R/", **changes: bytes) -> dict[str, bytes]:
    """Return the files of a set with its stamp, by path; changes are by their names."""
    names = {
        "kernel8.img": make_arm64(release),
        "initramfs8": initramfs(release),
        "cmdline.txt": CMDLINE,
        f"config-{release}": kernel_config(release),
        "bcm2711-rpi-4-b.dtb": dtb("bcm2711"),
        "bcm2837-rpi-3-b.dtb": dtb("bcm2837"),
    }
    for name, data in changes.items():
        names[name.replace("__", ".").replace("_", "-")] = data
    return {prefix + name: data for name, data in stamped(names, release).items()}


def sound(**top: bytes) -> dict[str, bytes]:
    """Return the files of a sound boot folder for models 3 and 4, by path."""
    files = {"config.txt": CONFIG_TXT.encode()} | dict.fromkeys(FIRMWARE, b"firmware")
    return files | boot_set() | {name.replace("__", "."): data for name, data in top.items()}


def with_config(text: str) -> dict[str, bytes]:
    """Return the sound folder with another config.txt."""
    return sound() | {"config.txt": text.encode()}


def flat(**changes: bytes) -> dict[str, bytes]:
    """Return a folder without sets and stamps, as many have made one by hand."""
    files = {name: data for name, data in boot_set(prefix="").items() if name not in _STAMP}
    config = b"arm_64bit=1\ninitramfs initramfs8 followkernel\nupstream_kernel=1\n"
    files |= {"config.txt": config} | dict.fromkeys(FIRMWARE, b"firmware")
    return files | {name.replace("__", "."): data for name, data in changes.items()}


_STAMP: Final = (f"manifest-{RELEASE}.json", "SHA256SUMS")


def zimage(release: str) -> bytes:
    """Return a kernel of 32 bits."""
    return make_zimage(gzipped(linux_banner(release)))


def folder(
    files: Mapping[str, bytes],
    kind: FolderKind = FolderKind.DIRECTORY,
    *,
    shared: Mapping[str, bytes] | None = None,
) -> BootFolder:
    """Return a boot folder in memory."""
    beside = None if shared is None else tree_of(shared)
    return BootFolder("boot", kind, Path("boot"), tree_of(files), shared=beside)


def facts(files: Mapping[str, bytes], kind: FolderKind = FolderKind.DIRECTORY) -> BootFacts:
    """Return what is known of a boot folder in memory."""
    return BootFacts(folder(files, kind))


def write(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a directory."""
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def fat(tree: Tree, size: int = 40 << 20) -> bytes:
    """Return a FAT32 volume."""
    out = io.BytesIO()
    write_fat32(out, tree, size=size, mtime=0, volume_id=1)
    return out.getvalue().ljust(size, b"\0")


def sd_image(files: Mapping[str, bytes], *others: tuple[int, bytes]) -> bytes:
    """Return an image with a boot partition and others, each a type and its content."""
    out = io.BytesIO()
    rows = []
    position = 2048
    for number, (kind, data) in enumerate([(0x0C, fat(tree_of(files))), *others], 1):
        sectors = -(-len(data) // 512)
        rows.append(Partition(number=number, type=kind, start=position, sectors=sectors))
        out.seek(position * 512)
        out.write(data.ljust(sectors * 512, b"\0"))
        position += -(-sectors // 2048) * 2048
    out.seek(0)
    out.write(Mbr(signature=0x12345678, partitions=tuple(rows)).pack())
    return out.getvalue()


def names(rows: tuple[Artifact, ...]) -> set[str]:
    """Return the names of artifacts."""
    return {row.name for row in rows}
