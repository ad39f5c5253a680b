from __future__ import annotations

import bz2
import lzma
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.ikconfig import embedded_config
from tests.support.images import banner, gzipped, make_arm64, make_bzimage, make_zboot, make_zimage
from tests.support.raspberry import ikconfig

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "CONFIG_IKCONFIG=y\n"
INSIDE = banner() + b"IKCFG_ST not here" + ikconfig(TEXT)
IMAGES: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda inside: make_arm64(text=inside),
    "Image.gz": lambda inside: gzipped(make_arm64(text=inside)),
    "zImage": lambda inside: make_zimage(gzipped(inside)),
    "zImage with xz": lambda inside: make_zimage(lzma.compress(inside)),
    "zboot": lambda inside: make_zboot(gzipped(make_arm64(text=inside))),
    "bzImage": lambda inside: make_bzimage(payload=bz2.compress(inside)),
}


@pytest.mark.parametrize("name", IMAGES)
def test_inside_of_kernels(name: str) -> None:
    assert embedded_config(IMAGES[name](INSIDE)) == TEXT.encode()
    assert embedded_config(IMAGES[name](banner())) is None


def test_mark_that_a_compressor_left_as_it_is() -> None:
    packed = gzipped(INSIDE)
    assert embedded_config(b"IKCFG_ST\x1f\x8b\x08 in a literal" + packed) == TEXT.encode()


def test_damaged() -> None:
    data = bytearray(INSIDE)
    data[-20:] = bytes(20)
    with pytest.raises(FormatError, match="gzip"):
        embedded_config(bytes(data))
    with pytest.raises(FormatError, match="cut"):
        embedded_config(INSIDE[:-20])


def test_one_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdcompose.formats.ikconfig._MAX_SIZE", 1000)
    with pytest.raises(FormatError, match="over 1000 bytes"):
        embedded_config(ikconfig("x" * 1001))
