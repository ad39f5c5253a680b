"""The files that Raspberry Pi boot loaders ask for, and what it means when one is not there.

References: the documentation of Raspberry Pi on the boot flow and on config.txt; logs of TFTP
servers of a Pi 3, 4 and 5.
"""

from __future__ import annotations

import dataclasses
import enum
import fnmatch
from typing import Final


class Need(enum.Enum):
    """Whether a board boots without a file."""

    REQUIRED = "required"
    # Not needed to start a kernel, but what is lost without it is rarely meant.
    WANTED = "wanted"
    OPTIONAL = "optional"


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """A kind of file: shell pattern of its name, what it is, what follows if it is missing.

    ``absent`` is empty where nothing follows.
    """

    pattern: str
    need: Need
    what: str
    absent: str


_REQUIRED, _WANTED, _OPTIONAL = Need.REQUIRED, Need.WANTED, Need.OPTIONAL
# What is optional is not missed.
_GOES_ON: Final = ""

# The first that matches counts. A pattern without "/" is held against the last component.
KNOWN: Final = (
    Known(
        "bootcode.bin",
        _REQUIRED,
        "second stage of Pi 2 and 3, asked for in the server's root, never in a serial directory",
        "a Pi 2 or 3 stops here",
    ),
    Known("bootsig.bin", _OPTIONAL, "signature of bootcode.bin, which nobody has", _GOES_ON),
    Known("autoboot.txt", _OPTIONAL, "names another partition to boot from", _GOES_ON),
    Known("tryboot.txt", _OPTIONAL, "stands in for config.txt for one boot", _GOES_ON),
    Known(
        "config.txt",
        _REQUIRED,
        "the settings; every stage reads it again",
        "the boot loader goes on with its defaults, and without an initramfs",
    ),
    Known("recover*.elf", _OPTIONAL, "would start instead of the firmware", _GOES_ON),
    Known("recovery*.img", _OPTIONAL, "would start instead of the kernel", _GOES_ON),
    Known("start*.elf", _REQUIRED, "the firmware up to Pi 4", "a Pi up to 4 stops here"),
    Known(
        "fixup*.dat",
        _WANTED,
        "tells the firmware the size of the memory; a pair with start*.elf",
        "the kernel gets only a part of the memory",
    ),
    Known("pieeprom.*", _OPTIONAL, "an update of the boot loader in the EEPROM", _GOES_ON),
    Known("vl805.*", _OPTIONAL, "an update of the Pi 4's USB controller", _GOES_ON),
    Known("boot.img", _OPTIONAL, "a whole boot folder in one file", _GOES_ON),
    Known("boot.sig", _OPTIONAL, "signature of boot.img", _GOES_ON),
    Known("dt-blob.bin", _OPTIONAL, "pins of boards of one's own", _GOES_ON),
    Known("bootcfg.txt", _OPTIONAL, "settings of an older boot", _GOES_ON),
    Known("cmdline*.txt", _REQUIRED, "the kernel command line", "the kernel is told no root"),
    Known("armstub*", _OPTIONAL, "stands in for code that the firmware has built in", _GOES_ON),
    Known(
        "overlays/overlay_map.dtb",
        _OPTIONAL,
        "which overlay is for which board; kernels of Debian have no overlays",
        _GOES_ON,
    ),
    Known("overlays/hat_map.dtb", _OPTIONAL, "which overlay is for which HAT", _GOES_ON),
    Known(
        "overlays/README",
        _OPTIONAL,
        "shows that os_prefix has overlays",
        "overlays are taken from the folder itself, not from os_prefix",
    ),
    Known("*.dtbo", _WANTED, "an overlay of the device tree", "it is left out"),
    Known(
        "*.dtb",
        _REQUIRED,
        "the device tree of the board",
        "the kernel is told nothing of the board; most do not start",
    ),
    Known("initramfs*", _REQUIRED, "the initramfs", "the kernel starts without an initramfs"),
    Known("initrd*", _REQUIRED, "the initramfs", "the kernel starts without an initramfs"),
    Known("kernel*.img", _REQUIRED, "a kernel", "another name is tried, or the boot ends here"),
    Known("vmlinu[xz]*", _REQUIRED, "a kernel", "the boot ends here"),
)


def known_file(name: str) -> Known | None:
    """Return what is known of a file of this name.

    ``name`` is relative to the boot folder; parts of ``os_prefix`` may stand before it.
    """
    last = name.rpartition("/")[2]
    return next((row for row in KNOWN if _matches(name, last, row.pattern)), None)


def _matches(name: str, last: str, pattern: str) -> bool:
    if "/" not in pattern:
        return fnmatch.fnmatchcase(last, pattern)
    return name == pattern or name.endswith(f"/{pattern}")
