"""A suite of a Debian archive, opened: every byte of it follows from a trusted key.

The chain, as in the Debian wiki's page "DebianRepository/Format": the signature in
``InRelease`` covers the SHA-256 and size of each ``Packages`` file, which has those of each
package. Nothing is used before its link is checked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import mmap
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from rdcompose.archive.cache import Document
from rdcompose.archive.fetch import Validators
from rdcompose.archive.packages import PackageIndex
from rdcompose.archive.release_file import ReleaseFile
from rdcompose.archive.trust import check_release, unsigned_text, verify_inrelease
from rdcompose.errors import FetchError, FormatError, NotFoundError, TrustError
from rdcompose.formats.compression import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from rdcompose.archive.cache import Cache
    from rdcompose.archive.fetch import Advance, Fetcher
    from rdcompose.archive.packages import Package
    from rdcompose.archive.release_file import IndexFile
    from rdcompose.archive.trust import Keyring

# Debian's largest, sid's, has 190 kB.
_MAX_INRELEASE: Final = 16 << 20
_CLEAR_SIGNED: Final = b"-----BEGIN PGP SIGNED MESSAGE-----"
# Behind the name of a Packages file, and the compressor; the smaller first.
_COMPRESSIONS: Final = ((".xz", "xz"), (".gz", "gzip"))
# What a path needs no escape for (RFC 3986, pchar); "+" is common in versions.
SAFE: Final = "/~!$&'()*+,;=:@"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What work on an archive needs from outside.

    ``warn`` is told what the user must know; ``watch`` is asked, with the name of a file,
    whom to tell how far its download is. ``offline`` takes the state in the cache for the
    newest, whatever its age.
    """

    fetcher: Fetcher
    cache: Cache
    now: datetime
    threads: int = 1
    offline: bool = False
    allow_unverified: bool = False
    warn: Callable[[str], None]
    watch: Callable[[str], Advance]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSource:
    """Where a suite is, and what must have signed it.

    ``base`` is the archive's address without a slash at its end. ``pinned`` is a state that
    never changes, like one of the snapshot service: it does not expire. At a place that
    ``may_be_foreign``, the suite of another vendor counts as none. ``optional`` is one that
    was guessed and need not exist.
    """

    base: str
    suite: str
    keyring: Keyring
    components: tuple[str, ...] = ("main",)
    check_valid_until: bool = True
    pinned: bool = False
    may_be_foreign: bool = False
    optional: bool = False

    @property
    def directory(self) -> str:
        """Address of the suite's indexes."""
        return f"{self.base}/dists/{self.suite}"

    @property
    def url(self) -> str:
        """Address of the suite's signed index."""
        return f"{self.directory}/InRelease"


