"""A file in an image by its path, as the system that boots from it would find it."""

from __future__ import annotations

import dataclasses
import difflib
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.inspect.landing import Landing, NoPlaceError
from rdcompose.inspect.paths import resolve
from rdcompose.tree import Directory, File

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rdcompose.inspect.opened import Opened
    from rdcompose.tree import Content, Entry

_NEAR: Final = 3
# To compare a name with more takes longer than anyone waits for advice.
_MAX_COMPARED: Final = 20_000


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A file in an image: its path there, without links, and its place in the walk, from 0."""

    path: str
    index: int


def look_up(opened: Opened, path: str) -> Found:
    """Find the file that a path leads to when every link is followed, none of them out.

    The whole file is walked, because what comes later replaces what came before;
    ``opened.problem`` says how far that was possible.

    :raises SpecError: there is nothing, or no file.
    """
    landing = Landing()
    places: dict[str, int] = {}
    for index, located in enumerate(opened.entries()):
        try:
            places[landing.land(located.entry)] = index
        except NoPlaceError:
            continue
    real = resolve(landing.entries, path)
    if real is None:
        raise SpecError(f"the links at {path!r} in {opened.name} lead in a circle, or too far")
    entry = landing.entries.get(real)
    if isinstance(entry, File):
        return Found(real, places[real])
    if entry is None and real:
        raise _absent(opened, path, real, landing.entries)
    what = "a directory" if isinstance(entry, Directory | None) else "a special file"
    raise SpecError(f"{path!r} in {opened.name} is {what}, and has no content")


def stored_content(opened: Opened, found: Found) -> Iterator[Content]:
    """Yield the content of a file that was found; it can be read until the next step."""
    for index, located in enumerate(opened.entries()):
        if index == found.index and isinstance(located.entry, File):
            yield located.entry.content
            return


def _absent(opened: Opened, path: str, real: str, entries: Mapping[str, Entry]) -> SpecError:
    plain = path.strip("/").removeprefix("./")
    leads = f", where {path!r} leads to" if real != plain else ""
    hint: str | None
    if opened.problem is not None:
        hint = f"it cannot be read to its end: {opened.problem.message}"
    else:
        near = _near(real, entries)
        hint = f"there is {', '.join(near)}" if near else None
    return SpecError(f"there is no {real!r} in {opened.name}{leads}", hint=hint)


def _near(path: str, entries: Mapping[str, Entry]) -> list[str]:
    """Return files of the same name, else those of the most similar paths."""
    files = [other for other, entry in entries.items() if not isinstance(entry, Directory)]
    name = path.rpartition("/")[2]
    same = [other for other in files if other.rpartition("/")[2] == name]
    if not same and len(files) <= _MAX_COMPARED:
        same = difflib.get_close_matches(path, files, _NEAR)
    return [other if other.isprintable() else repr(other) for other in same[:_NEAR]]
