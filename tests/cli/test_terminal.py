from __future__ import annotations

import contextlib
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

import pytest
from rich.console import Console

from rdcompose.cli.terminal import progress, size_text, table, transfers
from tests.support.screen import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KERNEL = "linux-image-6.12.107+deb13-cloud-amd64_6.12.107-1_amd64.deb"
PATIENCE = 60


@pytest.fixture
def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Terminal]]:
    """Makes a terminal where standard error goes from then on."""
    with contextlib.ExitStack() as stack:

        def make(columns: int = 80) -> Terminal:
            terminal = stack.enter_context(Terminal(columns))
            monkeypatch.setenv("TERM", "xterm")
            monkeypatch.setenv("COLUMNS", str(columns))
            for name in ("LINES", "NO_COLOR", "FORCE_COLOR"):
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setattr(sys, "stderr", stack.enter_context(terminal.file()))
            return terminal

        yield make


def progress_alone() -> None:
    with progress("reading", shown=True) as advance:
        advance(1, 2)


def transfer_alone() -> None:
    with transfers(shown=True) as watch:
        watch("a.deb")(1, 2)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (123_137, "123 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (14_186_432, "14.2 MB"),
        (123_456_789_012, "123457 MB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


def test_tables_are_aligned() -> None:
    rows = [("a", "1 B", "x"), ("long name", "14.2 MB", "")]
    assert table(rows) == "a              1 B  x\nlong name  14.2 MB"


def test_no_progress_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading", shown=True) as advance:
        advance(1, 2)
    with transfers(shown=True) as watch:
        watch("a.deb")(1, 2)
    assert capsys.readouterr() == ("", "")


def test_no_progress_where_none_is_wanted(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal()
    with progress("reading", shown=False) as advance:
        advance(1, 2)
    with transfers(shown=False) as watch:
        watch("a.deb")(1, 2)
    assert terminal.raw == ""


def test_progress_on_a_terminal(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal()
    with progress("reading [red]a[/red].deb", shown=True) as advance:
        terminal.wait_for(r"^reading \[red\]a\[/red\]\.deb ")
        advance(1, 2)
        advance(2, 2)
        assert not terminal.in_order()
    assert terminal.lines == []
    assert terminal.in_order()


def test_transfers_tell_size_rate_and_time_left(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal()
    with transfers(shown=True) as watch:
        advance = watch(KERNEL)
        assert terminal.raw == ""
        advance(10_000_000, 35_000_000)
        # It is there before the first byte comes.
        terminal.wait_for(r"^linux-image-6.* 10\.0/35\.0 MB +\? +-:--:--$")
        for done in range(10_000_000, 20_000_001, 1_000_000):
            advance(done, 35_000_000)
        line = terminal.wait_for(r"20\.0/35\.0 MB +\d+\.\d [kMG]B/s +\d:\d\d:\d\d$")
        assert len(terminal.lines) == 1
        assert line.startswith("linux-image-6.12.")
    assert terminal.lines == []
    assert terminal.in_order()


def test_names_are_shown_as_they_are(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal()
    with transfers(shown=True) as watch:
        watch("[bold]a[/x].deb")(1, 2)
        terminal.wait_for(r"^\[bold\]a\[/x\]\.deb ")


@pytest.mark.parametrize("columns", [20, 40, 79, 80, 120, 200])
def test_lines_fit_any_terminal(open_terminal: Callable[..., Terminal], columns: int) -> None:
    terminal = open_terminal(columns)
    with transfers(shown=True) as watch:
        for number in range(3):
            watch(f"{number}-{KERNEL}")(10_000_000, 35_000_000)
        assert len(terminal.lines) == 3
        if columns >= 79:
            terminal.wait_for(r"^2-linux-image\S* .*10\.0/35\.0 MB +\? +-:--:--$")
        if columns == 200:
            terminal.wait_for(f"^2-{KERNEL} ".replace("+", r"\+"))
    assert terminal.lines == []
    assert terminal.in_order()


def test_files_that_are_complete_leave_the_screen(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal()
    with transfers(shown=True) as watch:
        slow = watch("slow.deb")
        slow(1, 100)
        for number in range(100):
            advance = watch(f"{number}.deb")
            advance(1, 2)
            advance(2, 2)
        again = watch("again")
        again(1, 2)
        again(2, 2)
        watch("empty")(0, 0)
        watch("there already.deb")(5, 5)
        slow(50, 100)
        terminal.wait_for(r"^slow\.deb .* 50/100 bytes")
        assert len(terminal.lines) == 1
        # What turned out to be wrong is fetched again, maybe in another form.
        again(0, 3_000_000)
        terminal.wait_for(r"^again .* 0\.0/3\.0 MB")
        again(3_000_000, 3_000_000)
        slow(100, 100)
    assert terminal.lines == []
    assert terminal.in_order()


def test_many_threads(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal()
    go_on = threading.Barrier(9)

    def download(number: int) -> None:
        for file in range(20):
            advance = watch(f"{number}-{file}.deb")
            for done in range(0, 101, 10):
                advance(done, 100)
        watch(f"last-{number}.deb")(1, 100)
        go_on.wait(PATIENCE)

    with transfers(shown=True) as watch:
        threads = [threading.Thread(target=download, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        go_on.wait(PATIENCE)
        for number in range(8):
            terminal.wait_for(rf"^last-{number}\.deb ")
        assert len(terminal.lines) == 8
        for thread in threads:
            thread.join()
    assert terminal.lines == []
    assert terminal.in_order()


@pytest.mark.parametrize("begun", [False, True])
def test_who_comes_late_draws_nothing(open_terminal: Callable[..., Terminal], begun: bool) -> None:
    """After an interrupt nobody waits for the threads that download."""
    terminal = open_terminal()
    with transfers(shown=True) as watch:
        advance, late = watch("a.deb"), watch("b.deb")
        if begun:
            advance(1, 3)
    before = terminal.raw
    advance(2, 3)
    late(1, 3)
    late(3, 3)
    watch("c.deb")(1, 3)
    assert terminal.raw == before
    assert terminal.in_order()


def test_other_output_meanwhile(
    open_terminal: Callable[..., Terminal], capfd: pytest.CaptureFixture[str]
) -> None:
    """Warnings stand above the lines; results go where they belong."""
    terminal = open_terminal()
    with transfers(shown=True) as watch:
        watch("a.deb")(1, 2)
        print("warning", file=sys.stderr)  # noqa: T201
        terminal.wait_for("^a.deb")
        assert [line.split()[0] for line in terminal.lines] == ["warning", "a.deb"]
        print("result")  # noqa: T201
    assert terminal.lines == ["warning"]
    assert terminal.in_order()
    assert capfd.readouterr().out == "result\n"


def test_errors_pass_through(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal()

    def fail() -> None:
        with transfers(shown=True) as watch, progress("composing", shown=True):
            watch("a.deb")(1, 2)
            raise KeyError("bug")

    with pytest.raises(KeyError, match="bug"):
        fail()
    assert terminal.lines == []
    assert terminal.in_order()


@pytest.mark.parametrize("moment", [1, 2])
@pytest.mark.parametrize("display", [progress_alone, transfer_alone])
def test_interrupts_leave_the_terminal_in_order(
    open_terminal: Callable[..., Terminal],
    monkeypatch: pytest.MonkeyPatch,
    display: Callable[[], None],
    moment: int,
) -> None:
    """Also while the display is being made or removed, when the cursor is hidden or shown."""
    terminal = open_terminal()
    calls: list[bool] = []
    interrupted = threading.Event()
    real = Console.show_cursor

    def interrupt(_number: int, _frame: object) -> NoReturn:
        interrupted.set()
        raise KeyboardInterrupt

    def show_cursor(self: Console, show: bool) -> bool:
        calls.append(show)
        if len(calls) == moment:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            interrupted.wait(PATIENCE)
        return real(self, show)

    monkeypatch.setattr(Console, "show_cursor", show_cursor)
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            display()
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls == [False, True]
    assert terminal.lines == []
    assert terminal.in_order()
