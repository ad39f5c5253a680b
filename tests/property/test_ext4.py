from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.ext4.reader import Ext4Image
from rdcompose.tree import File, read_all

DATA: Final = Path(__file__).parents[1] / "formats" / "data"
IMAGES: Final = [gzip.decompress(path.read_bytes()) for path in sorted(DATA.glob("*.img.gz"))]
# Everything but contents is in front.
PLACES: Final = st.integers(1024, 2048) | st.integers(2048, 2112) | st.integers(5000, 60_000)


@settings(max_examples=200)
@given(st.sampled_from(IMAGES), st.lists(st.tuples(PLACES, st.integers(0, 255)), max_size=5))
def test_damaged_images_end_in_an_error_or_in_entries(
    image: bytes, damage: list[tuple[int, int]]
) -> None:
    data = bytearray(image)
    for place, value in damage:
        data[place] = value
    try:
        for entry in Ext4Image(io.BytesIO(data)).entries():
            if isinstance(entry, File) and entry.content.size < 1 << 20:
                read_all(entry.content)
    except (FormatError, UnsupportedError) as error:
        message = error.message
        assert "\n" not in message
