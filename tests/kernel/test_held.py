from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from rdcompose.kernel.held import Held
from rdcompose.tree import Digested, read_all


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 1000])
def test_content_comes_back_in_pieces(size: int) -> None:
    data = os.urandom(size)
    held = Held(data)
    pieces = list(held.chunks(100))
    assert b"".join(pieces) == data
    assert held.size == size
    assert [len(piece) for piece in pieces[:-1]] == [100] * (len(pieces) - 1)
    assert all(pieces)


def test_threads_do_not_disturb_each_other() -> None:
    contents = [bytes([number]) * 50_000 for number in range(64)]
    with ThreadPoolExecutor(8) as pool:
        held = list(pool.map(Held, contents))
        assert list(pool.map(read_all, held)) == contents


@pytest.mark.parametrize("data", [b"", b"module", bytes(100_000)], ids=["none", "short", "long"])
def test_the_digest_is_that_of_the_plain_content(data: bytes) -> None:
    held = Held(data)
    assert isinstance(held, Digested)
    assert held.digest == hashlib.sha256(data).digest()[:16]
