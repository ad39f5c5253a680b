"""Root filesystems for booted tests, made without root from Debian packages."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from tests.support.kernels import unpacked
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Debian 12's kmod and what it is linked with; it serves any newer kernel of amd64.
_KMOD_PACKAGES: Final = ("kmod", "libc6", "libkmod2", "liblzma5", "libssl3", "libzstd1")
_KMOD_FILES: Final = (
    "bin/kmod",
    "lib64/ld-linux-x86-64.so.2",
    "libc.so.6",
    "libcrypto.so.3",
    "libkmod.so.2",
    "liblzma.so.5",
    "libzstd.so.1",
)
_APPLETS: Final = (
    *("cat", "cmp", "dmesg", "echo", "grep", "head", "ls", "lsmod", "mkdir", "mount", "mv"),
    *("poweroff", "readlink", "rmmod", "sh", "sleep", "sort", "test", "umount", "uname"),
)


def root_tree(path: Path, architecture: str, init: str, *, kmod: bool = False) -> Path:
    """Fill a directory: busybox, empty directories, ``init`` as /sbin/init.

    ``kmod`` adds kmod's own programs in /kmod (amd64 only); /sbin/modprobe is
    busybox's.
    """
    for name in ("bin", "dev", "etc", "lib/modules", "mnt", "proc", "run", "sbin", "sys", "tmp"):
        (path / name).mkdir(parents=True)
    suite = "bookworm" if architecture == "amd64" else "trixie"
    busybox = _find(unpacked(suite, architecture, "busybox-static"), "bin/busybox")
    shutil.copy(busybox, path / "bin" / "busybox")
    for applet in _APPLETS:
        (path / "bin" / applet).symlink_to("busybox")
    (path / "sbin" / "modprobe").symlink_to("../bin/busybox")
    if kmod:
        _add_kmod(path, architecture)
    script = path / "sbin" / "init"
    script.write_text(init)
    script.chmod(0o755)
    return path


def ext4_image(tree: Path, image: Path, *options: str) -> Path:
    """Make an ext4 image of 64 MiB with a directory's contents."""
    run(tool("mke2fs"), "-q", "-F", "-t", "ext4", *options, "-d", tree, image, "64M")
    return image


def squashfs_image(tree: Path, image: Path) -> Path:
    """Make a squashfs image of a directory's contents."""
    run(tool("mksquashfs"), tree, image, "-noappend", "-quiet", "-no-progress", "-comp", "gzip")
    return image


def add_files(path: Path, architecture: str, packages: Iterable[str], names: Iterable[str]) -> None:
    """Copy files of Debian 12's packages into a root; libraries are named without a directory."""
    folders = [unpacked("bookworm", architecture, package) for package in packages]
    for name in names:
        source = next(found for folder in folders if (found := _found(folder, name)))
        target = path / (name.rpartition("/")[0] or "lib")
        target.mkdir(exist_ok=True)
        shutil.copy(source, target / name.rpartition("/")[2])


def _add_kmod(path: Path, architecture: str) -> None:
    add_files(path, architecture, _KMOD_PACKAGES, _KMOD_FILES)
    (path / "kmod").mkdir()
    for name in ("depmod", "insmod", "lsmod", "modinfo", "modprobe", "rmmod"):
        (path / "kmod" / name).symlink_to("../bin/kmod")


def _found(package: Path, name: str) -> Path | None:
    # A library lies in a directory for its architecture; a link to it would be no help.
    # Links are followed inside the package: absolute ones would lead to this machine's files.
    for found in sorted(package.rglob(f"**/{name}")):
        path = found
        while path.is_symlink():
            target = path.readlink()
            path = package / str(target)[1:] if target.is_absolute() else path.parent / target
        if path.is_file():
            return path
    return None


def _find(package: Path, name: str) -> Path:
    path = _found(package, name)
    assert path is not None, f"{package} has no {name}"
    return path