class Suite:
    """A suite whose ``InRelease`` was checked; made by :func:`open_suite`.

    ``verified`` is false only where a break in the chain was allowed.
    """

    def __init__(self, source: SuiteSource, access: Access, data: bytes) -> None:
        self.source = source
        self._access = access
        self._data = data
        self.release, self.verified = _checked(source, access, data)
        self._indexes: dict[tuple[str, str], PackageIndex | None] = {}

    @property
    def name(self) -> str:
        """The codename, which stays the same when ``stable`` becomes ``oldstable``."""
        return self.release.codename or self.release.suite or self.source.suite

    @property
    def identity(self) -> tuple[str, str, str]:
        """What two names of one suite have in common."""
        return (self.source.base, self.release.label, self.name)

    def url(self, package: Package) -> str:
        """Address of a package's file."""
        return f"{self.source.base}/{quote(package.filename, safe=SAFE)}"

    def find(self, name: str, architecture: str) -> tuple[Package, ...]:
        """Return all versions of a package, newest first within each component."""
        found: list[Package] = []
        for index in self.load(architecture):
            with self._named():
                found.extend(index.find(name))
        return tuple(found)

    def matching(self, prefix: str, architecture: str) -> list[Package]:
        """Return all packages whose names begin so, in the order of the indexes."""
        found: list[Package] = []
        for index in self.load(architecture):
            with self._named():
                found.extend(index.matching(prefix))
        return found

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Say in errors of an index which one it is."""
        try:
            yield
        except FormatError as error:
            raise FormatError(
                f"{self.source.directory}: {error.message}", hint=error.hint
            ) from error

    def load(self, architecture: str) -> tuple[PackageIndex, ...]:
        """Fetch and open the index of each component; none for an architecture it lacks.

        :raises FetchError: one cannot be had.
        :raises TrustError: one is not what the signature covers.
        """
        for component in self.source.components:
            key = component, architecture
            if key not in self._indexes:
                self._indexes[key] = self._open_index(component, architecture)
        rows = (self._indexes[component, architecture] for component in self.source.components)
        return tuple(index for index in rows if index is not None)

    def _open_index(self, component: str, architecture: str) -> PackageIndex | None:
        # Beside the newest state, the one that each index in the cache belongs to is kept:
        # a newer state, fetched for another architecture, must not cut it off.
        cache = self._access.cache
        key = f"{self.source.url} {component}/{architecture}"
        kept = cache.document(key)
        release = self.release
        if self._access.offline and kept is not None:
            release, _verified = _checked(self.source, self._access, kept.data)
        plain = release.index(f"{component}/binary-{architecture}/Packages")
        if plain is None:
            return None
        if plain.size == 0:
            return PackageIndex(b"")
        label = f"{self.name}_{component}_{architecture}_Packages"
        path = cache.obtain(
            plain.sha256,
            plain.size,
            label,
            lambda partial: self._fill(release, plain, partial, self._access.watch(label)),
        )
        with path.open("rb") as file:
            index = PackageIndex(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        if not self._access.offline and (kept is None or kept.data != self._data):
            cache.put_document(key, Document(self._data, {"sha256": plain.sha256}))
            if kept is not None and kept.meta["sha256"] != plain.sha256:
                cache.remove(kept.meta["sha256"])
        return index

    def _fill(self, release: ReleaseFile, plain: IndexFile, partial: Path, told: Advance) -> None:
        """Write the uncompressed index, from the smallest form that the mirror has."""
        for suffix, compressor in _COMPRESSIONS:
            stored = release.index(plain.path + suffix)
            if stored is not None:
                with contextlib.suppress(NotFoundError):
                    path = self._fetched(release, stored, told)
                    self._unpack(path, compressor, partial, limit=plain.size)
                    self._access.cache.remove(stored.sha256)
                    return
        try:
            self._download(release, plain, told, partial)
        except NotFoundError as error:
            raise FetchError(
                f"{self.source.base} has no {plain.path} of {self.source.suite} in any form, "
                "though the signed index of the suite names it",
                hint="the mirror is incomplete or is being updated: try later, or another --mirror",
            ) from error

    def _fetched(self, release: ReleaseFile, stored: IndexFile, told: Advance) -> Path:
        name = stored.path.replace("/", "_")
        fetch = functools.partial(self._download, release, stored, told)
        return self._access.cache.obtain(stored.sha256, stored.size, name, fetch)

    def _unpack(self, path: Path, compressor: str, partial: Path, *, limit: int) -> None:
        try:
            _decompress(path, compressor, partial, limit=limit, threads=self._access.threads)
        except FormatError as error:
            raise TrustError(
                f"{self.source.directory}: {path.name} is not what the signed index of the suite "
                f"says: {error.message}"
            ) from error

    def _download(
        self, release: ReleaseFile, stored: IndexFile, told: Advance, partial: Path
    ) -> None:
        fetcher, directory = self._access.fetcher, self.source.directory
        if release.by_hash:
            # This address keeps its content while a mirror is updated.
            parent = stored.path.rpartition("/")[0]
            url = f"{directory}/{parent}/by-hash/SHA256/{stored.sha256}"
            with contextlib.suppress(NotFoundError):
                fetcher.download(url, partial, size=stored.size, advance=told)
                return
        url = f"{directory}/{stored.path}"
        fetcher.download(url, partial, size=stored.size, advance=told)


def _decompress(path: Path, compressor: str, target: Path, *, limit: int, threads: int) -> None:
    """Decompress a file into another; never writes more than the limit."""
    written = 0
    with path.open("rb") as source, target.open("wb") as out:
        for piece in decode(compressor, source, 0, path.stat().st_size, threads=threads):
            written += len(piece)
            if written > limit:
                raise FormatError(f"it unpacks to more than {limit} bytes")
            out.write(piece)


def open_suite(source: SuiteSource, access: Access) -> Suite:
    """Fetch and check the signed index of a suite, or take the one in the cache if it is current.

    :raises NotFoundError: there is no such suite.
    :raises FetchError: it cannot be fetched.
    :raises TrustError: signature, suite, validity or age is not as it must be.
    :raises FormatError: it is malformed.
    """
    cached = access.cache.document(source.url)
    document = _current(source, access, cached)
    suite = Suite(source, access, document.data)
    # Only now: what did not pass must not take the place of what did.
    if document is not cached:
        access.cache.put_document(source.url, document)
    if suite.verified and not source.pinned:
        access.cache.note_newest(source.url, suite.release.date)
    return suite


def _current(source: SuiteSource, access: Access, cached: Document | None) -> Document:
    """Return the index as it is now; the cached one itself if that is still it."""
    if cached is not None and (access.offline or source.pinned):
        return cached
    if access.offline:
        raise NotFoundError(
            f"{source.url} is not in the cache, and --offline forbids to fetch it",
            hint="run once without --offline",
        )
    known = None
    if cached is not None:
        known = Validators(cached.meta.get("etag", ""), cached.meta.get("last-modified", ""))
    try:
        fetched = access.fetcher.get(source.url, limit=_MAX_INRELEASE, validators=known)
    except NotFoundError:
        if not access.allow_unverified:
            raise
        # What an archive without signatures has.
        fetched = access.fetcher.get(f"{source.directory}/Release", limit=_MAX_INRELEASE)
    if fetched is None:
        if cached is None:
            raise FetchError(f"{source.url}: the server says that nothing changed, unasked")
        return cached
    meta = {"etag": fetched.validators.etag, "last-modified": fetched.validators.last_modified}
    fresh = Document(fetched.data, meta)
    return cached if cached is not None and cached == fresh else fresh


def _checked(source: SuiteSource, access: Access, data: bytes) -> tuple[ReleaseFile, bool]:
    """Return what an index says, and whether every check of it passed."""
    if source.may_be_foreign:
        _check_origin(source, data)
    # Freshness is a question to a mirror, not to what was fetched from it once.
    fixed = source.pinned or access.offline
    try:
        text = _verified(source, data)
        release = _parsed(source, text)
        check_release(
            release,
            suite=source.suite,
            where=source.url,
            now=access.now,
            valid_until=source.check_valid_until and not fixed,
            newest=None if fixed else access.cache.newest(source.url),
        )
    except TrustError as error:
        if not access.allow_unverified:
            raise
        access.warn(f"UNVERIFIED, as --allow-unverified says: {error.message}")
        return _parsed(source, _text(data)), False
    return release, True


def _check_origin(source: SuiteSource, data: bytes) -> None:
    origin = _parsed(source, _text(data)).origin
    # There is one more of Debian's own, "Debian Backports".
    if origin.split(" ")[0] != "Debian":
        raise NotFoundError(f"{source.url} is of {origin or 'an unnamed vendor'}, not of Debian")


def _parsed(source: SuiteSource, text: bytes) -> ReleaseFile:
    try:
        return ReleaseFile.parse(text)
    except FormatError as error:
        raise FormatError(f"{source.url}: {error.message}", hint=error.hint) from error


def _text(data: bytes) -> bytes:
    return unsigned_text(data) if data.startswith(_CLEAR_SIGNED) else data


def _verified(source: SuiteSource, data: bytes) -> bytes:
    try:
        return verify_inrelease(data, source.keyring).text
    except TrustError as error:
        raise TrustError(f"{source.url}: {error.message}", hint=error.hint) from error
