from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from rdcompose.formats.elf import read_module
from rdcompose.kernel.depmod import Depmod
from rdcompose.kernel.module import Module
from rdcompose.kernel.moduletree import INDEX_FILES, ModuleTree
from rdcompose.kernel.shipped import shipped_notes
from rdcompose.tree import Bytes
from tests.support.modules import make_ko

if TYPE_CHECKING:
    from collections.abc import Mapping

RING = "kernel/virtio_ring.ko"
BLK = "kernel/virtio-blk.ko"


def _module(path: str, data: bytes) -> Module:
    return Module(path=path, elf=read_module(data), content=Bytes(data))


MODULES = (
    _module(BLK, make_ko({"alias": "virtio:d2", "softdep": "pre: x"}, imports=["virtqueue_kick"])),
    _module(RING, make_ko({"license": "GPL"}, exports=["virtqueue_kick"])),
)
DEPMOD = Depmod(MODULES)


def tree(order: str = "", indexes: Mapping[str, bytes] | None = None) -> ModuleTree:
    """Return a tree with what depmod makes, but for some files, given without ``modules.``."""
    given = {f"modules.{name}": data for name, data in (indexes or {}).items()}
    made = DEPMOD.text_files() | given
    return ModuleTree(
        release="6.1",
        modules=MODULES,
        files={"modules.order": order.encode()},
        indexes=made if given else {},
    )


def notes(shipped: ModuleTree) -> tuple[str, ...]:
    return shipped_notes(shipped, DEPMOD)


def test_nothing_came() -> None:
    assert notes(tree()) == ()
    assert notes(tree(f"{BLK}\n{RING}\n")) == ()


def test_every_file_is_made() -> None:
    assert DEPMOD.text_files().keys() == INDEX_FILES


def test_the_same_came() -> None:
    made = DEPMOD.text_files()
    assert notes(tree(indexes={"dep": made["modules.dep"]})) == ()


def test_order_comments_and_compression_do_not_count() -> None:
    dep = f"{RING}.zst:\n{BLK}.zst: {RING}.zst\n".encode()
    alias = b"# Of another depmod.\nalias virtio:d2 virtio_blk\n"
    assert notes(tree(indexes={"dep": dep, "alias": alias})) == ()


ANEW = "for these modules: it is made anew"
DIFFERENCES = [
    (
        "dep",
        f"{BLK}: {RING}\n{RING}:\nkernel/b.ko:\nkernel/a.ko.xz:\n",
        "modules.dep lists 2 modules that are not here: kernel/a.ko, kernel/b.ko",
    ),
    ("dep", f"{RING}:\n", f"modules.dep does not list 1 modules that are here: {BLK}"),
    (
        "dep",
        f"{BLK}:\n{RING}: {BLK}\n",
        f"modules.dep has other dependencies for 2 modules than follow from them: {BLK}, {RING}",
    ),
    (
        "alias",
        "alias virtio:d3 virtio_blk\nalias virtio:d4 virtio_blk\n",
        f"modules.alias as it came has 2 lines too many and 1 too few {ANEW}",
    ),
    ("symbols", "", f"modules.symbols as it came has 0 lines too many and 1 too few {ANEW}"),
]


@pytest.mark.parametrize(("name", "data", "note"), DIFFERENCES)
def test_differences(name: str, data: str, note: str) -> None:
    assert notes(tree(indexes={name: data.encode()})) == (note,)


def test_modules_of_another_package() -> None:
    listed = "".join(f"kernel/{name}.ko\n" for name in "dcba")
    (note,) = notes(tree(f"{RING}\n{listed}"))
    assert note == (
        "modules.order lists 4 modules that are not here: kernel/a.ko, kernel/b.ko, kernel/c.ko, "
        "…; some distributions have them in another package, like linux-modules-extra"
    )


def test_kernel_without_modules() -> None:
    empty = dataclasses.replace(tree(f"{RING}\n"), modules=())
    assert shipped_notes(empty, Depmod(())) == ()
