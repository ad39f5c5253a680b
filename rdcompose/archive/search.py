"""Finds packages in an archive: its suites are opened once, side by side, and searched.

Where a package was found outside of the suites asked for is remembered in the cache: the
next search looks there before it goes through the whole archive again.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

from rdcompose.archive.cache import Document
from rdcompose.archive.repository import Suite, open_suite
from rdcompose.archive.suites import family
from rdcompose.archive.together import run_together
from rdcompose.archive.version import version_key
from rdcompose.errors import FetchError, NotFoundError, OutputError, RdcomposeError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator, Sequence

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
    ``keyring`` is for states of the archive that the snapshot service has. ``left_out`` has the
    suites that could not be searched, and why.
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
        self.left_out: dict[str, str] = {}
        self._suites_asked = suites_asked
        self._cancelled = cancelled
        self._opened: dict[str, Suite | RdcomposeError] = {}
        self._loaded: dict[tuple[str, str, tuple[str, ...]], Suite | RdcomposeError] = {}

    @functools.cached_property
    def suite(self) -> str:
        """The name of the suite that is looked in first."""
        for name in self._suites_asked[:-1]:
            self._open([name])
            if not isinstance(self._opened[name], NotFoundError):
                return name
        return self._suites_asked[-1]

    def family(
        self, suite: str, architecture: str, also: tuple[str, ...] = ()
    ) -> tuple[Suite, ...]:
        """Return a suite with its security and updates suites, their indexes fetched.

        ``also`` are components to have beside those that are configured.
        Of these, one that does not exist is left out; of one that cannot be fetched, or is
        missing though it was said to be there, the user is warned.

        :raises NotFoundError: there is no such suite.
        :raises FetchError: it cannot be fetched.
        :raises TrustError: one of them is not what a signature says.
        """
        names = family(suite)
        self._load(names, architecture, also)
        found = {name: self._loaded[name, architecture, also] for name in names}
        for name, result in found.items():
            if not isinstance(result, RdcomposeError):
                continue
            if isinstance(result, NotFoundError):
                if name == suite:
                    raise NotFoundError(
                        f"no suite {suite} in {self.place.description}: {result.message}",
                        hint=result.hint or "name another with --suite",
                    )
                if self.place.expects(name):
                    self._leave_out(name, result)
            elif isinstance(result, FetchError) and name != suite:
                self._leave_out(name, result)
            else:
                raise result
        return _distinct(result for result in found.values() if isinstance(result, Suite))

    def configured(self, architecture: str) -> Iterator[Suite]:
        """Yield the family of the suite asked for, then what else the place has configured."""
        own = self.family(self.suite, architecture)
        yield from own
        yield from self.suites(self.place.suites, architecture, known=own)

    def suites(
        self, names: Iterable[str], architecture: str, *, known: Iterable[Suite] = ()
    ) -> Iterator[Suite]:
        """Yield suites that exist and can be used; the index of each is fetched in its turn.

        Each is given once, whatever its names, and those that are ``known`` not at all.
        ``left_out`` tells of those that cannot be used.
        """
        names = tuple(dict.fromkeys(names))
        self._open(names)
        done = {suite.identity for suite in known}
        for name in names:
            opened = self._opened[name]
            if isinstance(opened, Suite) and opened.identity in done:
                continue
            self._load([name], architecture)
            result = self._loaded[name, architecture, ()]
            if isinstance(result, Suite):
                done.add(result.identity)
                yield result
            elif not isinstance(result, NotFoundError):
                self.left_out.setdefault(name, result.message)

    def remember(self, found: Found) -> None:
        """Note in which suite a package is, for :meth:`recall`."""
        key = _suite_key(found.package.name, found.package.architecture)
        meta = {"suite": found.suite.source.suite}
        self.access.cache.put_document(key, Document(b"", meta))

    def recall(self, name: str, architecture: str) -> Found | None:
        """Return a package from the suite that it was in before, if it still is there."""
        document = self.access.cache.document(_suite_key(name, architecture))
        if document is None:
            return None
        return newest(name, architecture, self.suites([document.meta["suite"]], architecture))

    def _leave_out(self, name: str, error: FetchError) -> None:
        if name not in self.left_out:
            self.left_out[name] = error.message
            self.access.warn(
                f"left out, though newer versions may be there: {name}: {error.message}"
            )

    def _open(self, names: Sequence[str]) -> None:
        """Open suites that are not open yet, side by side."""
        new = [name for name in names if name not in self._opened]
        jobs = [functools.partial(self._attempt, name) for name in new]
        self._opened.update(zip(new, run_together(jobs, self._cancelled), strict=True))

    def _load(self, names: Sequence[str], architecture: str, also: tuple[str, ...] = ()) -> None:
        """Fetch the indexes of suites for an architecture, side by side."""
        self._open(names)
        new = [name for name in names if (name, architecture, also) not in self._loaded]
        jobs = [functools.partial(_load, self._opened[name], architecture, also) for name in new]
        for name, result in zip(new, run_together(jobs, self._cancelled), strict=True):
            self._loaded[name, architecture, also] = result

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
            except OutputError:
                raise  # without a cache nothing can be done
            except RdcomposeError as error:
                return error
        return failure


def _load(
    suite: Suite | RdcomposeError, architecture: str, also: tuple[str, ...]
) -> Suite | RdcomposeError:
    if isinstance(suite, Suite):
        try:
            suite.load(architecture, also)
        except OutputError:
            raise
        except RdcomposeError as error:
            return error
    return suite


def _distinct(suites: Iterable[Suite]) -> tuple[Suite, ...]:
    """Return each suite once; one can have two names (``stable``, ``trixie``)."""
    found: dict[tuple[str, str, str], Suite] = {}
    for suite in suites:
        found.setdefault(suite.identity, suite)
    return tuple(found.values())


def newest(
    name: str, architecture: str, suites: Iterable[Suite], also: tuple[str, ...] = ()
) -> Found | None:
    """Return the newest version of a package over several suites; of equal ones the first.

    ``also`` are components to look in beside those that are configured.
    """
    found = [
        Found(package=package, suite=suite)
        for suite in suites
        for package in suite.find(name, architecture, also)
    ]
    return max(found, key=lambda row: version_key(row.package.version), default=None)


def _suite_key(name: str, architecture: str) -> str:
    return f"suite of {name}:{architecture}"
