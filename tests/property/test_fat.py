from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Final

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError
from rdcompose.formats.fat.names import folded
from rdcompose.formats.fat.reader import read_fat
from rdcompose.formats.fat.writer import minimum_size, write_fat32
from rdcompose.tree import Bytes, File, Tree, read_all
from tests.support.dump import dump

DATA: Final = Path(__file__).parents[1] / "formats" / "data"
IMAGES: Final = [gzip.decompress((DATA / f"{name}.gz").read_bytes()) for name in ("fat12", "fat16")]
# The parameters, the FATs, the directories.
PLACES: Final = st.integers(11, 64) | st.integers(512, 60_000)
LETTERS: Final = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"*/:<>?\\|')
NAMES: Final = st.text(LETTERS, min_size=1, max_size=60).filter(
    lambda name: not name.endswith((".", " ")) and len(name.encode()) < 256
)


@settings(max_examples=200)
@given(st.sampled_from(IMAGES), st.lists(st.tuples(PLACES, st.integers(0, 255)), max_size=5))
def test_damaged_volumes_end_in_an_error_or_in_entries(
    image: bytes, damage: list[tuple[int, int]]
) -> None:
    data = bytearray(image)
    for place, value in damage:
        data[place] = value
    try:
        for entry in read_fat(io.BytesIO(data)):
            if isinstance(entry, File):
                assert entry.content.size <= 1 << 24
                read_all(entry.content)
    except FormatError as error:
        message = error.message
        assert "\n" not in message


@settings(max_examples=50)
@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=30), st.binary(max_size=2000))
@example([["\u0131"], ["a", "ß"], ["ǆ"]], b"x")
def test_any_tree_comes_back(paths: list[list[str]], content: bytes) -> None:
    tree = Tree()
    taken: dict[str, bool] = {}
    for path in paths:
        parents = ["/".join(path[:end]) for end in range(1, len(path))]
        whole = "/".join(path)
        keys = [folded(parent) for parent in parents]
        # One name in each case, and no file with something in it.
        if folded(whole) in taken or any(
            key in taken and (taken[key] or parent not in tree)
            for key, parent in zip(keys, parents, strict=True)
        ):
            continue
        tree.add(File(path=whole, content=Bytes(content)))
        taken |= {**dict.fromkeys(keys, False), folded(whole): True}
    out = io.BytesIO()
    size = minimum_size(tree)
    write_fat32(out, tree, size=size, mtime=0, volume_id=0)
    out.truncate(size)
    assert dump(read_fat(out)) == dump(tree)
