from __future__ import annotations

import pytest

from rdcompose.boards.cmdline import MAX_LENGTH, command_line, names_root
from rdcompose.boards.models import find_models
from rdcompose.errors import SpecError


@pytest.mark.parametrize(
    ("boards", "ports"),
    [
        ("1", ["tty0", "ttyAMA0,115200"]),
        ("3", ["tty0", "ttyS1,115200"]),
        ("5", ["tty0", "ttyAMA10,115200"]),
        # The last is where init talks, if the board has it.
        ("zero 1", ["tty0", "ttyAMA0,115200", "ttyS1,115200"]),
        ("zero2 3 4 5", ["tty0", "ttyAMA10,115200", "ttyS1,115200"]),
    ],
)
def test_consoles(boards: str, ports: list[str]) -> None:
    line = command_line(find_models(boards.split()), upstream=True).split()
    assert [word.removeprefix("console=") for word in line if "console=" in word] == ports


def test_the_firmware_knows_the_port_of_its_own_kernel() -> None:
    line = command_line(find_models(["3", "5"]), upstream=False)
    assert line.startswith("console=tty0 console=serial0,115200 root=")


@pytest.mark.parametrize(
    ("words", "expected"),
    [("quiet root=/dev/sda1", True), ("nbdroot=a", True), ("rootwait", False), ("", False)],
)
def test_names_root(words: str, expected: bool) -> None:
    assert names_root(words) is expected


@pytest.mark.parametrize(
    ("root", "words", "line"),
    [
        ("/dev/sda2", "", "console=tty0 console=ttyS1,115200 root=/dev/sda2 rootwait"),
        ("none", "", "console=tty0 console=ttyS1,115200 root=none"),
        (None, "console=tty1 quiet", "root=/dev/mmcblk0p2 rootwait console=tty1 quiet"),
        (None, "root=LABEL=x rw", "console=tty0 console=ttyS1,115200 root=LABEL=x rw"),
        ("none", 'console=tty1 a="b  c"', 'root=none console=tty1 a="b  c"'),
    ],
)
def test_root_and_words(root: str | None, words: str, line: str) -> None:
    assert command_line(find_models(["3"]), upstream=True, root=root, words=words) == line


@pytest.mark.parametrize("words", ["a\nb", "a\tb", "grün", "a\0"])
def test_one_line_of_ascii(words: str) -> None:
    with pytest.raises(SpecError, match="has to be one line of printable ASCII"):
        command_line(find_models(["3"]), upstream=True, words=words)


def test_it_is_no_longer_than_kernels_take() -> None:
    three = find_models(["3"])
    spare = MAX_LENGTH - len(command_line(three, upstream=True)) - 1
    assert len(command_line(three, upstream=True, words="x" * spare)) == MAX_LENGTH
    with pytest.raises(SpecError, match=f"has {MAX_LENGTH + 1} characters"):
        command_line(three, upstream=True, words="x" * (spare + 1))
