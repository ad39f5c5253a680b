"""What depmod knows of a kernel's modules: dependencies, aliases, index files."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from rdcompose.kernel import depfiles
from rdcompose.kernel.aliases import AliasTable
from rdcompose.kernel.builtin import Builtin
from rdcompose.kernel.busybox import BusyboxFiles
from rdcompose.kernel.depgraph import DepGraph
from rdcompose.kernel.module import has_matched_brackets, normalize_alias
from rdcompose.kernel.softdeps import Softdeps

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from rdcompose.kernel.module import Module

__all__ = ["Depmod", "Softdeps"]


class Depmod:
    """All modules of one kernel, and what is built into it.

    ``order``, ``builtin`` and ``builtin_modinfo`` are the lines of ``modules.order`` and
    ``modules.builtin`` and the bytes of ``modules.builtin.modinfo``; a kernel without
    these files just has none of what they tell.

    Everything follows from the arguments, not from the order of ``modules``. Names in
    and out are module names (``snd_hda_intel``); methods that take one module's name
    raise :class:`KeyError` for a name that is not in :attr:`modules`.

    :raises FormatError: modules depend on each other in a circle. kmod's depmod writes
        nothing in this case.
    """

    def __init__(
        self,
        modules: Iterable[Module],
        *,
        order: Sequence[str] = (),
        builtin: Sequence[str] = (),
        builtin_modinfo: bytes = b"",
    ) -> None:
        self._graph = DepGraph(modules, order)
        self._order = tuple(order)
        self._builtin = Builtin.parse(builtin, builtin_modinfo)
        self._builtin_names = self._builtin.names()

    @property
    def modules(self) -> Mapping[str, Module]:
        """Modules by name, in the order of ``modules.order``.

        Of several with one name, that is the one kmod takes: from ``updates/``, else
        one that ``modules.order`` lists.
        """
        return self._graph.modules

    @property
    def hidden(self) -> tuple[tuple[str, str], ...]:
        """Names and paths of the modules that are not in :attr:`modules` for that reason."""
        return self._graph.hidden

    @property
    def builtin(self) -> Mapping[str, str]:
        """Paths, as ``modules.builtin`` has them, by module name."""
        return self._builtin_names

    @property
    def builtin_firmware(self) -> tuple[tuple[str, str], ...]:
        """Names of firmware, or patterns, each with the built-in driver that asks for it."""
        return self._builtin.firmware

    def direct(self, name: str) -> tuple[str, ...]:
        """Return the modules whose symbols a module uses itself."""
        return self._graph.direct[name]

    def dependencies(self, name: str) -> tuple[str, ...]:
        """Return all modules that a module needs, in the order of loading."""
        return self._graph.needs(name)[::-1]

    def softdeps(self, name: str) -> Softdeps:
        """Return the soft dependencies of a module, names as written."""
        return Softdeps.parse(self.modules[name].elf.values("softdep"))

    def weakdeps(self, name: str) -> tuple[str, ...]:
        """Return the weak dependencies of a module, names as written.

        Those are modules that it may ask the kernel for once it runs.
        """
        values = self.modules[name].elf.values("weakdep")
        return tuple([word for value in values for word in value.split()])

    def resolve(self, name: str) -> tuple[str, ...]:
        """Return the modules behind a module name, ``symbol:`` name, or modalias.

        A name that is a module's own wins; of many behind an alias, the first is the
        first of ``modules.order``. Nothing is found for what is built in.
        """
        wanted = normalize_alias(name)
        if wanted in self.modules:
            return (wanted,)
        owner = self._graph.symbols.get(wanted.removeprefix("symbol:"))
        if wanted.startswith("symbol:") and owner is not None:
            return (owner,)
        return self._aliases.find(wanted)

    def is_builtin(self, name: str) -> bool:
        """Whether a module name or alias stands for something built in."""
        return bool(self.resolve_builtin(name))

    def resolve_builtin(self, name: str) -> tuple[str, ...]:
        """Return the names of what is built in behind a module name or alias."""
        wanted = normalize_alias(name)
        return (wanted,) if wanted in self._builtin_names else self._builtin_aliases.find(wanted)

    def index_files(self, names: Container[str] | None = None) -> dict[str, bytes]:
        """Return the ``modules.*`` files that depmod makes, text and binary, by name.

        With ``names``, they are as if only these modules were there.
        """
        if names is None:
            return {**self._index_files}
        chosen = [module for name, module in self.modules.items() if name in names]
        return depfiles.index_files(DepGraph(chosen, self._order), self._builtin)

    @functools.cached_property
    def _index_files(self) -> dict[str, bytes]:
        return depfiles.index_files(self._graph, self._builtin)

    def text_files(self) -> dict[str, bytes]:
        """Return those of the ``modules.*`` files that are text and describe modules, by name."""
        return depfiles.text_files(self._graph)

    def busybox_files(self, names: Container[str]) -> dict[str, bytes]:
        """Return what busybox's modprobe reads, for these modules, by name.

        Soft dependencies stand among the hard ones: loaded before the module, or after
        it for ``post:`` and weak ones, as far as they are among ``names``. Hard ones are
        always listed; leaving one out of ``names`` makes a module that cannot load. A
        module with something to load after it stands in its own line once more.
        """
        return BusyboxFiles(
            self._graph,
            frozenset(name for name in self.modules if name in names),
            softdeps=self.softdeps,
            weakdeps=self.weakdeps,
            resolve=self.resolve,
        ).files()

    @functools.cached_property
    def _aliases(self) -> AliasTable:
        return AliasTable(
            (normalize_alias(pattern), name)
            for pattern, name in depfiles.aliases(self._graph)
            if has_matched_brackets(pattern)
        )

    @functools.cached_property
    def _builtin_aliases(self) -> AliasTable:
        return AliasTable(self._builtin.aliases)
