from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.qcow2 import DATA_OFFSET, Qcow2Writer
from rdcompose.formats.qcow2_reader import open_qcow2

# Where to write, and how much: positions around cluster borders are the interesting ones.
POSITIONS = st.one_of(
    st.integers(0, 5 * 65536),
    st.builds(lambda n, delta: max(0, n * 65536 + delta), st.integers(0, 4), st.integers(-2, 2)),
)
WRITES = st.lists(st.tuples(POSITIONS, st.binary(max_size=600)), min_size=1, max_size=12)


@settings(max_examples=60)
@given(WRITES)
def test_window_is_a_file(writes: list[tuple[int, bytes]]) -> None:
    plain, out = io.BytesIO(), io.BytesIO()
    writer = Qcow2Writer(out)
    for position, data in [*writes, (0, b"S")]:
        assert writer.seek(position) == plain.seek(position)
        assert writer.write(data) == plain.write(data)
        assert writer.tell() == plain.tell()
    result = writer.finish()
    payload = plain.getvalue()
    image = out.getvalue()
    assert result.payload_size == len(payload)
    assert result.virtual_size - len(payload) in range(512)
    assert result.size == len(image)
    assert len(image) % 65536 == 0
    assert image[DATA_OFFSET : DATA_OFFSET + len(payload)] == payload


@settings(max_examples=60)
@given(WRITES, POSITIONS, st.integers(0, 200_000))
def test_reader_gives_back_the_disk(writes: list[tuple[int, bytes]], start: int, size: int) -> None:
    plain, out = io.BytesIO(), io.BytesIO()
    writer = Qcow2Writer(out)
    for position, data in [*writes, (0, b"S")]:
        writer.seek(position)
        writer.write(data)
        plain.seek(position)
        plain.write(data)
    writer.finish()
    disk = plain.getvalue()
    disk = disk.ljust(-(-len(disk) // 512) * 512, b"\0")
    guest = open_qcow2(out)
    assert guest.read() == disk
    guest.seek(start)
    assert guest.read(size) == disk[start : start + size]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 5 * 65536 - 1), st.integers(0, 255)), max_size=4))
def test_damaged_images_end_in_an_error_or_in_bytes(damage: list[tuple[int, int]]) -> None:
    out = io.BytesIO()
    writer = Qcow2Writer(out)
    writer.write(b"data" * 20)
    writer.finish()
    image = bytearray(out.getvalue())
    # Half of the damage goes to where the header and the tables are.
    for place, value in damage:
        image[place % 112 if value % 2 else place] = value
    try:
        guest = open_qcow2(io.BytesIO(image))
        assert len(guest.read(1 << 20)) <= 1 << 20
    except (FormatError, UnsupportedError):
        pass
