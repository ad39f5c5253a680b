"""Profiles: folders of module lists, found by name or path.

A profile is a folder with ``modules.ramfs`` and, optional, ``modules.autoload``, ``add``
(:mod:`rdcompose.compose.addlist`), ``firmware`` (names below ``/lib/firmware``) and a ``README``
whose first line says what the profile is for. The built-in ones are in the package's
``data/module-lists``, or in ``module-lists`` of a source checkout.

``@include`` lines are resolved here. An included profile gives its whole content: its
``modules.ramfs`` in place of the line, its other files before those of the including profile. A
profile that is included twice counts where it came first.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdcompose.compose.addlist import parse_add_list
from rdcompose.compose.features import parse_names
from rdcompose.compose.filesource import FIRMWARE, parse_source
from rdcompose.errors import SpecError
from rdcompose.kernel.modlist import (
    MAX_LIST_SIZE,
    Include,
    ListEntry,
    parse_autoload,
    parse_firmware,
    parse_modules,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rdcompose.compose.addlist import Request
    from rdcompose.compose.filesource import SourceRequest
    from rdcompose.kernel.modlist import Line, Origin

DEFAULT: Final = "minivm"
RAMFS: Final = "modules.ramfs"
AUTOLOAD: Final = "modules.autoload"
ADD: Final = "add"
FEATURES: Final = "features"
README: Final = "README"

_PACKAGE: Final = Path(__file__).resolve().parent.parent
# A wheel has the first, a checkout the second.
PLACES: Final = (_PACKAGE / "data" / "module-lists", _PACKAGE.parent / "module-lists")


@dataclasses.dataclass(frozen=True, slots=True)
class ListFile:
    """A list file that went into a profile, as it was read.

    ``name`` is ``PROFILE/FILE``, the same wherever the folder is; ``builtin`` tells that it
    came with rdcompose.
    """

    name: str
    data: bytes
    builtin: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The lists of a profile with its includes resolved, in the order that counts.

    ``sources`` are those of firmware.
    """

    name: str
    description: str
    entries: tuple[ListEntry, ...]
    autoload: tuple[ListEntry, ...]
    additions: tuple[Request, ...]
    features: tuple[str, ...]
    firmware: tuple[ListEntry, ...]
    sources: tuple[SourceRequest, ...]
    files: tuple[ListFile, ...]


def profile_names(places: Sequence[Path] = PLACES) -> tuple[str, ...]:
    """Names of the built-in profiles, sorted."""
    found = {ramfs.parent.name for place in places for ramfs in place.glob(f"*/{RAMFS}")}
    return tuple(sorted(found))


def load_profile(wanted: str, places: Sequence[Path] = PLACES) -> Profile:
    """Read a profile: a built-in one by its name, any other by the path of its folder.

    :raises SpecError: there is none of that name, a file cannot be read, an entry is
        malformed, or profiles include each other in a circle.
    """
    folder = _find(wanted, places)
    reading = _Reading(places)
    reading.add(folder)
    return Profile(
        name=folder.name or str(folder),
        description=_description(folder),
        entries=tuple(reading.entries),
        autoload=tuple(reading.autoload),
        additions=tuple(reading.additions),
        features=tuple(reading.features),
        firmware=tuple(reading.firmware),
        sources=tuple(reading.sources),
        files=tuple(reading.files),
    )


