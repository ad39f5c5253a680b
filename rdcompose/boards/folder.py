"""A boot folder as a tree: what the firmware of a Raspberry Pi sees, wherever it is put.

The same tree is written to a directory, a FAT file system or a TFTP server's directory.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rdcompose.boards.bootconfig import CONFIG, Placed, assign, config_text
from rdcompose.errors import UsageError
from rdcompose.tree import Bytes, File, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rdcompose.boards.bootset import BootSet
    from rdcompose.boards.models import Model


def boot_folder(
    sets: Sequence[BootSet],
    *,
    models: Sequence[Model],
    firmware: Mapping[str, bytes],
    flat: bool = False,
) -> Tree:
    """Put sets and firmware files together, with the config.txt that leads to them.

    Each set has its own directory, named by its release; with ``flat`` the only one is in the
    folder itself. ``models`` are the boards that the folder is for.

    :raises UsageError: several sets are to be in one place, or a board has none.
    """
    if flat and len(sets) != 1:
        raise UsageError(f"--flat has room for one kernel, and there are {len(sets)}")
    placed = [Placed(found, "" if flat else f"{found.release}/") for found in sets]
    if len({row.prefix for row in placed}) != len(placed):
        raise UsageError("two kernels of one release do not go into one folder")
    assigned = assign(placed, models)
    without = [model.title for model in models if model.name not in assigned]
    if without:
        raise UsageError(f"no kernel that is given runs on a {without[0]}")
    tree = Tree()
    for row in placed:
        for entry in row.set.tree:
            tree.add(dataclasses.replace(entry, path=row.prefix + entry.path))
    for name, data in firmware.items():
        tree.add(File(path=name, content=Bytes(data)))
    tree.add(File(path=CONFIG, content=Bytes(config_text(placed, models))))
    return tree
