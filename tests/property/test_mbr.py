from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.mbr import is_mbr, read_mbr

ROWS = st.binary(min_size=16, max_size=16)


@given(st.binary(max_size=446), st.lists(ROWS, max_size=4))
def test_any_sector_is_read_or_refused(front: bytes, rows: list[bytes]) -> None:
    sector = front.ljust(446, b"\0") + b"".join(rows).ljust(64, b"\0") + b"\x55\xaa"
    try:
        table = read_mbr(sector)
    except FormatError:
        assert not is_mbr(sector)
        return
    # Tables of others may overlap, which none that is written does.
    with contextlib.suppress(SpecError):
        assert read_mbr(table.pack()) == table
