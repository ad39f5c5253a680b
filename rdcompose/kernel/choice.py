"""The lists that choose the modules of an initramfs, and what each of their lines does."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rdcompose.kernel.modmatch import ModuleIndex
from rdcompose.kernel.module import modname
from rdcompose.kernel.selection import Selection, Why, WhyKind, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.kernel.modlist import Line, ListEntry
    from rdcompose.kernel.selection import ModuleGraph


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is listed, loaded at boot, and required by the boot: the arguments of ``select``."""

    entries: tuple[ListEntry, ...] = ()
    autoload: tuple[ListEntry, ...] = ()
    required: tuple[tuple[str, str], ...] = ()

    def select(self, graph: ModuleGraph) -> Selection:
        """Choose the modules of a kernel.

        :raises RdcomposeError: as :func:`rdcompose.kernel.selection.select` does.
        """
        return select(graph, self.entries, self.autoload, required=self.required)

    def without(self, line: Line) -> Choice:
        """Return the choice without what stands at a line."""
        return dataclasses.replace(
            self,
            entries=tuple(entry for entry in self.entries if entry.line != line),
            autoload=tuple(entry for entry in self.autoload if entry.line != line),
        )

    def having(self, entry: ListEntry) -> Choice:
        """Return the choice with one more entry at the end of ``modules.ramfs``."""
        return dataclasses.replace(self, entries=(*self.entries, entry))


@dataclasses.dataclass(frozen=True, slots=True)
class Effects:
    """What the lines of a choice do, each by itself.

    ``chosen`` has every reason for a module but that others need it; ``left_out`` the line that
    takes a module away. Both by module name.
    """

    chosen: dict[str, tuple[Why, ...]]
    left_out: dict[str, Line]


def effects(graph: ModuleGraph, choice: Choice) -> Effects:
    """Say what each line of a choice does to the modules of a kernel, in order of the lines."""
    index = ModuleIndex(graph.modules, graph.builtin, graph.hidden)
    chosen: dict[str, list[Why]] = {}
    left_out: dict[str, Line] = {}
    for entry in choice.entries:
        for name in index.match(entry.pattern).modules:
            if entry.exclude:
                chosen.pop(name, None)
                left_out[name] = entry.line
            else:
                left_out.pop(name, None)
                chosen.setdefault(name, []).append(Why(kind=WhyKind.LISTED, line=entry.line))
    for name, why in (*_loaded(graph, choice), *_required(graph, choice)):
        chosen.setdefault(name, []).append(why)
    return Effects({name: tuple(dict.fromkeys(found)) for name, found in chosen.items()}, left_out)


def _loaded(graph: ModuleGraph, choice: Choice) -> Iterator[tuple[str, Why]]:
    loaded: dict[str, list[Why]] = {}
    for entry in choice.autoload:
        for name in graph.resolve(entry.pattern):
            if entry.exclude:
                loaded.pop(name, None)
            else:
                alias = "" if name == entry.pattern else entry.pattern
                why = Why(kind=WhyKind.AUTOLOAD, line=entry.line, alias=alias)
                loaded.setdefault(name, []).append(why)
    for name, found in loaded.items():
        yield from ((name, why) for why in found)


def _required(graph: ModuleGraph, choice: Choice) -> Iterator[tuple[str, Why]]:
    for written, purpose in choice.required:
        for name in graph.resolve(written):
            alias = "" if name == modname(written) else written
            yield name, Why(kind=WhyKind.REQUIRED, by=purpose, alias=alias)
