"""What there is to verify at some paths: sets of files, and boot folders of a Raspberry Pi."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.inspect.bootfolder import open_boot_folders
from rdcompose.inspect.boots import BootFacts
from rdcompose.inspect.collection import Collection, collect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack
    from pathlib import Path


def gather(
    paths: Sequence[Path], release: str | None, stack: ExitStack
) -> tuple[Collection, tuple[BootFacts, ...]]:
    """Read files and directories, and put them together; ``stack`` closes images of cards.

    :raises SpecError: something cannot be read, or is nothing that can be verified.
    """
    folders: list[BootFacts] = []
    others: list[Path] = []
    for path in paths:
        found = open_boot_folders(path, stack)
        folders += [BootFacts(folder, release) for folder in found]
        if not found:
            others.append(path)
    collection = collect(others, release) if others else Collection((), ())
    return collection, tuple(folders)
