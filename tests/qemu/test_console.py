from __future__ import annotations

from rdcompose.qemu.console import Line, Recorder


def test_lines_have_the_time_of_their_first_byte() -> None:
    recorder = Recorder()
    assert recorder.add(b"one\r\ntw", 1.0) == [Line(1.0, "one")]
    assert recorder.add(b"o\nthree", 2.0) == [Line(1.0, "two")]
    assert recorder.finish() == [Line(2.0, "three")]
    assert recorder.finish() == []
    assert [line.text for line in recorder.lines] == ["one", "two", "three"]
    assert recorder.size == 14


def test_control_characters_are_no_text() -> None:
    [line] = Recorder().add(b"\x1bc\x1b[?7l\x1b[2J\0SeaBIOS \xff\t!\x07\n", 0.0)
    assert line.text == "SeaBIOS \ufffd\t!"


def test_line_without_end_is_cut() -> None:
    recorder = Recorder()
    added = recorder.add(b"x" * 200_000, 0.0)
    assert [len(line.text) for line in added] == [65536, 65536, 65536]
    assert len(recorder.finish()[0].text) == 200_000 - 3 * 65536


def test_kernel_stamps() -> None:
    line = Line(3.0, "[    1.250000] Run /init as init process")
    assert (line.stamp, line.message) == (1.25, "Run /init as init process")
    plain = Line(3.0, "rdcompose: [x] 1.0")
    assert (plain.stamp, plain.message) == (None, "rdcompose: [x] 1.0")
