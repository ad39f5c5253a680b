"""Where the bytes of an initramfs and of a modules disk are.

Two answers are given for each part, because compression makes them different. Its *share*
is what it adds while the whole is compressed from the first file to the last, so shares add up to
the file. What it *saves* is what the file would lose without it: less where others hold the same
code, as static programs do.
"""

from __future__ import annotations

import dataclasses
import enum
import io
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.formats import compression, cpio
from rdcompose.formats.executable import is_elf
from rdcompose.formats.squashfs.reader import SquashfsImage
from rdcompose.inspect.contents import examine, module_place
from rdcompose.inspect.initramfs import MAX_UNPACKED, archive_entries
from rdcompose.kernel.module import modname
from rdcompose.kernel.moduletree import plain_module_path
from rdcompose.tree import Directory, File, Symlink, read_all

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from rdcompose.tree import Entry

# Of these the saving is measured, which takes a compression of the whole for each.
_MEASURED: Final = 12
# The level at which shares are found, whatever the file is compressed with.
_LEVEL: Final = 9
_PLAIN: Final = "none"
_FIRMWARE: Final = re.compile(r"(?:usr/)?lib/firmware/.+")
_MICROCODE: Final = re.compile(r"kernel/.+")
# A subsystem: drivers/net, fs/btrfs, net.
_SUBSYSTEM: Final = re.compile(r"(?:[^/]*/)?(?:drivers|fs|arch|sound)/[^/]+|(?:[^/]+/)?[^/]+")


