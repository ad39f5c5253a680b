"""Packages that have left the mirrors, from a state of the archive that had them.

The snapshot service says when a file was first seen in a pool. What the file must be is
then taken from the signed index of a suite at that time. Which suite is not said: a kernel
for a released Debian comes in by the security archive, or by proposed-updates, and gets
into the release itself with its next point release; others come in by unstable.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.archive.cache import Document
from rdcompose.archive.places import MAIN_ARCHIVE, SECURITY_ARCHIVE
from rdcompose.archive.repository import SuiteSource, open_suite
from rdcompose.archive.search import Found, newest
from rdcompose.archive.snapshot import is_settled
from rdcompose.archive.suites import CODENAMES, base_suite, family, guess_suites, is_security
from rdcompose.errors import FetchError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.archive.repository import Suite
    from rdcompose.archive.search import Archive
    from rdcompose.archive.snapshot import Snapshot, SnapshotFile

# The newest versions of a name that are tried; more than one only where a file is missing.
_MAX_VERSIONS: Final = 3
# An index can be some hours behind the pool, a point release some weeks.
_DELAYS: Final = (0, 1, 30)
_TIMESTAMP: Final = "%Y%m%dT%H%M%SZ"


class State(NamedTuple):
    """Where an index may be that names a package."""

    archive: str
    timestamp: str
    suite: str


class History:
    """The snapshot service as the last place to look.

    Where a package was found is remembered in the cache: that is all that there is of it
    without a network.
    """

    def __init__(self, snapshot: Snapshot, archive: Archive) -> None:
        self._snapshot = snapshot
        self._archive = archive

    def find(self, name: str, architecture: str) -> Found | None:
        """Return the newest version that there ever was of a package, ``None`` if none.

        :raises FetchError: the service does not answer.
        :raises FormatError: something else answers in its place.
        :raises TrustError: a state is not signed as it must be.
        """
        for version in self._snapshot.versions(name)[:_MAX_VERSIONS]:
            files = self._snapshot.files(name, version, architecture)
            # The indexes of the security archive are small, and of each release there is one.
            for archive in (SECURITY_ARCHIVE, MAIN_ARCHIVE):
                for file in (file for file in files if file.archive == archive):
                    if (found := self._first_with(name, architecture, file)) is not None:
                        return found
        return None

    def recall(self, name: str, architecture: str) -> Found | None:
        """Return a package from the state that it was found in before, if that can be had.

        :raises TrustError: the state is not signed as it must be.
        """
        document = self._archive.access.cache.document(_key(name, architecture))
        if document is None:
            return None
        meta = document.meta
        try:
            suite = self._open(State(meta["archive"], meta["timestamp"], meta["suite"]))
            return newest(name, architecture, [suite])
        except FetchError:
            return None

    def _first_with(self, name: str, architecture: str, file: SnapshotFile) -> Found | None:
        """Return the package from the first state whose index names the file."""
        access = self._archive.access
        for state in _states(file, access.now):
            try:
                suite = self._open(state)
            except NotFoundError:
                continue
            for package in suite.find(name, architecture):
                if package.version == file.version:
                    note = Document(b"", state._asdict())
                    access.cache.put_document(_key(name, architecture), note)
                    return Found(package=package, suite=suite)
        return None

    def _open(self, state: State) -> Suite:
        source = SuiteSource(
            base=self._snapshot.base(state.archive, state.timestamp),
            suite=state.suite,
            keyring=self._archive.keyring,
            check_valid_until=False,
            pinned=is_settled(state.timestamp, self._archive.access.now),
        )
        return open_suite(source, self._archive.access)


def _key(name: str, architecture: str) -> str:
    return f"state of {name}:{architecture}"


def _states(file: SnapshotFile, now: datetime.datetime) -> Iterator[State]:
    """Yield states whose index may name a file, likely ones first."""
    seen = datetime.datetime.strptime(file.first_seen, _TIMESTAMP).replace(tzinfo=datetime.UTC)
    likely = tuple(_likely_suites(file))
    for days in _DELAYS:
        moment = seen + datetime.timedelta(days=days)
        if moment > now:
            return
        for suite in likely if days else dict.fromkeys((*likely, *_all_suites(file.archive))):
            yield State(file.archive, moment.strftime(_TIMESTAMP), suite)


def _likely_suites(file: SnapshotFile) -> Iterator[str]:
    for guess in guess_suites(file.version) or ("unstable",):
        base = base_suite(guess)
        if file.archive == SECURITY_ARCHIVE:
            yield from filter(is_security, family(base))
        elif guess == base:
            yield from (f"{base}-proposed-updates", f"{base}-updates", base)
        elif guess.endswith("-backports"):
            yield from (guess, f"{guess}-sloppy")
        else:
            yield base


def _all_suites(archive: str) -> Iterator[str]:
    newest_first = sorted(CODENAMES, key=lambda name: -CODENAMES[name])
    if archive == SECURITY_ARCHIVE:
        for codename in newest_first:
            yield from filter(is_security, family(codename))
    else:
        yield from ("unstable", "experimental", "testing", "stable-proposed-updates")
        yield from ("oldstable-proposed-updates", "stable", "oldstable")
