"""What is known of a file or tree to compare it: read once, as a stream, contents as digests."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats.decoding import read_range
from rdcompose.formats.executable import is_elf
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.banners import MAX_PROGRAM, Version, read_version
from rdcompose.inspect.compare.files import SECTION, EntryFacts, entry_facts
from rdcompose.inspect.compare.modules import MAX_SIZE, ModuleReader
from rdcompose.inspect.contents import module_place
from rdcompose.inspect.landing import Landing, NoPlaceError
from rdcompose.inspect.names import named_release
from rdcompose.inspect.opened import open_image
from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.module import modname
from rdcompose.kernel.moduletree import plain_module_path
from rdcompose.tree import Bytes, File, read_all

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from rdcompose.inspect.artifact import Artifact
    from rdcompose.inspect.compare.modules import ModuleFacts
    from rdcompose.inspect.opened import Opened
    from rdcompose.inspect.walks import Part
    from rdcompose.tree import Entry

_PIECE: Final = 1 << 20
_CONFIG: Final = re.compile(r"boot/config-[^/]+|(?:usr/)?lib/modules/[^/]+/config")
# A distribution's root has a third of it.
_MAX_ENTRIES: Final = 1 << 20
_MAX_TEXT: Final = 16 << 20
_MAX_SECTION: Final = 1 << 16
# Of a unified kernel image: what is text.
_UNAME: Final = ".uname"
_TEXTS: Final = (".cmdline", _UNAME, ".osrel")
_HINT: Final = "rdcompose ls shows what can be read of it"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """One file, or a tree, with everything in it.

    ``size`` and ``sha256`` are those of the file, 0 and empty of a tree. ``builtin`` are the names
    of modules that are built in, ``None`` if it does not tell; ``programs`` are versions by the
    name of the program; ``texts`` is what else it says, by a name for it. ``exports`` are the
    versions of a kernel's symbols.
    """

    name: str
    kind: Kind
    size: int
    sha256: str
    releases: tuple[str, ...]
    parts: tuple[Part, ...] = ()
    entries: tuple[EntryFacts, ...] = ()
    modules: tuple[ModuleFacts, ...] = ()
    builtin: frozenset[str] | None = None
    config: KernelConfig | None = None
    programs: dict[str, str] = dataclasses.field(default_factory=dict)
    texts: dict[str, str] = dataclasses.field(default_factory=dict)
    exports: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def unpacked(self) -> int | None:
        """The bytes of all parts without their compressors, ``None`` if one is not known."""
        sizes = [part.unpacked for part in self.parts]
        known = [size for size in sizes if size is not None]
        return sum(known) if known and len(known) == len(sizes) else None


class FactsReader:
    """Reads files and trees; of those that are the same, only the first."""

    def __init__(self) -> None:
        self._modules = ModuleReader()
        self._known: dict[str, FileFacts] = {}

    def read(self, path: Path, name: str, *, without: Collection[str] = ()) -> FileFacts:
        """Return the facts of a file or tree; paths in a tree can be left out.

        :raises SpecError: it cannot be read, or is damaged: what is behind the damage would seem
            to be gone.
        """
        if path.is_dir():
            return self._read(path, name, "", without)
        sha256 = file_digest(path)
        if sha256 not in self._known:
            self._known[sha256] = self._read(path, name, sha256, ())
        known = self._known[sha256]
        # What is the same may be called by another release, where nothing in it tells.
        named = named_release(path.name)
        releases = known.releases or (() if named is None else (named,))
        return dataclasses.replace(known, name=name, releases=releases)

    def _read(self, path: Path, name: str, sha256: str, without: Collection[str]) -> FileFacts:
        with open_image(path, name) as opened:
            if opened.facts is not None:
                return _alone(opened, opened.facts, sha256)
            reading = _Reading(opened, self._modules, without)
            try:
                reading.run()
            except (FormatError, UnsupportedError) as error:
                raise _damaged(name, error.message) from error
            if opened.problem is not None:
                raise _damaged(name, opened.problem.message)
            if opened.kind is Kind.UKI:
                reading.read_sections(path)
            return FileFacts(
                name=name,
                kind=opened.kind,
                size=opened.size,
                sha256=sha256,
                releases=_releases(opened, reading),
                parts=opened.parts,
                entries=tuple(reading.entries.values()),
                modules=tuple(reading.modules.values()),
                builtin=reading.builtin,
                config=reading.config,
                programs=dict(sorted(reading.programs.values())),
                texts=reading.texts,
            )


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file.

    :raises SpecError: it cannot be read.
    """
    try:
        with path.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error


def _alone(opened: Opened, artifact: Artifact, sha256: str) -> FileFacts:
    problem = artifact.problem
    if problem is not None and artifact.kind is not Kind.UNKNOWN:
        raise _damaged(opened.name, problem)
    image = artifact.image
    release = None if image is None else image.release
    texts = {}
    if image is not None:
        texts = {
            "format": image.kind.value,
            "banner": image.banner or "",
            "packed": image.compression or image.payload or "",
        }
    return FileFacts(
        name=opened.name,
        kind=opened.kind,
        size=opened.size,
        sha256=sha256,
        releases=() if release is None else (release,),
        config=artifact.config,
        texts=texts,
        exports=artifact.exports,
    )


