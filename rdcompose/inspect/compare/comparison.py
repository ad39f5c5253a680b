"""Two sides compared: what belongs together, and what of it is not the same."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.compare.changes import Changed, changed, pair
from rdcompose.inspect.compare.facts import FactsReader
from rdcompose.inspect.compare.files import FilesDifference, compare_files
from rdcompose.inspect.compare.modules import compare_modules
from rdcompose.inspect.compare.results import (
    Comparison,
    FileDifference,
    GroupDifference,
    SymbolsDifference,
)
from rdcompose.inspect.compare.sides import look_at
from rdcompose.kernel.release import flavour_of_release

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from pathlib import Path

    from rdcompose.inspect.compare.facts import FileFacts
    from rdcompose.inspect.compare.modules import ModuleFacts, ModulesDifference
    from rdcompose.inspect.compare.sides import Group, Member
    from rdcompose.kernel.config import KernelConfig

_NO_TEXT: Final = '""'
# Of these there are many in a directory, which only their names tell apart.
_MANY: Final = frozenset({Kind.UNKNOWN, Kind.DEVICE_TREE, Kind.FILESYSTEM, Kind.PACKAGE})


def compare(before: Path, now: Path) -> Comparison:
    """Compare two files, trees, directories of builds, or manifests.

    :raises SpecError: one cannot be read, or nothing of one belongs to anything of the other.
    """
    sides = look_at(before), look_at(now)
    old, new = sides
    found = pair(new.groups, old.groups, _GROUP_KEYS)
    alone = old.single or new.single or old.described or new.described
    comparing = _Comparing(partly=old.single != new.single)
    groups = []
    for index, group in enumerate(new.groups):
        if index in found:
            groups.append(comparing.group(found[index], group))
        elif not alone:
            groups.append(GroupDifference(before=None, now=group))
    kept = {id(row) for row in found.values()}
    if not alone:
        groups += [
            GroupDifference(before=row, now=None) for row in old.groups if id(row) not in kept
        ]
    if not groups:
        raise SpecError(
            f"nothing in {old.name} belongs to anything in {new.name}",
            hint="name the files that are to be compared",
        )
    return Comparison(before=old, now=new, groups=tuple(groups))


def _flavour(group: Group) -> str | None:
    return flavour_of_release(group.release or "")


def _words(group: Group) -> str:
    return group.build.removeprefix(group.release or "")


_GROUP_KEYS: Final[Sequence[Callable[[Group], Hashable]]] = (
    lambda group: (group.release, _words(group)),
    lambda group: (_flavour(group), _words(group)),
    _flavour,
    lambda _: (),
)


@dataclasses.dataclass(frozen=True, slots=True)
class _Read:
    """A member of a group with its facts."""

    member: Member
    facts: FileFacts

    @property
    def kind(self) -> Hashable:
        """What tells it from the others of its group."""
        return (self.facts.kind, self.member.label if self.facts.kind in _MANY else "")


class _Comparing:
    def __init__(self, *, partly: bool) -> None:
        self._reader = FactsReader()
        self._partly = partly

    def group(self, before: Group, now: Group) -> GroupDifference:
        if not (before.members and now.members):
            return GroupDifference(before=before, now=now)
        trees = before.has_tree and now.has_tree
        old, new = (self._read(group.members, trees=trees) for group in (before, now))
        pairs = self._pairs(old, new)
        old_facts = [left for left, _ in pairs if left is not None]
        new_facts = [right for _, right in pairs if right is not None]
        releases = _releases(old_facts), _releases(new_facts)
        names = _common_names(*releases)
        return GroupDifference(
            before=before,
            now=now,
            releases=releases,
            files=tuple(_file(left, right, names) for left, right in pairs),
            modules=_modules(old_facts, new_facts, names),
            options=_options(old_facts, new_facts),
            programs=tuple(changed(_programs(old_facts), _programs(new_facts))),
        )

    def _read(self, members: Sequence[Member], *, trees: bool) -> list[_Read]:
        """Read the members of a group, with what lies around its files if both sides have that."""
        return [
            _Read(row, self._reader.read(row.path, row.name, without=row.without))
            for row in members
            if trees or row.label or len(members) == 1
        ]

    def _pairs(
        self, before: Sequence[_Read], now: Sequence[_Read]
    ) -> list[tuple[FileFacts | None, FileFacts | None]]:
        """Return the files that belong together, in the order of the names that they have now."""
        if len(before) == len(now) == 1:
            # Whatever they are: an image and the tree that it was unpacked to, for one.
            return [(before[0].facts, now[0].facts)]
        found = pair(now, before, (lambda row: (row.kind, row.member.label), lambda row: row.kind))
        pairs: list[tuple[FileFacts | None, FileFacts | None]] = [
            (found[index].facts, row.facts) if index in found else (None, row.facts)
            for index, row in enumerate(now)
        ]
        kept = {id(row) for row in found.values()}
        pairs += [(row.facts, None) for row in before if id(row) not in kept]
        if self._partly:
            pairs = [row for row in pairs if None not in row]
            if not pairs:
                raise SpecError(
                    f"there is nothing to compare {_single(before, now)} with",
                    hint="name the file that is to be compared",
                )
        return pairs


def _single(before: Sequence[_Read], now: Sequence[_Read]) -> str:
    return (before if len(before) == 1 else now)[0].facts.name


def _releases(files: Iterable[FileFacts]) -> tuple[str, ...]:
    return tuple(sorted({release for facts in files for release in facts.releases}))


_Names = tuple[dict[str, str], dict[str, str]]


def _common_names(before: Sequence[str], now: Sequence[str]) -> _Names:
    """Return what releases of both sides are called in common, where they belong together."""
    keys: Sequence[Callable[[str], Hashable]] = (str, flavour_of_release, lambda _: ())
    found = pair(now, before, keys)
    of_now = {release: release for release in now}
    of_before = {release: release for release in before}
    return of_before | {found[index]: now[index] for index in found}, of_now


def _file(before: FileFacts | None, now: FileFacts | None, names: _Names) -> FileDifference:
    if before is None or now is None:
        return FileDifference(before=before, now=now)
    if before.sha256 and before.sha256 == now.sha256:
        same = FilesDifference(same=len(now.entries))
        return FileDifference(before=before, now=now, entries=same)
    return FileDifference(
        before=before,
        now=now,
        entries=compare_files(before.entries, now.entries, names),
        texts=tuple(changed(before.texts, now.texts)),
        symbols=_symbols(before.exports, now.exports),
    )


def _symbols(before: Mapping[str, int], now: Mapping[str, int]) -> SymbolsDifference | None:
    if not (before and now) or before == now:
        return None
    both = before.keys() & now.keys()
    return SymbolsDifference(
        new=len(now) - len(both),
        gone=len(before) - len(both),
        changed=sum(before[name] != now[name] for name in both),
    )


def _modules(
    before: Sequence[FileFacts], now: Sequence[FileFacts], names: _Names
) -> ModulesDifference:
    return compare_modules(
        _called(before, names[0]),
        _called(now, names[1]),
        builtin=(_builtin(before), _builtin(now)),
        places=len(before) > 1 and len(now) > 1,
    )


def _called(files: Iterable[FileFacts], names: Mapping[str, str]) -> list[ModuleFacts]:
    """Return all modules with the names of releases that both sides know."""
    return [
        dataclasses.replace(row, release=names.get(row.meant_for, row.meant_for))
        for facts in files
        for row in facts.modules
    ]


def _builtin(files: Iterable[FileFacts]) -> frozenset[str]:
    return frozenset().union(*(facts.builtin or () for facts in files))


def _options(before: Sequence[FileFacts], now: Sequence[FileFacts]) -> tuple[Changed, ...]:
    old, new = _config(before), _config(now)
    if old is None or new is None:
        return ()
    names = sorted({*old.options, *new.options})
    # What a configuration does not mention is not set.
    values = ((f"CONFIG_{name}", old.value(name), new.value(name)) for name in names)
    # An empty text is a value, too.
    return tuple(
        Changed(name, before or _NO_TEXT, after or _NO_TEXT)
        for name, before, after in values
        if before != after
    )


def _config(files: Iterable[FileFacts]) -> KernelConfig | None:
    return next((facts.config for facts in files if facts.config is not None), None)


def _programs(files: Iterable[FileFacts]) -> dict[str, str]:
    found: dict[str, str] = {}
    for facts in files:
        found |= facts.programs
    return dict(sorted(found.items()))
