from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rdcompose.boards.cmdlinetxt import CommandLine

LINE = "console=serial0,115200 console=tty1 root=/dev/mmcblk0p2 rootwait"


def test_parameters_are_read() -> None:
    line = CommandLine.parse(f"{LINE}\n".encode())
    assert line.get("root") == "/dev/mmcblk0p2"
    assert line.get("rootwait") == ""
    assert line.get("quiet") is None
    assert "rootwait" in line
    assert "quiet" not in line
    assert line.all("console") == ("serial0,115200", "tty1")
    assert line.words[0] == "console=serial0,115200"


def test_quotes_hold_a_value_together() -> None:
    line = CommandLine('dyndbg="file a.c +p" init="/bin/my init" quiet')
    assert line.get("dyndbg") == "file a.c +p"
    assert len(line.words) == 3
    line.set("init", "/a b")
    assert 'init="/a b"' in line.words


def test_a_parameter_is_set_where_it_stands() -> None:
    line = CommandLine(LINE)
    line.set("root", "/dev/nbd0")
    line.set("ro")
    assert line.to_bytes() == LINE.replace("/dev/mmcblk0p2", "/dev/nbd0").encode() + b" ro\n"
    line.set("console", "tty1")
    assert line.all("console") == ("tty1",)


def test_a_parameter_is_taken_out() -> None:
    line = CommandLine(LINE)
    line.remove("console")
    line.remove("nothing")
    assert str(line) == "root=/dev/mmcblk0p2 rootwait"


def test_further_lines_are_told() -> None:
    line = CommandLine("root=/dev/sda1\r\nquiet\n\n")
    assert str(line) == "root=/dev/sda1"
    assert line.extra == ("quiet",)
    assert CommandLine(f"{LINE}\n\n").extra == ()
    assert CommandLine("").words == ()


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    once = CommandLine.parse(data).to_bytes()
    assert CommandLine.parse(once).to_bytes() == once
    assert once.count(b"\n") == 1
