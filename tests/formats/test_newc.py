from __future__ import annotations

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.bytestream import ByteStream
from rdcompose.formats.newc import Archive
from rdcompose.formats.newc_links import members
from tests.support.newc import TRAILER, raw_record, record


def archive(*records: bytes) -> Archive:
    """An archive that comes in pieces of three bytes, at offset 4 of something."""
    data = b"".join(records)
    pieces = [data[at : at + 3] for at in range(0, len(data), 3)]
    return Archive(ByteStream(pieces, position=4))


def test_records_come_as_a_stream() -> None:
    opened = archive(record("a", b"12345", mtime=9), record("d", mode=0o40755), TRAILER, b"more")
    found = []
    for row, body in opened.records():
        content = body.read() if row.name == "a" else None
        found.append((row.name, content, row.mtime, row.position, row.data_start))
    assert found == [("a", b"12345", 9, 4, 116), ("d", None, 0, 124, 236)]
    assert opened.has_trailer
    assert opened.stream.read(9) == b"more"


def test_a_body_is_there_until_the_next() -> None:
    rows = archive(record("a", b"12"), record("b"), TRAILER).records()
    _, body = next(rows)
    next(rows)
    with pytest.raises(ValueError, match="'a' is not there any more"):
        body.read()


def test_what_was_read_stays() -> None:
    rows = archive(record("a", b"123"), record("b"), TRAILER).records()
    _, body = next(rows)
    assert list(body.chunks(2)) == [b"12", b"3"]
    next(rows)
    assert body.read() == b"123"


def test_what_is_complete() -> None:
    opened = archive(record("a", b"123"), record("b", b"123")[:-2])
    with pytest.raises(FormatError, match="header at offset 120 claims 3 bytes of data, more than"):
        list(opened.records())
    assert opened.complete is not None
    assert opened.complete.name == "a"


@pytest.mark.parametrize("read", [False, True])
def test_a_wrong_checksum(read: bool) -> None:
    opened = archive(raw_record(b"a\0", b"12", magic=b"070702", chksum=1), TRAILER)
    rows = opened.records()
    _, body = next(rows)
    if read:
        assert body.read() == b"12"
    with pytest.raises(FormatError, match="offset 4 has a wrong checksum"):
        next(rows)


def test_no_target_of_megabytes() -> None:
    link = record("a", b"x" * 5000, mode=0o120777)
    with pytest.raises(FormatError, match="no valid target"):
        list(members(archive(link, TRAILER)))
