from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from rdcompose.boards.localroot import check_root
from rdcompose.errors import CapabilityError, SpecError
from tests.support.packages import CONFIG

if TYPE_CHECKING:
    from rdcompose.boards.rootfs import RootFilesystem
    from rdcompose.compose.plan import Plan


@dataclasses.dataclass
class Root:
    """As much of a root as is looked at."""

    kind: str
    read_only: bool = False


def check(root: Root, *modules: str, config: str = "", packed: bool = False) -> None:
    plan = SimpleNamespace(
        release="6.12",
        config=f"{CONFIG}{config}\n".encode(),
        selection=SimpleNamespace(ramdisk=modules),
    )
    check_root(cast("Plan", plan), cast("RootFilesystem", root), packed=packed)


def test_what_can_be_mounted() -> None:
    check(Root("ext4"), config="CONFIG_EXT4_FS=y")
    check(Root("ext4"), "ext4", config="CONFIG_EXT4_FS=m")
    check(Root("squashfs", read_only=True), "squashfs", "overlay", packed=True)
    # Nothing is known of it: the boot will show.
    check(Root("reiserfs"))


def test_what_the_kernel_lacks() -> None:
    with pytest.raises(CapabilityError, match="cannot mount a root of ext4: it lacks CONFIG_EXT4"):
        check(Root("ext4"))


@pytest.mark.parametrize("module", ["squashfs", "overlay"])
def test_what_the_initramfs_lacks(module: str) -> None:
    there = {"squashfs", "overlay"} - {module}
    with pytest.raises(SpecError, match=f"a root of squashfs needs the module {module}"):
        check(Root("squashfs", read_only=True), *there)
