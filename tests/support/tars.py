"""Tar archives of roots."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TIME: Final = 1_700_000_000


def member(name: str, content: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return an entry: a file with a content, or what ``type`` says."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mtime = TIME
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def directory(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return a directory."""
    return member(name, **{"type": tarfile.DIRTYPE, "mode": 0o755, **fields})


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    """Return a symbolic link."""
    return member(name, type=tarfile.SYMTYPE, linkname=target, mode=0o777)


def hardlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    """Return a further name of a file."""
    return member(name, type=tarfile.LNKTYPE, linkname=target)


def tar_bytes(
    members: Iterable[tuple[tarfile.TarInfo, bytes]], *, form: int = tarfile.PAX_FORMAT
) -> bytes:
    """Return an archive."""
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=form, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def write_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], **options: Any) -> Path:
    """Write an archive to a file."""
    path.write_bytes(tar_bytes(members, **options))
    return path
