"""``rdcompose suggest``, with a program in place of QEMU where something is booted."""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from rdcompose.cli.main import main
from rdcompose.compose.profile import load_profile
from rdcompose.compose.userspace import INIT_APPLETS
from rdcompose.formats.cpio import read_newc
from tests.support.fakeqemu import program
from tests.support.modules import make_ko
from tests.support.packages import CONFIG, RELEASE, VERMAGIC, kernel_deb, module, sample_files
from tests.support.programs import APPLETS, make_busybox

if TYPE_CHECKING:
    from collections.abc import Sequence

CARD = "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00"
DISK = "pci:v00001AF4d00001001sv00001AF4sd00000001bc01sc00i00"
LSMOD = """\
Module                  Size  Used by
zfs                   155648  0
loop                   12288  1
virtio_blk             12288  1
virtio_ring            12288  1 virtio_blk
"""


def virtio(*aliases: str, needs: Sequence[str] = ("virtqueue_kick",)) -> bytes:
    return make_ko(
        [("vermagic", VERMAGIC), *(("alias", alias) for alias in aliases)], imports=needs
    )


MODULES = {
    "kernel/drivers/block/loop.ko": module(alias="devname:loop-control"),
    "kernel/drivers/block/virtio_blk.ko": virtio("virtio:d00000002v*"),
    "kernel/drivers/net/virtio_net.ko": virtio("virtio:d00000001v*"),
    "kernel/drivers/misc/edu.ko": module(alias="acpi*:EDU:*"),
    "kernel/drivers/virtio/virtio_pci.ko": virtio("pci:v00001AF4d*"),
    "kernel/drivers/virtio/virtio_ring.ko": make_ko(
        {"vermagic": VERMAGIC}, exports=["virtqueue_kick"]
    ),
    "kernel/fs/overlayfs/overlay.ko": module(alias="fs-overlay"),
    "kernel/fs/squashfs/squashfs.ko": module(alias="fs-squashfs"),
    "kernel/fs/xfs/xfs.ko": module(alias="fs-xfs"),
}


class Suggest(Protocol):
    """Runs the command for the kernel; returns status, output and errors."""

    def __call__(self, *options: str) -> tuple[int, str, str]: ...


@pytest.fixture
def suggest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Suggest:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    # A probe that finds nothing is the same everywhere.
    monkeypatch.setattr("platform.machine", lambda: "vax")
    Path("kernel.deb").write_bytes(kernel_deb(sample_files(modules=MODULES)))
    Path("lsmod").write_text(LSMOD)
    Path("aliases").write_text(f"{DISK}\nvirtio:d00000002v00001AF4\n")
    applets = sorted({*APPLETS, *INIT_APPLETS}, key=lambda name: name.encode())
    places = {name: APPLETS.get(name, "bin") for name in applets}
    Path("busybox").write_bytes(make_busybox(places))

    def run(*options: str) -> tuple[int, str, str]:
        command = ["suggest", "./kernel.deb", "--cache", "cache", *options]
        status = main(command)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def lines(text: str) -> list[str]:
    """The entries of a list, or of several."""
    rows = (row.split("#")[0].strip() for row in text.splitlines())
    return [row for row in rows if row]


def test_lsmod_is_printed(suggest: Suggest) -> None:
    status, out, err = suggest("--lsmod", "lsmod")
    assert (status, err) == (0, "")
    assert lines(out) == ["virtio_pci", "virtio_blk", "loop"]
    assert out.startswith(
        f"# modules.ramfs\n# Modules for Linux {RELEASE} (amd64), as rdcompose suggests them from "
    )
    assert "# Loaded there, and not in this kernel: zfs.\n" in out
    assert "\n# modules.autoload\n" in out


def test_a_profile_that_builds(suggest: Suggest) -> None:
    status, out, err = suggest("--lsmod", "lsmod", "--sys", "aliases", "-o", "lists/mine")
    assert (status, err) == (0, "rdcompose: loaded there, and not in this kernel: zfs\n")
    assert out == "lists/mine/modules.ramfs: 2 modules\nlists/mine/modules.autoload: 1 module\n"
    profile = load_profile("lists/mine")
    assert [entry.pattern for entry in profile.entries] == ["virtio_pci", "virtio_blk"]
    assert [entry.pattern for entry in profile.autoload] == ["loop"]
    assert profile.description.endswith("from what lsmod printed and the machine's /sys.")
    command = ["build", "./kernel.deb", "--profile", "lists/mine", "-o", "out", "-q"]
    assert main([*command, "--busybox", "busybox", "--e2fsck", "none", "--cache", "cache"]) == 0
    before = Path("lists/mine/modules.ramfs").read_bytes()
    status, out, err = suggest("--sys", "aliases", "-o", "lists/mine")
    assert (status, out) == (2, "")
    assert "lists/mine/modules.ramfs is there already" in err
    assert Path("lists/mine/modules.ramfs").read_bytes() == before
    status, out, err = suggest("--sys", "aliases", "-o", "lists/mine", "--force", "-q")
    assert (status, out, err) == (0, "", "")
    assert lines(Path("lists/mine/modules.autoload").read_text()) == []


