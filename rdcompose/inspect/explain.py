"""Why a module is in an initramfs, or why it is not.

What is asked about is a :class:`~rdcompose.inspect.explained.Subject`: a kernel with lists, a
build, or images of anyone. Of the latter no lists are known, and often no configuration: then what
follows from these is not said.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Final

from rdcompose.compose.profile import AUTOLOAD, RAMFS
from rdcompose.errors import RdcomposeError
from rdcompose.inspect.explained import Addition, Explanation, Option, Removal, State
from rdcompose.kernel.chains import all_chains, chain_of, is_start
from rdcompose.kernel.choice import Choice, effects
from rdcompose.kernel.modlist import Line, ListEntry
from rdcompose.kernel.modmatch import ModuleIndex
from rdcompose.kernel.moduletree import named_module
from rdcompose.kernel.needs import Needs
from rdcompose.kernel.optionname import probable_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdcompose.inspect.explained import Subject
    from rdcompose.kernel.chains import Chain
    from rdcompose.kernel.choice import Effects
    from rdcompose.kernel.selection import Why

# Chains of one module that are told; a terminal shows no more.
MAX_CHAINS: Final = 100


class Explainer:
    """Answers questions about one subject."""

    def __init__(self, subject: Subject) -> None:
        self.subject: Final = subject
        self._graph = subject.graph

    def explain(self, word: str, *, every: bool = False) -> list[Explanation]:
        """Explain a module by its name, path or an alias; of an alias all modules behind it.

        ``every`` asks for all chains. There is always an answer, if only that nothing is known.
        """
        name = named_module(word) or word
        if name in self._graph.modules:
            return [self._module(word, name, every=every)]
        if name in self._graph.builtin:
            return [self._builtin(word, name)]
        found = [self._module(word, one, every=every) for one in self._graph.resolve(word)]
        found += [self._builtin(word, one) for one in self._graph.resolve_builtin(word)]
        if found:
            return found
        whole = self.subject.whole
        # Where not all modules are known, it may well be one of the others.
        option = self._option(name, "n" if whole else "nm")
        state = State.UNKNOWN if whole else State.NOT_THERE
        near = self._index.near(word)
        return [Explanation(asked=word, name=name, state=state, option=option, near=near)]

    @functools.cached_property
    def _inside(self) -> Needs:
        return Needs(self._graph, self.subject.initramfs)

    @functools.cached_property
    def _everywhere(self) -> Needs:
        return Needs(self._graph, self._graph.modules)

    @functools.cached_property
    def _index(self) -> ModuleIndex:
        return ModuleIndex(self._graph.modules, self._graph.builtin, self._graph.hidden)

    @functools.cached_property
    def _effects(self) -> Effects:
        return effects(self._graph, self.subject.choice or Choice())

    @functools.cached_property
    def _starts(self) -> Mapping[str, tuple[Why | None, ...]]:
        """What puts modules in, as far as it is known: lines, or what a manifest has of them.

        Where nothing tells, chains start at what no other module needs, or what is loaded at boot.
        """
        subject = self.subject
        if subject.choice is not None:
            return self._effects.chosen
        if subject.reasons:
            return {name: (why,) for name, why in subject.reasons.items() if is_start(why)}
        return {
            name: (None,)
            for name in subject.initramfs
            if name in subject.loaded or not self._inside.by(name)
        }

    def _module(self, asked: str, name: str, *, every: bool) -> Explanation:
        subject = self.subject
        inside = name in subject.initramfs
        state = State.INITRAMFS if inside else State.NEITHER
        where = subject.initramfs.get(name, "")
        if not inside and name in subject.disk:
            state, where = State.DISK, subject.disk[name]
        elif not inside and subject.choice is None and not subject.initramfs:
            # A disk alone: there is an initramfs elsewhere.
            state = State.NOT_THERE
        chains, more = self._chains(name, every=every) if inside else ((), False)
        found = Explanation(
            asked=asked,
            name=name,
            state=state,
            path=self._graph.modules[name].path,
            where=where,
            also=subject.disk.get(name, "") if inside else "",
            chains=chains,
            more=more,
            removals=tuple(self._removals(chains)),
            loaded=subject.loaded.get(name, "") if inside else "",
            needs=self._everywhere.of(name),
            needed_by=(self._inside if inside else self._everywhere).by(name),
        )
        if inside:
            return found
        return dataclasses.replace(
            found,
            left_out=self._effects.left_out.get(name),
            addition=self._addition(name),
            option=self._option(name, "m"),
        )

    def _builtin(self, asked: str, name: str) -> Explanation:
        path = self._graph.builtin.get(name, "")
        option = self._option(name, "y")
        return Explanation(asked=asked, name=name, state=State.BUILT_IN, path=path, option=option)

    def _option(self, name: str, values: str) -> Option | None:
        config = self.subject.config
        if config is None or (option := probable_option(config, name, values)) is None:
            return None
        return Option(option, config.value(option))

    def _chains(self, name: str, *, every: bool) -> tuple[tuple[Chain, ...], bool]:
        first: tuple[Chain, ...] = ()
        if name in self.subject.reasons:
            first = (chain_of(self.subject.reasons, self._inside, name),)
            if not every:
                return first, False
        limit = MAX_CHAINS if every else 1
        chains, more = all_chains(self._starts, self._inside, name, limit=limit)
        return (*first, *(chain for chain in chains if chain not in first)), more

    def _removals(self, chains: tuple[Chain, ...]) -> list[Removal]:
        lines = dict.fromkeys(chain.start.line for chain in chains if chain.start is not None)
        return [
            self._removal(self.subject.choice, line)
            for line in lines
            if line is not None and self.subject.choice is not None
        ]

    def _removal(self, choice: Choice, line: Line) -> Removal:
        try:
            left = choice.without(line).select(self._graph)
        except RdcomposeError as error:
            return Removal(line, problem=error.message)
        gone = set(self.subject.initramfs).difference(left.ramdisk)
        return Removal(line, self._in_order(gone))

    def _in_order(self, names: set[str]) -> tuple[str, ...]:
        return tuple(sorted(names, key=lambda name: self._graph.modules[name].path))

    def _addition(self, name: str) -> Addition | None:
        subject = self.subject
        if subject.choice is None:
            return None
        line = Line("", 0, name)
        barred = self._effects.left_out
        # A line at the end has the last word on the module itself, not on what it needs.
        needed = self._in_order(self._needed(name))
        takes_out = next((barred[one] for one in needed if one in barred), None)
        problem = ""
        brings: tuple[str, ...] = ()
        choice = subject.choice if takes_out is None else subject.choice.without(takes_out)
        try:
            selection = choice.having(ListEntry(line=line, pattern=name)).select(self._graph)
            brings = self._in_order(set(selection.ramdisk) - set(subject.initramfs) - {name})
        except RdcomposeError as error:
            problem = error.message
        return Addition(
            lines=self._lines(name), brings=brings, takes_out=takes_out, problem=problem
        )

    def _lines(self, name: str) -> Mapping[str, tuple[str, ...]]:
        """Return the lines to add: of a built-in profile, those of one of the user's own.

        What no alias leads to, and no module needs, nobody would load.
        """
        subject = self.subject
        own = subject.builtin_profile
        first = (f"@include {subject.profile}",) if own else ()
        folder = "" if own else f"{subject.profile}/"
        lines = {f"{folder}{RAMFS}": (*first, name)}
        asked_for = subject.aliased is None or name in subject.aliased or self._inside.by(name)
        if not asked_for:
            lines[f"{folder}{AUTOLOAD}"] = (name,)
        return lines

    def _needed(self, name: str) -> set[str]:
        found = {name}
        todo = [name]
        while todo:
            fresh = set(self._graph.direct(todo.pop())) - found
            found |= fresh
            todo += fresh
        return found - {name}
