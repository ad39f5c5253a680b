"""Where the bytes of an image are, whoever made it.

Two answers are given for each part, because compression makes them different. Its *share*
is what it adds while the whole is compressed from the first file to the last, so shares add up to
the file. What it *saves* is what the file would lose without it (:mod:`rdcompose.inspect.savings`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats import cpio, newc
from rdcompose.formats.compression import ShareMeter
from rdcompose.formats.qcow2_reader import is_qcow2, open_qcow2
from rdcompose.formats.squashfs.reader import SquashfsImage
from rdcompose.inspect.artifact import Kind as FileKind
from rdcompose.inspect.filekinds import AS_DISKS, RECORDS, Kind, kind_of
from rdcompose.inspect.hardlinks import HardLinks
from rdcompose.inspect.placing import Damage
from rdcompose.inspect.savings import savings
from rdcompose.tree import Directory, File, Symlink, encode_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rdcompose.inspect.opened import Opened
    from rdcompose.inspect.walks import Located
    from rdcompose.inspect.walks import Part as Piece
    from rdcompose.tree import Entry

# The level at which shares are found, whatever the file is compressed with; of large files it
# would take most of the time, and there a faster one tells as much.
_LEVEL: Final = 9
_FAST_LEVEL: Final = 3
_LARGE: Final = 16 << 20
_CHUNK: Final = 1 << 20
# A Debian with a desktop has as many; an initramfs a hundredth.
_MAX_ENTRIES: Final = 1 << 18
_PLAIN: Final = "none"
_START: Final = 512
_MAGIC: Final = 4
# Of these files the saving is measured, which takes a compression of the whole for each; not of
# more than come to this many bytes together.
_MEASURED: Final = 12
_MEASURED_BYTES: Final = 200_000_000
_KERNEL_SECTION: Final = ".linux"
_NO_FILES: Final = frozenset({Kind.LINKS, Kind.TABLES})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file, or files together; sizes in bytes.

    ``size`` is what it has unpacked, with headers and names; ``saves`` is ``None`` where it was
    not measured. ``group`` is the subsystem of a module, the directory of firmware, else empty.
    """

    name: str
    kind: Kind
    group: str
    files: int
    size: int
    share: int
    saves: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """A file taken apart: ``size`` as it is stored, ``plain`` unpacked.

    ``kinds`` add up to the whole; ``groups`` are those of the files, and ``parts`` the files
    themselves, largest share first. ``unread`` are files whose content could not be read.
    """

    compression: str
    size: int
    plain: int
    kinds: tuple[Part, ...]
    groups: tuple[Part, ...]
    parts: tuple[Part, ...]
    unread: tuple[Damage, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    """An entry, or another piece of a file, with what it takes of the ``piece`` it lies in.

    ``files`` is 0 for directories; ``share`` is in bytes, not rounded, once it was scaled.
    """

    path: str
    kind: Kind
    group: str
    files: int
    size: int
    share: float
    piece: int = 0


def weigh(
    image: Opened, *, measure: bool = False, level: int | None = None, threads: int = 1
) -> Weight:
    """Take an image apart; what lies behind damage is not there: see ``problem`` of the image.

    With ``measure`` it is found out, too, what is saved without the kinds and the largest files
    of an initramfs; ``level`` is that of its compressor, ``None`` for the usual one.

    :raises FormatError: a disk is damaged.
    :raises UnsupportedError: it is packed with what is not unpacked here.
    """
    if image.kind is FileKind.DISK and image.filesystem == "squashfs":
        return _weigh_squashfs(image.path)
    weighing = _Weighing(image)
    rows = weighing.run()
    saved: dict[str, int] = {}
    if measure and image.kind is FileKind.INITRAMFS and image.problem is None:
        # What we would not write, cannot be compared.
        with contextlib.suppress(SpecError):
            saved = savings(image, _measured(rows), level, threads)
    named = [piece.compression for piece in image.parts if piece.entries] or [_PLAIN]
    return _weight(
        rows,
        compression=" + ".join(named),
        size=image.size or round(sum(row.share for row in rows)),
        saved=saved,
        unread=tuple(weighing.unread),
    )


def _measured(rows: Sequence[_Row]) -> dict[str, frozenset[str]]:
    """Return what is left out at a time: paths by the name of the kind, or of the largest files."""
    kinds: dict[str, set[str]] = {}
    files = sorted((row for row in rows if row.kind is not Kind.LINKS), key=lambda row: -row.share)
    for row in files:
        kinds.setdefault(row.kind, set()).add(row.path)
    groups = [*kinds.items(), *((row.path, {row.path}) for row in files[:_MEASURED])]
    affordable = _MEASURED_BYTES // max(1, sum(row.size for row in rows))
    return {name: frozenset(paths) for name, paths in groups[:affordable]}


class _Weighing:
    """A walk through an image, on which each entry is weighed."""

    def __init__(self, image: Opened) -> None:
        self._image = image
        self._records = image.kind in RECORDS
        self._level = _FAST_LEVEL if image.size > _LARGE else _LEVEL
        self._meters: dict[int, ShareMeter | None] = {}
        self._links = HardLinks()
        self.unread: list[Damage] = []

    def run(self) -> list[_Row]:
        rows: list[_Row] = []
        for located in self._image.entries():
            if len(rows) == _MAX_ENTRIES:
                why = f"no more than {_MAX_ENTRIES} entries are weighed"
                self.unread.append(Damage(located.entry.path, why))
                break
            rows.append(self._row(located))
        pieces = self._image.parts
        taken = [0.0] * len(pieces)
        for row in rows:
            taken[row.piece] += row.share
        scales = [
            1.0
            if piece.size is None or piece.compression == _PLAIN
            else piece.size / max(1.0, total)
            for piece, total in zip(pieces, taken, strict=True)
        ]
        return [
            *(dataclasses.replace(row, share=row.share * scales[row.piece]) for row in rows),
            *_without_entries(pieces),
            *self._rest(sum(taken)),
        ]

    def _rest(self, taken: float) -> Iterator[_Row]:
        """Yield what of a filesystem is nobody's."""
        if self._image.kind in AS_DISKS and self._image.problem is None:
            yield _tables(self._image.size - taken)

    def _row(self, located: Located) -> _Row:
        entry = located.entry
        reading = _Reading(entry)
        meter = self._meter(located.part)
        again = self._is_known(located)
        size = self._size(entry, again=again)
        if meter is None or again:
            next(iter(reading), b"")
        if meter is None:
            share = float(size)
        else:
            # A further name of a file is a header and no more.
            content: Iterable[bytes] = () if again else reading
            share = meter.add(itertools.chain([_header(entry)], content))
        if reading.broken is not None:
            self.unread.append(Damage(entry.path, reading.broken))
        kind, group = kind_of(entry, reading.start, self._image.kind)
        return _Row(
            path=entry.path,
            kind=kind,
            group=group,
            files=int(not isinstance(entry, Directory)),
            size=size,
            share=share,
            piece=located.part,
        )

    def _meter(self, number: int) -> ShareMeter | None:
        """Return what weighs the entries of a compressed piece."""
        if number not in self._meters:
            plain = self._image.parts[number].compression == _PLAIN
            self._meters[number] = None if plain else ShareMeter(self._level)
        return self._meters[number]

    def _is_known(self, located: Located) -> bool:
        """Whether the file was there under another name."""
        entry = located.entry
        if not isinstance(entry, File):
            return False
        if self._links.other_name(entry, located) is not None:
            return True
        self._links.forget(entry.path)
        self._links.note(entry.path, entry, located)
        return False

    def _size(self, entry: Entry, *, again: bool) -> int:
        size = entry.content.size if isinstance(entry, File) and not again else 0
        if not self._records:
            return size
        target = encode_name(entry.target) if isinstance(entry, Symlink) else b""
        return cpio.record_size(entry.path, size + len(target))


class _Reading:
    """The content of an entry as it goes by; ``broken`` says why it could not all be read."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self.start = b""
        self.broken: str | None = None

    def __iter__(self) -> Iterator[bytes]:
        if not isinstance(self._entry, File):
            return
        try:
            for data in self._entry.content.chunks(_CHUNK):
                self.start = self.start or data[:_MAGIC]
                yield data
        except (FormatError, UnsupportedError, SpecError) as error:
            self.broken = error.message


def _header(entry: Entry) -> bytes:
    """Return what compresses as the header of an entry does."""
    path = encode_name(entry.path)
    target = encode_name(entry.target) if isinstance(entry, Symlink) else b""
    size = entry.content.size if isinstance(entry, File) else 0
    return b"%s%08X%080X%08X" % (newc.MAGIC, entry.mode, size, len(path)) + path + b"\0" + target


def _without_entries(pieces: Sequence[Piece]) -> Iterator[_Row]:
    """Yield the pieces that nothing lies in: a kernel, and what else is in an EFI program."""
    for number, piece in enumerate(pieces):
        if not piece.entries and piece.size is not None:
            kind = Kind.KERNEL if piece.label == _KERNEL_SECTION else Kind.STUB
            yield _Row(piece.label, kind, "", 1, piece.unpacked or piece.size, piece.size, number)


def _tables(size: float) -> _Row:
    return _Row("", Kind.TABLES, "", 0, round(size), size)


def _weigh_squashfs(path: Path) -> Weight:
    """Take a disk apart; nothing is unpacked for it but its tables."""
    with path.open("rb") as source:
        start = source.read(_START)
        image = SquashfsImage(open_qcow2(source) if is_qcow2(start) else source)
        rows = []
        for entry, stored in image.stored_sizes():
            kind, group = kind_of(entry, b"", FileKind.DISK)
            size = entry.content.size if isinstance(entry, File) else 0
            files = int(not isinstance(entry, Directory))
            rows.append(_Row(entry.path, kind, group, files, size, stored))
    tables = image.size - sum(int(row.share) for row in rows)
    rows.append(_tables(tables))
    return _weight(rows, compression=image.compressor, size=image.size)


def _weight(
    rows: Sequence[_Row],
    *,
    compression: str,
    size: int,
    saved: Mapping[str, int] | None = None,
    unread: tuple[Damage, ...] = (),
) -> Weight:
    saves = saved or {}
    kinds: dict[Kind, list[_Row]] = {}
    groups: dict[tuple[Kind, str], list[_Row]] = {}
    parts: dict[tuple[Kind, str], list[_Row]] = {}
    for row in rows:
        kinds.setdefault(row.kind, []).append(row)
        if row.kind not in _NO_FILES:
            groups.setdefault((row.kind, row.group), []).append(row)
            # What is stored twice, in two pieces, is one file.
            parts.setdefault((row.kind, row.path), []).append(row)
    return Weight(
        compression=compression,
        size=size,
        plain=sum(row.size for row in rows),
        kinds=_sorted(_together(kind, found, saves.get(kind)) for kind, found in kinds.items()),
        groups=_sorted(_together(name or kind, found) for (kind, name), found in groups.items()),
        parts=_sorted(
            _together(path, found, saves.get(path)) for (_, path), found in parts.items()
        ),
        unread=unread,
    )


def _together(name: str, rows: Sequence[_Row], saves: int | None = None) -> Part:
    groups = {row.group for row in rows}
    return Part(
        name=name,
        kind=rows[0].kind,
        group=groups.pop() if len(groups) == 1 else "",
        files=sum(row.files for row in rows),
        size=sum(row.size for row in rows),
        share=round(sum(row.share for row in rows)),
        saves=saves,
    )


def _sorted(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: (-part.share, part.name)))
