"""Builders of kernel images, as small as a header and a banner allow."""

from __future__ import annotations

import gzip
import struct

BANNER = (
    "Linux version {release} (builder@example.org) (gcc-14 (Debian 14.2.0-19) 14.2.0, "
    "GNU ld 2.44) #1 SMP Debian 6.12.57-1 (2025-11-05)\n"
)
RELEASE = "6.12.57+deb13-amd64"
VERSION = "{release} (builder@example.org) #1 SMP PREEMPT_DYNAMIC Debian 6.12.57-1 (2025-11-05)"


def banner(release: str = RELEASE) -> bytes:
    """Return ``linux_banner`` with its NUL, among other bytes."""
    return b"\1\2\3" + BANNER.format(release=release).encode() + b"\0rest"


def make_bzimage(
    release: str = RELEASE,
    *,
    version: str = VERSION,
    protocol: int = 0x20F,
    xloadflags: int = 0x7F,
    payload: bytes = b"\x28\xb5\x2f\xfd" + b"\0" * 60,
) -> bytes:
    """Return an x86 bzImage with one sector of setup code."""
    setup = bytearray(1024)
    setup[0x1F1] = 1
    struct.pack_into("<H", setup, 0x1FE, 0xAA55)
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x206, protocol)
    struct.pack_into("<H", setup, 0x20E, 0x100)
    struct.pack_into("<H", setup, 0x236, xloadflags)
    struct.pack_into("<II", setup, 0x248, 16, len(payload))
    text = version.format(release=release).encode() + b"\0"
    setup[0x300 : 0x300 + len(text)] = text
    protected = b"\0" * 16 + payload
    protected += b"\0" * (-len(protected) % 16)
    struct.pack_into("<I", setup, 0x1F4, len(protected) // 16)
    return bytes(setup) + protected


def pe_header(machine: int, *, size: int = 0x80) -> bytes:
    """Return the start of an image with an EFI stub: MZ and a PE header at 0x40."""
    head = bytearray(size)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, 0x40)
    head[0x40:0x46] = b"PE\0\0" + struct.pack("<H", machine)
    return bytes(head)


def _with(head: bytes, *fields: tuple[int, bytes]) -> bytes:
    out = bytearray(head)
    for offset, value in fields:
        out[offset : offset + len(value)] = value
    return bytes(out)


def make_arm64(release: str = RELEASE, *, flags: int = 0xA, text: bytes | None = None) -> bytes:
    """Return an arm64 Image."""
    head = _with(pe_header(0xAA64), (0x18, struct.pack("<Q", flags)), (0x38, b"ARM\x64"))
    return head + (banner(release) if text is None else text)


def make_riscv(release: str = RELEASE, *, machine: int | None = 0x5064) -> bytes:
    """Return a RISC-V Image; without a machine, one of before the EFI stub."""
    if machine is None:
        return _with(bytes(0x80), (0x30, b"RISCV\0\0\0")) + banner(release)
    return _with(pe_header(machine), (0x30, b"RISCV\0\0\0RSC\x05")) + banner(release)


def make_loongarch(release: str = RELEASE, *, machine: int = 0x6264) -> bytes:
    """Return a LoongArch Image."""
    return _with(pe_header(machine), (0x38, b"\xcd\x23\x82\x81")) + banner(release)


def make_zboot(
    payload: bytes, *, machine: int = 0xAA64, offset: int = 0x80, size: int | None = None
) -> bytes:
    """Return an EFI zboot image around a compressed payload."""
    extent = struct.pack("<II", offset, len(payload) if size is None else size)
    head = _with(pe_header(machine), (4, b"zimg" + extent), (0x38, b"\xcd\x23\x82\x81"))
    return head + payload + b"\0" * 32


def make_zimage(payload: bytes, *, order: str = "<", size: int | None = None) -> bytes:
    """Return an ARM zImage around a compressed payload, with false magics in front."""
    code = b"\xfd7zXZ\0\0\0no stream" + b"\x1f\x8b\x08nor this" + b"\x5d\0\0\0\x01 or this"
    body = bytearray(0x40) + code + payload + b"\0" * 64
    total = len(body) if size is None else size
    struct.pack_into(order + "III", body, 0x24, 0x016F2818, 0, total)
    return bytes(body)


def make_s390(release: str = RELEASE, *, pointer: int = 0x10600) -> bytes:
    """Return an s390 bzImage."""
    text = VERSION.format(release=release).encode() + b"\0"
    return _with(
        bytes(0x10800),
        (0x10008, b"S390EP"),
        (0x10428, struct.pack(">Q", pointer)),
        (0x10600, text),
    )


def make_vmlinux(
    release: str = RELEASE, *, machine: int = 62, bits: int = 64, order: str = "<", kind: int = 2
) -> bytes:
    """Return an ELF kernel of nothing but its header and a banner."""
    ident = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1]) + bytes(9)
    return ident + struct.pack(order + "HH", kind, machine) + bytes(100) + banner(release)


def make_packed_elf(payload: bytes, *, machine: int = 8, bits: int = 64) -> bytes:
    """Return an ELF file that unpacks a kernel inside it, as a vmlinuz of MIPS."""
    ident = b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9)
    code = b"\xfd7zXZ\0\0\0no stream"
    return ident + struct.pack("<HH", 2, machine) + bytes(100) + code + payload + bytes(64)


def gzipped(data: bytes) -> bytes:
    """Return the data in gzip."""
    return gzip.compress(data, 6, mtime=0)


def elf_note(owner: bytes, kind: int, content: bytes, *, order: str = "<", align: int = 4) -> bytes:
    """Return a note of an ELF file."""
    name = owner + b"\0"
    out = struct.pack(order + "III", len(name), len(content), kind) + name
    out += b"\0" * (-len(out) % align) + content
    return out + b"\0" * (-len(out) % align)


def make_elf_kernel(
    notes: bytes | None,
    release: str = RELEASE,
    *,
    machine: int = 62,
    bits: int = 64,
    order: str = "<",
    entry: int = 0x1000000,
    align: int = 4,
) -> bytes:
    """Return an ELF kernel with a segment of notes, or with no segment at all, and a banner."""
    ident = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1]) + bytes(9)
    wide = bits == 64
    head, step = (64, 56) if wide else (52, 32)
    count = 0 if notes is None else 1
    out = ident + struct.pack(
        order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"),
        *(2, machine, 1, entry, head, 0, 0, head, step, count, 0, 0, 0),
    )
    if notes is not None:
        place = head + step
        sizes = (len(notes), len(notes))
        out += (
            struct.pack(order + "IIQQQQQQ", 4, 4, place, 0, 0, *sizes, align)
            if wide
            else struct.pack(order + "IIIIIIII", 4, place, 0, 0, *sizes, 4, align)
        )
        out += notes
    return out + banner(release)
