"""The files that a composition is made from: local ones, or fetched from an archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.cli.acquired import Acquired, gather
from rdcompose.cli.sources import given_sources, with_origin
from rdcompose.cli.terminal import warn
from rdcompose.compose.added import Additions
from rdcompose.compose.filesource import MICROCODE, STUB
from rdcompose.compose.kernelname import architecture_of_name
from rdcompose.compose.programname import ProgramName
from rdcompose.errors import UsageError
from rdcompose.kernel.release import architecture_by_name

if TYPE_CHECKING:
    import argparse

    from rdcompose.cli.asked import Asked
    from rdcompose.cli.terminal import Say
    from rdcompose.compose.inputs import InputFile
    from rdcompose.compose.lock import Lock
    from rdcompose.kernel.release import Architecture


def acquire(
    arguments: argparse.Namespace,
    asked: Asked,
    lock: Lock | None,
    architecture: Architecture,
    *,
    shown: bool,
    say: Say = warn,
) -> Acquired:
    """Find and fetch what is asked for and left to the archive, for an architecture.

    ``say`` gets warnings and notes.

    :raises UsageError: the options contradict each other.
    :raises RdcomposeError: as the archive does; see :mod:`rdcompose.archive`.
    """
    # The archive is loaded only where something is left to it.
    if lock is not None:
        from rdcompose.cli.locked import acquire_locked

        return acquire_locked(arguments, asked, lock, shown=shown, say=say)
    _check_architecture(asked, architecture)
    packages = any(request.package for request in asked.sources)
    nothing = not (asked.requests or packages)
    if asked.is_local and nothing and set(asked.programs) == set(ProgramName):
        sources = given_sources(asked.sources, {})
        return gather((), asked.programs, Additions(), sources, None)
    from rdcompose.cli.fetching import acquire_from_archive

    return acquire_from_archive(arguments, asked, architecture, shown=shown, say=say)


def _check_architecture(asked: Asked, architecture: Architecture) -> None:
    roles = {request.role for request in asked.sources}
    if MICROCODE in roles:
        from rdcompose.compose import microcode

        microcode.check_architecture(architecture)
    if STUB in roles:
        from rdcompose.compose import uki

        uki.check_architecture(architecture)


def architecture_asked_for(asked: Asked, lock: Lock | None) -> Architecture:
    """Return the architecture of a kernel that is to be fetched.

    :raises UsageError: neither name nor option tells it, or there is no name.
    """
    if lock is not None:
        return architecture_by_name(lock.architecture)
    if asked.name is None:
        raise UsageError(
            "no KERNEL is given", hint="a release, a flavour, a .deb file or a directory"
        )
    found = asked.architecture or architecture_of_name(asked.name)
    if found is None:
        raise UsageError(
            f"the name {asked.name!r} does not tell its architecture",
            hint="name it with --arch; or give a flavour (cloud-amd64), a release "
            "(6.1.0-18-cloud-amd64), a .deb file or a directory (./DIR)",
        )
    return found


def local_packages(asked: Asked, lock: Lock | None) -> tuple[InputFile, ...]:
    """Return the packages of a kernel that is at hand, with what a lock knows of them."""
    if lock is None:
        return asked.packages
    return tuple(with_origin(file, lock) for file in asked.packages)
