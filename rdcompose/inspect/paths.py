"""Where paths lead in a tree, as the system that boots from it follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.tree import MAX_DEPTH, MAX_LINKS, Directory, Symlink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdcompose.tree import Entry, Tree

_ROOT: Final = Directory(path="")
# What all links on the way to a file may name together. An archive may have a million entries, and
# links that are made for it would have each of them take long.
_MAX_NAMED: Final = 1024


def follow(tree: Tree, path: str) -> Entry | None:
    """Return what a path leads to when every link is followed; ``None`` if nothing is there."""
    found = resolve(tree, path)
    return None if found is None else _ROOT if not found else tree.get(found)


def resolve(tree: Tree | Mapping[str, Entry], path: str) -> str | None:
    """Return the path without links that a path stands for; ``None`` if they lead nowhere.

    That is in a circle, or farther than any tree goes. ``..`` does not leave the root, and
    an absolute target starts there.
    """
    left = path.split("/")
    found: list[str] = []
    links = named = 0
    while left:
        part = left.pop(0)
        if part == "..":
            del found[-1:]
        elif part not in {"", "."}:
            entry = tree.get("/".join([*found, part]))
            if not isinstance(entry, Symlink):
                found.append(part)
                if links and len(found) > MAX_DEPTH:
                    return None
                continue
            target = entry.target.split("/")
            links += 1
            named += len(target)
            if links > MAX_LINKS or named > _MAX_NAMED:
                return None
            if entry.target.startswith("/"):
                found.clear()
            left = target + left
    return "/".join(found)
