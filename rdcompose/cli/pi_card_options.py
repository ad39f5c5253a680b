"""The options about the image of an SD card that ``rdcompose pi`` writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_card_options(parser: argparse.ArgumentParser) -> None:
    """Add the group of options."""
    group = parser.add_argument_group("an image of an SD card")
    group.add_argument(
        "--image",
        metavar="FILE",
        dest="card",
        type=Path,
        help="write an image of an SD card with the boot folder, the root and, if there is one, "
        "the modules disk; cmdline.txt then names the root by PARTUUID",
    )
    group.add_argument(
        "--root-from",
        metavar="PATH",
        type=Path,
        help="the root of the card: an image of a filesystem (raw or qcow2), a directory, or a tar "
        "archive (default: none, and room for one)",
    )
    group.add_argument(
        "--root-format",
        choices=("ext4", "squashfs"),
        help="what to make of a directory or an archive (default: ext4); over a squashfs lies an "
        "overlay in memory",
    )
    group.add_argument(
        "--image-size",
        metavar="SIZE",
        help="size of the image, as in 2G or 1800M (default: the next power of two, which QEMU "
        "wants)",
    )
    group.add_argument(
        "--boot-size",
        metavar="SIZE",
        help="size of the boot partition (default: three times what the folder takes, and 256M at "
        "least)",
    )