def test_standard_input(suggest: Suggest, monkeypatch: pytest.MonkeyPatch) -> None:
    for option, text in (("--lsmod", LSMOD), ("--sys", f"{DISK}\n")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        status, out, _ = suggest(option, "-")
        assert status == 0
        assert "virtio_pci" in lines(out)


def test_json(suggest: Suggest) -> None:
    status, out, err = suggest("--lsmod", "lsmod", "--json", "-q")
    data = json.loads(out)
    assert (status, err, data["release"], data["architecture"]) == (0, "", RELEASE, "amd64")
    assert [one["name"] for one in data["modules"]] == ["virtio_pci", "virtio_blk"]
    assert [one["guessed"] for one in data["modules"]] == [True, False]
    assert data["autoload"][0]["alias"] == "devname:loop-control"
    assert (data["brought"], data["missing"]) == (["virtio_ring"], ["zfs"])
    assert (data["proof"], data["problems"]) == (None, [])


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ([], 2, "nothing tells what the machine needs"),
        (["--boot", "--lsmod", "lsmod"], 2, "--boot finds out by itself what --lsmod would tell"),
        (["--lsmod", "-", "--sys", "-"], 2, "cannot both be standard input"),
        (["--lsmod", "lsmod", "--force"], 2, "--force is about the lists"),
        (["--lsmod", "gone"], 1, "cannot read gone: No such file or directory"),
        (["--lsmod", "aliases"], 1, "aliases:1: 'pci:v00001AF4"),
        (["--sys", "gone"], 1, "cannot read gone: No such file or directory"),
        (["--sys", "lsmod"], 1, "lsmod:1: 'Module "),
        (["--boot", "--root", "none"], 2, "so not --root none"),
        (["--boot", "--busybox", "busybox", "--machine", "virt"], 2, "no machine 'virt'"),
        (["--lsmod", "lsmod", "-o", "lsmod"], 1, "cannot write lsmod: Not a directory"),
        (["--lsmod", "lsmod", "--release", "6.1.0-0-amd64"], 1, "no kernel 6.1.0-0-amd64"),
    ],
)
def test_errors(suggest: Suggest, options: list[str], status: int, message: str) -> None:
    found, out, err = suggest(*options)
    assert (found, out) == (status, "")
    assert err.startswith("rdcompose: error: ")
    assert message in err
    assert err.count("\n") <= 2


def test_a_kernel_without_modules(suggest: Suggest) -> None:
    files = sample_files(modules={})
    files[f"boot/config-{RELEASE}"] = CONFIG.replace("=m", "=y").encode()
    Path("kernel.deb").write_bytes(kernel_deb(files))
    for options in (("--lsmod", "lsmod"), BOOT):
        status, out, err = suggest(*options)
        assert (status, out) == (1, "")
        assert err == (
            "rdcompose: error: this kernel has no modules, so there is nothing to list\n"
        )


CHECK = f"""\
rdcompose-check: process 1
rdcompose-check: release {RELEASE}
rdcompose-check: root /dev/vda squashfs ro
rdcompose-check: modules overlay overlay
rdcompose-check: module loop loaded
rdcompose-check: init /sbin/init there
rdcompose-check: disk /dev/vdb
rdcompose-check: loads dummy
rdcompose-check: end
"""


def told(*facts: str) -> str:
    rows = ("begin", *facts, "end")
    return "".join(f"rdcompose-trial: {row}\n" for row in rows)


def qemu(*outputs: str) -> None:
    """Put a program in place of QEMU that prints these, one a run, and keeps the initramfs."""
    script = [
        'count=$(($(cat "$0.runs" 2> /dev/null || echo 0) + 1))',
        'echo "$count" > "$0.runs"',
        'for word; do [ "$before" != -initrd ] || cp "$word" "$0.initramfs"; before=$word; done',
        *(
            f"[ $count != {n} ] || printf %s {shlex.quote(text)}"
            for n, text in enumerate(outputs, 1)
        ),
    ]
    program(Path("bin"), "\n".join(script))


def boots() -> int:
    return int(Path("bin/qemu-system-x86_64.runs").read_text())


# A disk, what it is behind, and a device whose driver may not stay.
DRIVEN = (f"driven {DISK}", "driven virtio:d00000002v00001AF4")
LOADED = ("loaded virtio_pci", "loaded virtio_ring", "loaded virtio_blk")
FACTS = told(*DRIVEN, "device acpi:EDU:", *LOADED, "asked fs-squashfs")
BOOT = ("--boot", "--busybox", "busybox")


