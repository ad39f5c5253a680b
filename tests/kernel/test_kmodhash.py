from __future__ import annotations

import random

import pytest

from rdcompose.kernel.kmodhash import hash_order, superfast


# The comparison with kmod is in tests/reference; these only pin all lengths of the rest.
@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"", 0x00000000),
        (b"a", 0x115EA782),
        (b"ab", 0x516B8B44),
        (b"abc", 0xD2BE198A),
        (b"abcd", 0xDAD8B8DB),
        (b"abcde", 0x51ED072E),
        (b"abcdef", 0x963B9DDA),
        (b"abcdefg", 0xF071C3ED),
        (b"virtio_blk", 0x9ADDA8B8),
        (b"\xff\xff\xff", 0x53FA1213),
    ],
)  # fmt: skip
def test_all_lengths(key: bytes, value: int) -> None:
    assert superfast([key]) == (value,)


@pytest.mark.parametrize("size", range(24))
def test_keys_do_not_disturb_each_other(size: int) -> None:
    source = random.Random(size)
    keys = [bytes([255]) * size, bytes(size), *(source.randbytes(size) for _ in range(50))]
    assert superfast(keys) == tuple(superfast([key])[0] for key in keys)


def test_the_hash_has_32_bits() -> None:
    assert all(superfast([bytes([255]) * size])[0] < 1 << 32 for size in range(40))


def test_a_mask_keeps_the_low_bits() -> None:
    keys = [b"virtio_net", b"virtio_blk"]
    assert superfast(keys, 0xFF) == tuple(value & 0xFF for value in superfast(keys))


def test_order_is_by_bucket_and_then_by_name() -> None:
    names = [f"symbol_{number}" for number in range(200)]
    ordered = hash_order(reversed(names), 8)
    assert sorted(ordered) == sorted(names)
    assert ordered == sorted(names, key=lambda name: (superfast([name.encode()])[0] % 8, name))
    assert ordered != sorted(names)


def test_one_bucket_sorts_by_bytes() -> None:
    assert hash_order(["\udcff", "ü", "b", "a"], 1) == ["a", "b", "ü", "\udcff"]


def test_nothing_has_an_order() -> None:
    assert hash_order([], 512) == []
