"""``modules.dep``, ``.alias`` and ``.symbols`` as busybox's modprobe needs them.

busybox knows nothing of soft dependencies, so they are put among the hard ones. What
matters of its behaviour (``modutils/modprobe.c``, versions 1.35 to 1.37):

- It loads what a line of ``modules.dep`` lists from the last to the first, then the
  module itself, and stops at the first that fails; what it has loaded in this run is
  passed over.
- Of all modules behind one alias, it loads the one listed last first.
- It writes ``_`` for every ``-`` of a pattern, inside brackets, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rdcompose.kernel.depfiles import aliases, symbols, text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from rdcompose.kernel.depgraph import DepGraph
    from rdcompose.kernel.softdeps import Softdeps

_OF_PROCESSORS: Final = "kernel/arch/"
_SET: Final = re.compile(r"\[([!^]?)([^\]]+)\]")
_RANGE: Final = re.compile(r"(.)-(.)", re.DOTALL)


class BusyboxFiles:
    """Writer of the three files for some modules of a kernel.

    ``softdeps`` and ``weakdeps`` give the names that a module asks for, and ``resolve``
    the modules behind such a name.
    """

    def __init__(
        self,
        graph: DepGraph,
        names: Collection[str],
        *,
        softdeps: Callable[[str], Softdeps],
        weakdeps: Callable[[str], tuple[str, ...]],
        resolve: Callable[[str], tuple[str, ...]],
    ) -> None:
        self._graph = graph
        self._names = [name for name in graph.modules if name in names]
        self._included = frozenset(self._names)
        self._resolve = resolve
        self._before = {name: self._soft(softdeps(name).pre) for name in self._names}
        self._after = {
            name: self._soft((*softdeps(name).post, *weakdeps(name))) for name in self._names
        }

    def files(self) -> dict[str, bytes]:
        """Return the files by name."""
        return {
            "modules.dep": text(map(self._dep_line, self._names)),
            "modules.alias": text(self._alias_lines()),
            "modules.symbols": text(
                f"alias symbol:{symbol} {name}"
                for symbol in symbols(self._graph)
                if (name := self._graph.symbols[symbol]) in self._included
            ),
        }

    def _soft(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """Return the modules of this image behind names of soft dependencies.

        Left out are modules for a feature of the processor: they refuse to load
        elsewhere, which would stop busybox from loading what it was asked for. Where
        the feature is there, the processor's own modalias has loaded them already, or the
        kernel asks for them when it wants the algorithm.
        """
        found = [name for alias in wanted for name in self._resolve(alias)]
        return tuple(
            [name for name in found if name in self._included and not self._is_for_processor(name)]
        )

    def _is_for_processor(self, name: str) -> bool:
        module = self._graph.modules[name]
        values = module.elf.values("alias")
        if any(value.startswith("cpu:") for value in values):
            return True
        # Those of 32-bit ARM look for themselves what the processor can do.
        return module.path.startswith(_OF_PROCESSORS) and any(
            value.startswith("crypto-") for value in values
        )

    def _dep_line(self, name: str) -> str:
        order = _LoadOrder(self._graph, self._before, self._after).of(name)
        paths = [self._graph.modules[other].path for other in reversed(order)]
        if order[-1] == name:
            del paths[0]
        # Otherwise something comes after the module. Then the module is listed in its own
        # line, and busybox, which has loaded it by the time it gets to it, passes it over.
        return " ".join([f"{self._graph.modules[name].path}:", *paths])

    def _alias_lines(self) -> Iterator[str]:
        found = [item for item in aliases(self._graph) if item[1] in self._included]
        for pattern, name in reversed(found):
            yield f"alias {_without_ranges(pattern)} {name}"


class _LoadOrder:
    """In which order a module and all that it asks for are loaded."""

    def __init__(
        self,
        graph: DepGraph,
        before: dict[str, tuple[str, ...]],
        after: dict[str, tuple[str, ...]],
    ) -> None:
        self._graph = graph
        self._before = before
        self._after = after
        self._order: list[str] = []
        self._begun: list[str] = []
        self._later: list[str] = []

    def of(self, name: str) -> list[str]:
        self._visit(name)
        # What is to come after something comes at the end: then all it may need is there.
        for other in self._later:  # grows meanwhile
            self._visit(other)
        return self._order

    def _visit(self, name: str) -> None:
        if name in self._order or name in self._begun:
            return
        self._begun.append(name)
        for other in self._before.get(name, ()):
            # A soft dependency on what needs this module can only be met afterwards.
            if any(self._graph.is_needed(begun, by=other) for begun in self._begun):
                self._later.append(other)
            else:
                self._visit(other)
        # All of them, not only the next ones: so the order stays kmod's.
        for other in reversed(self._graph.needs(name)):
            self._visit(other)
        self._later += self._after.get(name, ())
        self._begun.remove(name)
        self._order.append(name)


def _without_ranges(pattern: str) -> str:
    """Return a pattern with ``[0-3]`` as ``[0123]``, which busybox leaves as it is."""
    if "[" not in pattern:
        return pattern
    return _SET.sub(lambda found: f"[{found[1]}{_RANGE.sub(_members, found[2])}]", pattern)


def _members(found: re.Match[str]) -> str:
    return "".join(map(chr, range(ord(found[1]), ord(found[2]) + 1)))
