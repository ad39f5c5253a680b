"""The options about the files that machines start from: forms of the kernel, EFI images."""

from __future__ import annotations

from pathlib import Path
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
    group.add_argument(
        "--uki",
        action="store_true",
        help="write R.efi, too: a unified kernel image, kernel and initramfs in one program for "
        "EFI machines",
    )
    group.add_argument(
        "--uki-stub",
        metavar="FILE|PACKAGE",
        help="systemd-stub for it: the program, or the package that has it (default: "
        "systemd-boot-efi)",
    )
    group.add_argument(
        "--cmdline",
        metavar="WORDS",
        help="kernel command line in R.efi (default: none, the boot loader gives it)",
    )
    group.add_argument(
        "--os-release",
        metavar="FILE",
        type=Path,
        help="os-release in R.efi, which boot menus show (default: one that names the kernel)",
    )
