"""Modules of a kernel, found by name, path, alias, modalias or firmware, with what they say.

Names and aliases are resolved as modprobe does it, with what is built in beside. What a module
says is ``modinfo``: keys and values of its section of that name, or those of
``modules.builtin.modinfo``.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
from typing import TYPE_CHECKING, Final

from rdcompose.formats.modindex import matches
from rdcompose.kernel.builtin import read_modinfo
from rdcompose.kernel.modmatch import ModuleIndex
from rdcompose.kernel.moduletree import named_module
from rdcompose.kernel.needs import Needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rdcompose.kernel.needs import Need
    from rdcompose.kernel.selection import ModuleGraph

Modinfo = tuple[tuple[str, str], ...]

_BUILT_IN: Final = "built in"
_MAGIC: Final = frozenset("*?[")


class FoundAs(enum.StrEnum):
    """What a word turned out to be."""

    NAME = "name"
    ALIAS = "alias"
    PATTERN = "pattern"
    FIRMWARE = "firmware"
    NOTHING = "nothing"


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a module; type and description are empty where it does not tell them."""

    name: str
    type: str
    description: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a module, or of what is built in.

    ``where`` is "built in", or the file that holds it, empty of a kernel alone. ``modinfo`` is
    ``None`` where the module was not read.
    """

    name: str
    path: str
    where: str
    modinfo: Modinfo | None
    needs: tuple[Need, ...] = ()
    needed_by: tuple[Need, ...] = ()

    @property
    def is_builtin(self) -> bool:
        """Whether it is no module."""
        return self.where == _BUILT_IN

    def value(self, key: str) -> str:
        """Return the first value of a key, empty if there is none."""
        return next(iter(self.values(key)), "")

    def values(self, key: str) -> tuple[str, ...]:
        """Return all values of a key."""
        return tuple(value for name, value in self.modinfo or () if name == key)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, in the order of the module, with ``parm`` and ``parmtype`` put together.

        Some have only one of the two.
        """
        said: dict[str, dict[str, str]] = {}
        for key in ("parmtype", "parm"):
            for value in self.values(key):
                name, _, text = value.partition(":")
                said.setdefault(name, {}).setdefault(key, text)
        return tuple(
            Parameter(name, told.get("parmtype", ""), told.get("parm", ""))
            for name, told in said.items()
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What was found by a word, in order of priority; ``near`` are names like it."""

    word: str
    kind: FoundAs
    modules: tuple[Facts, ...] = ()
    near: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A kernel to look in: ``modinfo`` of its modules as far as it is known.

    ``places`` has the file that holds a module, where there are files.
    """

    release: str | None
    graph: ModuleGraph
    modinfo: Mapping[str, Modinfo]
    builtin_modinfo: bytes = b""
    places: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Catalogue:
    """Looks things up in one kernel."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._graph = source.graph

    def find(self, word: str) -> Found:
        """Find modules by a name, path, alias, modalias, pattern of names, or name of firmware."""
        kind, names, builtin = self._named(word)
        if kind is FoundAs.NOTHING:
            return Found(word, kind, near=self._index.near(word))
        return Found(word, kind, (*map(self._module, names), *map(self._built_in, builtin)))

    def names(self, word: str) -> tuple[str, ...]:
        """Return the names of the modules that a word finds, without what is built in."""
        return self._named(word)[1]

    def _named(self, word: str) -> tuple[FoundAs, tuple[str, ...], tuple[str, ...]]:
        name = named_module(word)
        graph = self._graph
        if name is not None and (name in graph.modules or name in graph.builtin):
            inside = (name,) if name in graph.modules else ()
            return FoundAs.NAME, inside, () if inside else (name,)
        modules, builtin = graph.resolve(word), graph.resolve_builtin(word)
        if modules or builtin:
            return FoundAs.ALIAS, modules, builtin
        if _MAGIC.intersection(word) and (match := self._index.match(word)):
            return FoundAs.PATTERN, match.modules, match.builtin
        modules, builtin = tuple(self._wanting(word)), tuple(self._wanting_builtin(word))
        if modules or builtin:
            return FoundAs.FIRMWARE, modules, builtin
        return FoundAs.NOTHING, (), ()

    def _module(self, name: str) -> Facts:
        return Facts(
            name=name,
            path=self._graph.modules[name].path,
            where=self._source.places.get(name, ""),
            modinfo=self._source.modinfo.get(name),
            needs=self._needs.of(name),
            needed_by=self._needs.by(name),
        )

    def _built_in(self, name: str) -> Facts:
        # Some built-in code only tells of itself there, and has no path.
        path = self._graph.builtin.get(name, "")
        modinfo = self._builtin_modinfo.get(name)
        return Facts(name=name, path=path, where=_BUILT_IN, modinfo=modinfo)

    def _wanting(self, firmware: str) -> Iterator[str]:
        return _wanting(self._source.modinfo.items(), firmware)

    def _wanting_builtin(self, firmware: str) -> Iterator[str]:
        return _wanting(self._builtin_modinfo.items(), firmware)

    @functools.cached_property
    def _needs(self) -> Needs:
        return Needs(self._graph, self._graph.modules)

    @functools.cached_property
    def _index(self) -> ModuleIndex:
        return ModuleIndex(self._graph.modules, self._graph.builtin, self._graph.hidden)

    @functools.cached_property
    def _builtin_modinfo(self) -> Mapping[str, Modinfo]:
        return read_modinfo(self._source.builtin_modinfo)


def _wanting(rows: Iterable[tuple[str, Modinfo]], firmware: str) -> Iterator[str]:
    """Yield names of what asks for firmware; drivers may have patterns."""
    for name, pairs in rows:
        wanted = (value for key, value in pairs if key == "firmware")
        if any(value == firmware or matches(value, firmware) for value in wanted):
            yield name
