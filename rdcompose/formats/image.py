"""Kernel images: which machine they are for, and which release is inside.

References: ``Documentation/arch/x86/boot.rst``, ``Documentation/arch/arm64/booting.rst``,
``Documentation/arch/riscv/boot-image-header.rst``, ``arch/arm/boot/compressed/head.S``,
``drivers/firmware/efi/libstub/zboot-header.S``, ``arch/s390/boot/head.S`` and
``arch/s390/include/asm/setup.h`` of Linux; ELF as in the gABI.

x86 and s390 name the release in a header. The others carry ``linux_banner``
(``init/version-timestamp.c``), in the open or inside a compressed payload. An LZO
payload is not unpacked. uImage, PowerPC zImage and a.out are not handled.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import struct
from typing import TYPE_CHECKING, Final, Literal

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats import image_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

EM_386: Final = 3
EM_PPC64: Final = 21
EM_S390: Final = 22
EM_ARM: Final = 40
EM_X86_64: Final = 62
EM_AARCH64: Final = 183
EM_RISCV: Final = 243
EM_LOONGARCH: Final = 258

ByteOrder = Literal["little", "big"]

_RELEASE: Final = rb"[!-.0-~]{1,64}"
# "Linux version R (builder@host) (compiler) #1 SMP …\n\0"
_BANNER: Final = re.compile(rb"Linux version (" + _RELEASE + rb") (\([^\0\n]{1,440})[\n\0]")
_BANNER_START: Final = b"Linux version "
_BANNER_SPAN: Final = 640
# Real kernels hold "Linux version " less than ten times.
_MAX_BANNERS: Final = 1000
# "R (builder@host) #1 SMP …\0", with no compiler
_KERNEL_VERSION: Final = re.compile(rb"(" + _RELEASE + rb") (\([^\0\n]{1,440})\0")
# Each false hit of a magic costs a failed start of a decoder.
_MAX_CANDIDATES: Final = 16


class ImageKind(enum.Enum):
    """The formats that a boot loader or firmware tells apart."""

    X86_BZIMAGE = "x86 bzImage"
    ARM64_IMAGE = "arm64 Image"
    RISCV_IMAGE = "RISC-V Image"
    LOONGARCH_IMAGE = "LoongArch Image"
    ARM_ZIMAGE = "ARM zImage"
    EFI_ZBOOT = "EFI zboot image"
    S390_BZIMAGE = "s390 bzImage"
    ELF = "ELF vmlinux"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KernelImage:
    """What a kernel image tells about itself.

    ``machine`` (``e_machine``), ``bits`` and ``byteorder`` are those of the kernel;
    ``None`` where the format does not say. ``compression`` names the compressor of
    the whole file (``Image.gz``), ``payload`` that of the kernel inside a loader.
    ``release`` is what ``uname -r`` will print; ``banner`` is the line that names it,
    as ``/proc/version`` has it or, from a header, without the compiler.
    """

    kind: ImageKind
    machine: int | None
    bits: int | None
    byteorder: ByteOrder = "little"
    release: str | None = None
    banner: str | None = None
    compression: str | None = None
    payload: str | None = None


def read_image(data: bytes) -> KernelImage:
    """Recognise a kernel image and read its release.

    The release is ``None`` only where the kernel is packed with a compressor that
    cannot be unpacked here; otherwise an image without one is refused.

    :raises FormatError: it is no kernel image, cut, or names no release.
    """
    if (image := _read_plain(data)) is not None:
        return image
    name = image_payload.compression_at(data, 0)
    # An LZ4 or LZO kernel as a whole file is nothing a boot loader takes.
    if name in {"gzip", "xz", "zstd", "bzip2"}:
        inside = b"".join(image_payload.unpack(data, 0, name))
        image = _read_plain(inside)
        if image is not None:
            return dataclasses.replace(image, compression=name)
        raise FormatError(f"the {name} file holds no kernel image that is known here")
    start = data[:8].hex(" ") or "nothing"
    raise FormatError(f"no kernel image: it starts with {start} and has no known magic")


def _read_plain(data: bytes) -> KernelImage | None:
    for probe in _PROBES:
        if (image := probe(data)) is not None:
            return image
    return None


def _field(data: bytes, form: str, offset: int, what: str) -> int:
    """One number of a header; a header that is cut is an error."""
    if offset + struct.calcsize(form) > len(data):
        raise FormatError(f"the {what} ends before offset {offset:#x} of its header")
    value: int = struct.unpack_from(form, data, offset)[0]
    return value


def _x86(data: bytes) -> KernelImage | None:
    if data[0x202:0x206] != b"HdrS" or data[0x1FE:0x200] != b"\x55\xaa":
        return None
    what = ImageKind.X86_BZIMAGE.value
    protocol = _field(data, "<H", 0x206, what)
    setup_end = ((data[0x1F1] or 4) + 1) * 512
    # The last paragraph of sixteen bytes need not be full.
    if protocol >= 0x204 and setup_end + (_field(data, "<I", 0x1F4, what) - 1) * 16 > len(data):
        raise FormatError(f"the {what} is cut: its header announces more than {len(data)} bytes")
    machine: int | None = None
    if protocol >= 0x20C:
        # XLF_KERNEL_64
        machine = EM_X86_64 if _field(data, "<H", 0x236, what) & 1 else EM_386
    payload = None
    if protocol >= 0x208:
        payload = _x86_payload(data, setup_end)
    release, banner = _version_at(data, _field(data, "<H", 0x20E, what) + 0x200, what)
    bits = None if machine is None else 64 if machine == EM_X86_64 else 32
    return KernelImage(
        kind=ImageKind.X86_BZIMAGE,
        machine=machine,
        bits=bits,
        release=release,
        banner=banner,
        payload=payload,
    )


def _x86_payload(data: bytes, setup_end: int) -> str | None:
    what = ImageKind.X86_BZIMAGE.value
    offset = setup_end + _field(data, "<I", 0x248, what)
    size = _field(data, "<I", 0x24C, what)
    if offset + size > len(data):
        raise FormatError(
            f"the {what} is cut: its payload of {size} bytes at {offset} is not all there"
        )
    return image_payload.compression_at(data, offset)


def _version_at(data: bytes, offset: int, what: str) -> tuple[str, str]:
    inside = 0x200 < offset < len(data)
    found = _KERNEL_VERSION.match(data, offset) if inside else None
    if found is None:
        raise FormatError(f"the {what} has no release where its header says (offset {offset:#x})")
    return _text(found[1]), f"Linux version {_text(found[1])} {_text(found[2])}"


def _arm64(data: bytes) -> KernelImage | None:
    if data[0x38:0x3C] != b"ARM\x64":
        return None
    flags = _field(data, "<Q", 0x18, ImageKind.ARM64_IMAGE.value)
    image = KernelImage(
        kind=ImageKind.ARM64_IMAGE,
        machine=EM_AARCH64,
        bits=64,
        byteorder="big" if flags & 1 else "little",
    )
    return _with_banner(image, [data])


def _riscv(data: bytes) -> KernelImage | None:
    # The second magic came with header version 0.2, the first one is older.
    if data[0x38:0x3C] != b"RSC\x05" and data[0x30:0x38] != b"RISCV\0\0\0":
        return None
    bits = _PE_MACHINES.get(_pe_machine(data), (EM_RISCV, None))[1]
    image = KernelImage(kind=ImageKind.RISCV_IMAGE, machine=EM_RISCV, bits=bits)
    return _with_banner(image, [data])


# IMAGE_FILE_MACHINE_… of the PE format: (e_machine, bits)
_PE_MACHINES: Final[dict[int | None, tuple[int, int | None]]] = {
    0x014C: (EM_386, 32),
    0x01C2: (EM_ARM, 32),
    0x5032: (EM_RISCV, 32),
    0x5064: (EM_RISCV, 64),
    0x6232: (EM_LOONGARCH, 32),
    0x6264: (EM_LOONGARCH, 64),
    0x8664: (EM_X86_64, 64),
    0xAA64: (EM_AARCH64, 64),
}


def _pe_machine(data: bytes) -> int | None:
    """Return the machine of the PE header that an image with an EFI stub has."""
    offset = int.from_bytes(data[0x3C:0x40], "little")
    if data[:2] != b"MZ" or data[offset : offset + 4] != b"PE\0\0":
        return None
    return int.from_bytes(data[offset + 4 : offset + 6], "little")


def _loongarch(data: bytes) -> KernelImage | None:
    # LINUX_PE_MAGIC; an x86 or zboot image has it too, with another machine or header.
    if data[:2] != b"MZ" or data[4:8] == b"zimg" or data[0x38:0x3C] != b"\xcd\x23\x82\x81":
        return None
    machine, bits = _PE_MACHINES.get(_pe_machine(data), (None, None))
    if machine != EM_LOONGARCH:
        return None
    image = KernelImage(kind=ImageKind.LOONGARCH_IMAGE, machine=machine, bits=bits)
    return _with_banner(image, [data])


def _zboot(data: bytes) -> KernelImage | None:
    if data[:2] != b"MZ" or data[4:8] != b"zimg":
        return None
    what = ImageKind.EFI_ZBOOT.value
    offset, size = _field(data, "<I", 8, what), _field(data, "<I", 12, what)
    if offset + size > len(data):
        raise FormatError(
            f"the {what} is cut: its payload of {size} bytes at {offset} is not all there"
        )
    machine, bits = _PE_MACHINES.get(_pe_machine(data), (None, None))
    name = image_payload.compression_at(data, offset)
    image = KernelImage(kind=ImageKind.EFI_ZBOOT, machine=machine, bits=bits, payload=name)
    if name is None:
        raise FormatError(f"the {what} has a payload of an unknown compressor at {offset}")
    try:
        return _with_banner(image, image_payload.unpack(data[: offset + size], offset, name))
    except UnsupportedError:
        return image


def _arm(data: bytes) -> KernelImage | None:
    orders: dict[bytes, ByteOrder] = {b"\x18\x28\x6f\x01": "little", b"\x01\x6f\x28\x18": "big"}
    order = orders.get(data[0x24:0x28])
    if order is None:
        return None
    what = ImageKind.ARM_ZIMAGE.value
    sign = "<" if order == "little" else ">"
    start, end = _field(data, sign + "I", 0x28, what), _field(data, sign + "I", 0x2C, what)
    if end - start > len(data):
        raise FormatError(f"the {what} is cut: {end - start} bytes announced, {len(data)} there")
    image = KernelImage(kind=ImageKind.ARM_ZIMAGE, machine=EM_ARM, bits=32, byteorder=order)
    return _search_payload(data, image)


def _search_payload(data: bytes, image: KernelImage) -> KernelImage:
    """Find the kernel behind an unpacker whose data may stand anywhere.

    The unpacker's own code holds magics too; only what unpacks to a banner counts.
    """
    unreadable: str | None = None
    for name, offset in image_payload.candidates(data, 0x40, _MAX_CANDIDATES):
        try:
            return dataclasses.replace(
                _with_banner(image, image_payload.unpack(data, offset, name)), payload=name
            )
        except UnsupportedError:
            unreadable = unreadable or name
        except FormatError:
            continue
    if unreadable is not None:
        return dataclasses.replace(image, payload=unreadable)
    raise FormatError(f"the {image.kind.value} holds no kernel that can be unpacked")


def _elf(data: bytes) -> KernelImage | None:
    if data[:4] != b"\x7fELF":
        return None
    what = ImageKind.ELF.value
    bits = {1: 32, 2: 64}.get(_field(data, "B", 4, what))
    orders: dict[int, ByteOrder] = {1: "little", 2: "big"}
    order = orders.get(_field(data, "B", 5, what))
    if bits is None or order is None:
        raise FormatError("the ELF file has an unknown class or byte order")
    sign = "<" if order == "little" else ">"
    kind, machine = _field(data, sign + "H", 16, what), _field(data, sign + "H", 18, what)
    # ET_EXEC, or ET_DYN for a relocatable kernel
    if kind not in {2, 3}:
        raise FormatError(f"the ELF file is of type {kind} and so no kernel")
    image = KernelImage(kind=ImageKind.ELF, machine=machine, bits=bits, byteorder=order)
    try:
        return _with_banner(image, [data])
    except FormatError as bare:
        # A vmlinuz of MIPS is an ELF file, too, with an unpacker and the kernel inside.
        try:
            return _search_payload(data, image)
        except FormatError:
            raise bare from None


def _s390(data: bytes) -> KernelImage | None:
    if data[0x10008:0x1000E] != b"S390EP":
        return None
    what = ImageKind.S390_BZIMAGE.value
    release, banner = _version_at(data, _field(data, ">Q", 0x10428, what), what)
    return KernelImage(
        kind=ImageKind.S390_BZIMAGE,
        machine=EM_S390,
        bits=64,
        byteorder="big",
        release=release,
        banner=banner,
    )


def _with_banner(image: KernelImage, pieces: Iterable[bytes]) -> KernelImage:
    """Add release and banner, read no further than needed.

    An image may hold the banner twice, first without its build number (``# SMP``,
    a placeholder that linking replaces): the numbered one is preferred.
    """
    fallback: re.Match[bytes] | None = None
    tail = b""
    seen = 0
    for piece in pieces:
        window = tail + piece if tail else piece
        start = 0
        while (start := window.find(_BANNER_START, start)) >= 0 and seen < _MAX_BANNERS:
            seen += 1
            found = _BANNER.match(window, start)
            if found is not None and b" #" in found[2] and b" # " not in found[2]:
                return _named(image, found)
            fallback = fallback or found
            start += 1
        tail = window[-_BANNER_SPAN:]
    if fallback is None:
        raise FormatError(f"the {image.kind.value} holds no Linux banner that names its release")
    return _named(image, fallback)


def _named(image: KernelImage, found: re.Match[bytes]) -> KernelImage:
    release = _text(found[1])
    banner = f"Linux version {release} {_text(found[2])}"
    return dataclasses.replace(image, release=release, banner=banner)


def _text(raw: bytes) -> str:
    # Builder and compiler are free text; the release is ASCII by its pattern.
    return raw.decode("utf-8", "replace").rstrip()


_PROBES: Final[tuple[Callable[[bytes], KernelImage | None], ...]] = (
    _x86,
    _arm64,
    _riscv,
    _zboot,
    _loongarch,
    _arm,
    _elf,
    _s390,
)
