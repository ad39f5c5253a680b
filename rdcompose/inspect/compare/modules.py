"""Kernel modules compared: by name, with what they say of themselves, wherever they lie.

A module is the same if its plain file is: how it is packed (``.ko.xz``) is told apart from that.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Final

from rdcompose.formats.compression import decompress
from rdcompose.formats.elf import read_module
from rdcompose.inspect.compare.changes import changed, shifted
from rdcompose.kernel.module import modname
from rdcompose.kernel.moduletree import plain_module_path
from rdcompose.tree import read_all

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rdcompose.formats.elf import ModuleElf
    from rdcompose.inspect.compare.changes import Changed, Shifted
    from rdcompose.tree import File

# What is larger is compared like any file: no module without debugging information comes near.
MAX_SIZE: Final = 1 << 27
_TEXTS: Final = ("version", "srcversion", "vermagic")
# What a module has any number of, beside dependencies and parameters.
_SETS: Final = ("softdep", "weakdep", "firmware", "alias")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModuleSays:
    """What is in the plain file of a module; ``sets`` are its dependencies, aliases and others."""

    sha256: str
    size: int
    signed: bool
    texts: Mapping[str, str]
    sets: Mapping[str, frozenset[str]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFacts:
    """A module in a file: ``inner`` is its plain path below the directory of its release.

    ``packed`` is the suffix of its compression without the dot, empty where it is plain;
    ``stored`` are the bytes that it takes so. ``place`` is what it lies in: ``initramfs``.
    """

    path: str
    inner: str
    release: str | None
    packed: str
    stored: int
    place: str
    says: ModuleSays

    @property
    def name(self) -> str:
        """The module name, as ``lsmod`` prints it."""
        return modname(self.inner)

    @property
    def meant_for(self) -> str:
        """The release of its directory, else the one that it was built for, if it tells."""
        return self.release or self.says.texts["vermagic"].partition(" ")[0]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModuleChange:
    """A module before and now, with what is not the same.

    ``texts`` are single values (``version``, ``path``, ``in`` for where it lies, …), ``sets`` what
    a module has any number of (``depends``, ``alias``, …).
    """

    name: str
    before: ModuleFacts
    now: ModuleFacts
    content: bool
    texts: tuple[Changed, ...]
    sets: tuple[Shifted, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModulesDifference:
    """The modules of two sides; ``same`` is the number of those that did not change at all.

    Each new or gone module comes with the places that it is or was in, and whether it was, or is
    now, built into the kernel. ``aliases`` are the numbers of all aliases, before and now.
    """

    new: tuple[PlacedModule, ...] = ()
    gone: tuple[PlacedModule, ...] = ()
    changed: tuple[ModuleChange, ...] = ()
    same: int = 0
    aliases: tuple[int, int] = (0, 0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlacedModule:
    """A module on one side, all the places that it lies in, and whether the other has it built in.

    ``builtin`` is only known where the other side has ``modules.builtin``.
    """

    facts: ModuleFacts
    places: tuple[str, ...]
    builtin: bool = False


class ModuleReader:
    """Reads modules; what several files have alike is read once and kept once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], ModuleSays] = {}

    def read(self, file: File, *, inner: str, release: str | None, place: str) -> ModuleFacts:
        """Return the facts of a module; ``inner`` is its path below the directory of its release.

        :raises FormatError: it is damaged or no module.
        :raises UnsupportedError: it is packed with what is not unpacked here.
        """
        plain = plain_module_path(inner) or inner
        packed = inner[len(plain) + 1 :]
        data = read_all(file.content)
        key = (hashlib.sha256(data).hexdigest(), packed)
        says = self._known.get(key)
        if says is None:
            data = decompress(data, limit=MAX_SIZE) if packed else data
            sha256 = hashlib.sha256(data).hexdigest() if packed else key[0]
            says = self._known[key] = _says(read_module(data), sha256, len(data))
        return ModuleFacts(
            path=file.path,
            inner=plain,
            release=release,
            packed=packed,
            stored=file.content.size,
            place=place,
            says=says,
        )


