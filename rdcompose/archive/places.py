"""Where to look for a suite: mirrors named, apt's own sources, the snapshot service.

The name of a suite says of which archive it is: ``bookworm-security`` is of the security
archive, which has an address of its own. A place knows the addresses of both.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import TYPE_CHECKING, Final, Protocol

from rdcompose.archive.addresses import shown
from rdcompose.archive.keyring import load_keyring
from rdcompose.archive.repository import SuiteSource
from rdcompose.archive.snapshot import is_settled
from rdcompose.archive.suites import is_security
from rdcompose.archive.trust import Keyring
from rdcompose.errors import TrustError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdcompose.archive.snapshot import Snapshot
    from rdcompose.archive.sources import Source

MAIN_ARCHIVE: Final = "debian"
SECURITY_ARCHIVE: Final = "debian-security"


class Place(Protocol):
    """Something that may have a suite."""

    @property
    def description(self) -> str:
        """What it is, for messages."""

    @property
    def suites(self) -> tuple[str, ...]:
        """The suites that somebody configured, if so."""

    def expects(self, suite: str) -> bool:
        """Tell whether somebody said that the suite is here."""

    def sources(self, suite: str) -> tuple[SuiteSource, ...]:
        """Return where the suite may be, in the order to ask; empty if nowhere here."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mirrors:
    """Mirrors that the user named.

    One whose address ends in a word with "security" is of the security archive. Where none
    is named, it is looked for beside the main archive, where mirrors that have it have it.
    """

    urls: tuple[str, ...]
    keyring: Keyring

    @property
    def description(self) -> str:
        """The addresses, without credentials."""
        return ", ".join(map(shown, self.urls))

    @property
    def suites(self) -> tuple[str, ...]:
        """None: an address alone names no suite."""
        return ()

    def expects(self, suite: str) -> bool:
        """Only security suites, of a mirror of that archive."""
        return is_security(suite) and any(map(_names_security, self.urls))

    def sources(self, suite: str) -> tuple[SuiteSource, ...]:
        """Return every mirror of the suite's archive."""
        return _by_archive(suite, self.urls, self.keyring)


class AptPlace:
    """Debian's archive as apt on this machine is configured to use it.

    ``notes`` says which sources are left out: a source that is to be signed by somebody else
    than Debian is another vendor's.
    """

    description: Final = "the sources of apt on this machine"

    def __init__(
        self, sources: Iterable[Source], debian: Keyring, override: Keyring | None
    ) -> None:
        self.notes: list[str] = []
        self._keyring = override or debian
        self._exact: dict[str, list[SuiteSource]] = {}
        for source in sources:
            keyring = override or self._keyring_of(source, debian)
            if keyring is None:
                continue
            self._exact.setdefault(source.suite, []).append(
                SuiteSource(
                    base=source.uri,
                    suite=source.suite,
                    keyring=keyring,
                    components=source.components,
                    check_valid_until=source.check_valid_until,
                    may_be_foreign=True,
                )
            )

    @property
    def suites(self) -> tuple[str, ...]:
        """The configured suites, in the order of the files."""
        return tuple(self._exact)

    def expects(self, suite: str) -> bool:
        """Those that are configured."""
        return suite in self._exact

    def sources(self, suite: str) -> tuple[SuiteSource, ...]:
        """Return the sources configured for a suite, then the same archives' addresses.

        The latter serve suites that are not configured, and where what is configured turns
        out to be another vendor's.
        """
        exact = self._exact.get(suite, [])
        configured = [source for row in self._exact.values() for source in row]
        security = {source.base for source in configured if is_security(source.suite)}
        # Of an old state of the archive nothing is new.
        unchecked = {source.base for source in configured if not source.check_valid_until}
        known = {source.base for source in exact}
        bases = dict.fromkeys(source.base for source in configured if source.base not in known)
        others = (
            dataclasses.replace(
                source,
                check_valid_until=source.base not in unchecked,
                may_be_foreign=True,
                optional=source.optional or bool(exact),
            )
            for source in _by_archive(suite, bases, self._keyring, security=security)
            # What is guessed beside another address can be configured itself.
            if source.base not in known
        )
        return (*exact, *others)

    def _keyring_of(self, source: Source, debian: Keyring) -> Keyring | None:
        try:
            keyring = _signed_by(source, debian)
        except TrustError as error:
            self.notes.append(f"{source.where}: left out: {error.message}")
            return None
        if keyring.fingerprints.isdisjoint(debian.fingerprints):
            self.notes.append(f"{source.where}: left out: it is not signed by Debian")
            return None
        return keyring


@dataclasses.dataclass(frozen=True, slots=True)
class SnapshotState:
    """The state that the snapshot service has of a moment; without one the newest."""

    service: Snapshot
    keyring: Keyring
    now: datetime.datetime
    timestamp: str | None = None

    @property
    def description(self) -> str:
        """The service and the moment."""
        return f"{shown(self.service.service)} ({self.timestamp or 'newest state'})"

    @property
    def suites(self) -> tuple[str, ...]:
        """None: it has all that there ever were."""
        return ()

    def expects(self, suite: str) -> bool:  # noqa: ARG002
        """None: a release gets its suites one after the other."""
        return False

    def sources(self, suite: str) -> tuple[SuiteSource, ...]:
        """Return the state's address of the suite's archive."""
        archive = SECURITY_ARCHIVE if is_security(suite) else MAIN_ARCHIVE
        timestamp = self.timestamp or self._tomorrow()
        source = SuiteSource(
            base=self.service.base(archive, timestamp),
            suite=suite,
            keyring=self.keyring,
            check_valid_until=False,
            pinned=is_settled(timestamp, self.now),
            known_as="" if self.timestamp else self.service.base(archive, "newest"),
        )
        return (source,)

    def _tomorrow(self) -> str:
        """Return a moment to come: the service answers with the state before it.

        By the day, so that what was fetched today is found in the cache.
        """
        return f"{self.now + datetime.timedelta(days=1):%Y%m%d}T000000Z"


def _by_archive(
    suite: str, urls: Iterable[str], keyring: Keyring, *, security: Iterable[str] = ()
) -> tuple[SuiteSource, ...]:
    """Return the addresses of the archive that a suite is of."""
    known = set(security)
    wanted = is_security(suite)
    urls = tuple(urls)
    named = [url for url in urls if (url in known or _names_security(url)) == wanted]
    guessed = not named
    if guessed and wanted:
        named = [beside for url in urls if (beside := _security_beside(url)) is not None]
    return tuple(
        SuiteSource(base=url, suite=suite, keyring=keyring, optional=guessed)
        for url in dict.fromkeys(named)
    )


def _names_security(url: str) -> bool:
    return "security" in shown(url).rpartition("/")[2]


def _security_beside(url: str) -> str | None:
    parent, _, last = url.rpartition("/")
    return f"{parent}/{SECURITY_ARCHIVE}" if last == MAIN_ARCHIVE else None


def _signed_by(source: Source, debian: Keyring) -> Keyring:
    """Return what must have signed a source, as its Signed-By says; Debian if it does not."""
    if source.key is not None:
        return Keyring.from_bytes(source.key, f"the key in {source.where}")
    if source.signed_by:
        first, *others = (load_keyring(path) for path in source.signed_by)
        keyring = first.joined(others)
        return keyring.restricted(source.fingerprints) if source.fingerprints else keyring
    return debian.restricted(source.fingerprints) if source.fingerprints else debian
