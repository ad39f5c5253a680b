from __future__ import annotations

import ctypes
import errno
import hashlib
import mmap
import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from rdcompose.kernel import held as held_module
from rdcompose.kernel.held import (
    Held,
    Slabs,
    Store,
    content_digest,
    give_back,
    share_heap,
    unpacked,
)
from rdcompose.tree import Digested, read_all

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("room", [0, 1 << 20], ids=["packed", "plain"])
@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 1000])
def test_content_comes_back_in_pieces(size: int, room: int) -> None:
    data = os.urandom(size)
    held = Store(plain=room).hold(data)
    pieces = list(held.chunks(100))
    assert b"".join(pieces) == data
    assert held.size == size
    assert [len(piece) for piece in pieces[:-1]] == [100] * (len(pieces) - 1)
    assert all(pieces)


def test_threads_do_not_disturb_each_other() -> None:
    contents = [bytes([number]) * 50_000 for number in range(64)]
    store = Store(plain=1_000_000)
    with ThreadPoolExecutor(8) as pool:
        held = list(pool.map(store.hold, contents))
        assert list(pool.map(read_all, held)) == contents


@pytest.mark.parametrize("room", [0, 1 << 20], ids=["packed", "plain"])
@pytest.mark.parametrize("data", [b"", b"module", bytes(100_000)], ids=["none", "short", "long"])
def test_the_digest_is_that_of_the_plain_content(data: bytes, room: int) -> None:
    held = Store(plain=room).hold(data)
    assert isinstance(held, Digested)
    assert held.digest == hashlib.sha256(data).digest()[:16]


def test_what_fits_is_held_as_it_is() -> None:
    store = Store(plain=30)
    contents = [bytes([number]) * 10 for number in range(3)]
    assert [store.hold(data).stored() for data in contents] == [(data, False) for data in contents]


def test_as_more_comes_than_fits_everything_is_packed() -> None:
    store = Store(plain=5_000)
    plain = [store.hold(bytes(1_000)) for _ in range(5)]
    more = [store.hold(bytes(1_000)) for _ in range(2)]
    assert [held.stored()[1] for held in plain] == [False, True, True, True, True]
    more.append(store.hold(bytes(1_000)))
    for held in plain + more:
        stored, packed = held.stored()
        assert packed
        assert len(stored) < 100
        assert unpacked(stored, 1_000) == bytes(1_000)
        assert read_all(held) == bytes(1_000)


def test_held_contents_take_no_more_than_the_room_and_what_is_packed() -> None:
    contents = [bytes(100_000 + number) for number in range(100)]
    # Loads the compressor, which would count where no test before this one has.
    Store(plain=0).hold(b"packed")
    tracemalloc.start()
    try:
        store = Store(plain=1_000_000)
        held = []
        for number in range(100):
            held.append(store.hold(bytes(100_000 + number)))
            # Compressed contents lie outside of Python's memory, and are next to nothing here.
            assert tracemalloc.get_traced_memory()[0] < 1_300_000
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()
    assert [read_all(each) for each in held] == contents


def test_what_is_not_mapped_is_held_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmap, "mmap", mock.Mock(side_effect=OSError(errno.ENOMEM, "")))
    contents = [os.urandom(size) for size in (0, 10, 100_000)]
    store = Store(plain=50)
    assert [read_all(store.hold(data)) for data in contents] == contents


def test_slabs_are_filled_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    take = held_module._memory

    def counted(size: int) -> memoryview:
        sizes.append(size)
        return take(size)

    monkeypatch.setattr(held_module, "_memory", counted)
    monkeypatch.setattr(held_module, "SLAB", 1_000)
    slabs = Slabs()
    contents = [bytes([number % 251 + 1]) * (number % 120 + 1) for number in range(1_000)]
    places = [slabs.put(data) for data in contents]
    large = slabs.put(bytes(500))
    assert [bytes(place) for place in places] == contents
    assert all(place.readonly for place in places)
    assert sizes.pop() == len(large) == 500
    assert set(sizes) == {1_000}
    assert len(sizes) * 1_000 < sum(map(len, contents)) * 1.15


def test_the_digest_is_worked_out_once_for_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counting(data: bytes | memoryview) -> bytes:
        asked.append(data)
        return content_digest(data)

    monkeypatch.setattr("rdcompose.kernel.held.content_digest", counting)
    contents = [Held(os.urandom(200_000)) for _ in range(20)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda held: held.digest, contents * 8))
    assert len(asked) == len(contents)
    assert found == [content_digest(b"".join(held.chunks(1 << 20))) for held in contents] * 8


@pytest.mark.parametrize("function", [share_heap, give_back])
def test_c_libraries_without_these_functions_are_left_alone(
    function: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    function()
