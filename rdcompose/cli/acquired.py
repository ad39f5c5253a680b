"""The files that a composition is made from, and programs with what they need."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rdcompose.compose.added import Additions
from rdcompose.compose.programname import ProgramName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rdcompose.archive.cache import Cache
    from rdcompose.cli.asked import Asked
    from rdcompose.compose.additions import Supplier
    from rdcompose.compose.filesource import Source
    from rdcompose.compose.inputs import InputFile
    from rdcompose.kernel.release import Architecture


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """The files, all local now; a program that is not wanted is ``None``.

    ``kernel`` are the packages of the kernel, none where it was at hand. While ``cache`` lives,
    no other process cleans away what is in it of them.
    """

    kernel: tuple[InputFile, ...]
    busybox: InputFile | None
    e2fsck: InputFile | None
    additions: Additions
    sources: tuple[Source, ...]
    cache: Cache | None

    def of_role(self, role: str) -> tuple[Source, ...]:
        """Return the sources for a role: microcode or firmware."""
        return tuple(source for source in self.sources if source.request.role == role)


def gather(
    kernel: Iterable[InputFile],
    programs: Mapping[ProgramName, InputFile | None],
    additions: Additions,
    sources: tuple[Source, ...],
    cache: Cache | None,
) -> Acquired:
    """Put the files together; of the programs those that are wanted."""
    return Acquired(
        kernel=tuple(kernel),
        busybox=programs.get(ProgramName.BUSYBOX),
        e2fsck=programs.get(ProgramName.E2FSCK),
        additions=additions,
        sources=sources,
        cache=cache,
    )


def add_requested(asked: Asked, supplier: Supplier, architecture: Architecture) -> Additions:
    """Return what is to be added, from a supplier, with all that it needs.

    :raises RdcomposeError: as :func:`rdcompose.compose.additions.resolve_additions` does.
    """
    if not asked.requests:
        return Additions()
    from rdcompose.compose.additions import resolve_additions
    from rdcompose.compose.template import read_template

    template = None if asked.template is None else read_template(asked.template)
    return resolve_additions(asked.requests, supplier, architecture, template)
