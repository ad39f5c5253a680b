from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from rdcompose.boards.localroot import check_programs, check_root
from rdcompose.boards.rootprogram import Program
from rdcompose.errors import CapabilityError, SpecError
from rdcompose.kernel.release import ARCHITECTURES
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


ARM64 = (183, 64, "little")
ARM = (40, 32, "little")
AMD64 = (62, 64, "little")


def start(
    *programs: Program, architecture: str = "arm64", config: str = "", init: bool = False
) -> None:
    plan = SimpleNamespace(
        release="6.12",
        config=f"{CONFIG}{config}\n".encode(),
        architecture=ARCHITECTURES[architecture],
    )
    root = SimpleNamespace(programs=programs, input=SimpleNamespace(file="root.tar"))
    check_programs(cast("Plan", plan), cast("RootFilesystem", root), init=init)


def test_what_can_be_started() -> None:
    start(Program("sbin/init", ARM64))
    start(Program("sbin/init", ARM), config="CONFIG_COMPAT=y")
    start(Program("sbin/init", ARM), architecture="armhf")
    # A script, and one that nobody looked into.
    start(Program("sbin/init", None), Program("bin/sh", AMD64))
    start(init=True)


def test_images_are_let_pass() -> None:
    check_programs(
        cast("Plan", None), cast("RootFilesystem", SimpleNamespace(programs=None)), init=False
    )


@pytest.mark.parametrize(
    ("machine", "architecture"), [(AMD64, "arm64"), (ARM, "arm64"), (ARM64, "armhf")]
)
def test_what_is_for_another_machine(machine: tuple[int, int, str], architecture: str) -> None:
    with pytest.raises(
        SpecError, match=r"root.tar is of another architecture: /sbin/init"
    ) as caught:
        start(Program("sbin/init", machine), architecture=architecture)
    assert f"--arch={architecture}" in str(caught.value.hint)


def test_nothing_to_start() -> None:
    with pytest.raises(SpecError, match=r"root.tar has no /sbin/init") as caught:
        start()
    assert "--cmdline init=" in str(caught.value.hint)
