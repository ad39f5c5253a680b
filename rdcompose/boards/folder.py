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
    directories: Sequence[str] | None = None,
    config: bytes | None = None,
) -> Tree:
    """Put sets and firmware files together, with the config.txt that leads to them.

    Each set has its own directory, named by its release unless ``directories`` names them; with
    ``flat`` the only one is in the folder itself. ``models`` are the boards that the folder is
    for. ``config`` is a config.txt to take instead of one of our own.

    :raises UsageError: several sets are to be in one place, or a board has none.
    """
    placed = place_sets(sets, flat=flat, directories=directories)
    tree = Tree()
    for row, made in zip(placed, sets, strict=True):
        for entry in made.tree:
            tree.add(dataclasses.replace(entry, path=row.prefix + entry.path))
    for name, data in firmware.items():
        if name in tree:
            raise UsageError(f"the firmware has a file {name}, and so has the kernel's set")
        tree.add(File(path=name, content=Bytes(data)))
    if config is None:
        config = new_config(placed, models)
    tree.add(File(path=CONFIG, content=Bytes(config)))
    return tree


def new_config(placed: Sequence[Placed], models: Sequence[Model], own: bytes = b"") -> bytes:
    """Return a config.txt that leads boards to sets, with a user's own lines at its end.

    :raises UsageError: a board has none.
    """
    assigned = assign(placed, models)
    without = [model.title for model in models if model.name not in assigned]
    if without:
        raise UsageError(
            f"no kernel that is given runs on a {without[0]}",
            hint="give one more KERNEL, or leave the board out of --board",
        )
    return config_text(placed, models, own)


def place_sets(
    sets: Sequence[BootSet], *, flat: bool = False, directories: Sequence[str] | None = None
) -> list[Placed]:
    """Return each set with where it goes.

    :raises UsageError: several sets are to be in one place.
    """
    if flat:
        if len(sets) != 1:
            raise UsageError(
                f"--flat has room for one kernel, and there are {len(sets)}",
                hint="without --flat each has a directory of its own",
            )
        return [Placed(sets[0], "")]
    names = directories or [made.release for made in sets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two kernels of one release do not go into one folder: {twice}")
    return [Placed(made, f"{name}/") for made, name in zip(sets, names, strict=True)]
