"""What came with the modules about them, compared with the modules themselves.

Packages of ``make bindeb-pkg`` and installed kernels bring what some depmod made. It is made
anew in any case: dependencies follow from the modules. What differs is worth a note, because
it was made of other modules or the modules have changed since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.kernel.moduletree import plain_module_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rdcompose.kernel.depmod import Depmod
    from rdcompose.kernel.moduletree import ModuleTree

_DEP: Final = "modules.dep"
# As many names as fit a note that is still read.
_SHOWN: Final = 3


def shipped_notes(tree: ModuleTree, depmod: Depmod) -> tuple[str, ...]:
    """Say in which way ``modules.order`` and depmod's files do not fit the modules.

    Order and comments do not count, nor does how modules are compressed.
    """
    paths = {module.path for module in tree.modules}
    notes = []
    if paths and (gone := [path for path in tree.order if path not in paths]):
        notes.append(
            f"modules.order lists {len(gone)} modules that are not here: {_first(gone)}; "
            "some distributions have them in another package, like linux-modules-extra"
        )
    if tree.indexes:
        made = depmod.text_files()
        notes += _dependencies(tree, made)
        notes += _others(tree.indexes, made)
    return tuple(notes)


def _dependencies(tree: ModuleTree, made: Mapping[str, bytes]) -> Iterator[str]:
    if _DEP not in tree.indexes:
        return
    theirs, ours = _needs(tree.indexes[_DEP]), _needs(made[_DEP])
    if gone := theirs.keys() - ours.keys():
        yield f"{_DEP} lists {len(gone)} modules that are not here: {_first(gone)}"
    if new := ours.keys() - theirs.keys():
        yield f"{_DEP} does not list {len(new)} modules that are here: {_first(new)}"
    other = [path for path, needs in ours.items() if theirs.get(path, needs) != needs]
    if other:
        yield (
            f"{_DEP} has other dependencies for {len(other)} modules than follow from them: "
            f"{_first(other)}"
        )


def _needs(data: bytes) -> dict[str, frozenset[str]]:
    """Return what ``modules.dep`` says each module needs, by paths of plain files."""
    found = {}
    for line in _lines(data):
        path, _, needs = line.partition(":")
        found[_plain(path)] = frozenset(map(_plain, needs.split()))
    return found


def _plain(path: str) -> str:
    return plain_module_path(path) or path


def _others(indexes: Mapping[str, bytes], made: Mapping[str, bytes]) -> Iterator[str]:
    for name in sorted(indexes.keys() - {_DEP}):
        theirs, ours = _lines(indexes[name]), _lines(made[name])
        if theirs != ours:
            yield (
                f"{name} as it came has {len(theirs - ours)} lines too many and "
                f"{len(ours - theirs)} too few for these modules: it is made anew"
            )


def _lines(data: bytes) -> frozenset[str]:
    text = data.decode("utf-8", "surrogateescape")
    return frozenset(line for line in text.split("\n") if line and not line.startswith("#"))


def _first(names: Iterable[str]) -> str:
    found = sorted(names)
    return ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
