"""Compositions that are nothing but names, and programs that only behave like QEMU."""

from __future__ import annotations

import io
import json
import shlex
from typing import TYPE_CHECKING

from rdcompose.formats.cpio import write_newc
from rdcompose.tree import Bytes, File, Symlink, Tree

if TYPE_CHECKING:
    from pathlib import Path

RELEASE = "6.1.0-9-cloud-amd64"
MODULES = f"lib/modules/{RELEASE}"

# What a machine prints whose boot is as it should be.
GOOD = f"""\
SeaBIOS (version 1.16)
[    0.000000] Linux version {RELEASE} (builder@host) (gcc) #1 SMP
[    0.100000] Command line: console=ttyS0
[    0.900000] Freeing initrd memory: 2348K
[    1.000000] Run /init as init process
rdcompose: loading drivers for {RELEASE}
rdcompose: root filesystem is /dev/vda, squashfs, ro
rdcompose: modules are on /dev/vdb and in the initramfs
rdcompose: starting /sbin/init

rdcompose-check: process 1
rdcompose-check: release {RELEASE}
rdcompose-check: root /dev/vda squashfs ro
rdcompose-check: modules overlay overlay
rdcompose-check: module loop loaded
rdcompose-check: init /sbin/init there
rdcompose-check: disk /dev/vdb
rdcompose-check: loads dummy
rdcompose-check: end
[    2.000000] reboot: Power down
"""
PANIC = """\
[    0.000000] Linux version 6.1.0-9-cloud-amd64 (builder@host) (gcc) #1 SMP
[    0.500000] Kernel panic - not syncing: Fatal exception in interrupt
[    0.500100] ---[ end Kernel panic - not syncing: Fatal exception in interrupt ]---
"""


def initramfs_tree(*, squashfs: bool = True, busybox: bool = True) -> Tree:
    """An initramfs with as much as a check looks at."""
    tree = Tree()
    if busybox:
        tree.add(File(path="bin/busybox", mode=0o755, content=Bytes(b"\x7fELF busybox")))
        tree.add(Symlink(path="bin/sh", target="busybox"))
    tree.add(File(path="init", mode=0o755, content=Bytes(b"#!/bin/sh\n")))
    tree.add(File(path="etc/modules.autoload", content=Bytes(b"# first\nloop max_loop=4\nfuse\n")))
    tree.add(File(path=f"{MODULES}/modules.builtin", content=Bytes(b"kernel/fs/fuse/fuse.ko\n")))
    tree.add(File(path=f"{MODULES}/kernel/drivers/block/loop.ko", content=Bytes(b"")))
    if squashfs:
        tree.add(File(path=f"{MODULES}/kernel/fs/squashfs/squashfs.ko", content=Bytes(b"")))
    return tree


def newc(tree: Tree) -> bytes:
    """A tree as a cpio archive."""
    out = io.BytesIO()
    write_newc(out, tree, mtime=0)
    return out.getvalue()


def composition(
    directory: Path,
    release: str = RELEASE,
    architecture: str = "amd64",
    *,
    initramfs: Tree | None = None,
    disk: bool = True,
) -> Path:
    """Write the files of a composition; the kernel is none."""
    directory.mkdir(exist_ok=True)
    (directory / f"vmlinuz-{release}").write_bytes(b"kernel")
    (directory / f"initramfs-{release}").write_bytes(newc(initramfs or initramfs_tree()))
    if disk:
        (directory / f"modules-{release}.qcow2").write_bytes(b"QFI\xfb")
    manifest = {"architecture": architecture, "disk": {"format": "qcow2"} if disk else None}
    (directory / f"manifest-{release}.json").write_text(json.dumps(manifest))
    return directory


def program(directory: Path, script: str, name: str = "qemu-system-x86_64") -> Path:
    """Write a program; ``script`` is run only where a kernel is to be booted."""
    directory.mkdir(exist_ok=True)
    path = directory / name
    # A probe for KVM gives no kernel; its answer is no.
    path.write_text(f'#!/bin/sh\ncase "$*" in *-kernel*|*id=efi*) ;; *) exit 1 ;; esac\n{script}\n')
    path.chmod(0o755)
    return path


def printing(*texts: str) -> str:
    """A script that prints the first text when it is run first, and so on; then the last."""
    lines = ['count=$(cat "$0.runs" 2> /dev/null || echo 0)', 'echo $((count + 1)) > "$0.runs"']
    lines.append('printf "%s\\n" "$@" > "$0.arguments"')
    lines += [f"[ $count != {n} ] || exec printf %s {shlex.quote(t)}" for n, t in enumerate(texts)]
    lines.append(f"exec printf %s {shlex.quote(texts[-1])}")
    return "\n".join(lines)