def _says(elf: ModuleElf, sha256: str, size: int) -> ModuleSays:
    depends = (elf.value("depends") or "").split(",")
    sets = {
        "depends": frozenset(modname(name) for name in depends if name),
        "parameter": frozenset(row.partition(":")[0] for row in elf.values("parmtype")),
        **{key: frozenset(elf.values(key)) for key in _SETS},
    }
    return ModuleSays(
        sha256=sha256,
        size=size,
        signed=elf.signed,
        texts={key: elf.value(key) or "" for key in _TEXTS},
        sets={name: values for name, values in sets.items() if values},
    )


def compare_modules(
    before: Iterable[ModuleFacts],
    now: Iterable[ModuleFacts],
    *,
    builtin: tuple[Collection[str], Collection[str]] = ((), ()),
    places: bool = False,
) -> ModulesDifference:
    """Compare modules; releases in them are such that those that belong together are the same.

    ``builtin`` are the names of what is built in, before and now; ``places`` tells where each lies,
    too.
    """
    old, new = _gathered(before), _gathered(now)
    pairs, gone, added = [], [], []
    for key in sorted({*old, *new}, key=lambda key: (key[1], key[0] or "")):
        both, left, right = _matched(old.get(key, []), new.get(key, []))
        pairs += both
        gone += [dataclasses.replace(row, builtin=row.facts.name in builtin[1]) for row in left]
        added += [dataclasses.replace(row, builtin=row.facts.name in builtin[0]) for row in right]
    found = [change for pair in pairs if (change := _change(*pair, places=places)) is not None]
    return ModulesDifference(
        new=tuple(added),
        gone=tuple(gone),
        changed=tuple(found),
        same=len(pairs) - len(found),
        aliases=(_aliases(old), _aliases(new)),
    )


_Gathered = dict[tuple[str | None, str], list[PlacedModule]]


def _gathered(modules: Iterable[ModuleFacts]) -> _Gathered:
    """Return modules by release and name; of several in one place of the tree, that is one."""
    places: dict[tuple[str | None, str], list[ModuleFacts]] = {}
    for row in modules:
        places.setdefault((row.release, row.inner), []).append(row)
    found: _Gathered = {}
    for (release, _), rows in sorted(places.items(), key=lambda item: item[0][1]):
        placed = PlacedModule(facts=rows[0], places=tuple(dict.fromkeys(row.place for row in rows)))
        found.setdefault((release, rows[0].name), []).append(placed)
    return found


def _matched(
    before: Sequence[PlacedModule], now: Sequence[PlacedModule]
) -> tuple[list[tuple[PlacedModule, PlacedModule]], list[PlacedModule], list[PlacedModule]]:
    """Return what belongs together among modules of one name, and what is left of each side."""
    at = {row.facts.inner: row for row in now}
    pairs = [(row, at[row.facts.inner]) for row in before if row.facts.inner in at]
    known = {row.facts.inner for row, _ in pairs}
    left = [row for row in before if row.facts.inner not in known]
    right = [row for row in now if row.facts.inner not in known]
    moved = min(len(left), len(right))
    return [*pairs, *zip(left, right, strict=False)], left[moved:], right[moved:]


def _change(before: PlacedModule, now: PlacedModule, *, places: bool) -> ModuleChange | None:
    old, new = before.facts, now.facts
    texts = tuple(changed(_texts(before, places=places), _texts(now, places=places)))
    sets = tuple(shifted(old.says.sets, new.says.sets))
    content = old.says.sha256 != new.says.sha256
    if not (content or texts or sets):
        return None
    return ModuleChange(name=new.name, before=old, now=new, content=content, texts=texts, sets=sets)


def _texts(row: PlacedModule, *, places: bool) -> dict[str, str]:
    facts = row.facts
    said = dict(facts.says.texts) | {
        "signed": "yes" if facts.says.signed else "no",
        "packed": facts.packed or "plain",
        "path": facts.inner,
    }
    return said | {"in": " and ".join(row.places)} if places else said


def _aliases(side: _Gathered) -> int:
    return sum(len(row.facts.says.sets.get("alias", ())) for rows in side.values() for row in rows)
