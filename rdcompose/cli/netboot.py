"""``rdcompose pi --netboot`` and ``--explain-log``: what they ask for, and what is said."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from rdcompose.boards.bootset import CMDLINE
from rdcompose.boards.dnsmasq import check_dhcp_range, check_interface
from rdcompose.boards.models import find_models
from rdcompose.boards.netboot import (
    CONFIGURATION,
    Netboot,
    check_boards,
    directory_of,
    dnsmasq_text,
    links,
    notes,
)
from rdcompose.boards.netboot_place import check_place, place, unreadable_parent
from rdcompose.boards.tftpexplain import as_json, as_lines, explain
from rdcompose.boards.tftplog import read_log
from rdcompose.errors import SpecError, UsageError
from rdcompose.tree import File, read_all

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from rdcompose.boards.models import Model
    from rdcompose.tree import Entry, Tree

_OPTIONS: Final = ("serial", "interface", "dhcp_range", "tftp_root")
_STDIN: Final = "-"
_CARD: Final = b"root=/dev/mmcblk"


def netboot_asked(arguments: argparse.Namespace) -> Netboot | None:
    """Return what is asked for, checked before anything is read; ``None`` without ``--netboot``.

    :raises UsageError: an option has no meaning, or is wrong.
    :raises OutputError: something stands where a link is to be.
    """
    if not arguments.netboot:
        for name in _OPTIONS:
            if getattr(arguments, name):
                option = name.replace("_", "-")
                raise UsageError(f"--{option} has no meaning without --netboot")
        return None
    if arguments.output is None:
        raise UsageError("it is not said where the tree goes", hint="name a directory: -o DIR")
    directories = dict.fromkeys(directory_of(text) for text in arguments.serial or ())
    found = Netboot(
        output=arguments.output,
        directories=tuple(directories),
        interface=None if arguments.interface is None else check_interface(arguments.interface),
        dhcp_range=None if arguments.dhcp_range is None else check_dhcp_range(arguments.dhcp_range),
        server_root=arguments.tftp_root,
    )
    if arguments.board:
        check_boards(find_models(arguments.board))
    check_place(found.output, dict.fromkeys(found.directories, ""))
    dnsmasq_text(found, ())
    return found


def finish_netboot(netboot: Netboot, folder: Tree, models: Sequence[Model]) -> tuple[str, ...]:
    """Add to the boot folder, which is written, what makes it a TFTP tree; returns notes.

    :raises OutputError: it cannot be written.
    """
    place(netboot.output, links(netboot, folder, models), dnsmasq_text(netboot, models))
    found = list(notes(folder, models))
    closed = unreadable_parent(netboot.folder.absolute())
    if closed is not None and netboot.server_root is None:
        found.append(f"{closed} keeps other users out: dnsmasq reads the files as one of them")
    if any(_CARD in _line(entry) for entry in folder):
        found.append(
            "the root is a card in the Pi, by its kernel command line: --root names another"
        )
    if netboot.dhcp_range is None:
        found.append(
            "without --dhcp-range dnsmasq only serves files: another DHCP server has to tell the "
            "Pis this one's address"
        )
    return tuple(found)


def _line(entry: Entry) -> bytes:
    """Return the kernel command line if an entry holds one."""
    named = entry.path.rpartition("/")[2] == CMDLINE
    return read_all(entry.content) if named and isinstance(entry, File) else b""


def tell_netboot(netboot: Netboot) -> None:
    """Print where things are."""
    print(f"TFTP root: {netboot.root}")
    print(f"dnsmasq: {netboot.output / CONFIGURATION}")


def netboot_summary(netboot: Netboot) -> dict[str, object]:
    """Return what is written beside the boot folder, for JSON."""
    return {
        "tftp_root": netboot.root,
        "directories": [*netboot.directories],
        "dnsmasq": str(netboot.output / CONFIGURATION),
    }


def explain_log(arguments: argparse.Namespace) -> int:
    """Print what the requests in a log mean; returns the exit status.

    :raises SpecError: the log cannot be read.
    :raises FormatError: it has no request.
    """
    path: Path = arguments.explain_log
    if arguments.kernel:
        raise UsageError("--explain-log takes no KERNEL")
    explanation = explain(read_log(_read(path)), str(path))
    if arguments.json:
        print(json.dumps(as_json(explanation), indent=2, ensure_ascii=False))
    else:
        for line in as_lines(explanation, verbose=arguments.verbose):
            print(line)
    return 0


def _read(path: Path) -> str:
    if str(path) == _STDIN:
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise SpecError(f"cannot read the log {path}: {error.strerror or error}") from error
