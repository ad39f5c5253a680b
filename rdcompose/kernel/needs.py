"""What modules need and want of each other, one step at a time.

A need is a fact of the kernel, whatever is chosen of it: hard dependencies, without which a
module does not load, and the soft and weak ones that it names, modprobe.d(5). Names behind
which no module is, because it is built in or because there is none, are no needs.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError
from rdcompose.kernel.module import modname

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.kernel.selection import ModuleGraph


# Debian's largest kernels have a tenth of that.
MAX_NEEDS: Final = 200_000


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
    """The needs among some modules of a kernel, in both directions.

    :raises FormatError: there are more than any kernel has.
    """

    def __init__(self, graph: ModuleGraph, names: Iterable[str]) -> None:
        among = dict.fromkeys(names)
        self._of: dict[str, tuple[Need, ...]] = {}
        left = MAX_NEEDS
        for name in among:
            every = itertools.islice(needs_of(graph, name), left + 1)
            found = (need for need in every if need.name in among and need.name != name)
            self._of[name] = tuple(dict.fromkeys(found))
            left -= len(self._of[name])
            if left < 0:
                raise FormatError(
                    f"the modules need each other in more than {MAX_NEEDS} ways, which is not true "
                    "of any kernel"
                )
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


_ORDER: Final = {kind: number for number, kind in enumerate(NeedKind)}
