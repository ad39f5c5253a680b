"""The options of ``rdcompose pi`` about booting from a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_netboot_options(parser: argparse.ArgumentParser) -> None:
    """Add the group of options."""
    group = parser.add_argument_group("booting from a network")
    group.add_argument(
        "--netboot",
        action="store_true",
        help="write a tree for a TFTP server, DIR/tftp, and DIR/dnsmasq.conf; the boot folder is "
        "DIR/tftp/boot",
    )
    group.add_argument(
        "--serial",
        metavar="SERIAL",
        action="append",
        help="serve the Pi of this serial number, or of this network card's address, only; may be "
        "given several times (default: every Pi)",
    )
    group.add_argument(
        "--dhcp-range",
        metavar="RANGE",
        help="START,END[,NETMASK][,LEASE]: dnsmasq gives the Pis addresses; NETWORK,proxy: another "
        "DHCP server does (default: dnsmasq only serves files)",
    )
    group.add_argument(
        "--interface", metavar="NAME", help="the network interface to serve at (default: all)"
    )
    group.add_argument(
        "--tftp-root",
        metavar="PATH",
        help="where DIR/tftp will be on the server, where that is another machine",
    )
    group.add_argument(
        "--explain-log",
        metavar="FILE",
        type=Path,
        help="say what the requests in a TFTP server's log mean, and what a Pi lacks; '-' reads "
        "standard input",
    )