def _damaged(name: str, why: str) -> SpecError:
    return SpecError(f"{name} cannot be compared: {why}", hint=_HINT)


def _releases(opened: Opened, reading: _Reading) -> tuple[str, ...]:
    told = {row.meant_for for row in reading.modules.values()} | {*opened.releases}
    return tuple(sorted((told or {reading.texts.get(_UNAME, "")}) - {""}))


class _Reading:
    """Goes through all entries as the kernel unpacks them: later ones replace earlier ones."""

    def __init__(self, opened: Opened, modules: ModuleReader, without: Collection[str]) -> None:
        self._opened = opened
        self._reader = modules
        self._without = without
        unpacked = opened.kind in {Kind.INITRAMFS, Kind.UKI}
        self._landing = Landing() if unpacked else None
        # What may lie at the top there is below /lib/modules elsewhere.
        self._disk = opened.kind in {Kind.DISK, Kind.DIRECTORY}
        self.entries: dict[str, EntryFacts] = {}
        self.modules: dict[str, ModuleFacts] = {}
        self.programs: dict[str, Version] = {}
        self.builtin: frozenset[str] | None = None
        self.config: KernelConfig | None = None
        self.texts: dict[str, str] = {}

    def run(self) -> None:
        for number, located in enumerate(self._opened.entries()):
            if number == _MAX_ENTRIES:
                raise FormatError(f"it holds more than {_MAX_ENTRIES} files")
            entry = located.entry
            path = self._path(entry)
            if path is None or path in self._without:
                continue
            self.entries.pop(path, None)
            self.modules.pop(path, None)
            self.programs.pop(path, None)
            moved = dataclasses.replace(entry, path=path)
            if isinstance(moved, File):
                self._file(moved)
            else:
                self.entries[path] = entry_facts(moved)

    def read_sections(self, path: Path) -> None:
        """Read the sections of a unified kernel image that hold no files."""
        with path.open("rb") as source:
            for part in self._opened.parts:
                if part.entries or part.size is None or not part.label.startswith("."):
                    continue
                digest = hashlib.sha256()
                for piece in read_range(source, part.offset, part.size):
                    digest.update(piece)
                    if part.label in _TEXTS and part.size <= _MAX_SECTION:
                        self.texts[part.label] = piece.rstrip(b"\0\n").decode("utf-8", "replace")
                self.entries[part.label] = EntryFacts(
                    path=part.label,
                    kind=SECTION,
                    mode=0,
                    uid=0,
                    gid=0,
                    size=part.size,
                    sha256=digest.hexdigest(),
                )

    def _path(self, entry: Entry) -> str | None:
        """Return where an entry comes to lie, if it does."""
        if self._landing is None:
            return entry.path
        try:
            return self._landing.land(entry)
        except NoPlaceError:
            return None

    def _file(self, file: File) -> None:
        if plain_module_path(file.path) is not None and file.content.size <= MAX_SIZE:
            # It is read once: what is damaged on the way to it ends the reading.
            file = dataclasses.replace(file, content=Bytes(read_all(file.content)))
            release, inner = module_place(file.path, disk=self._disk) or (None, file.path)
            # What is no module is a file like any other.
            with contextlib.suppress(FormatError, UnsupportedError):
                self.modules[file.path] = self._reader.read(
                    file, inner=inner, release=release, place=self._opened.kind.value
                )
                return
        digest = hashlib.sha256()
        looked_into: bool | None = None
        kept = []
        for piece in file.content.chunks(_PIECE):
            digest.update(piece)
            if looked_into is None:
                looked_into = self._is_read(file, piece)
            if looked_into:
                kept.append(piece)
        self.entries[file.path] = entry_facts(file, digest.hexdigest())
        if kept:
            self._look_into(file, b"".join(kept))

    def _is_read(self, file: File, start: bytes) -> bool:
        """Whether more is to be known of a file than its digest."""
        if self._is_builtin(file) or _CONFIG.fullmatch(file.path) is not None:
            return file.content.size <= _MAX_TEXT
        return file.content.size <= MAX_PROGRAM and is_elf(start)

    def _is_builtin(self, file: File) -> bool:
        place = module_place(file.path, disk=self._disk)
        return place is not None and place[1] == "modules.builtin"

    def _look_into(self, file: File, data: bytes) -> None:
        if self._is_builtin(file):
            lines = data.decode("utf-8", "surrogateescape").split()
            self.builtin = (self.builtin or frozenset()) | {modname(line) for line in lines}
        elif _CONFIG.fullmatch(file.path) is not None:
            with contextlib.suppress(FormatError):
                self.config = KernelConfig.parse(data)
        elif (said := read_version(file.path.rpartition("/")[2], data)) is not None:
            self.programs[file.path] = said
