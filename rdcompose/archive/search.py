"""Finds packages in an archive: its suites are opened once, side by side, and searched.

Where a package was found outside of the suites asked for is remembered in the cache: the
next search looks there before it goes through the whole archive again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from typing import TYPE_CHECKING

from rdcompose.archive.cache import Document
from rdcompose.archive.repository import Suite, SuiteSource, open_suite
from rdcompose.archive.suites import family
from rdcompose.archive.together import run_together
from rdcompose.archive.version import version_key
from rdcompose.errors import FetchError, NotFoundError, RdcomposeError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Sequence

    from rdcompose.archive.packages import Package
    from rdcompose.archive.places import Place
    from rdcompose.archive.repository import Access
    from rdcompose.archive.trust import Keyring


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A package, and the suite whose signed index names it."""

    package: Package
    suite: Suite

    @property
    def url(self) -> str:
        """Address of its file."""
        return self.suite.url(self.package)

    @property
    def file(self) -> str:
        """Name of its file in the pool."""
        return self.package.filename.rpartition("/")[2]


class Archive:
    """The suites of one place.

    ``suites_asked`` are names for the suite that is meant: the first that exists counts.
    ``keyring`` is for states of the archive that the snapshot service has. ``troubles`` says
    what could not be searched and why, for the message when nothing was found.
    """

    def __init__(
        self,
        place: Place,
        suites_asked: Sequence[str],
        *,
        keyring: Keyring,
        access: Access,
        cancelled: threading.Event,
    ) -> None:
        self.place = place
        self.keyring = keyring
        self.access = access
        self.troubles: list[str] = []
        self._suites_asked = suites_asked
        self._cancelled = cancelled
        self._opened: dict[str, Suite | RdcomposeError] = {}

    @functools.cached_property
    def suite(self) -> str:
        """The name of the suite that is looked in first."""
        for name in self._suites_asked[:-1]:
            with contextlib.suppress(NotFoundError):
                self.family(name)
                return name
        return self._suites_asked[-1]

    def family(self, suite: str) -> tuple[Suite, ...]:
        """Return a suite with its security and updates suites, as far as these exist.

        :raises NotFoundError: there is no such suite.
        :raises FetchError: one of them cannot be fetched.
        :raises TrustError: one of them is not signed as it must be.
        """
        names = family(suite)
        self._open(names)
        for name in names:
            found = self._opened[name]
            if isinstance(found, NotFoundError) and name == suite:
                raise NotFoundError(
                    f"no suite {suite} in {self.place.description}: {found.message}",
                    hint=found.hint or "name another with --suite",
                )
            if isinstance(found, RdcomposeError) and not isinstance(found, NotFoundError):
                raise found
        return self._usable(names)

    def configured(self) -> tuple[Suite, ...]:
        """Return the family of the suite asked for, then what else the place has configured."""
        own = self.family(self.suite)
        others = (suite for suite in self.suites(self.place.suites) if suite not in own)
        return (*own, *others)

    def suites(self, names: Iterable[str]) -> tuple[Suite, ...]:
        """Return the suites that exist and can be used; ``troubles`` tells of the others."""
        names = tuple(dict.fromkeys(names))
        for name in self._open(names):
            found = self._opened[name]
            if isinstance(found, RdcomposeError) and not isinstance(found, NotFoundError):
                self.troubles.append(found.message)
        return self._usable(names)

    def remember(self, found: Found) -> None:
        """Note where a package is, for :meth:`recall`."""
        source = found.suite.source
        meta = {"suite": source.suite}
        if source.pinned:
            meta["base"] = source.base
        key = _place_key(found.package.name, found.package.architecture)
        self.access.cache.put_document(key, Document(b"", meta))

    def recall(self, name: str, architecture: str) -> Found | None:
        """Return a package from where it was found before, if it still is there."""
        document = self.access.cache.document(_place_key(name, architecture))
        if document is None:
            return None
        suite, base = document.meta["suite"], document.meta.get("base")
        if base is None:
            return newest(name, architecture, self.suites([suite]))
        source = SuiteSource(base=base, suite=suite, keyring=self.keyring, pinned=True)
        try:
            return newest(name, architecture, [open_suite(source, self.access)])
        except RdcomposeError as error:
            self.troubles.append(error.message)
            return None

    def _open(self, names: Sequence[str]) -> list[str]:
        """Open what is not open yet, side by side; returns the names of these."""
        new = [name for name in names if name not in self._opened]
        jobs = [functools.partial(self._attempt, name) for name in new]
        self._opened.update(zip(new, run_together(jobs, self._cancelled), strict=True))
        return new

    def _attempt(self, name: str) -> Suite | RdcomposeError:
        """Open a suite at the first address that has it."""
        failure: RdcomposeError = NotFoundError(f"{self.place.description} has none")
        for source in self.place.sources(name):
            try:
                return open_suite(source, self.access)
            except FetchError as error:
                # At an address that was only guessed, no answer means what "not found" does.
                if not source.optional:
                    failure = error
            except RdcomposeError as error:
                return error
        return failure

    def _usable(self, names: Iterable[str]) -> tuple[Suite, ...]:
        """Return opened suites; one with two names (``stable``, ``trixie``) once."""
        found: dict[tuple[str, str, str], Suite] = {}
        for name in names:
            suite = self._opened[name]
            if isinstance(suite, Suite):
                found.setdefault((suite.release.label, suite.name, suite.source.base), suite)
        return tuple(found.values())


def newest(name: str, architecture: str, suites: Iterable[Suite]) -> Found | None:
    """Return the newest version of a package over several suites; of equal ones the first."""
    found = [
        Found(package=package, suite=suite)
        for suite in suites
        for package in suite.find(name, architecture)
    ]
    return max(found, key=lambda row: version_key(row.package.version), default=None)


def _place_key(name: str, architecture: str) -> str:
    return f"place of {name}:{architecture}"
