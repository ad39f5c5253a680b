"""What modules need and want of each other, one step at a time.

A need is a fact of the kernel, whatever is chosen of it: hard dependencies, without which a
module does not load, and the soft and weak ones that it names, modprobe.d(5). Names behind
which no module is, because it is built in or because there is none, are no needs.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

from rdcompose.kernel.module import modname

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.kernel.selection import ModuleGraph


class NeedKind(enum.StrEnum):
    """How one module asks for another."""

    HARD = "dependency"
    PRE = "softdep pre"
    POST = "softdep post"
    WEAK = "weakdep"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The module ``by`` needs or wants the module ``name``.

    ``alias`` is how it is called there if that is not its own name.
    """

    by: str
    name: str
    kind: NeedKind
    alias: str = ""


def needs_of(graph: ModuleGraph, name: str) -> Iterator[Need]:
    """Yield what a module needs and wants, hard dependencies first, each as often as it does."""
    for other in graph.direct(name):
        yield Need(by=name, name=other, kind=NeedKind.HARD)
    soft = graph.softdeps(name)
    wishes = (
        (NeedKind.PRE, soft.pre),
        (NeedKind.POST, soft.post),
        (NeedKind.WEAK, graph.weakdeps(name)),
    )
    for kind, written in wishes:
        for word in written:
            for other in graph.resolve(word):
                alias = "" if other == modname(word) else word
                yield Need(by=name, name=other, kind=kind, alias=alias)


class Needs:
    """The needs among some modules of a kernel, in both directions."""

    def __init__(self, graph: ModuleGraph, names: Iterable[str]) -> None:
        among = dict.fromkeys(names)
        self._of = {
            name: tuple(
                dict.fromkeys(
                    need
                    for need in needs_of(graph, name)
                    if need.name in among and need.name != name
                )
            )
            for name in among
        }
        users: dict[str, list[Need]] = {name: [] for name in among}
        for needs in self._of.values():
            for need in needs:
                users[need.name].append(need)
        self._by = {
            name: tuple(sorted(found, key=lambda need: (_ORDER[need.kind], need.by)))
            for name, found in users.items()
        }

    def of(self, name: str) -> tuple[Need, ...]:
        """Return what a module needs and wants; nothing of one that is not among them."""
        return self._of.get(name, ())

    def by(self, name: str) -> tuple[Need, ...]:
        """Return the needs of others that a module serves: hard ones first, then by name."""
        return self._by.get(name, ())


_ORDER = {kind: number for number, kind in enumerate(NeedKind)}