class Kind(enum.StrEnum):
    """What a file is for."""

    MODULES = "modules"
    INDEXES = "indexes"
    PROGRAMS = "programs"
    FIRMWARE = "firmware"
    MICROCODE = "microcode"
    INIT = "init and settings"
    LINKS = "links and directories"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file, or files together; sizes in bytes.

    ``size`` is what it has unpacked, with headers and names; ``saves`` is ``None`` where it was
    not measured.
    """

    name: str
    kind: Kind
    files: int
    size: int
    share: int
    saves: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """A file taken apart: ``size`` as it is stored, ``plain`` unpacked.

    ``kinds`` add up to the whole; ``parts`` are files of an initramfs, or subsystems of a disk,
    largest share first.
    """

    compression: str
    size: int
    plain: int
    kinds: tuple[Part, ...]
    parts: tuple[Part, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    """An entry with what it takes; ``share`` is not rounded yet."""

    entry: Entry
    kind: Kind
    size: int
    share: float


def weigh_initramfs(data: bytes, *, level: int | None = None, threads: int = 1) -> Weight:
    """Take an initramfs apart, whoever made it; ``level`` is that of its compressor, if known.

    :raises FormatError: it is none, or damaged.
    :raises UnsupportedError: it is packed with what is not unpacked here.
    """
    rows: list[_Row] = []
    saved: dict[str, int] = {}
    names = []
    for segment in cpio.segments(data, limit=MAX_UNPACKED):
        names.append(segment.compression)
        # As the kernel unpacks them: through links, later ones over earlier ones.
        entries = tuple(examine(archive_entries(segment.data), disk=False).tree)
        taken = _Packed(entries, segment.compression, level, segment.size)
        rows += taken.rows()
        saved |= taken.savings(threads)
    return Weight(
        compression=" + ".join(names),
        size=len(data),
        plain=sum(row.size for row in rows),
        kinds=_kinds(rows, saved),
        parts=_sorted(
            _together(row.entry.path, row.kind, [row], saved.get(row.entry.path))
            for row in rows
            if isinstance(row.entry, File)
        ),
    )


def weigh_disk(source: BinaryIO) -> Weight:
    """Take a squashfs image apart; nothing is unpacked for it but its tables.

    :raises FormatError: it is none, or damaged.
    :raises UnsupportedError: its compressor is not handled.
    """
    image = SquashfsImage(source)
    rows = [
        _Row(entry, _kind(entry, disk=True), _size(entry), stored)
        for entry, stored in image.stored_sizes()
    ]
    tables = image.size - sum(int(row.share) for row in rows)
    groups: dict[tuple[str, Kind], list[_Row]] = {}
    for row in rows:
        if isinstance(row.entry, File):
            groups.setdefault((_subsystem(row.entry.path), row.kind), []).append(row)
    kinds = [*_kinds(rows, {})]
    kinds.append(Part(name="tables", kind=Kind.LINKS, files=0, size=tables, share=tables))
    return Weight(
        compression=image.compressor,
        size=image.size,
        plain=sum(row.size for row in rows),
        kinds=_sorted(kind for kind in kinds if kind.share),
        parts=_sorted(_together(name, kind, found) for (name, kind), found in groups.items()),
    )


class _Packed:
    """The entries of a segment, written and compressed as here, to compare with less."""

    def __init__(
        self, entries: tuple[Entry, ...], packer: str, level: int | None, stored: int
    ) -> None:
        self._entries = entries
        self._packer = packer
        self._level = level
        self._stored = stored
        self._rows: list[_Row] = []

    def rows(self) -> list[_Row]:
        """Return the entries with their shares of what is stored."""
        plain = self._written(())
        pieces = []
        position = 0
        for entry in self._entries:
            size = _size(entry)
            pieces.append(plain[position : position + size])
            position += size
        shares = [*map(len, pieces)]
        if self._packer != _PLAIN:
            shares = compression.shares(pieces, _LEVEL)
        scale = self._stored / max(1, sum(shares))
        self._rows = [
            _Row(entry, _kind(entry, disk=False), len(piece), share * scale)
            for entry, piece, share in zip(self._entries, pieces, shares, strict=True)
        ]
        return self._rows

    def savings(self, threads: int) -> dict[str, int]:
        """Return by how much less the whole is without each kind, and each of the largest files."""
        groups: dict[str, set[str]] = {}
        files = [row for row in self._rows if isinstance(row.entry, File)]
        for row in files:
            groups.setdefault(row.kind, set()).add(row.entry.path)
        for row in sorted(files, key=lambda row: -row.share)[:_MEASURED]:
            groups[row.entry.path] = {row.entry.path}
        with ThreadPoolExecutor(threads) as pool:
            whole, *others = pool.map(self._packed_size, [set[str](), *groups.values()])
        return {name: whole - other for name, other in zip(groups, others, strict=True)}

    def _packed_size(self, without: Collection[str]) -> int:
        plain = self._written(without)
        # What only others write is compared by what is written here.
        name = self._packer if self._packer in compression.NAMES else "zstd"
        return len(compression.compress(name, plain, self._level))

    def _written(self, without: Collection[str]) -> bytes:
        out = io.BytesIO()
        entries = (entry for entry in self._entries if entry.path not in without)
        cpio.write_newc(out, entries, mtime=0)
        return out.getvalue()


def _size(entry: Entry) -> int:
    if isinstance(entry, Symlink):
        return cpio.record_size(entry.path, len(entry.target.encode("utf-8", "surrogateescape")))
    return cpio.record_size(entry.path, entry.content.size if isinstance(entry, File) else 0)


def _kind(entry: Entry, *, disk: bool) -> Kind:
    if not isinstance(entry, File):
        return Kind.LINKS
    if plain_module_path(entry.path) is not None:
        return Kind.MODULES
    place = module_place(entry.path, disk=disk)
    if place is not None and place[1].startswith("modules."):
        return Kind.INDEXES
    for kind, pattern in ((Kind.FIRMWARE, _FIRMWARE), (Kind.MICROCODE, _MICROCODE)):
        if pattern.fullmatch(entry.path) is not None:
            return kind
    return Kind.PROGRAMS if not disk and is_elf(read_all(entry.content)[:4]) else Kind.INIT


def _subsystem(path: str) -> str:
    """Return the part of the kernel that a module is of; of an index, its own name."""
    place = module_place(path, disk=True)
    inner = path if place is None else place[1]
    if plain_module_path(path) is None:
        return inner
    found = _SUBSYSTEM.match(inner.removeprefix("kernel/").rpartition("/")[0])
    return found[0] if found is not None else modname(path)


def _kinds(rows: Sequence[_Row], saved: dict[str, int]) -> tuple[Part, ...]:
    found = ((kind, [row for row in rows if row.kind is kind], saved.get(kind)) for kind in Kind)
    return _sorted(_together(kind, kind, own, saves) for kind, own, saves in found if own)


def _together(name: str, kind: Kind, rows: Sequence[_Row], saves: int | None = None) -> Part:
    return Part(
        name=name,
        kind=kind,
        files=sum(not isinstance(row.entry, Directory) for row in rows),
        size=sum(row.size for row in rows),
        share=round(sum(row.share for row in rows)),
        saves=saves,
    )


def _sorted(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: (-part.share, part.name)))
