from __future__ import annotations

import pytest

from rdcompose.boards.cmdline import command_line, names_root
from rdcompose.boards.models import find_models


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
