"""Release strings, flavours and architectures of Debian kernels.

A release is what ``uname -r`` prints. It is opaque: Debian 12 counts ABI numbers
(``6.1.0-44-cloud-amd64``), Debian 13 has the upstream version
(``6.12.57+deb13-cloud-amd64``), Raspberry Pi OS yet another form. Only its last words,
the flavour, are looked at, to tell the architecture where nothing better does.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.formats.image import ByteOrder, ImageKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdcompose.formats.image import KernelImage

# __NEW_UTS_LEN in include/uapi/linux/utsname.h
MAX_RELEASE: Final = 64
# It becomes the name of files and a directory, and a word in scripts and boot
# configurations: nothing that any of them could take for something else.
_RELEASE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~:@,=^-]*")
_FLAVOUR: Final = re.compile(r"\d+(?:\.\d+)*[^-]*(?:-(?:\d|rc\d)[^-]*)*-([A-Za-z].*)")
# "… #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)"
_PACKAGE_VERSION: Final = re.compile(r" #\d+ (?:\S+ )*?Debian (\S+) \(")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A Debian architecture and what other parts of the world call it.

    ``elf_machine`` is ``e_machine``; ``config_words`` are the names in the first lines of
    a kernel configuration (``SRCARCH``, with older spellings); ``vermagic_word`` is
    the start of the architecture's part of a module's vermagic, if it has one;
    ``alpine`` are Alpine's names; ``image_kinds`` the formats its kernels come in, and
    ``kernel_bits`` their word sizes, the programs' own first.
    """

    name: str
    elf_machine: int
    bits: int
    byteorder: ByteOrder
    config_words: tuple[str, ...]
    alpine: tuple[str, ...]
    image_kinds: tuple[ImageKind, ...]
    kernel_bits: tuple[int, ...]
    vermagic_word: str = ""

    @property
    def description(self) -> str:
        """The name and what it means for a program: ``arm64 (64-bit AArch64)``."""
        return f"{self.name} ({machine_name(self.elf_machine, self.bits, self.byteorder)})"


# e_machine and a name for messages
_MACHINES: Final = {
    3: "Intel 80386",
    8: "MIPS",
    20: "PowerPC",
    21: "PowerPC",
    22: "IBM S/390",
    40: "ARM",
    62: "x86-64",
    183: "AArch64",
    243: "RISC-V",
    258: "LoongArch",
}


def machine_name(machine: int, bits: int, byteorder: str) -> str:
    """Machine of an ELF file for a message: ``64-bit AArch64``."""
    name = _MACHINES.get(machine, f"machine {machine}")
    # Both byte orders exist for these two only.
    order = f" {byteorder}-endian" if machine in {8, 21} else ""
    return f"{bits}-bit {name}{order}"


def _arch(
    name: str,
    machine: int,
    bits: int,
    words: str,
    alpine: str,
    *kinds: ImageKind,
    byteorder: ByteOrder = "little",
    vermagic: str = "",
    kernel_bits: tuple[int, ...] = (),
) -> Architecture:
    return Architecture(
        name=name,
        elf_machine=machine,
        bits=bits,
        byteorder=byteorder,
        config_words=tuple(words.split()),
        alpine=tuple(alpine.split()),
        image_kinds=(*kinds, ImageKind.ELF),
        kernel_bits=(bits, *kernel_bits),
        vermagic_word=vermagic,
    )


_BZ, _Z, _EFI = ImageKind.X86_BZIMAGE, ImageKind.ARM_ZIMAGE, ImageKind.EFI_ZBOOT

# Where several share a machine, the one that Debian ships for newer hardware is first.
_TABLE: Final = (
    _arch("amd64", 62, 64, "x86 x86_64", "x86_64", _BZ),
    _arch("arm64", 183, 64, "arm64", "aarch64", ImageKind.ARM64_IMAGE, _EFI, vermagic="aarch64"),
    _arch("armhf", 40, 32, "arm", "armv7 armhf", _Z, _EFI, vermagic="ARMv7"),
    # The other words of vermagic are the processor's family: ARMv5, ARMv6.
    _arch("armel", 40, 32, "arm", "armhf", _Z, vermagic="ARMv"),
    _arch("i386", 3, 32, "x86 i386", "x86", _BZ),
    _arch("loong64", 258, 64, "loongarch", "loongarch64", ImageKind.LOONGARCH_IMAGE, _EFI),
    # Machines with a 64-bit processor have a 64-bit kernel there, too: octeon, loongson-3.
    _arch("mips", 8, 32, "mips", "", byteorder="big", kernel_bits=(64,)),
    _arch("mipsel", 8, 32, "mips", "", kernel_bits=(64,)),
    _arch("mips64el", 8, 64, "mips", ""),
    _arch("powerpc", 20, 32, "powerpc", "", byteorder="big"),
    _arch("ppc64", 21, 64, "powerpc", "", byteorder="big"),
    _arch("ppc64el", 21, 64, "powerpc", "ppc64le"),
    _arch("riscv64", 243, 64, "riscv", "riscv64", ImageKind.RISCV_IMAGE, _EFI, vermagic="riscv"),
    _arch("s390x", 22, 64, "s390", "s390x", ImageKind.S390_BZIMAGE, byteorder="big"),
)

ARCHITECTURES: Final[Mapping[str, Architecture]] = {row.name: row for row in _TABLE}

