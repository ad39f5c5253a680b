"""Puts a program and its links into a template directory, in place of those there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rdcompose.compose.programs import program_entries
from rdcompose.errors import OutputError
from rdcompose.tree import File, Symlink, read_all

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.compose.programs import Program

_DIRECTORIES = ("bin", "sbin", "usr/bin", "usr/sbin")


def update_template(template: Path, program: Program) -> int:
    """Write the program and its links; returns the number of links.

    Links of an earlier version of the program are removed. A file of the template that
    stands where a link would is kept.

    :raises OutputError: the template cannot be written.
    """
    entries = program_entries(program, resolve=lambda path: _resolved(template, path))
    target = next(entry.path for entry in entries if isinstance(entry, File))
    try:
        _remove_links(template, target)
        made = 0
        for entry in entries:
            path = template / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(entry, File):
                _replace(path, read_all(entry.content))
            elif isinstance(entry, Symlink) and not os.path.lexists(path):
                path.symlink_to(entry.target)
                made += 1
    except OSError as error:
        raise OutputError(f"cannot write {error.filename or template}: {error.strerror}") from error
    return made


def _resolved(template: Path, path: str) -> str:
    """Return where a path leads when directories of the template are links to each other."""
    real = template.joinpath(path).parent.resolve() / path.rpartition("/")[2]
    top = template.resolve()
    return real.relative_to(top).as_posix() if real.is_relative_to(top) else path


def _remove_links(template: Path, target: str) -> None:
    program = (template / target).resolve()
    for name in _DIRECTORIES:
        directory = template / name
        if not directory.is_dir():
            continue
        for path in directory.iterdir():
            if path.is_symlink() and path.resolve() == program:
                path.unlink()


def _replace(path: Path, data: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(data)
        new.chmod(0o755)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
