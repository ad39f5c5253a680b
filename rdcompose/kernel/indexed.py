"""The modules of a kernel as its index files tell them, where no package is at hand.

Images carry what depmod wrote (``tables`` in kmod's ``tools/depmod.c``): text files, of which some
makers keep only the binary ones (``.bin``, :mod:`rdcompose.formats.modindex`). A line of
``modules.dep`` has everything that a module needs, directly or not, and busybox's have the soft
dependencies among them. What a module says itself goes before that, where it was read; else a
dependency counts as direct if no other one brings it.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Final

from rdcompose.formats.modindex import read_index
from rdcompose.kernel.aliases import AliasTable
from rdcompose.kernel.builtin import Builtin
from rdcompose.kernel.module import has_matched_brackets, modname, normalize_alias
from rdcompose.kernel.moduletree import plain_module_path
from rdcompose.kernel.softdeps import Softdeps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rdcompose.formats.elf import ModuleElf

# What :class:`IndexedModules` reads, by name; each has its form in binary with ``.bin`` behind.
INDEX_NAMES: Final = frozenset(
    {
        *("modules.dep", "modules.dep.bin"),
        *("modules.alias", "modules.alias.bin"),
        *("modules.symbols", "modules.symbols.bin"),
        *("modules.softdep", "modules.weakdep"),
        *("modules.builtin", "modules.builtin.bin"),
        *("modules.builtin.modinfo", "modules.builtin.alias.bin"),
    }
)
# Names in a line of modules.dep; Debian's longest have 25. Of longer ones all count as direct, to
# save time.
_MAX_LINE: Final = 100
_WISHES: Final = ("softdep", "weakdep")


@dataclasses.dataclass(frozen=True, slots=True)
class IndexedModule:
    """A module that an index names; ``path`` is that of the plain file below ``lib/modules/R``."""

    path: str


class IndexedModules:
    """What a selection and explanations ask of a kernel, from its index files.

    ``paths`` are those of modules that are at hand, below ``lib/modules/R`` and as they are
    stored; those that only ``modules.dep`` names are among :attr:`modules`, too. ``lists`` are
    files of :data:`INDEX_NAMES`, as far as there are any; others do not matter. ``elf`` is what
    modules say themselves, by name, as far as they were read.

    :raises FormatError: a binary index is damaged.
    :raises UnsupportedError: a binary index is of another version.
    """

    def __init__(
        self,
        paths: Iterable[str],
        lists: Mapping[str, bytes],
        elf: Mapping[str, ModuleElf] | None = None,
    ) -> None:
        self._lists = lists
        self._elf = elf or {}
        self._needed: dict[str, tuple[str, ...]] = {}
        found: dict[str, str] = {}
        for path, needed in self._dependencies():
            found.setdefault(modname(path), _plain(path))
            self._needed.setdefault(modname(path), tuple(map(modname, needed)))
        for path in paths:
            found.setdefault(modname(path), _plain(path))
        self.modules: Mapping[str, IndexedModule] = {
            name: IndexedModule(path) for name, path in found.items()
        }
        self._builtin = Builtin.parse(
            self._lines("modules.builtin"), lists.get("modules.builtin.modinfo", b"")
        )
        names = self._builtin.names()
        # The binary one has names only.
        names |= {name: name for name, _ in self._items("modules.builtin") if name not in names}
        self.builtin: Mapping[str, str] = names

    @property
    def hidden(self) -> tuple[tuple[str, str], ...]:
        """No index names modules that others have taken the place of."""
        return ()

    @functools.cached_property
    def aliased(self) -> frozenset[str]:
        """The modules that an alias leads to."""
        return frozenset(name for pattern, name in self._patterns() if not _is_symbol(pattern))

    def direct(self, name: str) -> tuple[str, ...]:
        """Return the modules that a module needs itself."""
        elf = self._elf.get(name)
        if elf is not None and (depends := elf.value("depends")) is not None:
            named = map(modname, depends.split(","))
            return tuple(other for other in named if other in self.modules)
        among = self._needed.get(name, ())
        needed = [other for other in among if other != name and other in self.modules]
        if len(needed) > _MAX_LINE:
            return tuple(needed)
        brought = {far for other in needed for far in self._needed.get(other, ()) if far != other}
        return tuple(other for other in needed if other not in brought)

    def softdeps(self, name: str) -> Softdeps:
        """Return the soft dependencies of a module, names as written."""
        return Softdeps.parse(self._values("softdep", name))

    def weakdeps(self, name: str) -> tuple[str, ...]:
        """Return the weak dependencies of a module, names as written."""
        return tuple(word for value in self._values("weakdep", name) for word in value.split())

    def resolve(self, name: str) -> tuple[str, ...]:
        """Return the modules behind a module name, ``symbol:`` name, or modalias."""
        wanted = normalize_alias(name)
        if wanted in self.modules:
            return (wanted,)
        found = self._aliases.find(wanted)
        return tuple(other for other in found if other in self.modules)

    def is_builtin(self, name: str) -> bool:
        """Whether a module name or alias stands for something built in."""
        return bool(self.resolve_builtin(name))

    def resolve_builtin(self, name: str) -> tuple[str, ...]:
        """Return the names of what is built in behind a module name or alias."""
        wanted = normalize_alias(name)
        return (wanted,) if wanted in self.builtin else self._builtin_aliases.find(wanted)

    def _dependencies(self) -> Iterator[tuple[str, list[str]]]:
        """Yield paths, and those of all modules that each needs."""
        lines = self._lines("modules.dep") or [row for _, row in self._items("modules.dep")]
        for line in lines:
            path, mark, needed = line.partition(":")
            if mark:
                yield path, needed.split()

    def _values(self, key: str, name: str) -> tuple[str, ...]:
        if (elf := self._elf.get(name)) is not None:
            return elf.values(key)
        return tuple(self._wishes.get((key, name), ()))

    @functools.cached_property
    def _wishes(self) -> Mapping[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        for key in _WISHES:
            for line in self._lines(f"modules.{key}"):
                word, _, rest = line.partition(" ")
                name, _, value = rest.strip().partition(" ")
                if word == key and value:
                    found.setdefault((key, modname(name)), []).append(value)
        return found

    def _lines(self, name: str) -> list[str]:
        return self._lists.get(name, b"").decode("utf-8", "surrogateescape").splitlines()

    def _items(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield keys and values of a binary index whose text is not there."""
        if name not in self._lists and (data := self._lists.get(f"{name}.bin")) is not None:
            for key, value in read_index(data).items():
                yield key, value.value

    @functools.cached_property
    def _aliases(self) -> AliasTable:
        return AliasTable(self._patterns())

    def _patterns(self) -> Iterator[tuple[str, str]]:
        for name in ("modules.alias", "modules.symbols"):
            rows = [line.split() for line in self._lines(name)]
            pairs = [(row[1], row[2]) for row in rows if len(row) == 3 and row[0] == "alias"]
            for pattern, module in pairs or self._items(name):
                if has_matched_brackets(pattern):
                    yield normalize_alias(pattern), modname(module)
        if not {"modules.alias", "modules.alias.bin"} & self._lists.keys():
            for name, elf in self._elf.items():
                yield from ((normalize_alias(pattern), name) for pattern in elf.values("alias"))

    @functools.cached_property
    def _builtin_aliases(self) -> AliasTable:
        aliases = self._builtin.aliases or tuple(self._items("modules.builtin.alias"))
        return AliasTable(aliases)


def _plain(path: str) -> str:
    return plain_module_path(path) or path


def _is_symbol(pattern: str) -> bool:
    return pattern.startswith("symbol:")
