from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.formats.ksymtab import read_kernel_symbols
from tests.support.ksymtab import make_ksymtab

NAMES = {f"symbol_{number:02}": number for number in range(30)} | {"module_layout": 1}
GOOD = make_ksymtab(NAMES, {"a": 1, "b": 2})


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=8),
    st.integers(0, len(GOOD)),
    st.sampled_from([32, 64]),
    st.sampled_from(["little", "big"]),
)
def test_damage_gives_a_table_or_none(
    changes: list[tuple[int, int]], length: int, bits: int, byteorder: str
) -> None:
    data = bytearray(GOOD)
    for offset, value in changes:
        data[offset] = value
    for piece in (bytes(data), bytes(data[:length])):
        found = read_kernel_symbols(
            piece,
            bits=32 if bits == 32 else 64,
            byteorder="little" if byteorder == "little" else "big",
        )
        assert found is None or len(found) >= 16
