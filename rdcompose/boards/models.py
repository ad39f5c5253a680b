"""The Raspberry Pi models: what the firmware of each looks for, and which kernels run on it.

Sources: Raspberry Pi's documentation ("config.txt": Boot options, Conditional filters; "Revision
codes"); names of device trees from Linux (``arch/arm*/boot/dts/broadcom``) and from Raspberry Pi's
own kernel. The word "upstream" is the firmware's for Linux as kernel.org and Debian have it, and
"downstream" for Raspberry Pi's own kernel, which calls the device trees by the die, not the chip.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A board of a model.

    ``filters`` are the sections of config.txt that it reads, ``board_type`` its number in
    ``[board-type=…]``. The names of device trees come in the firmware's order: what is behind
    the first is taken where that is missing.
    """

    name: str
    filters: frozenset[str]
    board_type: int
    upstream: tuple[str, ...]
    downstream: tuple[str, ...]

    def device_trees(self, *, upstream: bool = False) -> tuple[str, ...]:
        """Return the names that the firmware looks for, of both families, in its order."""
        names = (
            (*self.upstream, *self.downstream)
            if upstream
            else (
                *self.downstream,
                *self.upstream,
            )
        )
        return tuple(dict.fromkeys(names))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Boards that boot the same files.

    ``name`` is what ``--board`` takes, ``section`` the filter of config.txt to write for it;
    ``pi0`` is also true on a Zero 2 W, whose own section therefore has to come later.
    ``kernels`` are the file names that the firmware looks for, by the width of the processor, in
    its order, the width that it takes by itself first. ``architectures`` are Debian's, with the
    flavours whose kernels run there. ``firmware`` are the files that the boot needs beside the
    kernel's; a Pi 5 has its own in its EEPROM.
    """

    name: str
    title: str
    soc: str
    section: str
    variants: tuple[Variant, ...]
    kernels: Mapping[int, tuple[str, ...]]
    architectures: Mapping[str, tuple[str, ...]]
    firmware: tuple[str, ...]

    @property
    def filters(self) -> frozenset[str]:
        """The sections of config.txt that every board of the model reads."""
        return frozenset.intersection(*(variant.filters for variant in self.variants))

    @property
    def bits(self) -> tuple[int, ...]:
        """The widths that it can run, the firmware's default first."""
        return tuple(self.kernels)

    @property
    def reads_includes(self) -> bool:
        """Whether what loads the kernel follows ``include`` lines; the EEPROM's loader does not."""
        return bool(self.firmware)

    def device_trees(self, *, upstream: bool) -> tuple[str, ...]:
        """Return the names of the device trees of all its boards, of one family."""
        found: dict[str, None] = {}
        for variant in self.variants:
            found.update(dict.fromkeys(variant.upstream if upstream else variant.downstream))
        return tuple(found)

    def runs(self, architecture: str, flavour: str | None = None) -> bool:
        """Whether Debian's kernels of an architecture run on it; of a flavour, if it is known.

        A flavour that is neither Debian's nor Raspberry Pi's is given the benefit of the doubt.
        """
        own = _OWN_FLAVOURS.get((flavour or "").removesuffix("+").removeprefix("rpi-"))
        if own is not None:
            return self.name in own
        flavours = self.architectures.get(architecture)
        if flavours is None or flavour in flavours:
            return flavours is not None
        return flavour not in _DEBIAN_FLAVOURS[architecture]


# Of Debian's kernels for the architectures that a Pi runs.
_DEBIAN_FLAVOURS: Final[Mapping[str, tuple[str, ...]]] = {
    "armel": ("rpi", "marvell"),
    "armhf": ("armmp", "armmp-lpae", "rt-armmp"),
    "arm64": ("arm64", "rt-arm64", "cloud-arm64", "arm64-16k"),
}

# Of Raspberry Pi's own: 6.12.75+rpt-rpi-v8, before that 5.10.63-v8+.
_OWN_FLAVOURS: Final[Mapping[str, tuple[str, ...]]] = {
    "v6": ("zero", "1"),
    "v7": ("zero2", "2", "3"),
    "v7l": ("4",),
    "v8": ("zero2", "3", "4", "5"),
    "v8-rt": ("zero2", "3", "4", "5"),
    "2712": ("5",),
    "v8-16k": ("5",),
}

