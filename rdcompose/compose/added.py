"""What is added to an initramfs beside the programs that every one can be given."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rdcompose.compose.addlist import Request
    from rdcompose.compose.inputs import Input
    from rdcompose.tree import File, Symlink


class Added(NamedTuple):
    """A file or symlink for the initramfs, what package it is of, and why it is added.

    ``leads_to`` is the path of what a symlink must lead to, whatever links there are on the way.
    """

    entry: File | Symlink
    package: str
    why: str
    leads_to: str = ""


class Script(NamedTuple):
    """A script, and the program that its first line names."""

    path: str
    interpreter: str
    request: Request


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Additions:
    """All that is added, by path; ``inputs`` are the packages that it is of.

    Whether there is something to run the ``scripts`` is known when all of the initramfs is.
    ``asked`` has the requests of the command line.
    """

    files: tuple[Added, ...] = ()
    inputs: tuple[Input, ...] = ()
    scripts: tuple[Script, ...] = ()
    asked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
