"""Unified kernel images: kernel, initramfs and command line in one EFI program.

Reference: the UAPI Group's specification "Unified Kernel Image"; systemd-stub(7) for the program
around them, which names itself to boot loaders. The order of the sections, their flags and
what comes to ``.sbat`` (shim's SBAT.md) are those of systemd's ukify 257, so that the two give the
same bytes but for the checksum, which ukify leaves out.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final, NamedTuple

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.pe import (
    EFI_APPLICATION,
    NX_COMPAT,
    NewSection,
    add_sections,
    content_of,
    read_pe,
    rename_section,
)

_MAGIC: Final = re.compile(rb"#### LoaderInfo: (\S{1,40}) (\S{1,80}) ####")
_STUB: Final = b"systemd-stub"
_SBAT: Final = ".sbat"
_CMDLINE: Final = ".cmdline"
_SBAT_HEAD: Final = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md"
_SBAT_UKI: Final = (
    "uki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/"
)


class Stub(NamedTuple):
    """The program around a kernel; ``machine`` is the ``IMAGE_FILE_MACHINE_…`` it is for."""

    machine: int
    version: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UkiParts:
    """What goes into an image beside the initramfs.

    ``os_release`` is a file as os-release(5) has it; without a ``cmdline`` the boot loader gives
    the command line.
    """

    stub: bytes
    os_release: bytes
    cmdline: bytes | None
    release: str
    linux: bytes


def read_stub(data: bytes) -> Stub:
    """Recognise systemd-stub.

    :raises FormatError: it is no EFI program, or damaged.
    :raises UnsupportedError: it is another program.
    """
    found = read_pe(data)
    # In a section .sdmagic; of systemd 252 on ARM, whose linker knew none, somewhere.
    magic = _MAGIC.search(data)
    if found.subsystem != EFI_APPLICATION or magic is None or magic[1] != _STUB:
        what = "an EFI program" if magic is None else magic[1].decode("ascii", "replace")
        raise UnsupportedError(
            f"it is {what}, but not systemd-stub",
            hint="what serves is usr/lib/systemd/boot/efi/linux*.efi.stub of systemd-boot-efi",
        )
    return Stub(found.machine, magic[2].decode("ascii", "replace"))


def check_parts(parts: UkiParts) -> None:
    """Check that everything, with an initramfs, has room in the stub.

    :raises FormatError: it has not, or something is damaged.
    :raises UnsupportedError: the stub is signed.
    """
    make_uki(parts, b"")


def make_uki(parts: UkiParts, initramfs: bytes) -> bytes:
    """Return the image.

    :raises FormatError: it has no room in the stub, or the stub is damaged.
    :raises UnsupportedError: the stub is signed.
    """
    kernel = read_pe(parts.linux)
    cmdline = () if parts.cmdline is None else (NewSection(_CMDLINE, parts.cmdline),)
    sections = (
        NewSection(".osrel", parts.os_release),
        *cmdline,
        NewSection(".uname", parts.release.encode()),
        NewSection(".linux", parts.linux, code=True),
        NewSection(".initrd", initramfs),
        NewSection(_SBAT, _sbat(parts.stub, parts.linux)),
    )
    # Old kernels run in the memory that the image was loaded to.
    without = 0 if kernel.characteristics & NX_COMPAT else NX_COMPAT
    return add_sections(parts.stub, sections, without=without)


def with_cmdline(image: bytes, cmdline: bytes) -> bytes:
    """Return an image with another command line, and otherwise the same content.

    :raises FormatError: it is no unified kernel image, or has no room.
    :raises UnsupportedError: it is signed.
    """
    found = read_pe(image)
    if found.section(".linux") is None:
        raise FormatError("the EFI program holds no kernel")
    if (old := found.section(_CMDLINE)) is not None:
        # What it has room for was decided by the first line.
        image = rename_section(image, old, ".old")
    return add_sections(image, [NewSection(_CMDLINE, cmdline)])


def _sbat(*programs: bytes) -> bytes:
    """Return which generations of stub, kernel and image these are: what can be revoked."""
    lines = [_SBAT_HEAD]
    for program in programs:
        section = read_pe(program).section(_SBAT)
        if section is None:
            continue
        try:
            text = content_of(program, section).rstrip(b"\0").decode()
        except UnicodeDecodeError as error:
            raise FormatError(f"the section {_SBAT} of the EFI program is no text") from error
        first, *rest = text.splitlines() or [""]
        lines += rest if first.startswith("sbat,") else ()
    return ("\n".join([*lines, _SBAT_UKI]) + "\n\0").encode()
