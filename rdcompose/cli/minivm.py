"""MiniVM's commands, with its arguments and its names for what they write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdcompose.cli.environment import source_date_epoch
from rdcompose.cli.terminal import size_text
from rdcompose.compose.minivm import INITRAMFS_COMPRESSION, minivm_disk, minivm_initramfs
from rdcompose.compose.spec import DiskFormat
from rdcompose.errors import OutputError
from rdcompose.kernel.directory import read_module_directory
from rdcompose.outputs import initramfs_bytes, write_disk
from rdcompose.publish import Publication

if TYPE_CHECKING:
    import argparse

    from rdcompose.kernel.moduletree import ModuleTree

_THREADS: Final = len(os.sched_getaffinity(0))


def mkinitramfs(arguments: argparse.Namespace) -> int:
    """``mkinitramfs TEMPLATE RELEASE``."""
    modules, mtime = _modules(arguments.release)
    tree, count = minivm_initramfs(arguments.template, modules)
    data = initramfs_bytes(tree, INITRAMFS_COMPRESSION, mtime=mtime)
    name = f"initramfs-{arguments.release}"
    with Publication(Path()) as publication:
        with publication.file(name) as out:
            out.write(data)
        publication.publish()
    print(f"Initial RAM disk '{name}' created: {count} modules, {size_text(len(data))}")
    return 0


def modules2qcow2(arguments: argparse.Namespace) -> int:
    """``modules2qcow2 RELEASE [SIZE]``."""
    modules, mtime = _modules(arguments.release)
    tree, compression = minivm_disk(modules)
    name = f"modules-{arguments.release}.qcow2"
    with Publication(Path()) as publication:
        with publication.file(name) as out:
            write_disk(
                out,
                tree,
                DiskFormat.QCOW2,
                compression,
                mtime=mtime,
                threads=_THREADS,
            )
            size = out.seek(0, os.SEEK_END)
        if arguments.size is not None and size > arguments.size << 20:
            raise OutputError(
                f"{name} would have {size_text(size)}, more than the {arguments.size} MiB allowed"
            )
        publication.publish()
    print(f"Image '{name}' created: {len(modules.modules)} modules, {size_text(size)}")
    return 0


def _modules(release: str) -> tuple[ModuleTree, int]:
    modules, newest = read_module_directory(
        Path("lib/modules") / release, release, threads=_THREADS
    )
    epoch = source_date_epoch()
    return modules, newest if epoch is None else epoch
