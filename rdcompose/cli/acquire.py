"""The files that a composition is made from: local ones, or fetched from an archive."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdcompose.archive.obtain import Wanted, obtain_found, obtain_wanted
from rdcompose.archive.together import run_together
from rdcompose.cli.archive import archive_session
from rdcompose.compose.inputs import ArchiveOrigin, InputFile
from rdcompose.compose.programs import PATHS, ProgramName
from rdcompose.compose.resolve import architecture_of_name, resolve_kernel, resolve_program
from rdcompose.errors import RdcomposeError, SpecError, UsageError
from rdcompose.formats.deb import Deb
from rdcompose.kernel.release import architecture_by_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from rdcompose.archive.cache import Cache
    from rdcompose.archive.search import Found
    from rdcompose.cli.archive import Session
    from rdcompose.compose.inputs import Input
    from rdcompose.compose.lock import Lock
    from rdcompose.kernel.release import Architecture

KERNEL: Final = "kernel"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """The files, all local now; a program that is not wanted is ``None``.

    While ``cache`` lives, no other process cleans away what is in it of them.
    """

    kernel: InputFile
    busybox: InputFile | None
    e2fsck: InputFile | None
    cache: Cache | None


def acquire(arguments: argparse.Namespace, lock: Lock | None, *, shown: bool) -> Acquired:
    """Find and fetch what the command line names and leaves to the archive.

    :raises UsageError: the options leave something open, or contradict each other.
    :raises RdcomposeError: as the archive does; see :mod:`rdcompose.archive`.
    """
    given = _given(arguments)
    if lock is not None:
        files, cache = _locked(arguments, lock, given, shown=shown)
    else:
        files, cache = _resolved(arguments, given, shown=shown)
    return Acquired(
        kernel=files[KERNEL],
        busybox=files.get(ProgramName.BUSYBOX),
        e2fsck=files.get(ProgramName.E2FSCK),
        cache=cache,
    )


def _given(arguments: argparse.Namespace) -> dict[str, InputFile | None]:
    """Return what needs no archive, by role: local files, and ``None`` for what is not wanted."""
    given: dict[str, InputFile | None] = {}
    if arguments.kernel is not None and _is_path(arguments.kernel):
        given[KERNEL] = InputFile(path=Path(arguments.kernel))
    for name, path in PATHS.items():
        option = getattr(arguments, name.value)
        if option == "none":
            given[name.value] = None
        elif option is not None:
            given[name.value] = InputFile(path=Path(option))
        elif arguments.template is not None and (arguments.template / path).exists():
            given[name.value] = None  # the template brings its own
    return given


def _is_path(kernel: str) -> bool:
    return "/" in kernel or kernel.endswith(".deb") or Path(kernel).is_file()


def _resolved(
    arguments: argparse.Namespace, given: Mapping[str, InputFile | None], *, shown: bool
) -> tuple[dict[str, InputFile], Cache | None]:
    have = {role: file for role, file in given.items() if file is not None}
    architecture = _architecture(arguments, have.get(KERNEL))
    if all(role in given for role in (KERNEL, *(name.value for name in ProgramName))):
        return have, None
    with archive_session(arguments, shown=shown) as session:
        found: dict[str, Found] = {}
        suite = session.archive.suite
        if KERNEL not in given:
            kernel = resolve_kernel(
                arguments.kernel, architecture, session.archive, session.history
            )
            found[KERNEL] = kernel
            suite = kernel.suite.source.suite
        for name in ProgramName:
            if name.value not in given:
                package = f"{name.value}-static"
                found[name.value] = resolve_program(
                    package, suite, architecture.name, session.archive
                )
        return have | fetch(found, session), session.archive.access.cache


def fetch(found: Mapping[str, Found], session: Session) -> dict[str, InputFile]:
    """Fetch packages side by side; returns their files by the same keys."""
    access = session.archive.access
    jobs = [functools.partial(obtain_found, row, access) for row in found.values()]
    paths = run_together(jobs, session.cancelled)
    return {
        role: InputFile(path=path, archive=_origin(row))
        for (role, row), path in zip(found.items(), paths, strict=True)
    }


def _origin(found: Found) -> ArchiveOrigin:
    return ArchiveOrigin(
        label=found.suite.release.label,
        suite=found.suite.name,
        path=found.package.filename,
        verified=found.suite.verified,
    )


def _architecture(arguments: argparse.Namespace, kernel: InputFile | None) -> Architecture:
    asked = architecture_by_name(arguments.arch) if arguments.arch is not None else None
    if kernel is not None:
        own = architecture_by_name(_deb_architecture(kernel.path))
        if asked not in {None, own}:
            raise UsageError(f"{kernel.path} is for {own.name}, not for --arch {arguments.arch}")
        return own
    if arguments.kernel is None:
        raise UsageError("no KERNEL is given", hint="a release, a flavour or a .deb file")
    found = asked or architecture_of_name(arguments.kernel)
    if found is None:
        raise UsageError(
            f"the name {arguments.kernel!r} does not tell its architecture",
            hint="name it with --arch; or give a flavour (cloud-amd64), a release "
            "(6.1.0-18-cloud-amd64) or a .deb file",
        )
    return found


def _deb_architecture(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return Deb.open(stream).control.architecture
    except OSError as error:
        raise SpecError(f"cannot read the kernel package {path}: {error.strerror}") from error
    except RdcomposeError as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error


def _locked(
    arguments: argparse.Namespace,
    lock: Lock,
    given: Mapping[str, InputFile | None],
    *,
    shown: bool,
) -> tuple[dict[str, InputFile], Cache | None]:
    """Return the files that a lock names, whatever is newer by now."""
    _check_name(arguments, lock)
    files: dict[str, InputFile] = {}
    wanted: dict[str, Input] = {}
    for role in (KERNEL, *(name.value for name in ProgramName)):
        item = lock.input(role)
        file = given.get(role)
        if file is not None:
            # If it is the locked one, which is checked later, it is of the same origin.
            origin = item.archive if item is not None else None
            files[role] = dataclasses.replace(file, archive=origin)
        elif item is not None and role not in given:
            wanted[role] = item
    cache = None
    if wanted:
        with archive_session(arguments, shown=shown) as session:
            jobs = [
                functools.partial(
                    obtain_wanted, _wanted(lock, item), session.archive, session.snapshot
                )
                for item in wanted.values()
            ]
            paths = run_together(jobs, session.cancelled)
            for (role, item), path in zip(wanted.items(), paths, strict=True):
                files[role] = InputFile(path=path, archive=item.archive)
            cache = session.archive.access.cache
    if KERNEL not in files:
        raise SpecError(f"{lock.path} names no kernel")
    return files, cache


def _check_name(arguments: argparse.Namespace, lock: Lock) -> None:
    name = arguments.kernel
    if name is None or _is_path(name):
        return
    if name.removeprefix("linux-image-") != lock.release:
        raise UsageError(
            f"{lock.path} is of {lock.release}, not of {name}", hint="leave KERNEL out"
        )


def _wanted(lock: Lock, item: Input) -> Wanted:
    if item.size is None:
        raise SpecError(f"{lock.path} does not tell the size of {item.file}: it is too old")
    origin = item.archive
    return Wanted(
        file=item.file,
        sha256=item.sha256,
        size=item.size,
        package=item.package,
        version=item.version,
        architecture=item.architecture,
        suite=origin.suite if origin is not None else "",
        path=origin.path if origin is not None else "",
    )
