"""Which firmware goes into an initramfs, and from where.

Drivers name their firmware in their modules (``firmware=`` of modinfo(8)), since Linux 5.16 also
by shell patterns; a profile can list more. References: Documentation/driver-api/firmware of the
kernel; for the directories in which the kernel looks, ``fw_search_path.rst`` there.

Firmware of the modules on the modules disk is no part of this: when the root is mounted, the
kernel looks in the root's ``/lib/firmware``.
"""

from __future__ import annotations

import dataclasses
import posixpath
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.compose.contents import path_matcher
from rdcompose.compose.firmware_packages import package_of
from rdcompose.compose.firmware_source import ROOT, Store, follow, open_store
from rdcompose.compose.spec import FirmwareMode
from rdcompose.errors import CapabilityError, SpecError
from rdcompose.kernel.modlist import raise_problems
from rdcompose.tree import Bytes, File, Symlink, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rdcompose.compose.filesource import Source
    from rdcompose.compose.inputs import Input
    from rdcompose.kernel.config import KernelConfig
    from rdcompose.kernel.depmod import Depmod
    from rdcompose.kernel.modlist import ListEntry

_WILDCARDS: Final = frozenset("*?[")
_SHOWN: Final = 4


class Wish(NamedTuple):
    """A name that a driver asks for, or a pattern of such names; ``module`` is the driver's."""

    pattern: str
    module: str


class Piece(NamedTuple):
    """A file or link for the initramfs, the source it is of, and why it is there."""

    entry: File | Symlink
    source: str
    why: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """What was chosen, what it was made from, and what a user should know."""

    pieces: tuple[Piece, ...] = ()
    inputs: tuple[Input, ...] = ()
    notes: tuple[str, ...] = ()


def module_wishes(depmod: Depmod, names: Iterable[str]) -> tuple[Wish, ...]:
    """Return what modules ask for, in the order of the names."""
    return tuple(
        Wish(pattern, name)
        for name in names
        for pattern in dict.fromkeys(depmod.modules[name].elf.values("firmware"))
    )


def load_firmware(
    mode: FirmwareMode | None,
    sources: Sequence[Source],
    *,
    listed: Sequence[ListEntry],
    wishes: Sequence[Wish],
    release: str,
    config: KernelConfig,
) -> Firmware:
    """Choose firmware; without a ``mode`` what the sources and the list say.

    ``listed`` is what a profile lists, ``wishes`` what the drivers ask for; ``release`` is the
    kernel's.

    :raises SpecError: a source cannot be read, there is none, or an entry of the list matches
        nothing.
    :raises FormatError: a source is damaged.
    :raises CapabilityError: this kernel loads no firmware.
    """
    chosen = _mode(mode, sources, listed)
    if chosen is FirmwareMode.NONE:
        quiet = mode is FirmwareMode.NONE
        return Firmware(notes=() if quiet else _unserved(wishes))
    if not config.enabled("FW_LOADER"):
        raise CapabilityError(
            "this kernel loads no firmware: it lacks CONFIG_FW_LOADER",
            hint="take another kernel, or use --firmware none",
        )
    asked = wishes if chosen is FirmwareMode.AUTO else ()
    wanted = _wanted((*(wish.pattern for wish in asked), *(entry.pattern for entry in listed)))
    prefixes = (f"updates/{release}/", "updates/", f"{release}/", "")

    def likely(path: str) -> bool:
        return path.startswith(ROOT) and wanted(_request(path, prefixes)[0])

    stores = [open_store(source, likely) for source in sources]
    catalogue = _Catalogue(stores, prefixes)
    reasons, notes = _choose(catalogue, asked, listed)
    pieces, inputs = _collect(stores, catalogue, reasons)
    return Firmware(pieces=pieces, inputs=inputs, notes=tuple(notes))


def _mode(
    mode: FirmwareMode | None, sources: Sequence[Source], listed: Sequence[ListEntry]
) -> FirmwareMode:
    if mode is None:
        mode = FirmwareMode.AUTO if sources or listed else FirmwareMode.NONE
    if mode is not FirmwareMode.NONE and not sources:
        what = "the profile lists firmware" if listed else f"--firmware {mode} wants firmware"
        raise SpecError(
            f"{what}, and there is no source of any",
            hint="give one with --firmware-from PACKAGE, a .deb or a directory such as "
            "/lib/firmware; or --firmware none",
        )
    if mode is FirmwareMode.LISTED and not listed:
        raise SpecError(
            "--firmware listed takes what the profile lists, and it lists none",
            hint="list it in the file 'firmware' of the profile, or use --firmware auto",
        )
    return mode


