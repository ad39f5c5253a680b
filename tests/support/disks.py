"""What a modules disk holds, by a reader that others wrote."""

from __future__ import annotations

import io

from PySquashfsImage import SquashFsImage

# Where the payload of our qcow2 images begins.
QCOW2_DATA = 65536


def disk_files(squashfs: bytes) -> dict[str, bytes]:
    """Return the regular files of a squashfs image, by path."""
    with SquashFsImage(io.BytesIO(squashfs)) as image:
        return {
            entry.path.removeprefix("/"): image.read_file(entry.inode)
            for entry in image
            if entry.is_file
        }