class _Reading:
    """Lists read so far, of a profile and of those that it includes."""

    def __init__(self, places: Sequence[Path]) -> None:
        self.entries: list[ListEntry] = []
        self.autoload: list[ListEntry] = []
        self.additions: list[Request] = []
        self.features: list[str] = []
        self.firmware: list[ListEntry] = []
        self.sources: list[SourceRequest] = []
        self.files: list[ListFile] = []
        self._places = places
        self._open: list[Path] = []
        self._done: set[Path] = set()

    def add(self, folder: Path) -> None:
        """Add a profile, what it includes first."""
        real = folder.resolve()
        self._open.append(real)
        for item in parse_modules(self._read(folder, RAMFS), file=_label(folder, RAMFS)):
            if isinstance(item, Include):
                self._include(item, folder)
            else:
                self.entries.append(item)
        if os.path.lexists(folder / AUTOLOAD):
            data = self._read(folder, AUTOLOAD)
            self.autoload += parse_autoload(data, file=_label(folder, AUTOLOAD))
        if os.path.lexists(folder / ADD):
            data = self._read(folder, ADD)
            self.additions += parse_add_list(data, file=_label(folder, ADD), folder=folder)
        if os.path.lexists(folder / FEATURES):
            self.features += parse_names(self._read(folder, FEATURES))
        if os.path.lexists(folder / FIRMWARE):
            data = self._read(folder, FIRMWARE)
            self._add_firmware(parse_firmware(data, file=_label(folder, FIRMWARE)), folder)
        self._open.pop()
        self._done.add(real)

    def _add_firmware(self, items: Iterable[ListEntry | Origin], folder: Path) -> None:
        for item in items:
            if isinstance(item, ListEntry):
                self.firmware.append(item)
            else:
                where = str(item.line)
                self.sources.append(parse_source(FIRMWARE, item.source, base=folder, where=where))

    def _include(self, include: Include, folder: Path) -> None:
        other = _find(include.profile, self._places, base=folder, line=include.line)
        real = other.resolve()
        if real in self._open:
            circle = [path.name for path in self._open[self._open.index(real) :]] + [real.name]
            raise SpecError(
                f"{include.line}: the profiles include each other: {' -> '.join(circle)}"
            )
        if real not in self._done:
            self.add(other)

    def _read(self, folder: Path, name: str) -> bytes:
        data = _read_list(folder / name)
        builtin = folder.parent in self._places
        self.files.append(ListFile(_label(folder, name), data, builtin=builtin))
        return data


def _label(folder: Path, name: str) -> str:
    """Name of a list file in messages and in the manifest: no path of this machine."""
    return f"{folder.name}/{name}" if folder.name else name


def _find(
    wanted: str, places: Sequence[Path], *, base: Path | None = None, line: Line | None = None
) -> Path:
    """Return the folder of a profile; ``base`` is the folder that relative paths start from."""
    if "/" not in wanted and wanted not in {"", ".", ".."}:
        for place in places:
            if (place / wanted / RAMFS).is_file():
                return place / wanted
    folder = Path(wanted) if base is None else base / wanted
    # Inside a list a name without a slash never means a folder beside it: a profile must
    # not change because of where it lies.
    if wanted and (base is None or "/" in wanted):
        if os.path.lexists(folder / RAMFS):
            return folder
        if folder.is_dir():
            raise SpecError(f"{_start(line)}the folder {wanted!r} has no {RAMFS}")
    raise SpecError(
        f"{_start(line)}there is no profile {wanted!r}", hint=_advice(wanted, folder, places)
    )


def _start(line: Line | None) -> str:
    return "" if line is None else f"{line}: "


def _advice(wanted: str, folder: Path, places: Sequence[Path]) -> str:
    if folder.is_file():
        return f"A profile is a folder with {RAMFS} in it, not a file."
    import difflib

    names = profile_names(places)
    if near := difflib.get_close_matches(wanted, names, 1):
        return f"Did you mean {near[0]!r}?"
    return f"Built-in profiles: {', '.join(names)}; any other is named by its folder's path."


def _read_list(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        # A device or a pipe would be read for ever.
        raise SpecError(f"{path} is not a regular file")
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_LIST_SIZE + 1)
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error


def _description(folder: Path) -> str:
    """Return the first line of the README, or nothing where there is none."""
    if not (folder / README).is_file():
        return ""
    text = _read_list(folder / README).decode("utf-8", "replace")
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line), "")
