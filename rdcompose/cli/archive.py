"""From options to an archive that can be searched and fetched from."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import re
import threading
from typing import TYPE_CHECKING, Final

from rdcompose.archive.addresses import shown
from rdcompose.archive.cache import Cache
from rdcompose.archive.fetch import HttpFetcher, OfflineFetcher
from rdcompose.archive.history import History
from rdcompose.archive.keyring import debian_keyring, load_keyring
from rdcompose.archive.places import AptPlace, Mirrors, Place, SnapshotState
from rdcompose.archive.repository import Access
from rdcompose.archive.search import Archive
from rdcompose.archive.snapshot import SERVICE, Snapshot, parse_timestamp
from rdcompose.archive.sources import apt_sources
from rdcompose.archive.suites import base_suite, codename_of_host, is_suite_name
from rdcompose.cli.environment import cache_directory
from rdcompose.cli.project import read_project
from rdcompose.cli.terminal import transfers, warn
from rdcompose.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from rdcompose.archive.trust import Keyring
    from rdcompose.cli.project import Project
    from rdcompose.cli.terminal import Say

_STABLE: Final = "stable"
# No "?" or "#" where a path is to be appended; in paths of files they are characters.
_ADDRESS: Final = re.compile(r"https?://[^/?#\s][^?#\s]*|file:///.*")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An archive to search, what remembers more than it, and how to stop its downloads.

    ``history`` and ``snapshot`` are ``None`` where the snapshot service must not be asked;
    without a network, ``history`` has what is in the cache.
    """

    archive: Archive
    history: History | None
    snapshot: Snapshot | None
    cancelled: threading.Event


@contextlib.contextmanager
def archive_session(
    arguments: argparse.Namespace, *, shown: bool, say: Say = warn
) -> Iterator[Session]:
    """Open what the options of ``add_archive_options`` name; progress shows while it is open.

    ``say`` gets the warnings and notes.

    :raises UsageError: options contradict each other, or leave no place to look in.
    :raises SpecError: the project file is wrong.
    """
    _check(arguments)
    project = read_project()
    cancelled = threading.Event()
    fetcher = OfflineFetcher() if arguments.offline else HttpFetcher(cancelled=cancelled)
    now = datetime.datetime.now(datetime.UTC)
    snapshot = Snapshot(fetcher, _address(arguments.snapshot_service or SERVICE))
    keyring = _keyring(arguments, project)
    place = _place(arguments, project, keyring, snapshot, now, say=say)
    with transfers(shown=shown) as watch:
        access = Access(
            fetcher=fetcher,
            cache=Cache(cache_directory(arguments.cache)),
            now=now,
            threads=len(os.sched_getaffinity(0)),
            offline=arguments.offline,
            allow_unverified=arguments.allow_unverified,
            warn=lambda message: say(f"rdcompose: warning: {message}"),
            watch=watch,
        )

        suite = arguments.suite or project.suite
        archive = Archive(
            place,
            [suite] if suite is not None else _default_suites(place.suites),
            keyring=keyring,
            access=access,
            cancelled=cancelled,
        )
        allowed = not (arguments.no_snapshot or arguments.snapshot)
        try:
            yield Session(
                archive=archive,
                history=History(snapshot, archive) if allowed else None,
                snapshot=snapshot if allowed and not arguments.offline else None,
                cancelled=cancelled,
            )
        finally:
            for name, reason in archive.left_out.items() if arguments.verbose else ():
                say(f"note: left out: {name}: {reason}")


def _check(arguments: argparse.Namespace) -> None:
    if arguments.suite is not None and not is_suite_name(arguments.suite):
        raise UsageError(f"{arguments.suite!r} is no name of a suite")
    if arguments.snapshot is not None:
        if arguments.no_snapshot:
            raise UsageError("--snapshot and --no-snapshot contradict each other")
        if arguments.mirror:
            raise UsageError("--snapshot names the place to look in, and so does --mirror")


def _keyring(arguments: argparse.Namespace, project: Project) -> Keyring:
    path = arguments.keyring or project.keyring
    return debian_keyring() if path is None else load_keyring(path)


def _place(
    arguments: argparse.Namespace,
    project: Project,
    keyring: Keyring,
    snapshot: Snapshot,
    now: datetime.datetime,
    *,
    say: Say,
) -> Place:
    if arguments.snapshot is not None:
        return SnapshotState(snapshot, keyring, now, parse_timestamp(arguments.snapshot))
    if mirrors := arguments.mirror or project.mirror:
        return Mirrors(tuple(_address(url) for url in mirrors), keyring)
    configured = apt_sources()
    own = arguments.keyring or project.keyring
    apt = AptPlace(configured.sources, keyring, keyring if own else None)
    for note in (*configured.notes, *apt.notes) if arguments.verbose else ():
        say(f"note: {note}")
    if apt.suites:
        return apt
    if arguments.no_snapshot:
        raise UsageError(
            "there is no archive to look in: apt has no Debian sources here, and "
            "--no-snapshot forbids the snapshot service",
            hint="name a mirror with --mirror URL",
        )
    return SnapshotState(snapshot, keyring, now)


def _address(url: str) -> str:
    if url.isprintable() and _ADDRESS.fullmatch(url) is not None:
        return url.rstrip("/")
    raise UsageError(f"{shown(url)!r} is no address", hint="http://, https:// or file:///")


def _default_suites(configured: Sequence[str]) -> list[str]:
    """Return the suite of this machine, and what to take where the archive has none such."""
    host = codename_of_host()
    bases = [base_suite(suite) for suite in configured]
    if bases:
        return [host if host in bases else bases[0]]
    return [host, _STABLE] if host is not None else [_STABLE]
