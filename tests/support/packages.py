"""Whole kernel packages in memory, small and sound, or wrong in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.debs import Content, make_deb
from tests.support.images import make_bzimage
from tests.support.modules import make_ko

if TYPE_CHECKING:
    from collections.abc import Mapping

RELEASE = "6.1.0-7-cloud-amd64"
VERMAGIC = f"{RELEASE} SMP preempt mod_unload modversions "

CONFIG = """\
#
# Automatically generated file; DO NOT EDIT.
# Linux/x86 6.1.99 Kernel Configuration
#
CONFIG_64BIT=y
CONFIG_BINFMT_ELF=y
CONFIG_BINFMT_SCRIPT=y
CONFIG_BLOCK=y
CONFIG_BLK_DEV_INITRD=y
CONFIG_DEVTMPFS=y
CONFIG_FW_LOADER=y
CONFIG_MICROCODE=y
CONFIG_MICROCODE_AMD=y
CONFIG_MICROCODE_INTEL=y
CONFIG_MODULES=y
CONFIG_OVERLAY_FS=m
CONFIG_PROC_FS=y
CONFIG_RD_GZIP=y
CONFIG_RD_LZ4=y
CONFIG_RD_XZ=y
CONFIG_RD_ZSTD=y
CONFIG_SQUASHFS=m
CONFIG_SQUASHFS_LZ4=y
CONFIG_SQUASHFS_XZ=y
CONFIG_SQUASHFS_ZLIB=y
CONFIG_SQUASHFS_ZSTD=y
CONFIG_SYSFS=y
CONFIG_TMPFS=y
"""


def module(vermagic: str = VERMAGIC, **modinfo: str) -> bytes:
    """Return a module of the sample kernel."""
    return make_ko([*modinfo.items(), ("vermagic", vermagic)])


def sample_files(
    release: str = RELEASE, *, modules: Mapping[str, bytes] | None = None, root: str = "lib/modules"
) -> dict[str, bytes]:
    """Return the files of a sound kernel package, by path."""
    if modules is None:
        modules = {
            "kernel/drivers/block/virtio_blk.ko": make_ko(
                {"vermagic": VERMAGIC}, imports=["virtqueue_kick"]
            ),
            "kernel/drivers/virtio/virtio_ring.ko": make_ko(
                {"vermagic": VERMAGIC}, exports=["virtqueue_kick"]
            ),
            "kernel/fs/overlayfs/overlay.ko": module(),
            "kernel/fs/squashfs/squashfs.ko": module(),
            "kernel/net/dummy.ko": module(),
        }
    base = f"{root}/{release}"
    return {
        f"boot/config-{release}": CONFIG.encode(),
        f"boot/vmlinuz-{release}": make_bzimage(release),
        f"{base}/modules.builtin": b"kernel/fs/ext4/ext4.ko\n",
        f"{base}/modules.builtin.modinfo": b"ext4.license=GPL\0",
        f"{base}/modules.order": "".join(f"{path}\n" for path in modules).encode(),
        **{f"{base}/{path}": data for path, data in modules.items()},
    }


def kernel_deb(files: Mapping[str, Content] | None = None, *, package: str = "") -> bytes:
    """Return a ``linux-image`` package of the files, by default the sample ones."""
    control = {
        "Package": package or f"linux-image-{RELEASE}",
        "Version": "6.1.99-1",
        "Architecture": "amd64",
    }
    content: dict[str, Content] = {**(sample_files() if files is None else files)}
    return make_deb(content, control=control)
