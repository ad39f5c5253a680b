from __future__ import annotations

import io

import pytest

from rdcompose.formats.filesystem import kinds_of_image


@pytest.mark.parametrize(
    ("offset", "magic", "kind"),
    [
        (0, b"XFSB", "xfs"),
        (1080, b"\x53\xef", "ext4"),
        (1024, b"\x10\x20\xf5\xf2", "f2fs"),
        (1024, b"\xe2\xe1\xf5\xe0", "erofs"),
        (65600, b"_BHRfS_M", "btrfs"),
    ],
)
def test_filesystems_are_told_by_their_magic(offset: int, magic: bytes, kind: str) -> None:
    assert kind in kinds_of_image(io.BytesIO(bytes(offset) + magic))
    assert kinds_of_image(io.BytesIO(bytes(offset + 1) + magic)) == ()


def test_empty_image_is_nothing() -> None:
    assert kinds_of_image(io.BytesIO()) == ()
