"""What a server needs so that Raspberry Pis boot from a network: a TFTP tree and dnsmasq's file.

.. code-block:: text

    OUT/dnsmasq.conf
    OUT/tftp/boot/           the boot folder
    OUT/tftp/bootcode.bin    a link to it: Pi 2 and 3 ask for it here
    OUT/tftp/1234abcd        a link to boot, for each serial number

All Pis share one folder, so that a switch of its config.txt is one for all of them. Without serial
numbers, ``boot`` itself is what is served: every Pi that finds no directory of its own takes what
is at the top.

References: the documentation of Raspberry Pi on network boot and on ``TFTP_PREFIX``.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

from rdcompose.boards.configtxt import ConfigTxt
from rdcompose.boards.dnsmasq import Served, check_root, configuration
from rdcompose.boards.firmware_view import view
from rdcompose.boards.known_files import Need
from rdcompose.boards.requests import CLIENTS, Client, requests_of
from rdcompose.boards.tftp_limits import size_problem
from rdcompose.errors import UsageError
from rdcompose.tree import File, read_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rdcompose.boards.firmware_view import BootView
    from rdcompose.boards.models import Model, Variant
    from rdcompose.tree import Tree

TREE: Final = "tftp"
FOLDER: Final = "boot"
CONFIGURATION: Final = "dnsmasq.conf"
_FIRST: Final = "bootcode.bin"
_SERIAL: Final = re.compile(r"(?:0[xX])?(?:[0-9a-fA-F]{8})?([0-9a-fA-F]{8})")
_ADDRESS: Final = re.compile(r"[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Netboot:
    """What is asked for.

    ``output`` is where tree and configuration go. ``directories`` are the Pis' own, by
    :func:`directory_of`. ``server_root`` is the absolute path of the tree on the server, where that
    is another machine.
    """

    output: Path
    directories: tuple[str, ...] = ()
    interface: str | None = None
    dhcp_range: str | None = None
    server_root: str | None = None

    @property
    def folder(self) -> Path:
        """Where the boot folder goes."""
        return self.output / TREE / FOLDER

    @property
    def root(self) -> str:
        """The absolute path of what is served, on the server.

        :raises UsageError: dnsmasq cannot be told it.
        """
        tree = (
            str((self.output / TREE).absolute()) if self.server_root is None else self.server_root
        )
        return check_root(tree if self.directories else f"{tree.rstrip('/')}/{FOLDER}")


def directory_of(text: str) -> str:
    """Return the name of the directory that a Pi asks for.

    ``text`` is its serial number, of 8 or 16 hexadecimal digits, of which the last 8 count; or the
    address of its network card, for boot loaders that are set to ``TFTP_PREFIX=2``.

    :raises UsageError: it is neither.
    """
    serial = _SERIAL.fullmatch(text)
    if serial is not None:
        return serial[1].lower()
    if _ADDRESS.fullmatch(text):
        return text.replace(":", "-").lower()
    raise UsageError(
        f"{text!r} is no serial number of a Raspberry Pi",
        hint="8 or 16 hexadecimal digits, as the line Serial of /proc/cpuinfo has them; or the "
        "address of the network card, as dc:a6:32:01:02:03",
    )


def links(netboot: Netboot, folder: Tree, models: Sequence[Model]) -> dict[str, str]:
    """Return the symbolic links of the tree: name to target."""
    if not netboot.directories:
        return {}
    found = dict.fromkeys(netboot.directories, FOLDER)
    if _FIRST in folder and Client.PI3 in _clients(models).values():
        found[_FIRST] = f"{FOLDER}/{_FIRST}"
    return found


def dnsmasq_text(netboot: Netboot, models: Sequence[Model]) -> str:
    """Return the configuration of dnsmasq.

    :raises UsageError: it cannot be told the path.
    """
    served = Served(
        root=netboot.root,
        interface=netboot.interface,
        dhcp_range=netboot.dhcp_range,
        slow_rom="3" in _clients(models),
    )
    return configuration(served)


def check_boards(models: Sequence[Model]) -> None:
    """Look whether a board of these can boot from a network.

    :raises UsageError: none can.
    """
    if not _clients(models):
        raise UsageError(
            f"a {models[0].title} has no Ethernet to boot from",
            hint="boards that boot from a network: " + ", ".join(CLIENTS),
        )


def notes(folder: Tree, models: Sequence[Model]) -> tuple[str, ...]:
    """Return what may keep a board from booting from this folder by TFTP, or surprise."""
    return (*_sizes(folder), *_lacking(folder, models))


def _clients(models: Sequence[Model]) -> Mapping[str, Client]:
    return {model.name: CLIENTS[model.name] for model in models if model.name in CLIENTS}


def _sizes(folder: Tree) -> Iterator[str]:
    for entry in folder:
        if isinstance(entry, File):
            problem = size_problem(entry.path, entry.content.size)
            if problem is not None:
                yield problem


def _lacking(folder: Tree, models: Sequence[Model]) -> Iterator[str]:
    """Yield what boards will ask for, need and not find."""
    entry = folder.get("config.txt")
    config = ConfigTxt.parse(read_all(entry.content) if isinstance(entry, File) else b"")
    files = {entry.path for entry in folder if isinstance(entry, File)}
    clients = _clients(models)
    found: dict[str, None] = {}
    without = []
    for model in models:
        for variant in model.variants if model.name in clients else ():
            seen = view(config, model, files.__contains__, variant=variant)
            if seen.device_tree is None and seen.device_tree_asked:
                without.append(_title(variant))
                continue
            for path in _needed(clients[model.name], seen):
                if path not in files:
                    found[f"a {model.title} asks for {path}, which is not in the folder"] = None
    yield from found
    if without:
        yield f"the folder has no device tree for: {', '.join(without)}"


def _title(variant: Variant) -> str:
    """Return what a board is called: variants of a model begin with its number, or have a name."""
    return variant.name if variant.name[0].isalpha() else f"Raspberry Pi {variant.name}"


def _needed(client: Client, seen: BootView) -> Iterator[str]:
    # Of several device trees, the firmware takes the first that is there.
    trees = set(seen.device_tree_asked)
    for request in requests_of(client, seen):
        path = request.path.lstrip("/")
        if request.need is Need.REQUIRED and request.fetched and path not in trees:
            yield path
