"""Configurations inside kernels, put there as the kernel's build does, by real tools.

No Debian kernel has one, and its ``extract-ikconfig`` is in no package.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from rdcompose.formats.ikconfig import embedded_config
from tests.support.kernels import KERNELS, unpacked
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

CLOUD = ("bookworm", "amd64", "linux-image-cloud-amd64")


def config() -> bytes:
    (path,) = (unpacked(*CLOUD) / "boot").glob("config-*")
    return path.read_bytes()


def section() -> bytes:
    """Return what ``kernel/configs.c`` includes, packed as ``cmd_gzip`` does."""
    packed = subprocess.run(
        [tool("gzip"), "-n", "-9"], input=config(), capture_output=True, check=True
    ).stdout
    return b"IKCFG_ST" + packed + b"IKCFG_ED"


def test_module(tmp_path: Path) -> None:
    module = next(unpacked(*CLOUD).glob("lib/modules/*/kernel/fs/*/*.ko"))
    (tmp_path / "data").write_bytes(section())
    made = tmp_path / "configs.ko"
    run(tool("objcopy"), "--add-section", f".rodata.config={tmp_path / 'data'}", module, made)
    assert embedded_config(made.read_bytes()) == config()


@pytest.mark.parametrize("packer", ["gzip", "xz", "zstd"])
def test_kernel(tmp_path: Path, packer: str) -> None:
    inside = tmp_path / "Image"
    inside.write_bytes(b"\x7fELF" + bytes(1 << 20) + section() + bytes(1 << 20))
    packed = subprocess.run([tool(packer), "-c", inside], capture_output=True, check=True).stdout
    # Behind an unpacker's code, and with the size behind it that the build appends.
    assert embedded_config(bytes(5000) + packed + bytes(4)) == config()


@pytest.mark.parametrize("kernel", KERNELS, ids="-".join)
def test_debian_kernels_have_none(kernel: tuple[str, str, str]) -> None:
    (path,) = (unpacked(*kernel) / "boot").glob("vmlinuz-*")
    assert embedded_config(path.read_bytes()) is None
