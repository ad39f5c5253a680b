"""Options about the builds that ``rdcompose.toml`` names: which of them, and where they run."""

from __future__ import annotations

import argparse
import re
from typing import Final

_SCHEDULER: Final = re.compile(
    r"(?:(?:tcp|tls|wss?)://)?(?:\[[0-9A-Fa-f:.]+\]|[^:/\[\]\s]+):([0-9]{1,5})"
)
_LAST_PORT: Final = 65535


def add_project_options(parser: argparse.ArgumentParser) -> None:
    """Add the group of options."""
    group = parser.add_argument_group("the builds of rdcompose.toml")
    add_only(group)
    group.add_argument(
        "--jobs",
        metavar="N",
        type=_jobs,
        help="kernels to work on at the same time, each in a process (default: 1)",
    )
    group.add_argument(
        "--executor",
        metavar="dask:ADDRESS",
        type=_address,
        help="build on the machines of a Dask cluster, by the address of its scheduler",
    )


def add_only(group: argparse._ActionsContainer) -> None:
    """Add the option that chooses among the builds."""
    group.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        help="make this build, not all; may be given several times",
    )


def _address(text: str) -> str:
    # With an address that it cannot read the library waits a minute, and ends with a traceback.
    kind, _, address = text.partition(":")
    found = _SCHEDULER.fullmatch(address)
    if kind != "dask" or found is None or int(found[1]) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not like dask:tcp://HOST:8786")
    return address


def _jobs(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 256")
    return int(text)
