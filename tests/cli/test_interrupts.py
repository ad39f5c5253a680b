"""Signals at moments that no timing hits: the program sends them to itself."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.cli import interrupts
from rdcompose.cli.main import main
from rdcompose.errors import FormatError
from tests.support.archive_packages import busybox_package, kernel_package
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

INTERRUPTED: Final = "rdcompose: interrupted\n"
PATH: Final = ("cache", "path", "--cache", "/cache")
RELEASE: Final = "6.1.0-44-cloud-amd64"

# Each runs the command line in sys.argv; "number" is the signal.
WHILE_IT_IMPORTS: Final = """
class Finder:
    def find_spec(self, name, *_):
        if name == "argparse":
            sys.meta_path.remove(self)
            signal.raise_signal(number)

sys.meta_path.insert(0, Finder())
"""
WITHIN_GENERATED_CODE: Final = """
import rdcompose.cli.main
rdcompose.cli.main._run = lambda _: exec("signal.raise_signal(number)")
"""
IN_A_CALLBACK_FROM_C: Final = """
import threading
from rdcompose.formats import tarstream

read = tarstream._Source.read

def stopped(*arguments):
    # Programs are read beside it, where no signal raises anything.
    if threading.current_thread() is threading.main_thread():
        signal.raise_signal(number)
    return read(*arguments)

tarstream._Source.read = stopped
"""
IN_A_FINALIZER: Final = """
import rdcompose.cli.main
from rdcompose.errors import FormatError

class Finalized:
    def __del__(self):
        signal.raise_signal(number)

def run(_):
    Finalized()
    raise FormatError("damaged")

rdcompose.cli.main._run = run
"""
IN_A_FINALIZER_AND_NOTHING_ELSE: Final = """
import time
import rdcompose.cli.main

class Finalized:
    def __del__(self):
        signal.raise_signal(number)

def run(_):
    Finalized()
    time.sleep(60)

rdcompose.cli.main._run = run
"""
WHERE_A_LOCK_WAS_TAKEN: Final = """
import functools, threading, time
import rdcompose.cli.main

class Lock:
    acquire = release = lambda *_: None
    __enter__ = functools.partial(signal.raise_signal, number)

    def __exit__(self, *_):
        print("given back")

def run(_):
    with threading.Condition(Lock()):
        pass
    time.sleep(60)

rdcompose.cli.main._run = run
"""
AT_THE_END: Final = """
import atexit
atexit.register(signal.raise_signal, number)
"""
TWICE: Final = """
import rdcompose.cli.main

class Errors:
    def write(self, text):
        sys.stderr = sys.__stderr__
        signal.raise_signal(number)

def run(_):
    sys.stderr = Errors()
    signal.raise_signal(number)

rdcompose.cli.main._run = run
"""


def run(
    tmp_path: Path, script: str, number: int, *arguments: object
) -> subprocess.CompletedProcess[str]:
    # A module, as "python -m rdcompose": what ends the interpreter depends on it.
    (tmp_path / "program.py").write_text(
        f"import signal, sys\nnumber = {number}\n{script}\n"
        "from rdcompose.cli.main import entrypoint\nentrypoint()\n",
        encoding="utf-8",
    )
    return subprocess.run(
        [sys.executable, "-m", "program", *map(str, arguments)],
        cwd=tmp_path,
        env=unmeasured(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(WHILE_IT_IMPORTS, id="imports"),
        pytest.param(WITHIN_GENERATED_CODE, id="generated-code"),
        pytest.param(IN_A_FINALIZER, id="finalizer"),
        pytest.param(IN_A_FINALIZER_AND_NOTHING_ELSE, id="finalizer-without-an-error"),
    ],
)
def test_one_line_at_any_moment(script: str, number: int, tmp_path: Path) -> None:
    done = run(tmp_path, script, number, *PATH)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", INTERRUPTED)


def test_no_lock_stays_taken(tmp_path: Path) -> None:
    """As in a thread that has taken it, and was stopped before anybody could give it back."""
    done = run(tmp_path, WHERE_A_LOCK_WAS_TAKEN, signal.SIGTERM, *PATH)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, INTERRUPTED)
    assert done.stdout == "given back\n"


def test_an_import_is_not_left_with_its_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[FrameType] = []

    class Finder:
        @staticmethod
        def find_spec(*_: object) -> None:
            found.append(sys._getframe(1))

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("there_is_none_of_this_name")
    assert not interrupts.may_raise(found[0])
    assert interrupts.may_raise(sys._getframe())
    assert interrupts.may_raise(None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_package_is_called_damaged(number: int, tmp_path: Path) -> None:
    """An exception cannot pass through libarchive, which then takes the file for cut short."""
    kernel, busybox = tmp_path / "kernel.deb", tmp_path / "busybox.deb"
    kernel.write_bytes(kernel_package(RELEASE, "6.1.164-1"))
    busybox.write_bytes(busybox_package())
    options = ["--busybox", busybox, "--e2fsck", "none", "-o", tmp_path / "out"]
    done = run(tmp_path, IN_A_CALLBACK_FROM_C, number, "build", kernel, *options)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", INTERRUPTED)
    assert not (tmp_path / "out").exists()


def test_when_all_is_done(tmp_path: Path) -> None:
    done = run(tmp_path, AT_THE_END, signal.SIGINT, *PATH)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "/cache\n", "")


def test_a_second_one_ends_it_at_once(tmp_path: Path) -> None:
    done = run(tmp_path, TWICE, signal.SIGINT, *PATH)
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_was_ignored_stays_so(number: int, tmp_path: Path) -> None:
    """As nohup(1) wants it."""
    script = """
signal.signal(number, signal.SIG_IGN)
import rdcompose.cli.main
real = rdcompose.cli.main._run

def run(arguments):
    signal.raise_signal(number)
    return real(arguments)

rdcompose.cli.main._run = run
"""
    done = run(tmp_path, script, number, *PATH)
    assert (done.returncode, done.stdout, done.stderr) == (0, "/cache\n", "")


def test_other_trouble_in_finalizers_is_shown(tmp_path: Path) -> None:
    script = """
class Finalized:
    def __del__(self):
        raise KeyError("bug")

import rdcompose.cli.main
rdcompose.cli.main._run = lambda _: Finalized() and 0
"""
    done = run(tmp_path, script, signal.SIGINT, *PATH)
    assert done.returncode == 0
    assert "KeyError: 'bug'" in done.stderr


def test_an_error_alone_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_arguments: object) -> int:
        raise FormatError("damaged")

    monkeypatch.setattr("rdcompose.cli.main._run", fail)
    assert main(["cache", "path"]) == 1
    assert capsys.readouterr().err == "rdcompose: error: damaged\n"


def test_handlers_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "_arrived", [])
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in signals}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        interrupts.catch()
        assert interrupts.arrived() is None
        with pytest.raises(interrupts.Interrupt) as caught:
            signal.raise_signal(signal.SIGTERM)
        assert (caught.value.number, interrupts.arrived()) == (signal.SIGTERM, signal.SIGTERM)
        interrupts.release()
        assert [signal.getsignal(number) for number in signals] == [
            signal.SIG_DFL,
            signal.SIG_DFL,
            signal.SIG_IGN,
            signal.SIG_IGN,
        ]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
