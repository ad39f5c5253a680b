"""Blocks that are taken from a store, and blocks that images have in common."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from typing import TYPE_CHECKING, Any, Final

import pytest

from rdcompose.errors import SpecError
from rdcompose.formats.squashfs.compressors import NAMES, identity
from rdcompose.formats.squashfs.store import MAX_VALUE, Block, BothBlocks, KnownBlocks, MemoryBlocks
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.tree import Bytes, File, Tree, known_digest
from tests.support.dump import dump
from tests.support.squashfs import SquashfsReader
from tests.support.squashtrees import everything, file, noise, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.tree import Entry

BLOCK: Final = 4096
CONTENTS: Final = {
    "small": text(1500, 1),
    "other": text(1900, 2),
    "noise": noise(1000, 3),
    "long": text(3 * 256 * 1024 + 77, 4),
    "holes": bytes(5 * BLOCK) + b"end",
    "twin": text(1500, 1),
    "empty": b"",
}


@dataclasses.dataclass
class Digested:
    """Content that brings its digest along and can be forbidden to be read."""

    data: bytes
    forbidden: bool = False

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.data).digest()[:16]

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self, size: int) -> Iterator[bytes]:
        assert not self.forbidden, "what the store has was read again"
        return Bytes(self.data).chunks(size)


class Watched(MemoryBlocks):
    """A store that counts."""

    def __init__(self, limit: int = 1 << 30) -> None:
        super().__init__(limit)
        self.values: dict[bytes, bytes] = {}
        self.missed = 0

    def get(self, key: bytes, /) -> bytes | None:
        value = super().get(key)
        self.missed += value is None
        return value

    def put(self, key: bytes, value: bytes, /) -> None:
        self.values[key] = value
        super().put(key, value)


def tree(contents: dict[str, bytes], *, forbidden: bool = False) -> Tree:
    made = Tree()
    for path, data in contents.items():
        made.add(File(path=path, content=Digested(data, forbidden)))
    return made


def image(entries: Iterable[Entry], **options: Any) -> bytes:
    out = io.BytesIO()
    write_squashfs(out, entries, **{"mtime": 7, "block_size": BLOCK, **options})
    return out.getvalue()


@pytest.mark.parametrize("compressor", NAMES)
def test_same_bytes_with_and_without(compressor: str) -> None:
    plain = image(tree(CONTENTS), compressor=compressor)
    store = Watched()
    assert image(tree(CONTENTS), compressor=compressor, blocks=store, threads=3) == plain
    store.missed = 0
    again = image(tree(CONTENTS, forbidden=True), compressor=compressor, blocks=store)
    assert (again, store.missed) == (plain, 0)


def test_contents_without_digests_are_known_by_their_bytes() -> None:
    entries = everything()
    assert not any(known_digest(e.content) for e in entries if isinstance(e, File))
    plain = image(entries, level=1)
    store = Watched()
    assert image(entries, level=1, blocks=store) == plain
    store.missed = 0
    assert image(entries, level=1, blocks=store) == plain
    assert store.missed == 0


def test_a_part_that_is_missing_is_made_anew() -> None:
    plain = image(tree(CONTENTS))
    store = Watched()
    image(tree(CONTENTS), blocks=store)
    for key in store.values:
        partly = MemoryBlocks(1 << 30)
        for other, value in store.values.items():
            if other != key:
                partly.put(other, value)
        assert image(tree(CONTENTS), blocks=partly) == plain


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda _: b"\xff",
        lambda value: b"\xff\xff" + value[2:],
        lambda value: value[:-1],
        lambda value: value + b"x",
        lambda _: b"\0\0",
        lambda value: value[:6] + b"\1\0\0\0" + value[10:],
    ],
    ids=["empty", "byte", "count", "cut", "longer", "none", "length"],
)
def test_what_is_no_value_is_passed_over(spoil: Any) -> None:
    store, spoilt = Watched(), MemoryBlocks(1 << 30)
    plain = image(tree(CONTENTS), blocks=store)
    for key, value in store.values.items():
        spoilt.put(key, spoil(value))
    assert image(tree(CONTENTS), blocks=spoilt) == plain


def test_blocks_are_of_one_compressor_level_and_size() -> None:
    store = Watched()
    for options in (
        {"compressor": "zstd", "level": 3},
        {"compressor": "zstd", "level": 4},
        {"compressor": "gzip", "level": 3},
        {"compressor": "zstd", "level": 3, "block_size": 2 * BLOCK},
    ):
        # The last fragment block is the same one, of contents that fit in either size.
        before = len(store.values)
        assert image(tree(CONTENTS), blocks=store, **options) == image(tree(CONTENTS), **options)
        assert len(store.values) - before >= 4


@pytest.mark.parametrize("compressor", NAMES)
def test_identity_is_steady_and_of_the_level(compressor: str) -> None:
    assert identity(compressor, None, BLOCK) == identity(compressor, None, BLOCK)
    assert len({identity(compressor, level, BLOCK) for level in (None, 1, 2)}) == 3
    with pytest.raises(SpecError, match="has the levels"):
        identity(compressor, 99, BLOCK)


def test_no_value_is_longer_than_a_store_takes() -> None:
    store = Watched()
    size = 1 << 20
    entries = {"noise": noise(size, 1), "text": text(size, 2)}
    assert image(tree(entries), block_size=size, blocks=store) == image(
        tree(entries), block_size=size
    )
    assert len(store.values) == 1
    assert max(map(len, store.values.values())) <= MAX_VALUE


def test_memory_is_bounded() -> None:
    store = MemoryBlocks(10)
    store.put(b"a", b"12345678")
    store.put(b"a", b"12345678")
    store.put(b"b", b"123")
    store.put(b"c", b"12")
    assert [store.get(key) for key in (b"a", b"b", b"c")] == [b"12345678", None, b"12"]
    assert store.size == 10


def test_names_tell_parts_and_lists_apart() -> None:
    known = KnownBlocks(MemoryBlocks(100), b"zstd")
    names = {
        known.key(b"part", [b"x"]),
        known.key(b"part", [b"x"], 1),
        known.key(b"par", [b"x"]),
        known.key(b"part", [b"y"]),
        known.key(b"part", [b"x", b"y"]),
        KnownBlocks(MemoryBlocks(100), b"zst").key(b"part", [b"x"]),
    }
    assert len(names) == 6
    known.put(known.key(b"part", [b"x"]), [Block(b"abc", 3, 9)])
    assert known.get(known.key(b"part", [b"x"]), 9) == [Block(b"abc", 3, 9)]
    assert known.get(known.key(b"part", [b"x"]), 8) is None


MODULES: Final = {
    f"R/kernel/{folder}/{number:02}.ko": noise(350 + 17 * number, 100 * place + number)
    for place, folder in enumerate(("drivers/net", "drivers/net-old", "fs", "net"))
    for number in range(8)
}


def without(*left_out: str) -> bytes:
    entries = tree({path: data for path, data in MODULES.items() if path not in left_out})
    sizes = {path: len(MODULES[path]) for path in left_out}
    made = image(entries, left_out=sizes)
    assert dump(SquashfsReader(made).entries()) == dump(entries)
    return made


def fragments(made: bytes) -> list[bytes]:
    return [
        made[start : start + (size & 0xFFFFFF)] for start, size, _ in SquashfsReader(made).fragments
    ]


@pytest.mark.parametrize("path", MODULES)
def test_what_is_left_out_changes_its_own_block_only(path: str) -> None:
    whole, less = fragments(without()), fragments(without(path))
    assert len(set(whole) - set(less)) == 1
    assert len(less) in {len(whole), len(whole) - 1}


def test_a_block_without_files_is_none() -> None:
    whole = fragments(without())
    for count in (13, 22, 31):
        left = fragments(without(*list(MODULES)[:count]))
        assert len(left) < len(whole)
        assert left[1:] == whole[len(whole) - len(left) + 1 :]


def test_left_out_keeps_nothing_where_it_is_no_small_file() -> None:
    entries = tree(MODULES)
    assert image(entries, left_out={"R/a": 0, "R/kernel/b": BLOCK}) == image(entries)


def test_equal_contents_keep_their_room() -> None:
    # The first of two equal files is stored: where it is left out, the other one is.
    twins = dict(MODULES)
    first, *_, last = sorted(twins)
    twins[last] = twins[first]
    with_both = fragments(image(tree(twins)))
    del twins[first]
    with_one = fragments(image(tree(twins), left_out={first: len(MODULES[first])}))
    assert len(with_both) == len(with_one)
    assert sum(a != b for a, b in zip(with_both, with_one, strict=True)) == 2


def test_a_store_takes_only_the_blocks_that_are_new() -> None:
    store = Watched()
    image(tree(MODULES), blocks=store)
    before = len(store.values)
    path = "R/kernel/fs/03.ko"
    less = tree({name: data for name, data in MODULES.items() if name != path})
    image(less, left_out={path: len(MODULES[path])}, blocks=store)
    assert len(store.values) == before + 1


def test_digest_of_a_content_that_has_none() -> None:
    assert known_digest(Bytes(b"x")) is None
    assert known_digest(Digested(b"x")) == hashlib.sha256(b"x").digest()[:16]
    assert isinstance(file("a", b"x").content, Bytes)


def test_of_two_stores_each_has_what_the_other_lacks() -> None:
    small, large = MemoryBlocks(10), MemoryBlocks(1000)
    both = BothBlocks(small, large)
    both.put(b"one", b"1" * 8)
    both.put(b"two", b"2" * 8)
    small.put(b"three", b"3")
    assert [both.get(key) for key in (b"one", b"two", b"three", b"four")] == [
        b"1" * 8,
        b"2" * 8,
        b"3",
        None,
    ]
    assert (small.get(b"two"), large.get(b"two")) == (None, b"2" * 8)
