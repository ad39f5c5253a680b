from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.inputs import Input
from rdcompose.compose.plan import Plan, make_plan
from rdcompose.compose.spec import ComposeSpec, DiskMode
from rdcompose.kernel.package import read_kernels
from rdcompose.kernel.source import DebSource
from rdcompose.tree import File
from tests.support.packages import kernel_deb

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    (tmp_path / "init").write_text("#!/bin/sh\n")
    (tmp_path / "init").chmod(0o755)
    (tmp_path / "modules.ramfs").write_text("virtio_blk\n")
    (tmp_path / "modules.autoload").write_text("")
    return tmp_path


def plan(profile: Path, mode: DiskMode) -> Plan:
    (kernel,) = read_kernels([DebSource(io.BytesIO(kernel_deb()))])
    source = Input(role="kernel", file="kernel.deb", sha256="", source="")
    return make_plan(
        kernel, [source], ComposeSpec(profile=str(profile), template=profile, disk=mode)
    )


def sizes(made: Plan) -> dict[str, int]:
    assert made.disk is not None
    return {entry.path: entry.content.size for entry in made.disk.tree if isinstance(entry, File)}


def test_left_out_of_the_disk_is_what_the_initramfs_has(profile: Path) -> None:
    everything = plan(profile, DiskMode.ALL)
    remaining = plan(profile, DiskMode.REMAINING)
    assert everything.disk is not None
    assert remaining.disk is not None
    assert not everything.disk.left_out
    left_out = dict(remaining.disk.left_out)
    assert len(left_out) == len(remaining.selection.ramdisk) > 0
    assert sizes(remaining) | left_out == sizes(everything)
    assert not sizes(remaining).keys() & left_out.keys()


def test_no_disk(profile: Path) -> None:
    assert plan(profile, DiskMode.NONE).disk is None