def test_trial_boots(suggest: Suggest) -> None:
    """What devices ask for is tried; what does not stay goes; what is left is booted alone."""
    qemu(FACTS, FACTS, FACTS + CHECK)
    status, out, err = suggest(*BOOT, "-o", "found")
    assert status == 0, err
    assert boots() == 3
    text = Path("found/modules.ramfs").read_text()
    assert lines(text) == ["virtio_pci", "virtio_blk"]
    assert "were not loaded when the boot was over: edu.\n" in text
    assert "as rdcompose suggests them from 3 trial boots\n# of QEMU's machine pc. " in text
    assert lines(Path("found/modules.autoload").read_text()) == []
    assert out.count("\n") == 2
    assert err.splitlines()[1:] == [
        "rdcompose: boot 1: 3 devices, 1 more module to try",
        "rdcompose: boot 2: 3 devices, 0 more modules to try",
        "rdcompose: boot 3: 3 devices, 0 more modules to try",
        err.splitlines()[-1],
    ]
    assert err.splitlines()[-1].startswith("rdcompose: with these lists alone, passed: ")
    # The last initramfs had the lists, what they bring, and what the modules disk needs.
    data = Path("bin/qemu-system-x86_64.initramfs").read_bytes()
    assert {entry.path for entry in read_newc(data)} >= {"etc/rdcompose.d/bottom/trial"}


def test_a_boot_that_finds_nothing_new_is_the_proof(suggest: Suggest) -> None:
    facts = told(*DRIVEN, "driven acpi:EDU:", *LOADED, "loaded edu")
    qemu(facts, facts + CHECK)
    status, out, err = suggest(*BOOT, "--json")
    data = json.loads(out)
    assert (status, boots()) == (0, 2), err
    assert [one["name"] for one in data["modules"]] == ["virtio_pci", "virtio_blk", "edu"]
    assert data["modules"][0]["devices"] == [DISK]
    assert data["proof"]["passed"] is True


def test_without_a_proof(suggest: Suggest) -> None:
    qemu(FACTS, FACTS)
    status, out, err = suggest(*BOOT, "--no-prove", "--json", "-q")
    assert (status, boots(), err) == (0, 2, "")
    data = json.loads(out)
    assert (data["proof"], data["refused"]) == (None, ["edu"])


def test_lists_that_do_not_boot(suggest: Suggest) -> None:
    """They are written all the same, with what was missing."""
    error = "rdcompose: error: the root device /dev/vda is not there\n"
    facts = told(*DRIVEN, *LOADED)
    qemu(facts, facts + error)
    status, _, err = suggest(*BOOT, "--net", "user", "-o", "found", "-q")
    assert status == 1
    assert err.splitlines()[0] == (
        "rdcompose: error: a boot with these lists alone fails: the root device /dev/vda is not "
        "there; no driver has made an interface of the network card"
    )
    assert lines(Path("found/modules.ramfs").read_text()) == ["virtio_pci", "virtio_blk"]


@pytest.mark.parametrize(
    ("option", "hint"),
    [((), "-v shows its console"), (("--template", "over"), "are run by init of the built-in")],
    ids=["built-in", "own"],
)
def test_a_machine_that_tells_nothing(suggest: Suggest, option: Sequence[str], hint: str) -> None:
    Path("over").mkdir()
    qemu("Run /init as init process\n[    1.0] Kernel panic - not syncing: no\n")
    status, out, err = suggest(*BOOT, "-q", "-o", "found", *option)
    assert (status, out) == (1, "")
    assert "the machine ended before it told what it has: the kernel panicked: no\n" in err
    assert hint in err
    assert not Path("found").exists()


def test_boots_without_an_end(suggest: Suggest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdcompose.cli.trial._MOST", 1)
    qemu(FACTS)
    status, out, err = suggest(*BOOT, "-q")
    assert (status, out) == (1, "")
    assert err == "rdcompose: error: after 1 boots the machine still has devices that are new\n"


def test_proof_of_what_lsmod_told(suggest: Suggest) -> None:
    qemu(told(*DRIVEN, *LOADED, "loaded loop") + CHECK)
    prove = ("--lsmod", "lsmod", "--prove", "--busybox", "busybox")
    status, out, err = suggest(*prove)
    assert (status, boots()) == (0, 1), err
    assert lines(out) == ["virtio_pci", "virtio_blk", "loop"]
    assert "rdcompose: with these lists alone, passed: " in err
    # On a machine with a card, too, the list is short of its driver.
    qemu(told(*DRIVEN, f"driven {CARD}", "device virtio:d00000001v00001AF4", *LOADED) + CHECK)
    Path("bin/qemu-system-x86_64.runs").unlink()
    status, _, err = suggest(*prove, "--nic", "virtio-net-pci", "-q")
    assert status == 1
    assert err.splitlines()[0].endswith(
        " fails: no driver has made an interface of the network card; for the network, "
        "virtio_net is missing (virtio network card)"
    )


def test_a_root_of_the_user_tells_its_file_system(suggest: Suggest) -> None:
    Path("root.img").write_bytes(b"XFSB")
    check = CHECK.replace("squashfs ro", "xfs ro")
    facts = told(*DRIVEN, *LOADED, "loaded xfs")
    qemu(facts + check, facts + check)
    status, out, err = suggest(*BOOT, "--root", "root.img")
    assert status == 0, err
    assert lines(out) == ["virtio_pci", "virtio_blk", "xfs"]
    assert "the kernel asked for fs-xfs" in out
