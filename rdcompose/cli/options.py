"""The options of every command. Their names are a contract: pipelines call them."""

from __future__ import annotations

import argparse
import functools
import os
from pathlib import Path
from typing import Final

from rdcompose import __version__
from rdcompose.cli.archive_options import add_archive_options
from rdcompose.cli.boot_options import add_boot
from rdcompose.cli.content_options import add_content_options
from rdcompose.cli.diff_options import add_diff
from rdcompose.cli.find_options import add_find
from rdcompose.cli.image_options import add_image_options
from rdcompose.cli.ls_options import add_ls
from rdcompose.cli.matrix_options import add_matrix
from rdcompose.cli.outdated_options import add_outdated
from rdcompose.cli.pi_options import add_pi
from rdcompose.cli.project_options import add_project_options
from rdcompose.cli.rebuild_options import add_rebuild
from rdcompose.cli.release_options import add_release
from rdcompose.cli.report_options import add_report
from rdcompose.cli.suggest_options import add_suggest
from rdcompose.cli.supports_options import add_supports
from rdcompose.cli.unpack_options import add_unpack
from rdcompose.cli.upload_options import add_upload
from rdcompose.cli.verify_options import add_verify
from rdcompose.cli.why_options import add_why

_EPILOG: Final = """\
exit status: 0 done, 1 it could not be done (one clear message), 2 wrong usage,
130 interrupted
"""

_COMPRESSORS: Final = "zstd, gzip, xz, lz4 or none"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="rdcompose",
        description="Compose a kernel, an initramfs and a modules disk that fit together.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"rdcompose {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_build(commands)
    add_matrix(commands)
    add_boot(commands)
    add_verify(commands)
    add_ls(commands)
    add_unpack(commands)
    add_report(commands, add_threads=_add_threads)
    add_diff(commands)
    add_pi(commands, add_format=functools.partial(_add_format, disk="none"), add_common=_add_common)
    _add_kernels(commands)
    add_supports(commands, add_common=_add_common)
    add_why(commands, add_common=_add_common)
    add_find(commands, add_common=_add_common)
    add_suggest(commands, add_common=_add_common)
    add_outdated(commands)
    add_release(commands)
    add_rebuild(commands, add_common=_add_common)
    add_upload(commands)
    _add_minivm(commands)
    _add_cache(commands)
    return parser


def _add_build(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "build",
        help="write kernel, initramfs and modules disk of a kernel package, or of several",
        description="Write vmlinuz-R, initramfs-R, modules-R.qcow2, config-R, manifest-R.json "
        "and SHA256SUMS, where R is the release of the kernel package; all of them or none. "
        "Without KERNEL, what rdcompose.toml in the current directory names.",
    )
    add_build_options(parser)


def add_build_options(parser: argparse.ArgumentParser) -> None:
    """Add all options of ``build``, which are keys of ``rdcompose.toml``, too."""
    parser.add_argument(
        "kernel",
        metavar="KERNEL",
        nargs="*",
        help="a release (6.1.0-18-cloud-amd64), a flavour for the newest of it (cloud-amd64), "
        "the .deb file of a kernel, several where it is in several packages, or a root directory "
        "with an installed or staged kernel",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=Path,
        help="where the files go (default: the current directory); of several builds, each in a "
        "directory of its name in it",
    )
    parser.add_argument(
        "--arch",
        metavar="ARCH",
        help="Debian's name of the architecture, where the name of the kernel does not tell",
    )
    parser.add_argument(
        "--release",
        metavar="R",
        help="the kernel to take where a file or directory holds several (default: all of a "
        "file's)",
    )
    parser.add_argument(
        "--locked",
        metavar="FILE",
        type=Path,
        help="use exactly the inputs that this manifest-R.json names, or fail",
    )
    add_project_options(parser)
    add_content_options(parser, several=True)
    _add_files(_add_format(parser))
    add_image_options(parser)
    add_archive_options(parser)
    _add_common(parser)
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="write what is in initramfs and disk, and how heavy: a page if the name ends in "
        ".html, JSON if it ends in .json, else tables; '-' for standard output",
    )


def _add_kernels(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "kernels",
        help="list the kernels that the archive offers",
        description="List release, size, package version, suites and date of the suite's state, "
        "newest first.",
    )
    parser.add_argument(
        "pattern",
        metavar="PATTERN",
        nargs="?",
        help="part of a release, or a shell pattern for all of it",
    )
    parser.add_argument(
        "--arch",
        metavar="ARCH",
        help="Debian's name of the architecture (default: what the pattern tells, else this "
        "machine's)",
    )
    parser.add_argument("--all", action="store_true", help="list all suites of the archive")
    add_archive_options(parser)
    group = parser.add_argument_group("how it runs")
    _add_talk(group)
    _add_json(group)


