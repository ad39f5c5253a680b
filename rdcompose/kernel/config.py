"""A kernel's own configuration, and what it says on what the kernel can do.

Syntax: ``scripts/kconfig/confdata.c`` of Linux. Debian ships the file as
``boot/config-R``.

No line of it holds the release. The first lines name source architecture and
upstream version (``# Linux/x86 6.1.192 Kernel Configuration``), which in Debian 12 is
not how its release begins (``6.1.0-44-…``); ``CONFIG_BUILD_SALT``, where Debian 10 put the
release, is not set in Debian 12 and 13. So a configuration can contradict a release,
seldom confirm it.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rdcompose.kernel.release import Architecture

_SET: Final = re.compile(r"CONFIG_([A-Za-z0-9_]+)=(.*)")
_UNSET: Final = re.compile(r"# CONFIG_([A-Za-z0-9_]+) is not set")
# "# Linux/x86 6.1.192 Kernel Configuration"
_HEADER: Final = re.compile(r"# Linux/(\S+) (\S+) Kernel Configuration")
_NUMBERS: Final = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE: Final = re.compile(r"\\(.)")
# The largest real ones are below 400 KB.
_MAX_SIZE: Final = 8 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class ReleaseHints:
    """What a configuration tells on the kernel that it belongs to.

    ``version`` is the upstream version and ``architecture_word`` the kernel's name of
    the architecture, both from the first lines; ``localversion`` and ``build_salt``
    are the options of that name, empty where unset.
    """

    version: str | None
    architecture_word: str | None
    localversion: str
    build_salt: str


@dataclasses.dataclass(frozen=True, slots=True)
class KernelConfig:
    """The options of one kernel; names are without ``CONFIG_``.

    An option that the file does not mention reads as ``n``: such options do not exist
    for this kernel or depend on something that is off.
    """

    options: Mapping[str, str]
    version: str | None = None
    architecture_word: str | None = None

    @classmethod
    def parse(cls, data: bytes) -> KernelConfig:
        """Read the text of a configuration.

        :raises FormatError: a line is neither option nor comment, or there is none.
        """
        if len(data) > _MAX_SIZE:
            raise FormatError(f"a kernel configuration of {len(data)} bytes is none")
        options: dict[str, str] = {}
        version = word = None
        text = data.decode("utf-8", "surrogateescape")
        for number, line in enumerate(text.split("\n"), 1):
            if not line.startswith("CONFIG_"):
                if (unset := _UNSET.fullmatch(line)) is not None:
                    options[unset[1]] = "n"
                elif version is None and (header := _HEADER.fullmatch(line)) is not None:
                    word, version = header[1], header[2]
                elif line.strip() and not line.startswith("#"):
                    raise _bad_line(number, line)
                continue
            found = _SET.fullmatch(line)
            if found is None:
                raise _bad_line(number, line)
            options[found[1]] = _value(found[2], number, line)
        if not options:
            raise FormatError("the kernel configuration holds no option")
        return cls(options, version, word)

    def value(self, name: str) -> str:
        """Return the value as text; a string without its quotes, ``n`` if it is not set."""
        return self.options.get(name, "n")

    def builtin(self, name: str) -> bool:
        """Whether the option is ``y``."""
        return self.value(name) == "y"

    def is_module(self, name: str) -> bool:
        """Whether the option is ``m``."""
        return self.value(name) == "m"

    def enabled(self, name: str) -> bool:
        """Whether the option is ``y`` or ``m``."""
        return self.value(name) in {"y", "m"}

    @property
    def release_hints(self) -> ReleaseHints:
        """What the file tells on its kernel's release; never all of it."""
        return ReleaseHints(
            self.version,
            self.architecture_word,
            self.options.get("LOCALVERSION", ""),
            self.options.get("BUILD_SALT", ""),
        )

    def contradiction(self, release: str, architecture: Architecture | None = None) -> str | None:
        """Say why this cannot be the configuration of a kernel, or ``None``.

        The version's numbers must be the release's, the build salt (where a
        distribution puts the release there) the release, and architecture, word size
        and byte order the architecture's.
        """
        mine = _NUMBERS.match(self.version or "")
        theirs = _NUMBERS.match(release)
        # Debian 12 and Ubuntu have 0 for the third number of every release.
        exact = theirs is not None and theirs[3] not in {None, "0"}
        if mine and theirs and mine.groups()[: 2 + exact] != theirs.groups()[: 2 + exact]:
            return f"it is of Linux {self.version}"
        salt = self.release_hints.build_salt
        # A salt may be anything; one that starts with a version is a release.
        if _NUMBERS.match(salt) and salt != release:
            return f"it is of the release {salt}"
        return None if architecture is None else self.wrong_machine(architecture)

    def wrong_machine(self, architecture: Architecture) -> str | None:
        """Say why this cannot be a configuration for an architecture, or ``None``."""
        word = self.architecture_word
        if word is not None and word not in architecture.config_words:
            return f"it is for the kernel architecture {word!r}, not {architecture.name}"
        bits = 64 if self.builtin("64BIT") else 32
        # Only a whole configuration, with its first lines, tells by what is not in it.
        if bits not in architecture.kernel_bits and (word is not None or bits == 64):
            return f"it is for {bits} bits, not {architecture.name}"
        order = "big" if self.builtin("CPU_BIG_ENDIAN") else "little"
        said = self.builtin("CPU_BIG_ENDIAN") or self.builtin("CPU_LITTLE_ENDIAN")
        if said and order != architecture.byteorder:
            return f"it is {order}-endian, not {architecture.name}"
        return None

    def missing_for_initramfs(self, compressor: str) -> tuple[str, ...]:
        """Options that an initramfs packed so needs and this kernel lacks.

        :raises SpecError: no kernel knows a compressor of that name.
        """
        needed = ["BLK_DEV_INITRD"]
        if compressor != "none":
            needed.append(_row(_INITRAMFS, compressor, "initramfs compressor"))
        return self._missing((name, True) for name in needed)

    def missing_for_squashfs(self, compressor: str) -> tuple[str, ...]:
        """Options that mounting a squashfs packed so needs and this kernel lacks.

        ``SQUASHFS`` itself may be a module.

        :raises SpecError: squashfs has no compressor of that name.
        """
        option = _row(_SQUASHFS, compressor, "squashfs compressor")
        return self._missing([("BLOCK", True), ("SQUASHFS", False), (option, True)])

    def missing_for_overlay(self) -> tuple[str, ...]:
        """Options that overlayfs over a tmpfs needs and this kernel lacks."""
        return self._missing([("TMPFS", True), ("OVERLAY_FS", False)])

    def missing_for_init(self) -> tuple[str, ...]:
        """Options that an init script with busybox needs and this kernel lacks."""
        return self._missing((name, True) for name in _INIT)

    def missing_for_modules(self) -> tuple[str, ...]:
        """Options that loading modules needs and this kernel lacks."""
        return self._missing([("MODULES", True)])

    def missing_for_microcode(self, vendor: str) -> tuple[str, ...]:
        """Options that loading a vendor's microcode from an initramfs needs and this kernel lacks.

        ``vendor`` is as the processor names it: ``GenuineIntel`` or ``AuthenticAMD``.
        """
        driver, support = _MICROCODE[vendor]
        needed = ["BLK_DEV_INITRD", "MICROCODE"]
        # Since Linux 6.6 there is no option for the driver of each vendor.
        if self.builtin("MICROCODE"):
            needed.append(driver if driver in self.options else support)
        return self._missing((name, True) for name in needed)

    def missing_for_filesystem(self, name: str) -> tuple[str, ...]:
        """Options that mounting a file system needs and this kernel lacks.

        A module counts as present. Nothing is known about, and so nothing missing
        for, a file system that is not in the table.
        """
        option = _FILESYSTEMS.get(name)
        return () if option is None else self._missing([(option, False)])

    @property
    def module_decompressor(self) -> str | None:
        """The one compressor whose modules this kernel unpacks itself, if any."""
        if not self.builtin("MODULE_DECOMPRESS"):
            return None
        return next((name for name, row in _MODULES.items() if self.builtin(row)), None)

    def _missing(self, needed: Iterable[tuple[str, bool]]) -> tuple[str, ...]:
        return tuple(
            f"CONFIG_{name}"
            for name, in_kernel in needed
            if not (self.builtin(name) if in_kernel else self.enabled(name))
        )


