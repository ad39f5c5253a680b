"""MiniVM's way of composing: from an unpacked ``lib/modules/R`` beside the lists.

There is no kernel image and no configuration at hand, so compressors are chosen that
every kernel undoes; for the disk, the modules themselves tell what they read. The disk
holds all modules, and a root file system may mount it itself, at ``/lib/modules``.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.compose.layout import AUTOLOAD_FILE, add_modules, add_skeleton, depmod_of, disk_tree
from rdcompose.compose.profile import load_profile
from rdcompose.compose.spec import Codec, DiskMode
from rdcompose.compose.template import read_template
from rdcompose.kernel.selection import select

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.kernel.depmod import Depmod
    from rdcompose.kernel.moduletree import ModuleTree
    from rdcompose.tree import Tree

# What every kernel with an initramfs unpacks, and what MiniVM uses.
INITRAMFS_COMPRESSION: Final = Codec("gzip", 9)

# Where MiniVM's init script looks, and where ours does.
_AUTOLOAD_FILES: Final = ("modules.autoload", AUTOLOAD_FILE)
# The root file system mounts the disk without a word on its type: the kernel tries the
# file systems that it has.
_SQUASHFS: Final = "squashfs"

# What the squashfs module calls to unpack a block, by compressor, best first.
_UNPACKERS: Final = (("zstd", "zstd_"), ("xz", "xz_dec_"), ("gzip", "zlib_"))


def minivm_initramfs(template: Path, tree: ModuleTree) -> tuple[Tree, int]:
    """Return the contents of an initramfs, and the number of modules in it.

    The lists are ``modules.ramfs`` and ``modules.autoload`` in the current directory.
    Squashfs is added and loaded, because the modules disk is one.

    :raises SpecError: the template or a list is wrong.
    """
    depmod = depmod_of(tree)
    profile = load_profile("./")
    selection = select(
        depmod,
        profile.entries,
        profile.autoload,
        required=[(_SQUASHFS, "to read the modules disk")],
    )
    names = depmod.resolve(_SQUASHFS)
    autoload = (*selection.autoload, *(n for n in names if n not in selection.autoload))
    initramfs = read_template(template)
    add_skeleton(initramfs)
    add_modules(
        initramfs,
        tree.release,
        depmod,
        dataclasses.replace(selection, autoload=autoload),
        mode=DiskMode.ALL,
        autoload_files=_AUTOLOAD_FILES,
    )
    return initramfs, len(selection.ramdisk)


def minivm_disk(tree: ModuleTree) -> tuple[Tree, Codec]:
    """Return the contents of a disk with all modules, and what to compress it with."""
    depmod = depmod_of(tree)
    return disk_tree(tree, depmod), Codec(_disk_compressor(depmod))


def _disk_compressor(depmod: Depmod) -> str:
    squashfs = depmod.modules.get(_SQUASHFS)
    imports = squashfs.elf.imports if squashfs is not None else ()
    for name, prefix in _UNPACKERS:
        if any(symbol.startswith(prefix) for symbol in imports):
            return name
    # Built in, where it cannot be asked: the compressor that squashfs began with.
    return "gzip"
