"""The first difference between two files that should be the same: which part, and where in it.

An initramfs and a modules disk are compared entry by entry, in the order in which they are
stored, so that what differs has a name. Only if all of that is the same is it the packing.
"""

from __future__ import annotations

import contextlib
import dataclasses
from itertools import zip_longest
from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats.pe import content_of, is_pe, read_pe
from rdcompose.formats.qcow2_reader import is_qcow2, open_qcow2
from rdcompose.formats.squashfs.reader import SquashfsImage
from rdcompose.inspect.initramfs import initramfs_entries, is_initramfs
from rdcompose.tree import File

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rdcompose.tree import Content, Entry

_PIECE: Final = 1 << 20
_START: Final = 4096
_SQUASHFS: Final = b"hsqs"
_INITRD: Final = ".initrd"


def first_difference(first: Path, second: Path) -> str | None:
    """Say where the second file differs from the first, ``None`` if it does not.

    :raises SpecError: one cannot be read.
    """
    with contextlib.ExitStack() as stack:
        files = [_opened(path, stack) for path in (first, second)]
        offset = _stream_offset(*files)
        if offset is None:
            return None
        try:
            inner = _inner(*files)
        except (FormatError, UnsupportedError) as error:
            inner = f"what is in it cannot be compared: {error.message}"
        at = f"byte {offset}"
        return at if inner is None else f"{inner} (of the file: {at})"


def _opened(path: Path, stack: contextlib.ExitStack) -> BinaryIO:
    try:
        return stack.enter_context(path.open("rb"))
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error


def _stream_offset(first: BinaryIO, second: BinaryIO) -> int | None:
    """Return the offset of the first byte that differs, or at which one ends."""
    position = 0
    while True:
        pieces = first.read(_PIECE), second.read(_PIECE)
        if pieces[0] != pieces[1]:
            return position + _offset(*pieces)
        if not pieces[0]:
            return None
        position += len(pieces[0])


def _offset(first: bytes, second: bytes) -> int:
    """Return where two texts that differ begin to."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[:middle] == second[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _inner(first: BinaryIO, second: BinaryIO) -> str | None:
    """Say which part differs; ``None`` where a file has none that are known."""
    one, other = _entries(first), _entries(second)
    if one is None or other is None:
        return None
    for left, right in zip_longest(one, other):
        if left is None:
            return f"/{right.path} is there, too"
        if right is None:
            return f"/{left.path} is not there"
        if (found := _of_entries(left, right)) is not None:
            return found
    return "the same files, with other times or packed differently"


def _entries(source: BinaryIO) -> Iterator[Entry] | None:
    source.seek(0)
    start = source.read(_START)
    if is_qcow2(start) or start.startswith(_SQUASHFS):
        return SquashfsImage(open_qcow2(source) if is_qcow2(start) else source).entries()
    source.seek(0)
    data = source.read()
    if is_pe(data) and (section := read_pe(data).section(_INITRD)) is not None:
        data = content_of(data, section)
    return initramfs_entries(data) if is_initramfs(data) else None


def _of_entries(first: Entry, second: Entry) -> str | None:
    if first.path != second.path:
        return f"/{second.path} is where /{first.path} was"
    if isinstance(first, File) and isinstance(second, File):
        if (offset := _content_offset(first.content, second.content)) is not None:
            return f"/{first.path}, byte {offset} of its content"
        second = dataclasses.replace(second, content=first.content)
    return None if first == second else f"/{first.path}, its kind, mode, owner or target"


def _content_offset(first: Content, second: Content) -> int | None:
    position = 0
    for left, right in zip_longest(first.chunks(_PIECE), second.chunks(_PIECE), fillvalue=b""):
        if left != right:
            return position + _offset(left, right)
        position += len(left)
    return None
