"""The options of ``rdcompose boot``, and those of machines for whatever boots."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_boot(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "boot",
        help="start a composition in QEMU, or check that it boots",
        description="Start the kernel, initramfs and modules disk of a directory in QEMU and show "
        "the console; Ctrl-A X ends it. With --check, prove that it boots as it should.",
    )
    parser.add_argument(
        "directory", metavar="DIR", type=Path, help="where the files of the composition are"
    )
    parser.add_argument(
        "--release",
        metavar="R",
        help="the kernel release, or a build of a release, where there are several (default: that "
        "of the newest manifest)",
    )
    group = parser.add_argument_group("the machine")
    add_machine(group)
    group.add_argument(
        "--writable", action="store_true", help="keep what is written to the --root image"
    )
    group.add_argument(
        "--uki",
        action="store_true",
        help="have EFI firmware start R.efi instead of kernel and initramfs, with the command line "
        "of this command",
    )
    _add_check(parser.add_argument_group("check"))
    group = parser.add_argument_group("how it runs")
    group.add_argument(
        "--timeline",
        metavar="FILE.svg",
        type=Path,
        help="show where the boot time went, as text and in this picture",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="print the command line of QEMU, quoted for a shell, and do nothing",
    )
    group.add_argument("-q", "--quiet", action="store_true", help="print results and errors only")
    group.add_argument(
        "-v", "--verbose", action="store_true", help="show the console during a check, too"
    )
    group.add_argument("--no-progress", action="store_true", help="show no progress")


def add_machine(group: argparse._ArgumentGroup) -> None:
    """Add the options that say what machine of QEMU is booted on."""
    group.add_argument(
        "--root",
        metavar="IMG|none",
        help="image of the root filesystem, raw or qcow2 (default: a small one is made); what is "
        "written to it is thrown away",
    )
    group.add_argument(
        "--append",
        metavar="WORDS",
        default="",
        help="more of the kernel command line; replaces the root= that is there by default",
    )
    group.add_argument(
        "--machine",
        metavar="NAME",
        help="pc, q35, microvm, virt, raspi3b, raspi2b, raspi0, raspi1ap, pseries or "
        "s390-ccw-virtio, as the architecture allows",
    )
    group.add_argument(
        "--disk-bus",
        choices=("virtio", "ata", "nvme", "scsi", "usb"),
        help="what the disks hang on (default: virtio, on a Raspberry Pi usb)",
    )
    group.add_argument(
        "--nic", metavar="MODEL", help="model of the network card, like e1000; with --net user"
    )
    group.add_argument(
        "--device",
        metavar="DEVICE",
        action="append",
        help="another device, as QEMU's -device takes it; may be given several times",
    )
    group.add_argument(
        "--dtb",
        metavar="FILE",
        type=Path,
        help="device tree of a raspi machine, from the kernel package (default: the one in DIR)",
    )
    group.add_argument(
        "--memory", metavar="MB", type=_positive, help="memory in MiB (default: 512 or 1024)"
    )
    group.add_argument("--cpus", metavar="N", type=_positive, help="processors (default: 2)")
    group.add_argument(
        "--net",
        choices=("none", "user"),
        default="none",
        help="network: none, or behind this machine's address (default: none)",
    )


def _add_check(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--check",
        action="store_true",
        help="boot, print in one line whether all is as it should be, and switch off",
    )
    group.add_argument("--json", action="store_true", help="print the result as JSON")
    group.add_argument(
        "--junit", metavar="FILE", type=Path, help="write the result as a JUnit file"
    )
    add_timeout(group)


def add_timeout(group: argparse._ArgumentGroup) -> None:
    """Add how long a boot may take."""
    group.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_positive,
        default=300,
        help="give up after so long (default: 300)",
    )


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 1 << 20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)
