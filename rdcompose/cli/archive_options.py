"""The options of every command that fetches packages from an archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_archive_options(parser: argparse.ArgumentParser) -> None:
    """Add where to look for packages, what to trust and where to keep them."""
    group = parser.add_argument_group(
        "where packages come from",
        "By default from the Debian sources that apt on this machine is configured with, else "
        "from the snapshot service; what has left the mirrors from the snapshot service.",
    )
    group.add_argument(
        "--mirror",
        metavar="URL",
        action="append",
        help="mirror of the Debian archive to use instead, http, https or file; repeatable",
    )
    group.add_argument(
        "--suite",
        metavar="S",
        help="suite to look in first, with its security and updates suites (default: that of "
        "this machine, else stable)",
    )
    group.add_argument(
        "--keyring",
        metavar="FILE",
        type=Path,
        help="who must have signed the archive (default: Debian's archive keys)",
    )
    group.add_argument(
        "--snapshot",
        metavar="TIMESTAMP",
        help="take everything as it was at a moment, like 20240501T000000Z",
    )
    group.add_argument("--no-snapshot", action="store_true", help="never ask the snapshot service")
    group.add_argument(
        "--snapshot-service",
        metavar="URL",
        help="another service with the same interface as snapshot.debian.org",
    )
    group.add_argument(
        "--offline", action="store_true", help="use no network, only what is in the cache"
    )
    group.add_argument(
        "--cache",
        metavar="DIR",
        type=Path,
        help="where downloads are kept (default: RDCOMPOSE_CACHE, else the user's cache directory)",
    )
    group.add_argument(
        "--allow-unverified",
        action="store_true",
        help="go on where signature or age of an archive are not as they must be",
    )