def _wanted(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return what tells whether a name is meant by any pattern."""
    plain: set[str] = set()
    matchers = []
    for pattern in patterns:
        if _WILDCARDS.isdisjoint(pattern):
            plain.add(pattern)
        else:
            matchers.append(path_matcher(pattern))

    def wanted(name: str) -> bool:
        parts = name.split("/")
        starts = ("/".join(parts[:end]) for end in range(1, len(parts) + 1))
        return any(start in plain for start in starts) or any(fits(name) for fits in matchers)

    return wanted


def _request(path: str, prefixes: Sequence[str]) -> tuple[str, int]:
    """Return the name that a driver asks for to get a path, and where it comes in the search."""
    name = path.removeprefix(ROOT)
    number = next(n for n, prefix in enumerate(prefixes) if name.startswith(prefix))
    return name.removeprefix(prefixes[number]), number


class _Place(NamedTuple):
    store: int
    path: str


class _Catalogue:
    """Where the files of all sources are, by the names that drivers ask for.

    What several sources have is taken of the first. ``dangling`` has links that lead to nothing,
    with the source of each.
    """

    def __init__(self, stores: Sequence[Store], prefixes: Sequence[str]) -> None:
        self.places: dict[str, _Place] = {}
        self.dangling: dict[str, str] = {}
        for number, store in enumerate(stores):
            ranked = sorted(
                (*_request(path, prefixes), path)
                for path in (*store.files, *self._through_links(store, prefixes))
            )
            for name, _, path in ranked:
                self.places.setdefault(name, _Place(number, path))

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
                self.dangling.setdefault(_request(link, prefixes)[0], store.label)

    def matching(self, pattern: str) -> list[str]:
        """Return the names that a pattern means, sorted."""
        if pattern in self.places:
            return [pattern]
        fits = path_matcher(pattern)
        return sorted(name for name in self.places if fits(name))


def _choose(
    catalogue: _Catalogue, wishes: Iterable[Wish], listed: Iterable[ListEntry]
) -> tuple[dict[str, str], list[str]]:
    """Return why each name is wanted, and notes on those that no source has."""
    reasons: dict[str, str] = {}
    missing: dict[str, list[str]] = {}
    for pattern, module in wishes:
        names = catalogue.matching(pattern)
        for name in names:
            reasons.setdefault(name, f"named by the module {module}")
        if not names:
            missing.setdefault(module, []).append(pattern)
    problems: list[str] = []
    for entry in listed:
        names = catalogue.matching(entry.pattern)
        for name in names:
            if entry.exclude:
                reasons.pop(name, None)
            else:
                reasons.setdefault(name, f"listed: {entry.line.text!r} in {entry.line}")
        if not (names or entry.exclude or entry.optional):
            problems.append(f"{entry.line}: {entry.pattern!r} is in no source of firmware")
    raise_problems(
        problems, hint="give its package with --firmware-from, or put a '?' after the entry"
    )
    notes = [_missing(module, names, catalogue) for module, names in missing.items()]
    return reasons, notes


def _missing(module: str, names: Sequence[str], catalogue: _Catalogue) -> str:
    told = []
    for name in names[:_SHOWN]:
        label = catalogue.dangling.get(name)
        told.append(f"{name} (a link of {label} that leads to nothing)" if label else name)
    return f"no source has firmware that {module} names: {_list(told, len(names))}{_from(names)}"


def _list(told: Sequence[str], count: int) -> str:
    more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
    return ", ".join(told[:_SHOWN]) + more


def _from(names: Iterable[str]) -> str:
    packages = list(dict.fromkeys(filter(None, map(package_of, names))))
    return f" ({_list(packages, len(packages))} in Debian 13)" if packages else ""


def _unserved(wishes: Sequence[Wish]) -> tuple[str, ...]:
    """Return a note on modules that ask for firmware where none was thought of."""
    modules = list(dict.fromkeys(wish.module for wish in wishes))
    if not modules:
        return ()
    packages = _from(wish.pattern for wish in wishes)
    names = _list(modules, len(modules))
    return (f"no firmware is put in, and modules name some: {names}{packages}",)


def _collect(
    stores: Sequence[Store], catalogue: _Catalogue, reasons: Mapping[str, str]
) -> tuple[tuple[Piece, ...], tuple[Input, ...]]:
    """Read what was chosen, and the links that lead to it."""
    pieces: dict[str, Piece] = {}
    inputs: list[Input] = []
    for number, store in enumerate(stores):
        links: dict[str, tuple[str, str]] = {}
        ends: dict[str, str] = {}
        for name in sorted(reasons):
            place = catalogue.places[name]
            trail = follow(store.links, place.path) if place.store == number else None
            if trail is None:
                continue
            why = reasons[name]
            for link, to in trail.links:
                links.setdefault(link, (to, why))
                why = f"where /{link} leads to"
            ends.setdefault(trail.end, why)
        taken = Tree()
        for path, data in store.read(ends.keys()).items():
            file = File(path=path, content=Bytes(data))
            taken.add(file)
            pieces.setdefault(path, Piece(file, store.label, ends[path]))
        for link, (to, why) in links.items():
            entry = Symlink(path=link, target=posixpath.relpath(to, posixpath.dirname(link)))
            pieces.setdefault(link, Piece(entry, store.label, why))
        inputs.append(store.input(taken))
    return tuple(pieces[path] for path in sorted(pieces)), tuple(inputs)


def add_firmware(tree: Tree, pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Put firmware into an initramfs; returns what came in: what a template has there stays."""
    placed = []
    for piece in pieces:
        path = tree.resolved(piece.entry.path)
        if path not in tree:
            tree.add(dataclasses.replace(piece.entry, path=path))
            placed.append(piece)
    return tuple(placed)
