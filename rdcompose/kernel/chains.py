"""Chains: from what puts a module into an image, over those that need each other, to one module."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections import deque
from typing import TYPE_CHECKING, Final

from rdcompose.kernel.modlist import Line
from rdcompose.kernel.needs import NeedKind
from rdcompose.kernel.selection import Why, WhyKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdcompose.kernel.needs import Need, Needs

# Ways that are looked at for all chains of one module: of a generic kernel's file systems there
# are millions.
MAX_WAYS: Final = 20_000
_KINDS: Final = {
    WhyKind.DEPENDENCY: frozenset({NeedKind.HARD}),
    WhyKind.SOFTDEP: frozenset({NeedKind.PRE, NeedKind.POST}),
    WhyKind.WEAKDEP: frozenset({NeedKind.WEAK}),
}
_WORDS: Final = "|".join(re.escape(kind.value) for kind in WhyKind)
# What ``str()`` makes of a reason.
_LINE: Final = re.compile(
    rf"(?P<kind>{_WORDS}): (?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    r" in (?P<file>.+):(?P<number>\d{1,9})"
    r"(?: \(as (?P<alias>[^()]*)\))?",
    re.DOTALL,
)
_BY: Final = re.compile(
    rf"(?P<kind>{_WORDS})(?: of)? (?P<by>.+?)(?: \(as (?P<alias>[^()]*)\))?", re.DOTALL
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Why a module is there: ``start`` puts the first module in, ``needs`` lead on from there.

    Without ``needs``, the module itself is what ``start`` is about. Where it is known that another
    module needs one, but not how that came in, ``start`` is that reason; ``None`` where nothing is
    known of the first one.
    """

    name: str
    start: Why | None
    needs: tuple[Need, ...] = ()

    @property
    def first(self) -> str:
        """The module that ``start`` puts in."""
        return self.needs[0].by if self.needs else self.name


def chain_of(reasons: Mapping[str, Why], needs: Needs, name: str) -> Chain:
    """Return the chain that a selection's reasons tell; ``name`` is one of them."""
    found: list[Need] = []
    here = name
    while (why := reasons[here]).kind in _KINDS and len(found) < len(reasons):
        steps = (need for need in needs.by(here) if need.by == why.by)
        step = next((need for need in steps if need.kind in _KINDS[why.kind]), None)
        if step is None or why.by not in reasons:
            break
        found.append(step)
        here = why.by
    return Chain(name=name, start=reasons[here], needs=tuple(reversed(found)))


def all_chains(
    starts: Mapping[str, tuple[Why | None, ...]], needs: Needs, name: str, *, limit: int
) -> tuple[tuple[Chain, ...], bool]:
    """Return the chains that lead to a module, shortest first, and whether there may be more.

    ``starts`` are the reasons for modules but that others need them, ``None`` for one that is there
    for an unknown one. No module is twice in one
    chain.
    """
    found: list[Chain] = []
    ways: deque[tuple[Need, ...]] = deque([()])
    seen = 0
    while ways:
        way = ways.popleft()
        here = way[0].by if way else name
        for start in starts.get(here, ()):
            if len(found) == limit:
                return tuple(found), True
            found.append(Chain(name=name, start=start, needs=way))
        on_it = {name, *(need.by for need in way)}
        more = [(need, *way) for need in needs.by(here) if need.by not in on_it]
        seen += len(more)
        if seen > MAX_WAYS:
            return tuple(found), True
        ways.extend(more)
    return tuple(found), False


def is_start(why: Why) -> bool:
    """Whether a reason is no need of another module."""
    return why.kind not in _KINDS


def parse_why(text: str) -> Why | None:
    """Return the reason that a text stands for, as manifests have it; ``None`` if it is none."""
    if (found := _LINE.fullmatch(text)) is not None:
        try:
            written = ast.literal_eval(found["text"])
        except (SyntaxError, ValueError):
            return None
        line = Line(found["file"], int(found["number"]), written)
        return Why(kind=WhyKind(found["kind"]), line=line, alias=found["alias"] or "")
    if (found := _BY.fullmatch(text)) is not None:
        return Why(kind=WhyKind(found["kind"]), by=found["by"], alias=found["alias"] or "")
    return None
