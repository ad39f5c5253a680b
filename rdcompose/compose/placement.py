"""Puts what is added into the tree of an initramfs, whichever way its directories are linked."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rdcompose.compose.additions import BUSYBOX, relative, target_of
from rdcompose.compose.contents import common_path
from rdcompose.errors import SpecError
from rdcompose.tree import Symlink

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdcompose.compose.added import Added, Additions
    from rdcompose.tree import Tree


def place_additions(tree: Tree, additions: Additions) -> frozenset[str]:
    """Add files and links to a tree; returns where they are in it.

    Links lead to the same files as in Debian, where ``/lib`` is a link to ``/usr/lib``, also if
    the tree has two directories, or others linked. Additional names of programs give way to
    what the tree has.
    """
    placed: list[str] = []
    for added in additions.files:
        entry = added.entry
        path = tree.resolved(entry.path)
        if isinstance(entry, Symlink):
            if _is_other_name(added) and _is_there(tree, path, added.leads_to):
                continue
            entry = _fitting(tree, entry, path, added.leads_to)
        tree.add(dataclasses.replace(entry, path=path))
        placed.append(path)
    return frozenset(placed)


def _is_other_name(added: Added) -> bool:
    return common_path(added.entry.path) == common_path(added.leads_to)


def _is_there(tree: Tree, path: str, leads_to: str) -> bool:
    if tree.resolved(leads_to) == path:
        return True
    old = tree.get(path)
    return old is not None and not (isinstance(old, Symlink) and old.target.endswith(BUSYBOX))


def _fitting(tree: Tree, link: Symlink, path: str, leads_to: str) -> Symlink:
    """Return a link that leads where it must when it stands at a path of the tree."""
    if not leads_to:
        return link
    moved = dataclasses.replace(link, path=path)
    target = tree.resolved(leads_to)
    if tree.resolved(target_of(moved)) == target:
        return link
    return dataclasses.replace(link, target=relative(path, target))


def without_lost_scripts(
    tree: Tree, additions: Additions
) -> tuple[tuple[Added, ...], tuple[str, ...]]:
    """Return what is added and notes, after taking scripts out that nothing here can run.

    :raises SpecError: such a script was asked for by its path.
    """
    lost: set[str] = set()
    notes = list(additions.notes)
    for script in additions.scripts:
        if tree.resolved(script.interpreter.strip("/") or "bin/sh") in tree:
            continue
        what = f"/{script.path} is a script for {script.interpreter}, which is not in the initramfs"
        if script.request.path:
            raise SpecError(f"{script.request}: {what}", hint="add the package that has it, too")
        notes.append(f"left out: {what}")
        lost.add(script.path)
    kept = _without(additions.files, lost)
    places = {tree.resolved(added.entry.path) for added in kept}
    for path in lost:
        if (place := tree.resolved(path)) not in places:
            tree.remove(place)
    return kept, tuple(notes)


def _without(files: Iterable[Added], lost: set[str]) -> tuple[Added, ...]:
    """Leave out paths, and the links that lead to them; ``lost`` gets these, too."""
    kept = tuple(files)
    while True:
        more = {added.entry.path for added in kept if added.leads_to in lost} - lost
        lost |= more
        if not more:
            return tuple(added for added in kept if added.entry.path not in lost)
