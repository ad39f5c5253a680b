"""Which modules the initramfs gets, which are left for the disk, and why.

The lines of a list count in order: an entry adds what it matches, one with ``!`` takes it
away, and the last line that matches a module decides. To what is listed, loaded by
``modules.autoload`` and required by the boot comes the closure:

* hard dependencies, always: without them a module does not load;
* soft dependencies, before and after, and weak ones: what a module asks for but can do
  without. They are names as their authors wrote them, often aliases, often built in, and
  some exist in no kernel at all; those get a note.

What a line takes away also stays away from the closure: a soft or weak dependency is left
out, and a module that cannot do without it is an error.
"""

from __future__ import annotations

import dataclasses
import enum
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from rdcompose.errors import CapabilityError
from rdcompose.kernel.modlist import raise_problems
from rdcompose.kernel.modmatch import ModuleIndex
from rdcompose.kernel.module import modname

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rdcompose.kernel.modlist import Line, ListEntry
    from rdcompose.kernel.modmatch import HasPath

_MISSING_HINT: Final = "correct the entry, or put a '?' after one that may be missing"
_EXCLUDED_HINT: Final = "take the '!' entry out, or exclude what needs the module as well"


class HasSoftdeps(Protocol):
    """The ``softdep:`` lines of one module, names as written."""

    @property
    def pre(self) -> tuple[str, ...]:
        """To be loaded before the module."""
        ...

    @property
    def post(self) -> tuple[str, ...]:
        """To be loaded after the module."""
        ...


class ModuleGraph(Protocol):
    """What a selection asks the module index of a kernel (``Depmod``)."""

    @property
    def modules(self) -> Mapping[str, HasPath]:
        """Modules by module name."""
        ...

    @property
    def builtin(self) -> Mapping[str, str]:
        """Paths of built-in code by module name."""
        ...

    @property
    def hidden(self) -> Sequence[tuple[str, str]]:
        """Names and paths of modules that others of their names have taken the place of."""
        ...

    def direct(self, name: str, /) -> tuple[str, ...]:
        """Hard dependencies of a module, one step."""
        ...

    def softdeps(self, name: str, /) -> HasSoftdeps:
        """Soft dependencies of a module."""
        ...

    def weakdeps(self, name: str, /) -> tuple[str, ...]:
        """Weak dependencies of a module, names as written."""
        ...

    def resolve(self, name: str, /) -> tuple[str, ...]:
        """Modules behind a module name or alias."""
        ...

    def is_builtin(self, name: str, /) -> bool:
        """Whether a module name or alias is served by built-in code."""
        ...

    def resolve_builtin(self, name: str, /) -> tuple[str, ...]:
        """Names of the built-in code behind a module name or alias."""
        ...


class WhyKind(enum.Enum):
    """How a module came into the initramfs."""

    LISTED = "listed"
    AUTOLOAD = "autoload"
    REQUIRED = "required by the boot"
    DEPENDENCY = "dependency"
    SOFTDEP = "softdep"
    WEAKDEP = "weakdep"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The reason for one module; ``str()`` tells it in a few words.

    ``line`` is the list line, for ``LISTED`` and ``AUTOLOAD``. ``by`` is the module that
    needs it, or for ``REQUIRED`` what the boot needs it for ("to read the disk").
    ``alias`` is the name that led here where it is not the module's own.
    """

    kind: WhyKind
    line: Line | None = None
    by: str = ""
    alias: str = ""

    def __str__(self) -> str:
        alias = f" (as {self.alias})" if self.alias else ""
        if self.line is not None:
            return f"{self.kind.value}: {self.line.text!r} in {self.line}{alias}"
        joined = " " if self.kind is WhyKind.REQUIRED else " of "
        return f"{self.kind.value}{joined}{self.by}{alias}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What goes where; module names in the order of their paths.

    ``reasons`` has one reason for each module of ``ramdisk``; of several, the nearest to
    what the user wrote. ``disk`` holds all other modules of the kernel. ``autoload`` is
    what the image loads at boot, in order, without what is built in. ``notes`` are
    sentences on entries and dependencies that had no effect.
    """

    ramdisk: tuple[str, ...]
    disk: tuple[str, ...]
    autoload: tuple[str, ...]
    reasons: Mapping[str, Why]
    notes: tuple[str, ...]


