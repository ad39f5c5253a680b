"""Modules from a directory ``lib/modules/R``, as an installed or unpacked kernel has it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from rdcompose.errors import FormatError, SpecError
from rdcompose.kernel.gate import check_modules
from rdcompose.kernel.moduletree import (
    MAX_MODULE,
    SHIPPED_FILES,
    ModuleIntake,
    ModuleTree,
    plain_module_path,
)
from rdcompose.kernel.release import check_release

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator


def read_module_directory(
    directory: Path, release: str, *, threads: int = 2
) -> tuple[ModuleTree, int]:
    """Read ``directory`` as the modules of ``release``.

    Symbolic links, of which ``build`` and ``source`` are usual, are not followed.
    Returns the modules and the newest time of a file, in seconds since 1970.

    :raises SpecError: the directory cannot be read, or holds nothing of a kernel.
    :raises FormatError: a file is damaged or no module.
    :raises ReleaseError: a module is of another release.
    """
    check_release(release)
    files: dict[str, bytes] = {}
    newest = 0
    try:
        with ModuleIntake(threads=threads) as intake:
            for inner, path in module_files(directory, SHIPPED_FILES):
                newest = max(newest, int(path.stat().st_mtime))
                if inner in SHIPPED_FILES:
                    files[inner] = path.read_bytes()
                elif path.stat().st_size > MAX_MODULE:
                    raise FormatError(f"the module {path} is too large to be one")
                else:
                    intake.add(release, inner, path.read_bytes())
            modules = intake.modules(release)
    except OSError as error:
        where = error.filename or directory
        raise SpecError(f"cannot read the modules in {where}: {error.strerror}") from error
    if not modules and not files:
        raise SpecError(f"{directory} holds no modules and no list of built-in ones")
    check_modules(release, modules)
    return ModuleTree(release=release, modules=modules, files=files), newest


def module_files(directory: Path, names: Container[str]) -> Iterator[tuple[str, Path]]:
    """Yield modules and the files of some names, with their paths below the directory.

    Symbolic links are passed over: ``build`` and ``source`` are such.

    :raises OSError: a directory cannot be read.
    """
    return files_below(
        directory, lambda inner: inner in names or plain_module_path(inner) is not None
    )


def files_below(directory: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Path]]:
    """Yield the files whose paths below the directory are wanted, with these; no links.

    :raises OSError: a directory cannot be read.
    """
    for base, below, files in os.walk(directory, onerror=_refuse):
        below.sort()
        for name in sorted(files):
            path = Path(base, name)
            inner = path.relative_to(directory).as_posix()
            if wanted(inner) and stat.S_ISREG(path.lstat().st_mode):
                yield inner, path


def _refuse(error: OSError) -> None:
    raise error
