"""The options about the files that machines start from: the kernel's form."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_image_options(parser: argparse.ArgumentParser) -> None:
    """Add the group of options."""
    group = parser.add_argument_group("what machines start from")
    group.add_argument(
        "--image",
        choices=("package", "vmlinux"),
        help="the kernel as in its package, or unpacked as vmlinux-R for Firecracker and other "
        "loaders that do not unpack it: ELF on x86, the plain Image on arm64 and riscv64 "
        "(default: package)",
    )
