"""Where firmware is among several sources, by the names that drivers ask for.

Reference: Documentation/driver-api/firmware/fw_search_path.rst of the kernel. It looks in
``updates/R`` below ``/lib/firmware``, in ``updates``, in ``R``, and then in ``/lib/firmware``
itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rdcompose.compose.contents import path_matcher
from rdcompose.compose.firmware_source import ROOT, follow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rdcompose.compose.firmware_source import Store


def search_path(release: str) -> tuple[str, ...]:
    """Return the directories that the kernel looks in, in its order."""
    return (f"updates/{release}/", "updates/", f"{release}/", "")


def request_of(path: str, prefixes: Sequence[str]) -> tuple[str, int]:
    """Return the name that a driver asks for to get a path, and where it comes in the search."""
    name = path.removeprefix(ROOT)
    number = next(n for n, prefix in enumerate(prefixes) if name.startswith(prefix))
    return name.removeprefix(prefixes[number]), number


class Place(NamedTuple):
    """The number of a source, and a path in it."""

    store: int
    path: str


class Catalogue:
    """Where the files of all sources are, by the names that drivers ask for.

    What several sources have is taken of the first. ``dangling`` has links that lead to nothing,
    with the source of each.
    """

    def __init__(self, stores: Sequence[Store], prefixes: Sequence[str]) -> None:
        self.places: dict[str, Place] = {}
        self.dangling: dict[str, str] = {}
        for number, store in enumerate(stores):
            ranked = sorted(
                (*request_of(path, prefixes), path)
                for path in (*store.files, *self._through_links(store, prefixes))
            )
            for name, _, path in ranked:
                self.places.setdefault(name, Place(number, path))

    def _through_links(self, store: Store, prefixes: Sequence[str]) -> Iterator[str]:
        """Yield the paths that links add: their own, or those below one to a directory."""
        trails = {link: follow(store.links, link) for link in store.links}
        ends = {link: "" if trail is None else trail.end for link, trail in trails.items()}
        to_files = [link for link, end in ends.items() if end in store.files]
        yield from to_files
        for link in (link for link, end in ends.items() if end not in store.files):
            start = f"{ends[link]}/"
            below = [path for path in (*store.files, *to_files) if path.startswith(start)]
            yield from (f"{link}/{path.removeprefix(start)}" for path in below)
            if not below:
                self.dangling.setdefault(request_of(link, prefixes)[0], store.label)

    def matching(self, pattern: str) -> list[str]:
        """Return the names that a pattern means, sorted."""
        if pattern in self.places:
            return [pattern]
        fits = path_matcher(pattern)
        return sorted(name for name in self.places if fits(name))
