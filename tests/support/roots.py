"""Root directories with installed kernels, of the files of packages."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from rdcompose.formats.deb import Deb, Kind

if TYPE_CHECKING:
    from pathlib import Path


def unpack(deb: bytes, root: Path) -> None:
    """Put the files of a package below a root, with their times."""
    for member in Deb.open(io.BytesIO(deb)).members():
        path = root / member.path
        if member.kind is Kind.FILE:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(member.content)
            os.utime(path, (member.mtime, member.mtime))