def _add_format(
    parser: argparse.ArgumentParser, *, disk: str = "remaining"
) -> argparse._ArgumentGroup:
    """Add the options that all commands have; ``disk`` is the default of ``--disk``."""
    group = parser.add_argument_group("how it is stored")
    group.add_argument(
        "--fast",
        action="store_true",
        help="choose the compressions that are not given for a short build",
    )
    group.add_argument(
        "--small",
        action="store_true",
        help="choose the compressions that are not given for small files; takes far longer",
    )
    group.add_argument(
        "--compress",
        metavar="NAME[:LEVEL]",
        help=f"compression of the initramfs: {_COMPRESSORS} (default: the best that this "
        "kernel unpacks)",
    )
    group.add_argument(
        "--disk",
        choices=("remaining", "all", "none"),
        help="modules on the disk: those the initramfs does not hold, all, or no disk "
        f"(default: {disk})",
    )
    group.add_argument(
        "--disk-compress",
        metavar="NAME[:LEVEL]",
        help="compression of the disk: zstd, gzip, xz or lz4 (default: the best this kernel reads)",
    )
    return group


def _add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--disk-format",
        choices=("qcow2", "squashfs"),
        help="container of the disk's squashfs (default: qcow2)",
    )
    group.add_argument(
        "--emit",
        choices=("cpio", "cpio-list", "directory", "tree"),
        action="append",
        help="write the initramfs in another form, too: cpio, cpio-list and directory for "
        "CONFIG_INITRAMFS_SOURCE of a kernel that embeds it, tree to read and compare; may be "
        "given several times",
    )


def _add_common(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it runs")
    _add_threads(group)
    group.add_argument(
        "--no-prepared",
        dest="prepared",
        action="store_false",
        help="read kernels anew, and keep nothing of them: what was read before is in the cache",
    )
    _add_talk(group)
    _add_json(group)


def _add_threads(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--threads",
        metavar="N",
        type=_positive,
        default=len(os.sched_getaffinity(0)),
        help="threads to use; never changes the output (default: one a processor)",
    )


def _add_json(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--json", action="store_true", help="print the result as JSON")


def _add_talk(group: argparse._ArgumentGroup) -> None:
    group.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    group.add_argument("-v", "--verbose", action="store_true", help="print every note")
    group.add_argument("--no-progress", action="store_true", help="show no progress")


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 256")
    return int(text)


def _add_minivm(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    mkinitramfs = commands.add_parser(
        "mkinitramfs",
        help="MiniVM's command: initramfs-RELEASE from a template and lib/modules/RELEASE",
        description="Write initramfs-RELEASE from TEMPLATE and lib/modules/RELEASE with "
        "modules.ramfs and modules.autoload, all in the current directory.",
    )
    mkinitramfs.add_argument("template", metavar="TEMPLATE", type=Path)
    mkinitramfs.add_argument("release", metavar="RELEASE")
    disk = commands.add_parser(
        "modules2qcow2",
        help="MiniVM's command: modules-RELEASE.qcow2 from lib/modules/RELEASE",
        description="Write modules-RELEASE.qcow2 with all modules of lib/modules/RELEASE in "
        "the current directory.",
    )
    disk.add_argument("release", metavar="RELEASE")
    disk.add_argument(
        "size",
        metavar="SIZE",
        nargs="?",
        type=_positive_size,
        help="largest size of the disk in MiB",
    )
    for name, program in (("update-busybox", "busybox"), ("update-e2fsck", "e2fsck")):
        update = commands.add_parser(
            name,
            help=f"put {program} and its links into a template directory",
            description=f"Put a static {program} and its links into a template directory.",
        )
        update.add_argument(
            "source",
            metavar="FILE",
            nargs="?",
            type=Path,
            help="program file, .deb or .apk (default: Debian's package)",
        )
        update.add_argument(
            "--arch",
            metavar="ARCH",
            help="architecture (default: that of the program in the template, else this machine's)",
        )
        update.add_argument(
            "--template",
            metavar="DIR",
            type=Path,
            default=Path("ramdisk-template"),
            help="default: ramdisk-template",
        )
        add_archive_options(update)
        _add_talk(update.add_argument_group("how it runs"))


def _positive_size(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size in MiB")
    return int(text)


def _add_cache(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    cache = commands.add_parser(
        "cache",
        help="show or empty the directory where downloads are kept",
        description="Show or empty the directory where downloads are kept.",
    )
    actions = cache.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser(
        "list",
        help="list what is in it",
        description="List name, size and last use of each file, largest first.",
    )
    clean = actions.add_parser(
        "clean",
        help="remove what is in it",
        description="Remove all that no running command is using.",
    )
    path = actions.add_parser("path", help="print where it is", description="Print where it is.")
    for parser in (show, clean, path):
        parser.add_argument(
            "--cache",
            metavar="DIR",
            type=Path,
            help="the directory (default: RDCOMPOSE_CACHE, else the user's cache directory)",
        )
    show.add_argument("--json", action="store_true", help="print the list as JSON")
    clean.add_argument(
        "--unused-for",
        metavar="DAYS",
        type=_days,
        help="remove only what was not used for so long",
    )


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 4:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 0 to 9999")
    return int(text)
