"""Access to archives of the tests, without waiting, and with its warnings noted.

desk = Desk(tmp_path / "cache", key)
suite = open_suite(desk.source(base, "bookworm"), desk.access())
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Final

from rdcompose.archive.cache import Cache
from rdcompose.archive.fetch import HttpFetcher, OfflineFetcher
from rdcompose.archive.repository import Access, SuiteSource
from rdcompose.archive.trust import Keyring
from tests.support.archive import DATE

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.archive.fetch import Advance
    from tests.support.signing import SigningKey

# The day after the archives of the tests were last changed.
NOW: Final = DATE + datetime.timedelta(days=1)


class Desk:
    """A cache, a keyring, and what was warned of and watched."""

    def __init__(self, directory: Path, *keys: SigningKey) -> None:
        self.directory = directory
        self.keyring = Keyring.from_bytes(
            b"".join(key.certificate for key in keys), "the keyring of the tests"
        )
        self.warnings: list[str] = []
        self.watched: list[str] = []

    @property
    def cache(self) -> Cache:
        """The cache as another process sees it."""
        return Cache(self.directory)

    def access(self, *, offline: bool = False, **settings: Any) -> Access:
        """Return access with some settings of :class:`Access`."""
        fetcher = OfflineFetcher() if offline else HttpFetcher(sleep=lambda _: None)
        given: dict[str, Any] = {"fetcher": fetcher, "cache": self.cache, "now": NOW, **settings}
        return Access(offline=offline, warn=self.warnings.append, watch=self._watch, **given)

    def source(self, base: str, suite: str, **settings: Any) -> SuiteSource:
        """Return a source that the keyring must have signed."""
        return SuiteSource(base=base, suite=suite, keyring=self.keyring, **settings)

    def _watch(self, name: str) -> Advance:
        self.watched.append(name)
        return lambda _done, _total: None
