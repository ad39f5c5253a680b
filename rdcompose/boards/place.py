"""A boot folder written to a directory: whole, and switched to by one rename.

Sets and firmware are put in place first; config.txt, which leads to them, comes last. Until then
the folder boots what it booted before.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rdcompose.boards.bootconfig import CONFIG
from rdcompose.emit import write_directory
from rdcompose.publish import Publication
from rdcompose.tree import Directory, File, Tree

if TYPE_CHECKING:
    from pathlib import Path


def write_folder(directory: Path, tree: Tree, *, mtime: int) -> None:
    """Write a boot folder; its config.txt is replaced last, by one rename.

    :raises OutputError: a file cannot be written; the directory is as it was.
    """
    with Publication(directory) as publication:
        for entry in tree:
            if "/" in entry.path:
                continue
            if isinstance(entry, Directory):
                path = publication.subdirectory(entry.path)
                write_directory(path, subtree(tree, entry.path), mtime=mtime)
            elif isinstance(entry, File):
                with publication.file(entry.path) as out:
                    for chunk in entry.content.chunks(1 << 20):
                        out.write(chunk)
        with publication.locked():
            publication.publish(last=CONFIG)


def subtree(tree: Tree, path: str) -> Tree:
    """Return what is below a directory of a tree, as a tree of its own."""
    found = Tree()
    prefix = f"{path}/"
    for entry in tree:
        if entry.path.startswith(prefix):
            found.add(dataclasses.replace(entry, path=entry.path.removeprefix(prefix)))
    return found
