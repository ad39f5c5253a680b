from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.formats.qcow2 import DATA_OFFSET, Qcow2Writer

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
