"""Where things lie in an initramfs and on a modules disk.

In the initramfs: ``lib/modules/R``, and for the init script ``etc/modules.autoload`` (module
names to load first, one a line), ``etc/rdcompose/release`` and ``etc/rdcompose/disk`` (which
modules the disk holds). On the disk: one directory, ``R``, as below ``/lib/modules``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.kernel.depmod import Depmod
from rdcompose.tree import Bytes, Directory, File, Tree

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from rdcompose.compose.spec import DiskMode
    from rdcompose.kernel.module import Module
    from rdcompose.kernel.moduletree import ModuleTree
    from rdcompose.kernel.selection import Selection

AUTOLOAD_FILE: Final = "etc/modules.autoload"
RELEASE_FILE: Final = "etc/rdcompose/release"
DISK_FILE: Final = "etc/rdcompose/disk"

# Mount points that every init script takes for granted and git does not keep, because they
# are empty.
SKELETON: Final = ("dev", "mnt/root", "proc", "run", "sys", "tmp")


# Where kmod is if there is one. It reads other indexes than busybox does.
_KMOD: Final = ("bin/kmod", "usr/bin/kmod")


def depmod_of(tree: ModuleTree) -> Depmod:
    """Work out the dependencies of all modules."""
    return Depmod(
        tree.modules,
        order=tree.order,
        builtin=tree.builtin,
        builtin_modinfo=tree.builtin_modinfo,
    )


def add_skeleton(tree: Tree) -> None:
    """Add the directories that an init script mounts on, where a template lacks them."""
    for path in SKELETON:
        if path not in tree and path.partition("/")[0] not in tree:
            tree.add(Directory(path=path))


def add_modules(
    tree: Tree,
    release: str,
    depmod: Depmod,
    selection: Selection,
    *,
    mode: DiskMode,
    autoload_files: Sequence[str] = (AUTOLOAD_FILE,),
) -> None:
    """Put the selected modules, and what the init script reads, into an initramfs.

    The indexes are those that busybox reads, for these modules alone, and for kmod its own if
    the initramfs has it.
    """
    # A template may have /lib as a link to /usr/lib.
    base = tree.resolved(f"lib/modules/{release}")
    for name in selection.ramdisk:
        module = depmod.modules[name]
        tree.add(File(path=f"{base}/{module.path}", content=module.content))
    files: dict[str, bytes] = {
        f"{base}/{name}": data for name, data in depmod.busybox_files(selection.ramdisk).items()
    }
    # Without it busybox's modprobe calls what is built in a missing module.
    files[f"{base}/modules.builtin"] = _lines(depmod.builtin.values())
    if any(tree.resolved(path) in tree for path in _KMOD):
        indexes = depmod.index_files(frozenset(selection.ramdisk))
        files = {f"{base}/{name}": data for name, data in indexes.items()} | files
    files |= {path: _lines(selection.autoload) for path in autoload_files}
    files[RELEASE_FILE] = _lines([release])
    files[DISK_FILE] = _lines([mode.value])
    for path, data in files.items():
        tree.add(File(path=tree.resolved(path), content=Bytes(data)))


def disk_tree(tree: ModuleTree, depmod: Depmod, *, without: Container[str] = ()) -> Tree:
    """Return the contents of the modules disk, ``without`` the modules of these names.

    The indexes describe all modules, those left out too: the init script lays the ones
    of the initramfs over the disk.
    """
    disk = Tree()
    for module in tree.modules:
        if module.name not in without:
            disk.add(File(path=disk_path(tree.release, module), content=module.content))
    for name, data in {**tree.files, **depmod.index_files()}.items():
        disk.add(File(path=f"{tree.release}/{name}", content=Bytes(data)))
    return disk


def disk_path(release: str, module: Module) -> str:
    """Return where a module is on the modules disk."""
    return f"{release}/{module.path}"


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
