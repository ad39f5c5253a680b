"""MiniVM's commands, with its arguments and its names for what they write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdcompose.cli.environment import source_date_epoch
from rdcompose.cli.terminal import size_text
from rdcompose.compose.inputs import read_file
from rdcompose.compose.minivm import INITRAMFS_COMPRESSION, minivm_disk, minivm_initramfs
from rdcompose.compose.programs import ProgramName, load_program
from rdcompose.compose.spec import DiskFormat
from rdcompose.errors import OutputError, SpecError
from rdcompose.kernel.directory import read_module_directory
from rdcompose.outputs import initramfs_bytes, write_disk
from rdcompose.publish import Publication
from rdcompose.update import update_template

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

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


def update(arguments: argparse.Namespace) -> int:
    """``update-busybox`` and ``update-e2fsck``."""
    name = ProgramName(arguments.command.removeprefix("update-"))
    template: Path = arguments.template
    if not template.is_dir():
        raise SpecError(f"there is no template directory {template}")
    source = arguments.source or _find(name)
    program = load_program(name, read_file(source, name), str(source), architecture=None)
    links = update_template(template, program)
    version = f" {program.origin.version}" if program.origin.version else ""
    print(f"{template}: {name}{version} for {program.architecture.name}, {links} links")
    return 0


def _find(name: ProgramName) -> Path:
    """Return the newest package of a program in the current directory."""
    found = [path for suffix in ("deb", "apk") for path in Path().glob(f"{name}-static*.{suffix}")]
    if not found:
        raise SpecError(
            f"there is no {name}-static package in this directory",
            hint=f"name a program file, .deb or .apk; Debian's comes with: "
            f"apt-get download {name}-static",
        )
    return max(found, key=lambda path: (path.stat().st_mtime, path.name))


COMMANDS: Final[Mapping[str, Callable[[argparse.Namespace], int]]] = {
    "mkinitramfs": mkinitramfs,
    "modules2qcow2": modules2qcow2,
    "update-busybox": update,
    "update-e2fsck": update,
}
