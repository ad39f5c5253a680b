"""A driver gets its firmware from the initramfs, which has an early segment in front."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.microcode import make_amd, make_intel
from tests.support.qemu import Guest, boot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.boot.conftest import Compose

pytestmark = pytest.mark.boot

# QEMU emulates network adapters of Intel's that take microcode, and does nothing with it; the
# driver of this one goes no further without it.
ADAPTER = ("-netdev", "user,id=net", "-device", "i82551,netdev=net")
FIRMWARE = "e100/d102e_ucode.bin"
# In e100_request_firmware: 134 words of code, then three numbers below 134.
UCODE = bytes(4 * 134) + bytes([1, 2, 3])
PROMPT = r"^[/~] # "
COMMANDS = (
    f"wc -c < /lib/firmware/{FIRMWARE}",
    "mv /lib/firmware/e100 /tmp && ip link set eth0 up; echo status $?",
    "mv /tmp/e100 /lib/firmware && ip link set eth0 up; echo status $?",
    "wc -c /kernel/x86/microcode/*.bin",
)


def test_driver_with_firmware(compose_firmware: str, composition: Compose) -> None:
    built = composition("bookworm", "amd64", "--disk", "none", *compose_firmware.split())

    def talk(guest: Guest) -> None:
        guest.expect("shell before the root is mounted", limit=120)
        guest.expect(PROMPT)
        for command in COMMANDS:
            guest.type(f"{{ {command}; }} 2>&1 | sed 's/^/said: /'")
            guest.expect("^said: ")
            guest.expect(PROMPT)
        guest.type("poweroff -f")

    console = boot(built.machine("single root=/dev/vda loglevel=1", ADAPTER), talk=talk)
    said = re.findall(r"^said: *(.*)", console, re.MULTILINE)
    assert said == [
        str(len(UCODE)),
        "ip: SIOCSIFFLAGS: No such file or directory",
        "status 2",
        "status 0",
        # Both segments are unpacked.
        f"{len(make_amd())} /kernel/x86/microcode/AuthenticAMD.bin",
        f"{len(make_intel())} /kernel/x86/microcode/GenuineIntel.bin",
        f"{len(make_amd()) + len(make_intel())} total",
    ]


@pytest.fixture(scope="session")
def compose_firmware(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Options that put a driver, its firmware and microcode in."""
    folder: Path = tmp_path_factory.mktemp("firmware")
    for name, data in (
        ("modules.ramfs", b"e100\n"),
        (f"lib/firmware/{FIRMWARE}", UCODE),
        ("intel.bin", make_intel()),
        ("amd.bin", make_amd()),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return (
        f"--profile {folder} --firmware-from {folder} "
        f"--microcode {folder}/intel.bin --microcode {folder}/amd.bin"
    )
