"""The program that a root starts with, and the machine that it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.compose.additions import target_of
from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.executable import is_elf, read_executable
from rdcompose.tree import MAX_LINKS, File, Symlink, read_all

if TYPE_CHECKING:
    from rdcompose.formats.ext4.contents import Files
    from rdcompose.tree import Entry

# In the kernel's order: kernel_init() of init/main.c.
INITS: Final = ("sbin/init", "etc/init", "bin/init", "bin/sh")
_MAX_PROGRAM: Final = 64 << 20


class Program(NamedTuple):
    """A program by its path; ``machine`` is e_machine, bits and byte order of an ELF file."""

    path: str
    machine: tuple[int, int, str] | None


def first_programs(files: Files) -> tuple[Program, ...]:
    """Return what of the kernel's choices for an init is there, in its order."""
    found = ((path, _end(files, path)) for path in INITS)
    return tuple(Program(path, _machine(entry)) for path, entry in found if entry is not None)


def _end(files: Files, path: str) -> File | None:
    """Return the file that a path leads to."""
    for _ in range(MAX_LINKS):
        try:
            place = files.tree.resolved(path)
        except SpecError:
            return None
        entry: Entry | None = files.tree.get(files.links.get(place, place))
        if not isinstance(entry, Symlink):
            return entry if isinstance(entry, File) else None
        path = target_of(entry)
        if not path:
            return None
    return None


def _machine(program: File) -> tuple[int, int, str] | None:
    start = next(program.content.chunks(4), b"")
    if not is_elf(start) or program.content.size > _MAX_PROGRAM:
        return None
    try:
        elf = read_executable(read_all(program.content))
    except FormatError:
        return None
    return elf.machine, elf.bits, elf.byteorder
