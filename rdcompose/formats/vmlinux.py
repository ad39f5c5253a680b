"""The kernel inside a boot image, unpacked: what loaders take that do not unpack it themselves.

Firecracker, Cloud Hypervisor and QEMU's PVH machines load an ELF kernel on x86; on arm64 and
RISC-V they load the plain ``Image``, of which the ELF file cannot be had again. An x86 bzImage
holds its ELF file whole (``arch/x86/boot/compressed/Makefile`` of Linux), an EFI zboot image the
plain ``Image``. What an ARM zImage, an s390 bzImage and a packed ELF kernel (MIPS) hold is
code without any header.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import Final

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats import elf_notes, image_payload
from rdcompose.formats.image import ImageKind, KernelImage, read_image

_PLAIN: Final = frozenset(
    {
        ImageKind.ARM64_IMAGE,
        ImageKind.RISCV_IMAGE,
        ImageKind.LOONGARCH_IMAGE,
        ImageKind.ELF,
    }
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Vmlinux:
    """An unpacked kernel, and what it says about itself.

    ``packed`` names the compressor that it was packed with. Of an ELF file there is ``entry``, the
    address of its own entry, and ``pvh``, that of the PVH entry if it has one.
    """

    data: bytes
    image: KernelImage
    packed: str | None
    entry: int | None = None
    pvh: int | None = None


def unpack_kernel(data: bytes) -> Vmlinux:
    """Return the kernel inside a boot image, of whatever format.

    :raises FormatError: it is no kernel image, or damaged.
    :raises UnsupportedError: this format holds nothing that a loader could take, or is packed with
        what cannot be unpacked here.
    """
    image = read_image(data)
    packed = image.compression
    if packed is not None:
        data = b"".join(image_payload.unpack(data, 0, packed))
        image = read_image(data)
    if image.kind in {ImageKind.X86_BZIMAGE, ImageKind.EFI_ZBOOT}:
        packed, data = _payload(data, image)
        image = read_image(data)
    if image.kind not in _PLAIN or image.payload is not None:
        raise UnsupportedError(
            f"what the {image.kind.value} unpacks to has no header that a loader could know it by"
        )
    if image.kind is not ImageKind.ELF:
        return Vmlinux(data=data, image=image, packed=packed)
    return Vmlinux(
        data=data,
        image=image,
        packed=packed,
        entry=elf_notes.entry_address(data),
        pvh=elf_notes.pvh_entry(data),
    )


def _payload(data: bytes, image: KernelImage) -> tuple[str, bytes]:
    """Return the compressor and the content of the payload that a header names."""
    if image.payload is None:
        raise FormatError(f"the {image.kind.value} has a payload of an unknown compressor")
    if image.kind is ImageKind.EFI_ZBOOT:
        offset, size = struct.unpack_from("<II", data, 8)
    else:
        # Where the header names a payload at all: read_image has seen to both.
        offset, size = struct.unpack_from("<II", data, 0x248)
        offset += ((data[0x1F1] or 4) + 1) * 512
    pieces = image_payload.unpack(data[: offset + size], offset, image.payload)
    return image.payload, b"".join(pieces)