# What uname -m prints, where Debian calls it otherwise; of a 32-bit ARM the newest.
_UNAME: Final = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "armhf",
    "armv8l": "armhf",
    "armv6l": "armel",
    "armv5tel": "armel",
    "i686": "i386",
    "i586": "i386",
    "ppc64le": "ppc64el",
    "loongarch64": "loong64",
}

# Every flavour of Debian 11 to 13 and of Raspberry Pi OS that names one architecture.
# MIPS boards (octeon, loongson-3, …) exist in several and are left out.
FLAVOURS: Final[Mapping[str, str]] = {
    flavour: name
    for name, flavours in {
        "amd64": "amd64 cloud-amd64 rt-amd64",
        "arm64": "arm64 cloud-arm64 rt-arm64 arm64-16k rpi-v8 rpi-v8-rt rpi-2712 v8+ v8-16k+",
        "armhf": "armmp armmp-lpae rt-armmp rpi-v6 rpi-v7 rpi-v7l v7+ v7l+",
        "armel": "marvell rpi",
        "i386": "686 686-pae rt-686-pae",
        "loong64": "loong64",
        "mips64el": "mips64r2el 5kc-malta",
        "mipsel": "mips32r2el 4kc-malta",
        "powerpc": "powerpc powerpc-smp",
        "ppc64": "powerpc64",
        "ppc64el": "powerpc64le powerpc64le-64k",
        "riscv64": "riscv64",
        "s390x": "s390x",
    }.items()
    for flavour in flavours.split()
}
_BY_LENGTH: Final = sorted(FLAVOURS, key=lambda flavour: (-len(flavour), flavour))


def is_release(text: str) -> bool:
    """Whether a text can be a kernel release, by its characters and length alone."""
    return len(text) <= MAX_RELEASE and _RELEASE.fullmatch(text) is not None


def check_release(text: str) -> str:
    """Return the text if :func:`is_release` says so.

    :raises SpecError: it is no release.
    """
    if is_release(text):
        return text
    shown = repr(text if len(text) <= MAX_RELEASE else text[:MAX_RELEASE] + "…")
    raise SpecError(
        f"{shown} is no kernel release",
        hint="a release is what `uname -r` prints, like 6.12.57+deb13-amd64",
    )


def flavour_of_release(release: str) -> str | None:
    """Return the flavour at the end of a release, known or not: ``cloud-amd64``.

    ``None`` where nothing follows the version, as in a plain upstream kernel.
    """
    for flavour in _BY_LENGTH:
        if release.endswith("-" + flavour):
            return flavour
    found = _FLAVOUR.fullmatch(release)
    return found[1] if found else None


def flavour_architecture(flavour: str) -> Architecture | None:
    """Return the architecture that a flavour names; ``None`` if none or several."""
    name = FLAVOURS.get(flavour)
    return None if name is None else ARCHITECTURES[name]


def architecture_of_release(release: str) -> Architecture | None:
    """Return the architecture that a release tells by its flavour."""
    flavour = flavour_of_release(release)
    return None if flavour is None else flavour_architecture(flavour)


def architecture_by_name(name: str) -> Architecture:
    """Look up an architecture by Debian's name.

    :raises SpecError: it is not in the table.
    """
    if (found := ARCHITECTURES.get(name)) is not None:
        return found
    raise SpecError(
        f"{name!r} is no architecture that is known here",
        hint="known are " + ", ".join(ARCHITECTURES),
    )


def architecture_of_machine(machine: str) -> Architecture | None:
    """Return the architecture of a host by what ``uname -m`` prints there."""
    name = _UNAME.get(machine, machine)
    return ARCHITECTURES.get(name)


def architectures_of_elf(
    machine: int | None, bits: int | None, byteorder: str
) -> tuple[Architecture, ...]:
    """List the architectures whose programs look so; armhf and armel look the same.

    ``None`` stands for anything: not every kernel image says.
    """
    return tuple(
        row
        for row in _TABLE
        if machine in {row.elf_machine, None}
        and bits in {row.bits, None}
        and byteorder == row.byteorder
    )


def architectures_of_kernel(
    machine: int | None, bits: int | None, byteorder: str
) -> tuple[Architecture, ...]:
    """List the architectures whose kernels look so, those whose programs do first."""
    found = [
        row
        for row in _TABLE
        if machine in {row.elf_machine, None}
        and (bits is None or bits in row.kernel_bits)
        and byteorder == row.byteorder
    ]
    return tuple(sorted(found, key=lambda row: bits not in {row.bits, None}))


def architecture_of_elf(machine: int, bits: int, byteorder: str) -> Architecture | None:
    """Return the architecture of an ELF file; of several the first, ``None`` if unknown."""
    return next(iter(architectures_of_elf(machine, bits, byteorder)), None)


def architectures_of_image(image: KernelImage) -> tuple[Architecture, ...]:
    """List the architectures that a kernel image can be of, those of its word size first."""
    return tuple(
        row
        for row in architectures_of_kernel(image.machine, image.bits, image.byteorder)
        if image.kind in row.image_kinds
    )


def package_version_of_banner(banner: str) -> str | None:
    """Return the Debian package version that a kernel's banner ends with, if it does."""
    found = _PACKAGE_VERSION.search(banner)
    return found[1] if found else None
