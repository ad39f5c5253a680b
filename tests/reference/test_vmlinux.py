"""rdcompose.formats.vmlinux on real kernels, against decompressors and readelf."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.formats.elf_notes import read_notes
from rdcompose.formats.vmlinux import unpack_kernel
from tests.support.kernels import KERNELS, unpacked
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

DECODERS: Final = {"lz4": ("lz4", "-dcq"), "zstd": ("zstd", "-dcq"), "xz": ("xz", "-dcq")}
X86: Final = [kernel for kernel in KERNELS if kernel[1] == "amd64"]
OTHER: Final = [kernel for kernel in KERNELS if kernel[1] != "amd64"]


def image_of(kernel: tuple[str, str, str]) -> Path:
    [path] = (unpacked(*kernel) / "boot").glob("vmlinuz-*")
    return path


@pytest.mark.parametrize("kernel", X86, ids="-".join)
def test_the_elf_file_inside_a_bzimage(kernel: tuple[str, str, str], tmp_path: Path) -> None:
    path = image_of(kernel)
    data = path.read_bytes()
    found = unpack_kernel(data)
    assert found.image.release == path.name.removeprefix("vmlinuz-")
    # As the kernel's scripts/extract-vmlinux does, but at the place that the header names. The
    # build appends the unpacked size.
    start, size = struct.unpack_from("<II", data, 0x248)
    start += (data[0x1F1] + 1) * 512
    packed, end = data[start : start + size - 4], data[start + size - 4 : start + size]
    program, *options = DECODERS[found.packed or ""]
    assert found.data == run_bytes(tool(program), *options, stdin=packed)
    assert len(found.data) == int.from_bytes(end, "little")
    _compare_notes(found.data, found.pvh, tmp_path / "vmlinux")


def _compare_notes(data: bytes, pvh: int | None, vmlinux: Path) -> None:
    vmlinux.write_bytes(data)
    assert "System V" in run(tool("readelf"), "-h", vmlinux)
    shown = run(tool("readelf"), "-nW", vmlinux)
    # The owner and the size of every note, and what the one about PVH says.
    rows = re.findall(r"^  (\w+) +0x([0-9a-f]{8})\t", shown, re.MULTILINE)
    notes = read_notes(data)
    assert [(row[0], int(row[1], 16)) for row in rows] == [
        (note.owner.decode(), len(note.content)) for note in notes
    ]
    told = re.search(r"Xen +\S+\t[^\n]*0x0*12\)\s+description data: ([0-9a-f ]+)", shown)
    assert told is not None
    assert pvh == int.from_bytes(bytes.fromhex(told[1]), "little")


@pytest.mark.parametrize("kernel", OTHER, ids="-".join)
def test_a_plain_image_stays_as_it_is(kernel: tuple[str, str, str]) -> None:
    data = image_of(kernel).read_bytes()
    found = unpack_kernel(data)
    assert (found.data == data, found.packed, found.pvh) == (True, None, None)
