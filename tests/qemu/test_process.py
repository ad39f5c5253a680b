"""Programs that are not QEMU and behave as badly as it may."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError
from rdcompose.qemu import accelerator, process
from rdcompose.qemu.accelerator import choose_accelerator, runs_guest
from rdcompose.qemu.boards import BOARDS
from rdcompose.qemu.check import BOOTSTRAP, beside_root, check
from rdcompose.qemu.process import find_program, run_machine
from rdcompose.qemu.verdict import Expected, is_last
from tests.support.fakeqemu import GOOD, PANIC, RELEASE, printing, program

if TYPE_CHECKING:
    from pathlib import Path

PC = BOARDS["amd64"][0]
ENOUGH = 600.0
EXPECTED = Expected(
    release=RELEASE,
    autoload=("loop",),
    root_kinds=("squashfs",),
    modules_disk=True,
    init="/sbin/init",
)


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_lines_and_status() -> None:
    screen = io.BytesIO()
    run = run_machine(sh("echo one; echo two >&2; exit 3"), limit=ENOUGH, screen=screen.write)  # type: ignore[arg-type]
    assert [line.text for line in run.lines] == ["one", "two"]
    assert (run.status, run.timed_out, run.too_much) == (3, False, False)
    assert screen.getvalue() == b"one\ntwo\n"


def test_nothing_is_typed_to_a_check() -> None:
    assert [line.text for line in run_machine(sh("cat; echo end"), limit=ENOUGH).lines] == ["end"]


def test_machine_that_hangs_is_ended() -> None:
    run = run_machine(sh("echo begun; exec sleep 1000"), limit=0.3)
    assert (run.status, run.timed_out) == (None, True)


def test_machine_that_hangs_and_does_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_PATIENCE", 0.1)
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); "
    run = run_machine([sys.executable, "-c", script + "time.sleep(1000)"], limit=1.0)
    assert run.timed_out


def test_machine_that_prints_without_end() -> None:
    run = run_machine(["yes"], limit=ENOUGH)
    assert (run.status, run.too_much) == (None, True)


def test_machine_that_does_not_switch_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE", 0.1)
    script = "echo rdcompose-check: end; exec sleep 1000"
    run = run_machine(sh(script), limit=ENOUGH, last=is_last)
    assert (run.status, run.timed_out) == (None, False)


def test_console_that_is_closed_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE", 0.1)
    run = run_machine(sh("exec >&- 2>&-; exec sleep 1000"), limit=ENOUGH)
    assert (run.status, run.lines) == (None, ())


def test_program_that_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot start .*qemu: No such file"):
        run_machine([str(tmp_path / "qemu")], limit=ENOUGH)


def test_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpecError, match="qemu-system-x86_64 is not installed") as caught:
        find_program(PC)
    assert caught.value.hint is not None
    assert caught.value.hint.endswith(" qemu-system-x86")
    path = program(tmp_path, "exit 0")
    assert find_program(PC) == str(path)


def test_crash_before_init_is_tried_once_more(tmp_path: Path) -> None:
    path = program(tmp_path, printing(PANIC, GOOD))
    run, verdict, crashes = check([str(path), "-kernel"], EXPECTED, limit=ENOUGH)
    assert (verdict.reason, crashes) == ("", 1)
    # Only what was judged is told.
    assert "panic" not in " ".join(line.text for line in run.lines)


def test_second_crash_counts(tmp_path: Path) -> None:
    path = program(tmp_path, printing(PANIC))
    _, verdict, crashes = check([str(path), "-kernel"], EXPECTED, limit=ENOUGH)
    assert verdict.reason == "the kernel panicked: Fatal exception in interrupt"
    assert crashes == 2
    assert (tmp_path / "qemu-system-x86_64.runs").read_text() == "2\n"


def test_later_panic_is_not_tried_again(tmp_path: Path) -> None:
    path = program(tmp_path, printing("[ 1.0] Run /init as init process\n" + PANIC, GOOD))
    _, verdict, crashes = check([str(path), "-kernel"], EXPECTED, limit=ENOUGH)
    assert verdict.reason == "the kernel panicked: Fatal exception in interrupt"
    assert crashes == 0


def test_garbage(tmp_path: Path) -> None:
    path = program(tmp_path, "head -c 100000 /dev/urandom")
    _, verdict, crashes = check([str(path), "-kernel"], EXPECTED, limit=ENOUGH)
    assert verdict.reason.startswith("the machine ended (QEMU's status 0)")
    assert crashes == 0


def test_bootstrap_survives_the_kernel_command_line() -> None:
    assert '"' not in BOOTSTRAP
    assert "=" not in BOOTSTRAP
    assert subprocess.run(["sh", "-n", "-c", BOOTSTRAP], check=False).returncode == 0
    # The shortest limit of an architecture that is booted here is 512 (riscv before 6.4).
    assert len(beside_root()) < 400


def choose(monkeypatch: pytest.MonkeyPatch, system: str, machine: str, device: Path) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(accelerator, "_KVM", device)


def firmware(folder: Path, text: str) -> str:
    """A program that prints what a guest of a probe would print, and then goes on."""
    path = folder / "qemu"
    path.write_text(f"#!/bin/sh\nprintf '{text}'\nexec sleep 1000\n")
    path.chmod(0o755)
    return str(path)


def test_kvm_is_used_where_a_guest_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    choose(monkeypatch, "Linux", "x86_64", tmp_path)
    assert choose_accelerator(PC, firmware(tmp_path, "SeaBIOS (v)\\n")).name == "kvm"
    choose(monkeypatch, "Darwin", "x86_64", tmp_path / "missing")
    assert choose_accelerator(PC, firmware(tmp_path, "SeaBIOS (v)\\n")).name == "hvf"
    choose(monkeypatch, "Linux", "aarch64", tmp_path)
    virt, raspi = BOARDS["arm64"]
    assert choose_accelerator(virt, firmware(tmp_path, "K")).name == "kvm"
    assert choose_accelerator(raspi, firmware(tmp_path, "K")).name == "tcg"


def test_kvm_that_does_not_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    choose(monkeypatch, "Linux", "x86_64", tmp_path)
    monkeypatch.setattr(accelerator, "_LIMIT", 0.2)
    hangs = choose_accelerator(PC, firmware(tmp_path, "SeaB"))
    assert (hangs.name, hangs.why) == ("tcg", "kvm is there, but a guest does not run with it")
    assert choose_accelerator(PC, "false").name == "tcg"
    monkeypatch.setattr(accelerator, "_LIMIT", ENOUGH)
    assert choose_accelerator(PC, "yes").name == "tcg"


@pytest.mark.parametrize(
    ("machine", "device", "why"),
    [
        ("x86_64", "missing", "this machine has no /dev/kvm"),
        ("aarch64", "", "its processor is none that this machine has"),
    ],
)
def test_no_kvm(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine: str, device: str, why: str
) -> None:
    choose(monkeypatch, "Linux", machine, tmp_path / device)
    found = choose_accelerator(PC, "false")
    assert (found.name, found.why) == ("tcg", why)


def test_kvm_of_somebody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    choose(monkeypatch, "Linux", "x86_64", tmp_path)
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    assert choose_accelerator(PC, "false").why == "/dev/kvm may not be used by this user"


@pytest.mark.boot
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_probe_tells_a_processor_that_runs(architecture: str) -> None:
    from tests.support.tools import tool

    board = BOARDS[architecture][0]
    cpu = dataclasses.replace(board).cpu
    assert runs_guest(board, tool(board.program), ("-accel", "tcg", "-cpu", cpu))
    assert not runs_guest(board, tool(board.program), ("-accel", "no-such"))
