"""Sources of microcode, firmware, modules and stubs: what is asked for, and which are local."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rdcompose.cli.uki import wanted_stub
from rdcompose.compose.filesource import (
    FIRMWARE,
    MICROCODE,
    MODULE,
    STUB,
    SYMVERS,
    Source,
    parse_source,
)
from rdcompose.compose.inputs import InputFile, digest, read_file
from rdcompose.compose.profile import load_profile
from rdcompose.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from rdcompose.compose.filesource import SourceRequest
    from rdcompose.compose.lock import Lock

_NONE = "none"


def wanted_sources(
    arguments: argparse.Namespace, options: Mapping[str, str]
) -> tuple[SourceRequest, ...]:
    """Return what is asked for, each once; ``options`` has what a lock was made with.

    :raises UsageError: the options contradict each other.
    :raises SpecError: one is malformed.
    """
    microcode = _texts(arguments.microcode, options, MICROCODE)
    if _NONE in microcode:
        if set(microcode) != {_NONE}:
            raise UsageError("--microcode none goes with no other --microcode")
        microcode = []
    modules = _texts(arguments.module, options, MODULE)
    # A lock's goes with its modules.
    symvers = _texts(arguments.symvers, options, SYMVERS) if modules else arguments.symvers or []
    if symvers and not modules:
        raise UsageError("--symvers has no meaning without --module")
    firmware = _texts(arguments.firmware_from, options, "firmware-from")
    if options.get("firmware") == _NONE:
        if arguments.firmware_from is not None:
            raise UsageError("--firmware-from has no meaning with --firmware none")
        firmware = []
    texts = (
        (MICROCODE, microcode),
        (FIRMWARE, firmware),
        (MODULE, modules),
        (SYMVERS, symvers),
        (STUB, wanted_stub(arguments, options)),
    )
    requests = [parse_source(role, text) for role, given in texts for text in given]
    if options.get("firmware") != _NONE:
        requests += load_profile(options["profile"]).sources
    # What both name counts as named by the options.
    distinct: dict[object, SourceRequest] = {}
    for request in requests:
        distinct.setdefault((request.role, request.package or request.path), request)
    return tuple(distinct.values())


def _texts(given: list[str] | None, options: Mapping[str, str], name: str) -> list[str]:
    return options.get(name, "").split() if given is None else given


def given_sources(
    requests: Iterable[SourceRequest],
    fetched: Mapping[SourceRequest, InputFile],
    lock: Lock | None = None,
) -> tuple[Source, ...]:
    """Return the files of sources: those that were fetched, else the local ones."""
    sources = []
    for request in requests:
        file = fetched.get(request)
        if file is None and request.path is not None:
            file = InputFile(path=request.path)
            if lock is not None and request.path.is_file():
                file = with_origin(file, lock)
        if file is not None:
            sources.append(Source(request, file))
    return tuple(sources)


def with_origin(file: InputFile, lock: Lock) -> InputFile:
    """Return a local file with the origin of the locked one, if it is that."""
    found = digest(read_file(file.path, "file"))
    origin = next((item.archive for item in lock.inputs if item.sha256 == found), None)
    return dataclasses.replace(file, archive=origin)
