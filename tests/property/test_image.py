"""Whatever the bytes: a kernel image is read, or refused as one."""

from __future__ import annotations

import lzma
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.image import read_image
from rdcompose.formats.image_payload import compression_at, unpack
from tests.support import images

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGES = {
    "bzimage": images.make_bzimage(),
    "arm64": images.make_arm64(),
    "riscv": images.make_riscv(),
    "loongarch": images.make_loongarch(),
    "zimage": images.make_zimage(lzma.compress(images.banner(), preset=0)),
    "zboot": images.make_zboot(images.gzipped(images.banner())),
    "vmlinux": images.make_vmlinux(),
    "gzip": images.gzipped(images.make_arm64()),
}
PATCHES = st.lists(st.tuples(st.integers(0, 0x310), st.binary(min_size=1, max_size=8)), max_size=4)


def attempt(read: Callable[[], object]) -> None:
    try:
        read()
    except (FormatError, UnsupportedError) as error:
        # One line that a person can read, however long or odd the input.
        assert "\n" not in error.message  # noqa: PT017 - refusing is one of two good ends
        assert len(error.message) < 300  # noqa: PT017


@pytest.mark.parametrize("name", IMAGES)
@settings(max_examples=60, deadline=None)
@given(patches=PATCHES, end=st.integers(0, 400))
def test_damaged_images(name: str, patches: list[tuple[int, bytes]], end: int) -> None:
    data = bytearray(IMAGES[name])
    for offset, value in patches:
        data[offset : offset + len(value)] = value
    attempt(lambda: read_image(bytes(data[: len(data) - end])))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=700))
def test_any_bytes(data: bytes) -> None:
    attempt(lambda: read_image(data))


MAGICS = [b"\xfd7zXZ\0", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"BZh9", b"\x02\x21\x4c\x18"]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*MAGICS, b"\x5d\0\0\x80\0" + b"\xff" * 8]), st.binary(max_size=200))
def test_any_payload(magic: bytes, rest: bytes) -> None:
    data = magic + rest
    name = compression_at(data, 0)
    assert name is not None
    attempt(lambda: sum(map(len, unpack(data, 0, name, limit=1 << 24))))
