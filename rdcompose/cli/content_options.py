"""Options of ``rdcompose build`` that say what goes into an initramfs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

_PROGRAM: Final = (
    "program file, Debian .deb or Alpine .apk; 'none' to do without (default: the template's, "
    "else Debian's)"
)


def add_content_options(
    parser: argparse.ArgumentParser, *, profile: str = "minivm", several: bool = False
) -> None:
    """Add the options; ``profile`` is the default one, or a list of them if ``several`` can be."""
    group = parser.add_argument_group("what goes in")
    lists = (
        "module lists: minivm, netboot, virtio, generic, pi, pinet or a directory with "
        f"modules.ramfs and modules.autoload (default: {profile})"
    )
    if several:
        lists += "; of several, each gets a directory of its name"
    group.add_argument(
        "--profile", metavar="NAME|DIR", action="append" if several else "store", help=lists
    )
    group.add_argument(
        "--template",
        metavar="DIR",
        type=Path,
        help="files for the initramfs: replaces the built-in template if it has an init, "
        "else is laid over it",
    )
    group.add_argument(
        "--feature",
        metavar="NAME",
        action="append",
        help="feature of the init script: network, nfs, nbd or ram; may be given several times",
    )
    group.add_argument("--busybox", metavar="FILE|none", help=_PROGRAM)
    group.add_argument("--e2fsck", metavar="FILE|none", help=_PROGRAM)
    group.add_argument(
        "--add",
        metavar="PACKAGE[:/PATH]",
        action="append",
        help="programs of a Debian package, of a local .deb or an ELF file (./FILE), with the "
        "libraries that they need; may be given several times",
    )
    _add_module_options(group)
    _add_firmware_options(group)


def _add_module_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--module",
        metavar="FILE|PACKAGE|DIR",
        action="append",
        help="modules of your own: a .ko, a .deb or a directory with what DKMS made; refused if "
        "they do not fit the kernel; may be given several times",
    )
    # A list of one, so that a manifest can have it as the others.
    group.add_argument(
        "--symvers",
        metavar="FILE|PACKAGE|DIR",
        type=lambda text: [text],
        help="Module.symvers of the kernel, or linux-headers-RELEASE that holds it, to check "
        "--module by where the kernel does not tell its symbols itself",
    )


def _add_firmware_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--microcode",
        metavar="PACKAGE|FILE|none",
        action="append",
        help="processor microcode, in front of the initramfs: intel-microcode, amd64-microcode, a "
        "local .deb, an early cpio archive or a .bin; may be given several times (default: none)",
    )
    group.add_argument(
        "--firmware",
        choices=("none", "listed", "auto"),
        help="firmware: none, what the profile lists, or that and what the modules in the "
        "initramfs name (default: auto if there is any source, else none)",
    )
    group.add_argument(
        "--firmware-from",
        metavar="PACKAGE|DIR",
        action="append",
        help="where firmware comes from: a Debian package (firmware-realtek), a local .deb or a "
        "directory (/lib/firmware); may be given several times, the first that has a file counts",
    )
