"""Packages that have left the mirrors, from a state of the archive that had them.

The snapshot service says when a file was first seen in a pool. What the file must be is
then taken from the signed index of a suite at that time. Which suite is not said: a kernel
for a released Debian comes in by the security archive, or by proposed-updates, and gets
into the release itself with its next point release; others come in by unstable.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Final

from rdcompose.archive.places import MAIN_ARCHIVE, SECURITY_ARCHIVE
from rdcompose.archive.repository import SuiteSource, open_suite
from rdcompose.archive.search import Found
from rdcompose.archive.suites import CODENAMES, base_suite, family, guess_suites, is_security
from rdcompose.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.archive.search import Archive
    from rdcompose.archive.snapshot import Snapshot, SnapshotFile

# The newest versions of a name that are tried; more than one only where a file is missing.
_MAX_VERSIONS: Final = 3
# An index can be some hours behind the pool, a point release some weeks.
_DELAYS: Final = (0, 1, 30)
_TIMESTAMP: Final = "%Y%m%dT%H%M%SZ"


class History:
    """The snapshot service as the last place to look."""

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
                        self._archive.remember(found)
                        return found
        return None

    def _first_with(self, name: str, architecture: str, file: SnapshotFile) -> Found | None:
        """Return the package from the first state and suite whose index names the file."""
        for timestamp, suite in _states(file, self._archive.access.now):
            source = SuiteSource(
                base=self._snapshot.base(file.archive, timestamp),
                suite=suite,
                keyring=self._archive.keyring,
                pinned=True,
            )
            try:
                opened = open_suite(source, self._archive.access)
            except NotFoundError:
                continue
            for package in opened.find(name, architecture):
                if package.version == file.version:
                    return Found(package=package, suite=opened)
        return None


def _states(file: SnapshotFile, now: datetime.datetime) -> Iterator[tuple[str, str]]:
    """Yield timestamps and suites whose index may name a file, likely ones first."""
    seen = datetime.datetime.strptime(file.first_seen, _TIMESTAMP).replace(tzinfo=datetime.UTC)
    likely = tuple(_likely_suites(file))
    for days in _DELAYS:
        moment = seen + datetime.timedelta(days=days)
        if moment > now:
            return
        for suite in likely if days else dict.fromkeys((*likely, *_all_suites(file.archive))):
            yield f"{moment:%Y%m%dT%H%M%SZ}", suite


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
