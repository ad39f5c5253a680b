"""The files of a composition that a lock names, whatever is newer by now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.cli.acquired import Acquired, add_requested, gather
from rdcompose.cli.archive import archive_session
from rdcompose.cli.fetching import fetch_wanted
from rdcompose.cli.kernel_input import KERNEL
from rdcompose.cli.sources import given_sources, with_origin
from rdcompose.compose.contents import ADDED
from rdcompose.compose.dependencies import FixedSupplier
from rdcompose.compose.filesource import locked_source
from rdcompose.compose.inputs import LOCAL_DIRECTORY, InputFile, digest, read_file
from rdcompose.compose.programname import ProgramName
from rdcompose.errors import SpecError, UsageError
from rdcompose.kernel.release import architecture_by_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from rdcompose.cli.asked import Asked
    from rdcompose.cli.terminal import Say
    from rdcompose.compose.added import Additions
    from rdcompose.compose.inputs import Input
    from rdcompose.compose.lock import Lock


def acquire_locked(
    arguments: argparse.Namespace, asked: Asked, lock: Lock, *, shown: bool, say: Say
) -> Acquired:
    """Return the files that a lock names.

    :raises UsageError: what is asked for is not what is locked.
    :raises RdcomposeError: as the archive does; see :mod:`rdcompose.archive`.
    """
    if asked.name is not None and asked.name.removeprefix("linux-image-") != lock.release:
        raise UsageError(
            f"{lock.path} is of {lock.release}, not of {asked.name}", hint="leave KERNEL out"
        )
    kernel = lock.of_role(KERNEL)
    if not kernel:
        raise SpecError(f"{lock.path} names no kernel")
    if not asked.is_local and kernel[0].source == LOCAL_DIRECTORY:
        raise UsageError(
            f"the kernel that {lock.path} locks was below a directory", hint="give that as KERNEL"
        )
    programs = {
        name: with_origin(file, lock) if file is not None else None
        for name, file in asked.programs.items()
    }
    wanted: list[Input] = [] if asked.is_local else [*kernel]
    missing: list[ProgramName] = []
    for name in ProgramName:
        if name not in programs and (locked := lock.of_role(name.value)):
            wanted.append(locked[0])
            missing.append(name)
    own = _own_files(asked, lock)
    wanted += (item for item in lock.of_role(ADDED) if item.sha256 not in own)
    items = {
        request: locked_source(request, lock.of_role(request.role), str(lock.path))
        for request in asked.sources
        if request.path is None or not request.path.exists()
    }
    wanted += items.values()
    if not wanted:
        sources = given_sources(asked.sources, {}, lock)
        return gather((), programs, _locked_additions(asked, lock, own), sources, None)
    with archive_session(arguments, shown=shown, say=say) as session:
        files = fetch_wanted(wanted, lock, session)
    found = {item.sha256: file for item, file in zip(wanted, files, strict=True)}
    fetched = {request: found[item.sha256] for request, item in items.items()}
    return gather(
        [] if asked.is_local else [found[item.sha256] for item in kernel],
        programs | {name: found[lock.of_role(name.value)[0].sha256] for name in missing},
        _locked_additions(asked, lock, found | own),
        given_sources(asked.sources, fetched, lock),
        session.archive.access.cache,
    )


def _own_files(asked: Asked, lock: Lock) -> dict[str, InputFile]:
    """Return the local files that are to be added and are at hand, by digest."""
    files = [request.file for request in asked.requests]
    own = [InputFile(path=file) for file in files if file is not None and file.is_file()]
    return {digest(read_file(file.path, "file")): with_origin(file, lock) for file in own}


def _locked_additions(asked: Asked, lock: Lock, files: Mapping[str, InputFile]) -> Additions:
    architecture = architecture_by_name(lock.architecture)
    rows = [(item, files[item.sha256]) for item in lock.of_role(ADDED)]
    supplier = FixedSupplier(rows, architecture, str(lock.path))
    return add_requested(asked, supplier, architecture)