def select(
    graph: ModuleGraph,
    entries: Sequence[ListEntry],
    autoload: Sequence[ListEntry] = (),
    *,
    required: Sequence[tuple[str, str]] = (),
) -> Selection:
    """Choose the modules of an initramfs.

    ``entries`` and ``autoload`` are the lists, ``required`` the modules that the boot
    itself needs, each with what for (``"to read the modules disk"``); built in is as
    good.

    :raises SpecError: entries match nothing, or exclude what is needed; one for all.
    :raises CapabilityError: the kernel lacks a required module.
    """
    chosen = _Chosen(graph)
    chosen.match_entries(entries)
    loaded = chosen.add_autoload(autoload)
    raise_problems(chosen.unmatched, hint=_MISSING_HINT)
    chosen.add_required(required)
    chosen.close()
    raise_problems(chosen.conflicts, hint=_EXCLUDED_HINT)
    order = sorted(graph.modules, key=lambda name: graph.modules[name].path)
    ramdisk = tuple(name for name in order if name in chosen.reasons)
    return Selection(
        ramdisk=ramdisk,
        disk=tuple(name for name in order if name not in chosen.reasons),
        autoload=loaded,
        reasons={name: chosen.reasons[name] for name in ramdisk},
        notes=tuple(dict.fromkeys(chosen.notes)),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Wish:
    """A soft or weak dependency, as written in the module ``by``."""

    kind: WhyKind
    by: str
    name: str


class _Chosen:
    """The selection in the making."""

    def __init__(self, graph: ModuleGraph) -> None:
        self.reasons: dict[str, Why] = {}
        self.notes: list[str] = []
        self.unmatched: list[str] = []
        self.conflicts: list[str] = []
        self._graph = graph
        self._index = ModuleIndex(graph.modules, graph.builtin, graph.hidden)
        self._excluded: dict[str, Line] = {}

    def match_entries(self, entries: Sequence[ListEntry]) -> None:
        """Apply the lines of ``modules.ramfs`` in order."""
        for entry in entries:
            match = self._index.match(entry.pattern)
            if not match:
                self._missing(entry, "matches no module of this kernel")
            elif not match.modules:
                self._built_in(entry)
            for name in match.modules:
                if entry.exclude:
                    self.reasons.pop(name, None)
                    self._excluded[name] = entry.line
                else:
                    self._excluded.pop(name, None)
                    self.reasons.setdefault(name, Why(kind=WhyKind.LISTED, line=entry.line))

    def add_autoload(self, entries: Sequence[ListEntry]) -> tuple[str, ...]:
        """Apply ``modules.autoload``; return the names to load, in order."""
        loaded: dict[str, Why] = {}
        for entry in entries:
            names = self._resolve(entry.pattern)
            if entry.exclude:
                self._unload(entry, names, loaded)
            elif names:
                for name in names:
                    alias = "" if name == entry.pattern else entry.pattern
                    why = Why(kind=WhyKind.AUTOLOAD, line=entry.line, alias=alias)
                    loaded.setdefault(name, why)
            elif self._graph.is_builtin(entry.pattern):
                self._built_in(entry)
            else:
                self._missing(entry, "is no module of this kernel")
        for name, why in loaded.items():
            self._add(name, why, f"it is to be loaded ({why})")
        return tuple(loaded)

    def add_required(self, required: Sequence[tuple[str, str]]) -> None:
        """Add what the boot needs."""
        for written, purpose in required:
            names = self._resolve(written)
            if not names and not self._graph.is_builtin(written):
                raise CapabilityError(
                    f"this kernel has no {written!r}, as a module or built in, {purpose}"
                )
            for name in names:
                alias = "" if name == modname(written) else written
                why = Why(kind=WhyKind.REQUIRED, by=purpose, alias=alias)
                self._add(name, why, f"the boot needs it {purpose}")

    def close(self) -> None:
        """Add the closure.

        Breadth first, and every hard dependency before any soft one, so that the
        reason of a module is the shortest and strongest.
        """
        todo = deque(sorted(self.reasons, key=lambda name: self._graph.modules[name].path))
        wishes: deque[_Wish] = deque()
        while todo or wishes:
            if not todo:
                todo.extend(self._grant(wishes.popleft()))
                continue
            name = todo.popleft()
            for needed in self._graph.direct(name):
                if needed not in self.reasons:
                    why = Why(kind=WhyKind.DEPENDENCY, by=name)
                    self._add(needed, why, f"{name} needs it ({self.reasons[name]})")
                    todo.append(needed)
            wishes.extend(self._wishes(name))

    def _add(self, name: str, why: Why, user: str) -> None:
        """Take a module in; that a line excludes it is a conflict."""
        if (line := self._excluded.get(name)) is not None:
            self.conflicts.append(f"{line}: {line.text!r} leaves out {name}, but {user}")
        self.reasons.setdefault(name, why)

    def _resolve(self, written: str) -> tuple[str, ...]:
        """Modules behind a name, or alias, that somebody wrote."""
        name = modname(written)
        if name in self._graph.modules:
            return (name,)
        # Aliases are tried last: that means a look at every alias of the kernel.
        return () if name in self._graph.builtin else self._graph.resolve(written)

    def _wishes(self, name: str) -> Iterator[_Wish]:
        soft = self._graph.softdeps(name)
        for written in (*soft.pre, *soft.post):
            yield _Wish(WhyKind.SOFTDEP, name, written)
        for written in self._graph.weakdeps(name):
            yield _Wish(WhyKind.WEAKDEP, name, written)

    def _grant(self, wish: _Wish) -> Iterator[str]:
        """Add what a soft or weak dependency means, if that is possible; yield it."""
        names = self._graph.resolve(wish.name)
        wished = f"{wish.kind.value} {wish.name!r} of {wish.by}"
        if not names and not self._graph.is_builtin(wish.name):
            self.notes.append(f"{wished} is not in this kernel")
        for name in names:
            if name in self.reasons:
                continue
            if (line := self._barred(name)) is not None:
                self.notes.append(f"{wished}: {name} is left out by {line.text!r} in {line}")
                continue
            alias = "" if name == modname(wish.name) else wish.name
            self.reasons[name] = Why(kind=wish.kind, by=wish.by, alias=alias)
            yield name

    def _barred(self, name: str) -> Line | None:
        """Return the line that excludes a module or anything that it cannot do without."""
        seen = {name}
        todo = [name]
        while todo and self._excluded:
            if (line := self._excluded.get(here := todo.pop())) is not None:
                return line
            fresh = [needed for needed in self._graph.direct(here) if needed not in seen]
            seen.update(fresh)
            todo += fresh
        return None

    def _unload(self, entry: ListEntry, names: tuple[str, ...], loaded: dict[str, Why]) -> None:
        """Take a name out of what is loaded, as ``!name`` in the list says."""
        dropped = [loaded.pop(name) for name in names if name in loaded]
        if not dropped and not entry.optional:
            self.unmatched.append(
                f"{entry.line}: {entry.line.text!r} takes out what no line before it loads"
            )

    def _built_in(self, entry: ListEntry) -> None:
        effect = "cannot be left out" if entry.exclude else "needs no module"
        self.notes.append(f"{entry.line}: {entry.pattern!r} is built in and {effect}")

    def _missing(self, entry: ListEntry, problem: str) -> None:
        written = f"{entry.line}: {entry.line.text!r} {problem}"
        if entry.optional:
            self.notes.append(written)
            return
        near = self._index.near(entry.pattern)
        self.unmatched.append(written + (f" (near: {', '.join(near)})" if near else ""))
