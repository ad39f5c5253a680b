"""Small files of the cache: documents by key, and how new each archive was when last seen.

A document and what is known about it (its ETag, say) are one file, so that they cannot part::

    SHA-256 of all that follows, in hex; a line feed
    {"key": ..., "meta": {...}}, a line feed
    the document
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from datetime import datetime
from typing import TYPE_CHECKING

from rdcompose.archive.cache_files import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rdcompose.archive.cache_files import CacheDirectory


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """A small file and what is known about it."""

    data: bytes
    meta: Mapping[str, str]


class Documents:
    """The documents in a cache; its methods raise what the file system does."""

    def __init__(self, directory: CacheDirectory) -> None:
        self._directory = directory
        self._documents = directory.path / "documents"
        self._newest = directory.path / "newest"

    def get(self, key: str) -> Document | None:
        """Return a document, marked as used; ``None`` if there is none or it is damaged."""
        path = self._documents / _file_name(key)
        content = _read(path)
        if content is None or (found := _decode(content)) is None or found[0] != key:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return found[1]

    def put(self, key: str, document: Document) -> None:
        """Keep a document, in the place of an earlier one."""
        with self._directory.changing():
            self._directory.replace(self._documents / _file_name(key), _encode(key, document))

    def files(self) -> Iterator[tuple[str, Path]]:
        """Yield key and file of each document; the key of a damaged one is empty."""
        for path in listed(self._documents):
            found = _decode(_read(path) or b"")
            yield ("" if found is None else found[0]), path

    def newest(self, key: str) -> datetime | None:
        """Return what :meth:`note_newest` was told last."""
        content = _read(self._newest / _file_name(key))
        found = None if content is None else _decode(content)
        if found is None or found[0] != key:
            return None
        return datetime.fromisoformat(found[1].meta["date"])

    def note_newest(self, key: str, date: datetime) -> None:
        """Remember a date, unless a later one is known."""
        if not self._is_newer(key, date):
            return
        with self._directory.changing():
            # Another process may have noted a later one since.
            if self._is_newer(key, date):
                note = Document(b"", {"date": date.isoformat()})
                self._directory.replace(self._newest / _file_name(key), _encode(key, note))

    def _is_newer(self, key: str, date: datetime) -> bool:
        known = self.newest(key)
        return known is None or date > known


def _file_name(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _encode(key: str, document: Document) -> bytes:
    head = json.dumps({"key": key, "meta": dict(document.meta)}).encode()
    body = head + b"\n" + document.data
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _decode(content: bytes) -> tuple[str, Document] | None:
    """Return key and document; ``None`` if the file is not as it was written."""
    digest, _, body = content.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return None
    line, _, data = body.partition(b"\n")
    head = json.loads(line)
    return head["key"], Document(data, head["meta"])
