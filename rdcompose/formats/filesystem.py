"""Which filesystem an image holds, by its magic number."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Collection

# Offset and bytes of the magic, and the names that /proc/mounts may have for it.
_MAGICS: Final = (
    (0, b"hsqs", ("squashfs",)),
    (0, b"XFSB", ("xfs",)),
    (1024 + 56, b"\x53\xef", ("ext2", "ext3", "ext4")),
    (1024, b"\x10\x20\xf5\xf2", ("f2fs",)),
    (1024, b"\xe2\xe1\xf5\xe0", ("erofs",)),
    (65536 + 64, b"_BHRfS_M", ("btrfs",)),
)


def kinds_of_image(image: BinaryIO) -> Collection[str]:
    """Return the types as which an image can be mounted; nothing if that is not known.

    An image with a partition table or in a format of its own (qcow2) is not known.
    """
    for offset, magic, names in _MAGICS:
        image.seek(offset)
        if image.read(len(magic)) == magic:
            return names
    return ()
