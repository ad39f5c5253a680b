from __future__ import annotations

import pytest

from tests.support.screen import Screen, Terminal


def test_what_a_person_sees() -> None:
    screen = Screen(10)
    screen.write("one\r\n\x1b[31mtwo\x1b[0m\r\n")
    assert screen.lines == ["one", "two"]
    assert screen.at_line_start()
    screen.write("\x1b[2Aoned")
    assert screen.lines == ["oned", "two"]
    assert not screen.at_line_start()
    screen.write("\r\x1b[2KO\n\x1b[?2")
    assert screen.lines == ["O", "two"]
    shown = [screen.cursor_shown]
    for text in ("5l", "\x1b[?25h"):
        screen.write(text)
        shown.append(screen.cursor_shown)
    assert shown == [True, False, True]


def test_long_lines_go_on_in_the_next() -> None:
    screen = Screen(4)
    screen.write("abcd")
    assert screen.lines == ["abcd"]
    screen.write("ef")
    assert screen.lines == ["abcd", "ef"]


@pytest.mark.parametrize(
    "text", ["\x1b[5n", "\x1b]8;;http://a/b/c/d/e/f\x1b\\", "\a", "\x1b[?1049h"]
)
def test_what_it_does_not_know(text: str) -> None:
    with pytest.raises(AssertionError, match="unknown"):
        Screen(80).write(text)


def test_a_terminal() -> None:
    with Terminal() as terminal, terminal.file() as file:
        assert file.isatty()
        print("one\ntwo", end="", file=file, flush=True)
        assert terminal.wait_for("^t") == "two"
        assert terminal.raw == "one\r\ntwo"
        assert not terminal.in_order()
        print(file=file, flush=True)
        assert terminal.in_order()
        print("\x1b[?25l", end="", file=file, flush=True)
        assert not terminal.in_order()
        print("\a", end="", file=file, flush=True)
        with pytest.raises(AssertionError, match="unknown"):
            terminal.wait_for("three")
