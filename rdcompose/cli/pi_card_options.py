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
