"""Which firmware goes into an initramfs, and from where.

Drivers name their firmware in their modules (``firmware=`` of modinfo(8)), newer ones also
by shell patterns; a profile can list more. Reference: Documentation/driver-api/firmware of the
kernel.

Firmware of the modules on the modules disk is no part of this: when the root is mounted, the
kernel looks in the root's ``/lib/firmware``.
"""

from __future__ import annotations

import dataclasses
import posixpath
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.compose.contents import path_matcher
from rdcompose.compose.firmware_catalogue import Catalogue, request_of, search_path
from rdcompose.compose.firmware_packages import package_of
from rdcompose.compose.firmware_source import ROOT, Store, follow, open_store
from rdcompose.compose.spec import FirmwareMode
from rdcompose.errors import CapabilityError, SpecError
from rdcompose.kernel.modlist import raise_problems
from rdcompose.tree import Bytes, File, Symlink, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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
    builtin: bool = False


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


def driver_wishes(depmod: Depmod, names: Iterable[str]) -> tuple[Wish, ...]:
    """Return what modules ask for, in the order of the names, and then what is built in.

    Built-in drivers start before there is any root, so that no other place can have it.
    """
    modules = [
        Wish(pattern, name)
        for name in names
        for pattern in dict.fromkeys(depmod.modules[name].elf.values("firmware"))
    ]
    rows = dict.fromkeys(depmod.builtin_firmware)
    return (*modules, *(Wish(pattern, name, builtin=True) for pattern, name in rows))


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
    prefixes = search_path(release)

    def likely(path: str) -> bool:
        return path.startswith(ROOT) and wanted(request_of(path, prefixes)[0])

    stores = [open_store(source, likely) for source in sources]
    catalogue = Catalogue(stores, prefixes)
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


def _choose(
    catalogue: Catalogue, wishes: Iterable[Wish], listed: Iterable[ListEntry]
) -> tuple[dict[str, str], list[str]]:
    """Return why each name is wanted, and notes on those that no source has."""
    reasons: dict[str, str] = {}
    missing: dict[str, list[str]] = {}
    for wish in wishes:
        names = catalogue.matching(wish.pattern)
        driver = (
            f"{wish.module}, which is built in" if wish.builtin else f"the module {wish.module}"
        )
        for name in names:
            reasons.setdefault(name, f"named by {driver}")
        if not names:
            missing.setdefault(wish.module, []).append(wish.pattern)
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


def _missing(module: str, names: Sequence[str], catalogue: Catalogue) -> str:
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
    stores: Sequence[Store], catalogue: Catalogue, reasons: Mapping[str, str]
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
