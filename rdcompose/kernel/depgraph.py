"""Which module needs which, and in what order depmod has them.

A module needs another one if it refers to a symbol that the other exports; the
``depends=`` of its metadata only repeats that. All rules here are those of kmod's
``tools/depmod.c``, because the order of ``modules.dep`` and of the values in the
indexes follows from them.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError
from rdcompose.kernel.kmodhash import hash_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rdcompose.kernel.module import Module

EM_PPC64: Final = 21
# Buckets of depmod's table of modules.
_MODULE_BUCKETS: Final = 512
# depmod's default search order: what is in here hides modules of the same name.
_UPDATES: Final = "updates/"


class DepGraph:
    """Modules, in the order of their priority, and their hard dependencies.

    :raises FormatError: modules depend on each other in a circle. The message names
        them.
    """

    def __init__(self, modules: Iterable[Module], order: Sequence[str] = ()) -> None:
        listed = {path: number for number, path in enumerate(order)}
        every = tuple(modules)
        self.modules: Mapping[str, Module] = _in_order(_winners(every, listed), listed)
        self.hidden: tuple[tuple[str, str], ...] = tuple(
            sorted(
                (module.name, module.path)
                for module in every
                if self.modules[module.name].path != module.path
            )
        )
        self.symbols: Mapping[str, str] = {
            symbol: name for name, module in self.modules.items() for symbol in module.elf.exports
        }
        needed = {name: self._needed(module) for name, module in self.modules.items()}
        self._sorted = _users_first(needed)
        rank = {name: number for number, name in enumerate(self._sorted)}
        self.direct: Mapping[str, tuple[str, ...]] = {
            name: tuple(sorted(others, key=rank.__getitem__)) for name, others in needed.items()
        }
        self._rank = rank

    def _needed(self, module: Module) -> tuple[str, ...]:
        """Owners of the symbols that a module needs, in the order of first use."""
        imports = module.elf.imports
        if module.elf.machine == EM_PPC64:
            # There, ".name" is the code of the function "name".
            imports = tuple([name.removeprefix(".") for name in imports])
        owners = dict.fromkeys(map(self.symbols.get, imports))
        return tuple([owner for owner in owners if owner is not None])

    @functools.cached_property
    def _closures(self) -> Mapping[str, frozenset[int]]:
        """Ranks of all modules that a module needs, directly or not."""
        rank = self._rank
        found: dict[str, frozenset[int]] = {}
        for name in reversed(self._sorted):
            direct = self.direct[name]
            found[name] = frozenset(map(rank.__getitem__, direct)).union(
                *(found[other] for other in direct)
            )
        return found

    def needs(self, name: str) -> tuple[str, ...]:
        """Return all dependencies of a module in the order of ``modules.dep``.

        Loading goes from the last to the first.
        """
        return tuple([self._sorted[number] for number in sorted(self._closures[name])])

    def is_needed(self, other: str, *, by: str) -> bool:
        """Whether one module needs another, directly or not."""
        return self._rank[other] in self._closures[by]


def _winners(modules: Iterable[Module], listed: Mapping[str, int]) -> dict[str, Module]:
    """Choose among modules of one name.

    Where kmod takes what it happens to find first, the one that ``modules.order``
    lists counts, and then the first by path.
    """

    def key(module: Module) -> tuple[bool, bool, str]:
        path = module.path
        return not path.startswith(_UPDATES), path not in listed, path

    winners: dict[str, Module] = {}
    for module in modules:
        name = module.name
        if name not in winners or key(module) < key(winners[name]):
            winners[name] = module
    return winners


def _in_order(modules: Mapping[str, Module], listed: Mapping[str, int]) -> dict[str, Module]:
    """Sort as depmod does: first what is listed, then the rest as its hash has them."""

    def key(name: str) -> int:
        return listed.get(modules[name].path, sys.maxsize)

    return {name: modules[name] for name in sorted(hash_order(modules, _MODULE_BUCKETS), key=key)}


def _users_first(needed: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Sort so that every module stands before those that it needs, as depmod does it."""
    users = dict.fromkeys(needed, 0)
    for others in needed.values():
        for other in others:
            users[other] += 1
    ready = [name for name, count in users.items() if not count]
    done: list[str] = []
    while ready:
        name = ready.pop()
        done.append(name)
        for other in needed[name]:
            users[other] -= 1
            if not users[other]:
                ready.append(other)
    if len(done) < len(needed):
        circle = _circle({name: needed[name] for name, count in users.items() if count})
        raise FormatError(
            f"modules depend on each other in a circle: {' -> '.join(circle)}",
            hint="depmod refuses them, too; the package is broken",
        )
    return done


def _circle(needed: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Find a circle where each module has a user; its first module is named again."""
    user = {other: name for name, others in needed.items() for other in others}
    way: dict[str, int] = {}
    name = next(iter(needed))
    while name not in way:
        way[name] = len(way)
        name = user[name]
    circle = list(way)[way[name] :]
    # From a module to what it needs, starting at the one that sorts first.
    circle.reverse()
    start = circle.index(min(circle))
    return [*circle[start:], *circle[: start + 1]]
