"""``rdcompose boot`` with a program in place of QEMU."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
import termios
from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree as ET

import pytest

from rdcompose.cli.main import main
from rdcompose.formats.uki import UkiParts, make_uki
from rdcompose.qemu.check import BOOTSTRAP
from tests.support.efi import make_efi_kernel, make_pe
from tests.support.fakeqemu import (
    GOOD,
    PANIC,
    RELEASE,
    composition,
    initramfs_tree,
    printing,
    program,
)

TOP = Path(__file__).parents[2]


class Boot(Protocol):
    """Runs the command on a composition; returns status, output and errors."""

    def __call__(self, *options: str) -> tuple[int, str, str]: ...


@pytest.fixture
def boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Boot:
    composition(tmp_path / "out")
    program(tmp_path / "bin", printing(GOOD))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    # A probe that finds nothing is the same everywhere.
    monkeypatch.setattr("platform.machine", lambda: "vax")

    def run(*options: str) -> tuple[int, str, str]:
        status = main(["boot", "out", *options])
        printed = capfdbinary.readouterr()
        return status, printed.out.decode(), printed.err.decode()

    return run


def qemu_arguments() -> list[str]:
    return Path("bin/qemu-system-x86_64.arguments").read_text().splitlines()


def test_check_passes(boot: Boot) -> None:
    status, out, err = boot("--check")
    assert status == 0
    assert out.startswith(f"passed: {RELEASE} on pc (amd64, tcg): kernel release: {RELEASE}; ")
    assert out.count("\n") == 1
    assert err == "rdcompose: software emulation: its processor is none that this machine has\n"
    arguments = qemu_arguments()
    append = arguments[arguments.index("-append") + 1]
    assert append == "console=ttyS0 root=/dev/vda panic=-1"
    # The small root was there, and is gone.
    [root] = [a.rpartition("file=")[2] for a in arguments if "id=root" in a]
    assert root.endswith("/root.squashfs")
    assert not Path(root).parent.exists()


def test_check_of_an_efi_image(boot: Boot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    firmware = tmp_path / "OVMF.fd"
    firmware.touch()
    monkeypatch.setattr("rdcompose.cli.boot.find_firmware", lambda *_: firmware)
    status, _, err = boot("--check", "--uki", "-q")
    assert (status, err) == (
        1,
        (
            f"rdcompose: error: cannot read out/{RELEASE}.efi: No such file or directory\n"
            "  hint: rdcompose build --uki makes it\n"
        ),
    )
    parts = UkiParts(
        stub=make_pe(), os_release=b"", cmdline=None, release=RELEASE, linux=make_efi_kernel()
    )
    (tmp_path / "out" / f"{RELEASE}.efi").write_bytes(make_uki(parts, b"initramfs"))
    status, out, _ = boot("--check", "--uki", "-q")
    assert (status, out[:8]) == (0, "passed: ")
    arguments = qemu_arguments()
    assert arguments[arguments.index("-bios") + 1] == str(firmware)
    assert {"-kernel", "-initrd", "-append"}.isdisjoint(arguments)


def test_check_as_json(boot: Boot) -> None:
    status, out, err = boot("--check", "--json", "-q", "--timeline", "t.svg")
    data = json.loads(out)
    assert (status, err, data["passed"]) == (0, "", True)
    assert [span["part"] for span in data["timeline"] if not span["inner"]][:2] == [
        "qemu",
        "kernel",
    ]
    assert Path("t.svg").read_text().startswith("<svg ")


def test_check_fails(boot: Boot) -> None:
    program(Path("bin"), printing(GOOD.replace("loads dummy", "does not load dummy")))
    status, out, err = boot("--check", "-q", "--junit", "r/junit.xml")
    assert status == 1
    assert out == (
        f"failed: {RELEASE} on pc (amd64, tcg): module from the disk: dummy does not load\n"
    )
    assert err.startswith("the end of the console:\n  SeaBIOS (version 1.16)\n")
    assert err.endswith("  rdcompose-check: end\n  [    2.000000] reboot: Power down\n")
    suite = ET.parse("r/junit.xml").getroot()
    assert suite.attrib["failures"] == "1"
    assert [path.name for path in Path("r").iterdir()] == ["junit.xml"]


def test_crash_is_told(boot: Boot) -> None:
    program(Path("bin"), printing(PANIC, GOOD))
    status, out, _ = boot("--check")
    assert status == 0
    assert out.endswith("; the emulated kernel crashed once before init\n")


def test_qemu_that_refuses(boot: Boot) -> None:
    program(Path("bin"), "echo qemu: bad option >&2; exit 1")
    status, out, _ = boot("--check")
    assert status == 1
    assert out.endswith(": the machine ended (QEMU's status 1) after 'qemu: bad option'\n")
    status, _, err = boot("--root", "none")
    assert status == 1
    assert err.endswith("rdcompose: error: qemu-system-x86_64 ended with status 1\n")


def test_machine_that_hangs(boot: Boot) -> None:
    program(Path("bin"), "echo begun; exec sleep 1000")
    status, out, _ = boot("--check", "--timeout", "1")
    assert status == 1
    assert "did not come to the end of the check in 1 s, after 'begun'" in out


def test_verbose_check_shows_the_console(boot: Boot) -> None:
    _, _, err = boot("--check", "-v")
    assert GOOD in err


def test_check_of_a_root_goes_beside_it(boot: Boot) -> None:
    Path("root.img").write_bytes(bytes(1080) + b"\x53\xef" + bytes(9))
    root = GOOD.replace("root /dev/vda squashfs", "root /dev/vda ext4")
    program(Path("bin"), printing(root.replace("init /sbin/init", "init /bin/mine")))
    status, out, _ = boot("--check", "--root", "root.img", "--append", "rw init=/bin/mine -- x")
    assert (status, "ext4 on /dev/vda" in out) == (0, True)
    arguments = qemu_arguments()
    append = arguments[arguments.index("-append") + 1]
    ending = f'init=/bin/sh -- -c "{BOOTSTRAP}"'
    assert append == f"console=ttyS0 root=/dev/vda panic=-1 rw init=/bin/mine {ending}"
    drives = [a for a in arguments if a.startswith("if=none")]
    assert [re.sub(",file=.*", "", drive) for drive in drives] == [
        "if=none,id=root,format=raw,snapshot=on",
        "if=none,id=modules,format=qcow2,readonly=on",
        "if=none,id=check,format=raw,readonly=on",
    ]
    # Another filesystem than the image holds is wrong.
    program(Path("bin"), printing(GOOD))
    status, out, _ = boot("--check", "--root", "root.img")
    assert (status, "root filesystem: it is squashfs on /dev/vda" in out) == (1, True)
    # Unless nothing is known about it.
    assert boot("--check", "--root", "root.img", "--append", "root=LABEL=x")[0] == 0
    assert boot("--check", "--root", "root.img", "--append", "rootfstype=squashfs")[0] == 0


def test_dry_run(boot: Boot) -> None:
    status, out, _ = boot("--dry-run", "--append", 'a="b c" panic=5 -- d', "--net", "user")
    assert status == 0
    words = shlex.split(out)
    assert words[0] == "qemu-system-x86_64"
    assert words[words.index("-append") + 1] == ('console=ttyS0 root=/dev/vda a="b c" panic=5 -- d')
    assert words[words.index("-serial") + 1] == "mon:stdio"
    assert "user,id=net" in words
    assert not Path("bin/qemu-system-x86_64.runs").exists()


def test_disks_and_cards_of_other_kinds(boot: Boot) -> None:
    options = ["--disk-bus", "nvme", "--nic", "e1000", "--device", "edu", "--device", "pcspk"]
    _, out, _ = boot("--dry-run", *options)
    words = shlex.split(out)
    devices = [words[at + 1] for at, word in enumerate(words) if word == "-device"]
    assert devices == [
        *("edu", "pcspk", "nvme,serial=root,drive=root", "nvme,serial=modules,drive=modules"),
        "e1000,netdev=net",
    ]
    # Which of them is the first is not known, so the root is found by its partition.
    assert re.fullmatch("console=ttyS0 root=PARTUUID=.*", words[words.index("-append") + 1])
    Path("root.img").write_bytes(b"QFI\xfb")
    _, out, _ = boot("--dry-run", *options, "--root", "root.img")
    assert "root=/dev/nvme0n1" in out


def test_writable_root_without_modules_disk(boot: Boot) -> None:
    composition(Path("bare"), disk=False)
    Path("root.img").write_bytes(b"QFI\xfb")
    options = ["--dry-run", "--root", "root.img", "--writable", "--memory", "96", "--cpus", "1"]
    _, out, _ = boot(*options, "--append", "root=UUID=1")
    assert "format=qcow2,snapshot=off," in out
    assert "-append 'console=ttyS0 root=UUID=1' " in out
    assert "-smp 1 -m 96 " in out
    assert main(["boot", "bare", *options]) == 0


def test_console_is_shown_and_the_timeline(boot: Boot) -> None:
    status, out, _ = boot("--timeline", "t.svg")
    assert status == 0
    assert out.startswith(GOOD)
    assert "QEMU and firmware\n" in out.removeprefix(GOOD)
    assert Path("t.svg").exists()


def test_terminal_is_put_back(boot: Boot) -> None:
    assert boot("--dry-run")[0] == 0
    program(Path("bin"), "stty raw -echo < /dev/tty; echo raw")
    master, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    done = subprocess.run(
        [sys.executable, "-m", "rdcompose", "boot", "out", "--root", "none", "-q"],
        stdin=terminal,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(terminal), os.O_RDWR)),
        check=False,
    )
    after = termios.tcgetattr(terminal)
    os.close(terminal)
    os.close(master)
    assert (done.returncode, done.stdout.strip()) == (0, b"raw")
    assert after == before


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--json"], 2, "--json and --junit tell the result of a --check"),
        (["--junit", "x"], 2, "--json and --junit tell the result of a --check"),
        (["--check", "--root", "none"], 2, "--check needs a root filesystem"),
        (["--writable"], 2, "--writable is about an image that --root names"),
        (["--machine", "virt"], 2, "amd64 has no machine 'virt'"),
        (["--machine", "microvm", "--cpus", "2"], 2, "microvm has one processor"),
        (["--machine", "microvm", "--uki"], 2, "microvm of amd64 starts no EFI programs"),
        (["--dtb", "x"], 2, "makes its device tree itself"),
        (["--release", "6.2"], 1, "has no kernel vmlinuz-6.2 or vmlinux-6.2"),
        (["--root", "missing.img"], 1, "cannot read missing.img: No such file"),
    ],
)
def test_errors(boot: Boot, options: list[str], status: int, message: str) -> None:
    ended, out, err = boot(*options, "-q")
    assert (ended, out) == (status, "")
    assert err.startswith("rdcompose: error: ")
    assert message in err


def test_real_boards(boot: Boot) -> None:
    composition(Path("out"), architecture="arm64")
    program(Path("bin"), printing(GOOD), "qemu-system-aarch64")
    status, _, err = boot("--machine", "raspi3b", "--dry-run")
    assert (status, "needs a device tree, and out/bcm2837-rpi-3-b.dtb is not" in err) == (1, True)
    assert boot("--machine", "raspi3b", "--memory", "512")[0] == 2
    assert boot("--machine", "raspi3b", "--cpus", "2")[0] == 2
    Path("out/bcm2837-rpi-3-b.dtb").write_bytes(b"")
    status, out, _ = boot("--machine", "raspi3b", "--dry-run")
    assert (status, "/out/bcm2837-rpi-3-b.dtb " in out) == (0, True)
    Path("my.dtb").write_bytes(b"")
    _, out, _ = boot("--machine", "raspi3b", "--dry-run", "--dtb", "my.dtb")
    assert "/my.dtb -append 'console=ttyAMA0 root=PARTUUID=7264636f-01' " in out


def test_missing_qemu_names_its_package(boot: Boot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    status, _, err = boot()
    assert status == 1
    assert "qemu-system-x86_64 is not installed" in err
    assert err.endswith(" qemu-system-x86\n")


@pytest.mark.parametrize("check", [True, False])
def test_initramfs_that_no_root_can_be_made_for(boot: Boot, *, check: bool) -> None:
    options = ["--check"] if check else []
    composition(Path("out"), initramfs=initramfs_tree(squashfs=False))
    status, _, err = boot(*options)
    assert (status, "cannot mount a squashfs" in err) == (1, True)
    composition(Path("out"), initramfs=initramfs_tree(busybox=False))
    status, _, err = boot(*options)
    assert (status, "has no /bin/busybox" in err) == (1, True)
    Path(f"out/initramfs-{RELEASE}").write_bytes(b"hello")
    status, _, err = boot(*options)
    assert (status, f"out/initramfs-{RELEASE}: at offset 0" in err) == (1, True)