_Kernels = dict[str, tuple[str, ...]]

_ARMEL: Final[_Kernels] = {"armel": ("rpi",)}
_ARMHF: Final[_Kernels] = {"armhf": ("armmp", "rt-armmp", "armmp-lpae")}
_ARM64: Final[_Kernels] = {"arm64": ("arm64", "rt-arm64")}
# Of these processors, only that of a Pi 5 has pages of 16 KiB.
_ARM64_16K: Final[_Kernels] = {"arm64": ("arm64", "rt-arm64", "arm64-16k")}

_START: Final = ("bootcode.bin", "start.elf", "fixup.dat")
_START4: Final = ("start4.elf", "fixup4.dat")


def _variant(
    name: str, filters: str, board_type: int, upstream: str, downstream: str | None = None
) -> Variant:
    """Make a variant; several names are separated by blanks, ``.dtb`` is added."""

    def files(names: str) -> tuple[str, ...]:
        return tuple(f"{word}.dtb" for word in names.split())

    return Variant(
        name=name,
        filters=frozenset(filters.split()),
        board_type=board_type,
        upstream=files(upstream),
        downstream=files(upstream if downstream is None else downstream),
    )


_ZERO: Final = Model(
    name="zero",
    title="Raspberry Pi Zero",
    soc="BCM2835",
    section="pi0",
    variants=(
        _variant("Zero", "pi0", 0x09, "bcm2835-rpi-zero", "bcm2708-rpi-zero"),
        _variant("Zero W", "pi0 pi0w", 0x0C, "bcm2835-rpi-zero-w", "bcm2708-rpi-zero-w"),
    ),
    kernels={32: ("kernel.img",)},
    architectures=_ARMEL,
    firmware=_START,
)
_ONE: Final = Model(
    name="1",
    title="Raspberry Pi 1",
    soc="BCM2835",
    section="pi1",
    variants=(
        _variant("1 B+", "pi1", 0x03, "bcm2835-rpi-b-plus", "bcm2708-rpi-b-plus"),
        _variant(
            "1 B",
            "pi1",
            0x01,
            "bcm2835-rpi-b-rev2 bcm2835-rpi-b",
            "bcm2708-rpi-b bcm2708-rpi-b-rev1",
        ),
        _variant("1 A", "pi1", 0x00, "bcm2835-rpi-a bcm2835-rpi-b", "bcm2708-rpi-b"),
        _variant(
            "1 A+", "pi1", 0x02, "bcm2835-rpi-a-plus bcm2835-rpi-b-plus", "bcm2708-rpi-b-plus"
        ),
        _variant("Compute Module 1", "pi1 cm1", 0x06, "bcm2835-rpi-cm1-io1", "bcm2708-rpi-cm"),
    ),
    kernels={32: ("kernel.img",)},
    architectures=_ARMEL,
    firmware=_START,
)
# Those of revision 1.2 have the chip of a Pi 3 and could start 64-bit kernels. They count as the
# others, which read the same section and cannot.
_TWO: Final = Model(
    name="2",
    title="Raspberry Pi 2",
    soc="BCM2836",
    section="pi2",
    variants=(_variant("2 B", "pi2", 0x04, "bcm2836-rpi-2-b", "bcm2709-rpi-2-b"),),
    kernels={32: ("kernel7.img",)},
    architectures=_ARMHF,
    firmware=_START,
)
_ZERO2: Final = Model(
    name="zero2",
    title="Raspberry Pi Zero 2 W",
    soc="BCM2837",
    section="pi02",
    variants=(
        _variant(
            "Zero 2 W",
            "pi0 pi0w pi02",
            0x12,
            "bcm2837-rpi-zero-2-w",
            "bcm2710-rpi-zero-2-w bcm2710-rpi-zero-2",
        ),
    ),
    kernels={32: ("kernel7.img",), 64: ("kernel8.img",)},
    architectures=_ARMHF | _ARM64,
    firmware=_START,
)
_THREE: Final = Model(
    name="3",
    title="Raspberry Pi 3",
    soc="BCM2837",
    section="pi3",
    variants=(
        _variant("3 B", "pi3", 0x08, "bcm2837-rpi-3-b", "bcm2710-rpi-3-b"),
        _variant(
            "3 B+",
            "pi3 pi3+",
            0x0D,
            "bcm2837-rpi-3-b-plus bcm2837-rpi-3-b",
            "bcm2710-rpi-3-b-plus bcm2710-rpi-3-b",
        ),
        _variant(
            "3 A+",
            "pi3 pi3+",
            0x0E,
            "bcm2837-rpi-3-a-plus bcm2837-rpi-3-b-plus",
            "bcm2710-rpi-3-b-plus bcm2710-rpi-3-b",
        ),
        _variant("Compute Module 3", "pi3 cm3", 0x0A, "bcm2837-rpi-cm3-io3", "bcm2710-rpi-cm3"),
        _variant(
            "Compute Module 3+", "pi3 pi3+ cm3+", 0x10, "bcm2837-rpi-cm3-io3", "bcm2710-rpi-cm3"
        ),
    ),
    kernels={32: ("kernel7.img",), 64: ("kernel8.img",)},
    architectures=_ARMHF | _ARM64,
    firmware=_START,
)
_FOUR: Final = Model(
    name="4",
    title="Raspberry Pi 4",
    soc="BCM2711",
    section="pi4",
    variants=(
        _variant("4 B", "pi4", 0x11, "bcm2711-rpi-4-b"),
        _variant("400", "pi4 pi400", 0x13, "bcm2711-rpi-400 bcm2711-rpi-4-b"),
        _variant(
            "Compute Module 4",
            "pi4 cm4",
            0x14,
            "bcm2711-rpi-cm4-io bcm2711-rpi-4-b",
            "bcm2711-rpi-cm4 bcm2711-rpi-4-b",
        ),
        _variant("Compute Module 4S", "pi4 cm4s", 0x15, "bcm2711-rpi-cm4s", "bcm2711-rpi-cm4s"),
    ),
    kernels={64: ("kernel8.img",), 32: ("kernel7l.img",)},
    architectures=_ARMHF | _ARM64,
    firmware=_START4,
)
_FIVE: Final = Model(
    name="5",
    title="Raspberry Pi 5",
    soc="BCM2712",
    section="pi5",
    variants=(
        _variant(
            "5",
            "pi5",
            0x17,
            "bcm2712-rpi-5-b bcm2712-d-rpi-5-b",
            "bcm2712-rpi-5-b bcm2712d0-rpi-5-b",
        ),
        _variant("500", "pi5 pi500", 0x19, "bcm2712-rpi-500"),
        _variant(
            "Compute Module 5",
            "pi5 cm5",
            0x18,
            "bcm2712-rpi-cm5-cm5io bcm2712-rpi-cm5-cm4io",
        ),
    ),
    kernels={64: ("kernel_2712.img", "kernel8.img")},
    architectures=_ARM64_16K,
    firmware=(),
)

MODELS: Final[Mapping[str, Model]] = {
    model.name: model for model in (_ZERO, _ONE, _ZERO2, _TWO, _THREE, _FOUR, _FIVE)
}

# What the firmware calls kernels, and the width that each name stands for.
KERNEL_BITS: Final[Mapping[str, int]] = {
    name: bits
    for model in MODELS.values()
    for bits, names in model.kernels.items()
    for name in names
}


def find_models(names: Iterable[str]) -> tuple[Model, ...]:
    """Return the models of ``--board``'s names, each once, in the order of the table.

    :raises UsageError: there is no such model.
    """
    wanted = set(names)
    unknown = sorted(wanted - MODELS.keys())
    if unknown:
        raise UsageError(
            f"there is no Raspberry Pi {unknown[0]!r}", hint=f"known are {', '.join(MODELS)}"
        )
    return tuple(model for name, model in MODELS.items() if name in wanted)


def models_for(architecture: str, flavour: str | None = None) -> tuple[Model, ...]:
    """Return the models that kernels of an architecture and flavour run on."""
    return tuple(model for model in MODELS.values() if model.runs(architecture, flavour))
