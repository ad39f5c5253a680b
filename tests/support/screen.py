"""A terminal as a program sees it and a person looks at it.

    with Terminal() as terminal:
        process = subprocess.Popen(…, stderr=terminal.theirs)
        terminal.wait_for(r"busybox.* MB/s")
    assert terminal.lines == ["rdcompose: interrupted"]

What is written is shown as xterm shows it, as far as progress displays go: the control
sequences of ECMA-48 that move the cursor and erase, and those that hide it. Others are an
error, so that none is taken for text.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import re
import struct
import termios
import threading
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

_PATIENCE: Final = 60
# What no program writes, and terminals do not show.
_MARK: Final = b"\0"
_SEQUENCE: Final = re.compile(r"\x1b\[(\??)([\d;]*)([A-Za-z])")


class Screen:
    """What stands on a terminal; ``raw`` is all that was written to it."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.raw = ""
        self.cursor_shown = True
        self._rows: list[str] = [""]
        self._row = self._column = 0
        self._rest = ""

    @property
    def lines(self) -> list[str]:
        """The lines down to the cursor, without the empty one that it stands at."""
        rows = [row.rstrip() for row in self._rows]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def at_line_start(self) -> bool:
        """Tell whether what comes next begins a line of its own, below all others."""
        return self._column == 0 and not any(row.strip() for row in self._rows[self._row :])

    def write(self, text: str) -> None:
        """Show text; a sequence may come in two pieces."""
        self.raw += text
        text = self._rest + text
        position = 0
        while position < len(text):
            if text[position] != "\x1b":
                self._put(text[position])
                position += 1
            elif found := _SEQUENCE.match(text, position):
                self._control(found[1] + found[3], found[2])
                position = found.end()
            else:
                break
        self._rest = text[position:]
        assert len(self._rest) < 20, f"an unknown control sequence: {self._rest!r}"

    def _put(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._row += 1
            if self._row == len(self._rows):
                self._rows.append("")
        else:
            assert character.isprintable(), f"an unknown control character: {character!r}"
            if self._column == self.columns:
                self._put("\r")
                self._put("\n")
            row = self._rows[self._row].ljust(self._column)
            self._rows[self._row] = row[: self._column] + character + row[self._column + 1 :]
            self._column += 1

    def _control(self, name: str, text: str) -> None:
        number = int(text or 0) if text.isdigit() or not text else 0
        if name == "A":
            self._row = max(0, self._row - max(number, 1))
        elif name == "K" and number == 2:
            self._rows[self._row] = ""
        elif name in {"?h", "?l"} and number == 25:
            self.cursor_shown = name == "?h"
        else:
            assert name == "m", f"an unknown control sequence: {text}{name}"


class Terminal:
    """A pseudo-terminal; ``theirs`` is the end for programs. A context manager.

    What it tells is the state after all that was written until then.
    """

    def __init__(self, columns: int = 80) -> None:
        self._ours, self.theirs = pty.openpty()
        size = struct.pack("4H", 24, columns, 0, 0)
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, size)
        self._settings = termios.tcgetattr(self.theirs)
        self._screen = Screen(columns)
        self._changed = threading.Condition()
        self._failure: AssertionError | None = None
        self._marks = 0
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Its end, once nobody has the other side open, ends the reader.
        os.close(self.theirs)
        self._reader.join()
        os.close(self._ours)

    def file(self) -> TextIO:
        """Return the programs' end as a file of its own."""
        return os.fdopen(os.dup(self.theirs), "w", encoding="utf-8")

    @property
    def raw(self) -> str:
        """All that was written, control sequences too."""
        return self._settled().raw

    @property
    def lines(self) -> list[str]:
        """What stands on the screen."""
        return self._settled().lines

    def in_order(self) -> bool:
        """Tell whether a shell can go on here: cursor and settings are as they were."""
        screen = self._settled()
        settings = termios.tcgetattr(self.theirs)
        return screen.cursor_shown and screen.at_line_start() and settings == self._settings

    def wait_for(self, pattern: str) -> str:
        """Wait until a line of the screen holds a pattern, and return the line."""
        found: list[str] = []

        def look() -> bool:
            found.extend(row for row in self._screen.lines if re.search(pattern, row))
            return bool(found)

        self._wait(look, f"{pattern!r} is not on the screen")
        return found[0]

    def _settled(self) -> Screen:
        marks = self._marks + 1
        os.write(self.theirs, _MARK)
        self._wait(lambda: self._marks == marks, "the terminal does not answer")
        return self._screen

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        with self._changed:
            come = self._changed.wait_for(lambda: self._failure or condition(), _PATIENCE)
            if self._failure is not None:
                raise self._failure
            assert come, f"{what}: {self._screen.raw!r}"

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        with contextlib.suppress(OSError):  # how a terminal ends
            while data := os.read(self._ours, 1 << 16):
                with self._changed:
                    try:
                        self._screen.write(decoder.decode(data.replace(_MARK, b"")))
                    except AssertionError as error:
                        self._failure = error
                    self._marks += data.count(_MARK)
                    self._changed.notify_all()
