"""rdcompose.formats.vmlinux"""

from __future__ import annotations

import lzma
import struct
from typing import TYPE_CHECKING

import pytest
import zstandard

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.image import ImageKind, read_image
from rdcompose.formats.vmlinux import Vmlinux, unpack_kernel
from tests.support import images
from tests.support.images import elf_note, make_bzimage, make_elf_kernel, make_zboot

if TYPE_CHECKING:
    from collections.abc import Callable

PVH = elf_note(b"Xen", 18, struct.pack("<Q", 0x1000B20))
ELF = make_elf_kernel(PVH, entry=0x1000C43)
ARM64 = images.make_arm64()

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": images.gzipped,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": zstandard.ZstdCompressor().compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE, preset=0),
}


@pytest.mark.parametrize("packer", PACKERS)
def test_the_elf_file_of_a_bzimage(packer: str) -> None:
    # The build appends the unpacked size; it is no part of the kernel.
    payload = PACKERS[packer](ELF) + len(ELF).to_bytes(4, "little")
    assert unpack_kernel(make_bzimage(payload=payload)) == Vmlinux(
        data=ELF, image=read_image(ELF), packed=packer, entry=0x1000C43, pvh=0x1000B20
    )


def test_setup_code_of_no_sectors_has_four() -> None:
    plain = make_bzimage(payload=images.gzipped(ELF))
    old = bytearray(plain[:1024] + bytes(3 * 512) + plain[1024:])
    old[0x1F1] = 0
    assert unpack_kernel(bytes(old)).data == ELF


def test_no_more_is_read_than_the_header_names() -> None:
    data = bytearray(make_bzimage(payload=images.gzipped(ELF)))
    (size,) = struct.unpack_from("<I", data, 0x24C)
    struct.pack_into("<I", data, 0x24C, size - 9)
    with pytest.raises(FormatError, match="is cut"):
        unpack_kernel(bytes(data))


def test_a_kernel_without_pvh_has_its_own_entry_alone() -> None:
    found = unpack_kernel(make_bzimage(payload=images.gzipped(make_elf_kernel(None, entry=77))))
    assert (found.entry, found.pvh) == (77, None)


def test_of_a_zboot_image_the_plain_one_is_left() -> None:
    found = unpack_kernel(make_zboot(images.gzipped(ARM64)))
    assert found == Vmlinux(data=ARM64, image=read_image(ARM64), packed="gzip")


def test_a_packed_file_is_unpacked() -> None:
    found = unpack_kernel(images.gzipped(ARM64))
    assert found == Vmlinux(data=ARM64, image=read_image(ARM64), packed="gzip")


@pytest.mark.parametrize(
    "data", [ARM64, images.make_riscv(), images.make_loongarch(), ELF], ids=lambda d: d[:2].hex()
)
def test_what_is_not_packed_stays_as_it_is(data: bytes) -> None:
    found = unpack_kernel(data)
    assert (found.data, found.packed) == (data, None)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (images.make_zimage(lzma.compress(images.banner(), preset=0)), "ARM zImage"),
        (images.make_s390(), "s390 bzImage"),
        (images.make_packed_elf(images.gzipped(images.banner())), "ELF vmlinux"),
    ],
    ids=["zimage", "s390", "mips"],
)
def test_what_holds_no_file_is_refused(data: bytes, name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"what the {name} unpacks to has no header"):
        unpack_kernel(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (make_bzimage(payload=b"what is this"), "has a payload of an unknown compressor"),
        (make_bzimage(protocol=0x202), "has a payload of an unknown compressor"),
        (make_bzimage(payload=images.gzipped(ELF)[:-20]), "the gzip data at offset 1040 is cut"),
        (make_bzimage(payload=images.gzipped(b"no kernel at all")), "no kernel image: it starts"),
        (
            make_bzimage(payload=images.gzipped(make_elf_kernel(PVH[:-8]))),
            "the ELF note at offset 0",
        ),
        (b"", "no kernel image"),
    ],
    ids=["unknown", "old", "cut", "nothing", "notes", "empty"],
)
def test_damage(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        unpack_kernel(data)
    assert message in caught.value.message


def test_a_bzimage_in_a_bzimage_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="x86 bzImage unpacks to has no header"):
        unpack_kernel(make_bzimage(payload=images.gzipped(make_bzimage())))


def test_the_kind_is_that_of_the_unpacked_kernel() -> None:
    assert unpack_kernel(make_bzimage(payload=images.gzipped(ELF))).image.kind is ImageKind.ELF
