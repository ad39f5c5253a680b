"""Where paths lead in a tree, as the system that boots from it follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.tree import MAX_LINKS, Directory, Symlink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdcompose.tree import Entry, Tree

_ROOT: Final = Directory(path="")


def follow(tree: Tree, path: str) -> Entry | None:
    """Return what a path leads to when every link is followed; ``None`` if nothing is there."""
    found = resolve(tree, path)
    return None if found is None else _ROOT if not found else tree.get(found)


def resolve(tree: Tree | Mapping[str, Entry], path: str) -> str | None:
    """Return the path without links that a path stands for; ``None`` if they lead in a circle.

    ``..`` does not leave the root, and an absolute target starts there.
    """
    left = path.split("/")
    found: list[str] = []
    links = 0
    while left:
        part = left.pop(0)
        if part == "..":
            del found[-1:]
        elif part not in {"", "."}:
            entry = tree.get("/".join([*found, part]))
            if not isinstance(entry, Symlink):
                found.append(part)
                continue
            links += 1
            if links > MAX_LINKS:
                return None
            if entry.target.startswith("/"):
                found.clear()
            left = entry.target.split("/") + left
    return "/".join(found)
