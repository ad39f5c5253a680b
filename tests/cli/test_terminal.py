from __future__ import annotations

import os
import pty
import sys

import pytest

from rdcompose.cli.terminal import progress, size_text, table


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
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("shown", [True, False])
def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch, shown: bool) -> None:
    ours, theirs = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress("reading", shown=shown) as advance:
            advance(1, 2)
            advance(2, 2)
        terminal.flush()
        os.set_blocking(ours, False)
        try:
            seen = os.read(ours, 65536)
        except BlockingIOError:
            seen = b""
    os.close(ours)
    assert (b"reading" in seen) is shown
