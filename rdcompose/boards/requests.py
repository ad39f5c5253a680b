"""What a Raspberry Pi asks a TFTP server for, in its order.

References: logs of dnsmasq with a Pi 3B+ (firmware of 2025), a Pi 4 (boot loader of 2021) and
a Pi 5 (boot loader of 2026); the log that a Pi 5 writes to its serial port; nobodd's account of
the Pi 4. No log shows ``os_prefix``: that kernel and device tree are looked for below it before
they are fetched is from the documentation of config.txt, and where among the other requests that
happens is not known.

A Pi first asks for the size of a file, ends the transfer, and asks again to fetch it: servers log
that as a transfer that failed. Pi 1 and 2 are started by the Pi 3's ``bootcode.bin``, from a card;
those without Ethernet do not boot from a network.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Final

from rdcompose.boards.known_files import Need, known_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rdcompose.boards.firmware_view import BootView


class Client(enum.Enum):
    """Boot loaders that differ in what they ask for."""

    PI3 = "Raspberry Pi 2 or 3"
    PI4 = "Raspberry Pi 4"
    PI5 = "Raspberry Pi 5"


# By the names that --board takes. Those that are missing have no Ethernet.
CLIENTS: Final[Mapping[str, Client]] = {
    "1": Client.PI3,
    "2": Client.PI3,
    "3": Client.PI3,
    "4": Client.PI4,
    "5": Client.PI5,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One file that is asked for; one that is not ``fetched`` is only looked whether it is there.

    ``path`` is relative to the directory of the Pi, or, ``in_root``, to the server's root.
    """

    path: str
    fetched: bool = True
    in_root: bool = False

    @property
    def need(self) -> Need:
        """Whether the boot needs it; what config.txt names is needed."""
        known = known_file(self.path)
        return Need.REQUIRED if known is None else known.need


def requests_of(client: Client, view: BootView) -> tuple[Request, ...]:
    """Return what a Pi asks for to start what a boot folder has for it, in its order.

    What is not there is asked for once and not fetched.
    """
    return tuple(_SEQUENCES[client](view))


def _look(path: str) -> Request:
    return Request(path, fetched=False)


def _pi3(view: BootView) -> Iterator[Request]:
    start, fixup = view.firmware[-2:]
    yield Request("bootcode.bin", in_root=True)
    yield Request("bootsig.bin", in_root=True)
    yield _look("start.elf")
    yield Request("autoboot.txt")
    yield _look("start.elf")
    yield Request("config.txt")
    yield Request("recovery.elf")
    yield Request(start)
    yield Request(fixup)
    yield from _start_elf(view, "armstub8.bin" if view.bits == 64 else "armstub8-32.bin")


def _pi4(view: BootView) -> Iterator[Request]:
    start, fixup = view.firmware[-2:]
    yield _look("start4.elf")
    yield Request("config.txt")
    yield Request("vl805.sig")
    yield Request("pieeprom.sig")
    yield Request("recover4.elf")
    yield Request("recovery.elf")
    yield Request(start)
    yield Request(fixup)
    yield from _start_elf(view, "armstub8-gic.bin" if view.bits == 64 else "armstub8-32-gic.bin")


def _start_elf(view: BootView, armstub: str) -> Iterator[Request]:
    """Yield what start.elf and start4.elf ask for."""
    yield Request("recovery.elf")
    yield Request("config.txt")
    yield Request("dt-blob.bin")
    yield Request("recovery.elf")
    yield Request("config.txt")
    yield Request("bootcfg.txt")
    yield from _system(view, armstub, again="config.txt")


def _pi5(view: BootView) -> Iterator[Request]:
    yield Request("config.txt")
    yield Request("pieeprom.sig")
    yield Request("pieeprom.upd")
    # Its firmware has the slash twice: 1234abcd//config.txt.
    yield Request("/config.txt")
    yield Request("/config.txt")
    yield from _system(view, "armstub8-2712.bin", again="/config.txt")


def _system(view: BootView, armstub: str, *, again: str) -> Iterator[Request]:
    """Yield what makes the system: the same for all of them."""
    kernel = view.kernel or view.kernel_asked[-1]
    for path in dict.fromkeys((*view.kernel_asked, kernel)):
        yield _look(path)
        if path == kernel:
            break
    trees = view.device_tree_asked
    if view.prefix:
        yield from map(_look, trees[:1])
        yield _look(f"{view.prefix}overlays/README")
    for path in (*view.initramfs, *view.initramfs_missing):
        yield Request(path)
    for path in trees:
        yield Request(path)
        if path == view.device_tree:
            break
    yield Request(f"{view.overlay_directory}overlay_map.dtb")
    yield Request(again)
    for path in (*view.overlays, *view.overlays_missing):
        yield Request(path)
    yield Request(view.cmdline_asked)
    yield Request(armstub)
    yield Request(kernel)


_SEQUENCES: Final = {Client.PI3: _pi3, Client.PI4: _pi4, Client.PI5: _pi5}
