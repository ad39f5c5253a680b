"""The configuration with which dnsmasq lets Raspberry Pis boot from a network.

Reference: dnsmasq(8). Two ways to give the Pis an address: dnsmasq does so (full), or another
DHCP server of the network does, and dnsmasq only adds where to boot from (proxy). With neither,
it only serves the files.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from typing import Final

from rdcompose.errors import UsageError

# The first ROMs compare the text with its three spaces; what came later looks whether it begins so.
_MENU: Final = '"Raspberry Pi Boot   "'
_INTERFACE: Final = re.compile(r"[^\s/,:*]{1,15}")
_LEASE: Final = re.compile(r"\d+[mhdw]?|infinite")
_PROXY: Final = "proxy"
_HINT: Final = (
    "START,END[,NETMASK][,LEASE] as 192.168.7.50,192.168.7.99,12h, or NETWORK,proxy as "
    "192.168.1.0,proxy"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What dnsmasq is to do.

    ``root`` is the absolute path of the TFTP tree on the server. ``dhcp_range`` is one of
    dnsmasq's, checked; ``slow_rom`` that there are Pi 3, whose ROM misses quick answers.
    """

    root: str
    interface: str | None = None
    dhcp_range: str | None = None
    slow_rom: bool = False


def check_dhcp_range(text: str) -> str:
    """Return the range if it is one that dnsmasq takes.

    :raises UsageError: it is not.
    """
    words = text.split(",")
    if len(words) < 2:
        raise _not_a_range(text, "it has one part only")
    first = _address(text, words[0])
    rest = words[1:]
    if rest[0] != _PROXY:
        last = _address(text, rest[0])
        if last < first:
            raise _not_a_range(text, f"{last} is before {first}")
    rest = rest[1:]
    if rest and "." in rest[0]:
        _check_netmask(text, rest[0])
        rest = rest[1:]
    if rest and words[1] != _PROXY and _LEASE.fullmatch(rest[0]):
        rest = rest[1:]
    if rest:
        raise _not_a_range(text, f"{rest[0]!r} has no meaning there")
    return text


def check_interface(name: str) -> str:
    """Return the name if a network interface can have it.

    :raises UsageError: it cannot.
    """
    if not _INTERFACE.fullmatch(name) or name in {".", ".."}:
        raise UsageError(f"{name!r} is no name of a network interface", hint="for example eth0")
    return name


def check_root(path: str) -> str:
    """Return the path if dnsmasq's configuration can hold it.

    :raises UsageError: it is not absolute, or has a character with a meaning there.
    """
    if not path.startswith("/"):
        raise UsageError(
            f"the TFTP root {path!r} is not an absolute path",
            hint="dnsmasq does not expand ~ or $HOME, and runs in another directory",
        )
    # A comma ends the path, # begins a comment, a backslash stands before other characters.
    if re.search(r"[,#\"\\\x00-\x1f\x7f]|\s$", path):
        raise UsageError(
            f"dnsmasq cannot be told the TFTP root {path!r}",
            hint="choose a path without commas, quotes, # and backslashes",
        )
    return path


def configuration(served: Served) -> str:
    """Return the text of the configuration file.

    :raises UsageError: the root cannot be written in it.
    """
    lines = [
        "# dnsmasq for Raspberry Pis that boot from the network; written by rdcompose.",
        "# No DNS.",
        "port=0",
    ]
    if served.interface is not None:
        lines += [f"interface={served.interface}", "bind-interfaces"]
    lines += [*_dhcp(served), "enable-tftp", f"tftp-root={check_root(served.root)}"]
    return "\n".join(lines) + "\n"


def _dhcp(served: Served) -> list[str]:
    if served.dhcp_range is None:
        return ["# No DHCP: the network's own server tells the Pis this one's address (option 66)."]
    lines = []
    if served.dhcp_range.split(",")[1] == _PROXY:
        lines.append("# Addresses come from another DHCP server; this one adds where to boot from.")
    lines += [
        f"dhcp-range={served.dhcp_range}",
        f"pxe-service=0,{_MENU}",
        "log-dhcp",
    ]
    if served.slow_rom:
        lines += [
            "# The ROM of the Pi 3B misses an answer that comes at once.",
            "dhcp-mac=set:pi3,b8:27:eb:*:*:*",
            "dhcp-reply-delay=tag:pi3,1",
        ]
    return lines


def _address(text: str, word: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(word)
    except ValueError as error:
        raise _not_a_range(text, f"{word!r} is no IPv4 address") from error


def _check_netmask(text: str, word: str) -> None:
    try:
        ipaddress.IPv4Network(f"0.0.0.0/{_address(text, word)}")
    except ValueError as error:
        raise _not_a_range(text, f"{word!r} is no netmask") from error


def _not_a_range(text: str, why: str) -> UsageError:
    return UsageError(f"--dhcp-range {text!r} is no range: {why}", hint=_HINT)
