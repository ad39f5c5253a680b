from __future__ import annotations

import io

import pytest

from rdcompose.formats.window import Window


def test_reading_stays_inside() -> None:
    window = Window(io.BytesIO(b"0123456789"), 2, 5)
    assert window.read() == b"23456"
    assert window.read(1) == b""
    assert window.seek(-2, io.SEEK_END) == 3
    assert window.read(9) == b"56"
    assert window.seek(1) == 1
    assert window.seek(1, io.SEEK_CUR) == 2
    assert window.read(1) == b"4"
    assert window.tell() == 3
    assert window.readable()
    assert window.seekable()


def test_what_the_file_does_not_have_cannot_be_read() -> None:
    assert Window(io.BytesIO(b"0123"), 2, 5).read() == b"23"
    window = Window(io.BytesIO(b"0123"), 0, 2)
    window.seek(7)
    assert window.read() == b""


def test_windows_of_one_file_keep_their_own_places() -> None:
    file = io.BytesIO(b"0123456789")
    first, second = Window(file, 0, 5), Window(file, 5, 5)
    assert [first.read(2), second.read(2), first.read(2)] == [b"01", b"56", b"23"]


def test_writing() -> None:
    file = io.BytesIO(b"0123456789")
    window = Window(file, 2, 5)
    assert window.writable()
    window.seek(3)
    assert window.write(b"ab") == 2
    assert file.getvalue() == b"01234ab789"
    with pytest.raises(ValueError, match="behind the end of a window of 5"):
        window.write(b"c")
    assert file.getvalue() == b"01234ab789"


def test_places_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="no window"):
        Window(io.BytesIO(), -1, 5)
    with pytest.raises(ValueError, match="negative offset"):
        Window(io.BytesIO(), 0, 5).seek(-1)
