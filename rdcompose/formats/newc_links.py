"""Entries of a newc archive as they come, with the content of hard links at each of their names.

One of the names has the content in the archive and the others have none: GNU cpio and libarchive
give it to the last, others to the first; the kernel takes both (``maybe_link`` in
init/initramfs.c). What waits for a content is held back, with what comes behind it, and contents
are kept for names to come; both up to a bound, which only archives made for it reach.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError
from rdcompose.formats.newc import MAX_KEPT, REGULAR, Archive, Record, make_entry, plain_path
from rdcompose.tree import Bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.formats.newc import Body
    from rdcompose.tree import Content, Entry

_MAX_HELD: Final = 4096
_EMPTY: Final = Bytes(b"")


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """An entry, and the header that it is from."""

    entry: Entry
    record: Record


def members(archive: Archive, *, keep: bool = False) -> Iterator[Member]:
    """Yield what an archive holds, the root left out.

    Contents can be read until the next entry is asked for, or, to ``keep``, always; then each
    is in memory.

    :raises FormatError: it is damaged, or an entry has a hostile name.
    """
    for record, content in _Links(archive).run():
        path = plain_path(record.name)
        if path:
            kept = Bytes(b"".join(content.chunks(MAX_KEPT))) if keep else content
            yield Member(make_entry(path, record, kept), record)


class _Links:
    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        # In order; those without a content wait for it.
        self._held: collections.deque[tuple[Record, Content | None]] = collections.deque()
        self._held_size = 0
        self._known: dict[object, Bytes] = {}
        self._known_size = 0
        # How many names of a file are still to come.
        self._left: dict[object, int] = {}
        # Whose content is not kept any more, and whose names went out without one.
        self._lost: set[object] = set()
        self._empty: set[object] = set()

    def run(self) -> Iterator[tuple[Record, Content]]:
        for record, body in self._archive.records():
            content = self._content(record, body)
            if content is body and not self._held:
                yield record, body
                continue
            if content is body:
                if body.size > MAX_KEPT:
                    yield from self._release(0)
                    yield record, body
                    continue
                content = Bytes(body.read())
            self._held.append((record, content))
            self._held_size += record.data_size
            yield from self._release(_MAX_HELD)
        yield from self._release(0)

    def _content(self, record: Record, body: Body) -> Content | None:
        key = record.link_key
        if key is None or record.file_type != REGULAR:
            return body
        self._left.setdefault(key, record.nlink)
        if not record.data_size:
            if key in self._lost:
                raise _far(record)
            return _EMPTY if key in self._empty else self._known.get(key)
        if key in self._empty:
            raise _far(record)
        if record.data_size > MAX_KEPT:
            self._lost.add(key)
            return body
        return self._keep(key, Bytes(body.read()))

    def _keep(self, key: object, content: Bytes) -> Bytes:
        self._drop(key)
        self._known[key] = content
        self._known_size += content.size
        while self._known_size > MAX_KEPT:
            oldest = next(iter(self._known))
            self._lost.add(oldest)
            self._drop(oldest)
        return content

    def _drop(self, key: object) -> None:
        old = self._known.pop(key, _EMPTY)
        self._known_size -= old.size

    def _release(self, room: int) -> Iterator[tuple[Record, Content]]:
        """Give out what waits for nothing, and what there is no room for."""
        while self._held:
            record, content = self._held[0]
            key = record.link_key
            content = content or self._known.get(key)
            if content is None:
                if len(self._held) <= room and self._held_size <= MAX_KEPT:
                    return
                self._empty.add(key)
            self._held.popleft()
            self._held_size -= record.data_size
            yield record, content or _EMPTY
            self._forget(key)

    def _forget(self, key: object) -> None:
        if key in self._left:
            self._left[key] -= 1
            if self._left[key] <= 0:
                # The number may come again, for another file.
                del self._left[key]
                self._drop(key)


def _far(record: Record) -> FormatError:
    return FormatError(
        f"the hard link {record.name!r} in the cpio archive lies too far from its content"
    )