_INITRAMFS: Final = {
    "gzip": "RD_GZIP",
    "bzip2": "RD_BZIP2",
    "lzma": "RD_LZMA",
    "xz": "RD_XZ",
    "lzo": "RD_LZO",
    "lz4": "RD_LZ4",
    "zstd": "RD_ZSTD",
}
_SQUASHFS: Final = {
    "gzip": "SQUASHFS_ZLIB",
    "lz4": "SQUASHFS_LZ4",
    "lzo": "SQUASHFS_LZO",
    "xz": "SQUASHFS_XZ",
    "zstd": "SQUASHFS_ZSTD",
}
_MODULES: Final = {
    "gzip": "MODULE_COMPRESS_GZIP",
    "xz": "MODULE_COMPRESS_XZ",
    "zstd": "MODULE_COMPRESS_ZSTD",
}
_MICROCODE: Final = {
    "GenuineIntel": ("MICROCODE_INTEL", "CPU_SUP_INTEL"),
    "AuthenticAMD": ("MICROCODE_AMD", "CPU_SUP_AMD"),
}
# A script can only be started by a kernel that has BINFMT_SCRIPT built in.
_INIT: Final = ("BINFMT_ELF", "BINFMT_SCRIPT", "PROC_FS", "SYSFS", "DEVTMPFS", "TMPFS")
_FILESYSTEMS: Final = {
    "btrfs": "BTRFS_FS",
    "erofs": "EROFS_FS",
    # Since Linux 4.3 the ext4 driver serves all three.
    "ext2": "EXT4_FS",
    "ext3": "EXT4_FS",
    "ext4": "EXT4_FS",
    "f2fs": "F2FS_FS",
    "iso9660": "ISO9660_FS",
    "nfs": "NFS_FS",
    "squashfs": "SQUASHFS",
    "vfat": "VFAT_FS",
    "xfs": "XFS_FS",
}


def _row(table: Mapping[str, str], name: str, what: str) -> str:
    if (option := table.get(name)) is not None:
        return option
    raise SpecError(f"{name!r} is no {what} that Linux knows", hint="known are " + ", ".join(table))


def _value(raw: str, number: int, line: str) -> str:
    if not raw.startswith('"'):
        return raw
    found = _STRING.fullmatch(raw)
    if found is None:
        raise _bad_line(number, line)
    return _ESCAPE.sub(r"\1", found[1])


def _bad_line(number: int, line: str) -> FormatError:
    shown = repr(line if len(line) <= 100 else line[:100] + "…")
    return FormatError(f"line {number} of the kernel configuration is none: {shown}")
