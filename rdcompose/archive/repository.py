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

from rdcompose.archive.addresses import server_path, shown
from rdcompose.archive.cache import Document
from rdcompose.archive.fetch import Validators
from rdcompose.archive.packages import PackageIndex
from rdcompose.archive.release_file import ReleaseFile
from rdcompose.archive.trust import check_release, unsigned_text, verify_inrelease
from rdcompose.errors import FetchError, FormatError, NotFoundError, TrustError
from rdcompose.formats.compression import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
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

    ``base`` is the archive's address without a slash at its end; ``known_as`` is the one that
    its age is remembered under, where that is another. ``pinned`` is a state that never
    changes, like one of the snapshot service: it does not expire. At a place that
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
    known_as: str = ""

    @property
    def directory(self) -> str:
        """Address of the suite's indexes."""
        return f"{self.base}/dists/{self.suite}"

    @property
    def url(self) -> str:
        """Address of the suite's signed index."""
        return f"{self.directory}/InRelease"

    @property
    def shown(self) -> str:
        """The latter without credentials, for messages and as a key of the cache."""
        return shown(self.url)


class Suite:
    """A suite whose ``InRelease`` was checked; made by :func:`open_suite`.

    ``verified`` is false only where a break in the chain was allowed, be it in the state that
    an index in the cache is of.
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
        name = self.release.codename or self.release.suite or self.source.suite
        # The index of buster/updates says only buster.
        _, slash, rest = self.source.suite.partition("/")
        return name if "/" in name else name + slash + rest

    @property
    def name_today(self) -> str:
        """What to ask for now to get it: in an old state, ``stable`` was another release."""
        return self.name if self.source.pinned else self.source.suite

    @property
    def identity(self) -> tuple[str, str, str]:
        """What two names of one suite have in common."""
        return (self.source.base, self.release.label, self.name)

    def url(self, package: Package) -> str:
        """Address of a package's file."""
        return f"{self.source.base}/{quote(package.filename, safe=SAFE)}"

    def find(self, name: str, architecture: str, also: Sequence[str] = ()) -> tuple[Package, ...]:
        """Return all versions of a package, newest first within each component."""
        found: list[Package] = []
        for index in self.load(architecture, also):
            with _named(self.source.directory):
                found.extend(index.find(name))
        return tuple(found)

    def matching(self, prefix: str, architecture: str) -> list[Package]:
        """Return all packages whose names begin so, in the order of the indexes."""
        found: list[Package] = []
        for index in self.load(architecture):
            with _named(self.source.directory):
                found.extend(index.matching(prefix))
        return found

    def load(self, architecture: str, also: Sequence[str] = ()) -> tuple[PackageIndex, ...]:
        """Fetch and open the index of each component; none for an architecture it lacks.

        ``also`` are components beside those that the source has; not every suite has them.

        :raises FetchError: one cannot be had.
        :raises TrustError: one is not what the signature covers.
        """
        components = tuple(dict.fromkeys((*self.source.components, *also)))
        for component in components:
            key = component, architecture
            if key not in self._indexes:
                self._indexes[key] = self._open_index(component, architecture)
        rows = (self._indexes[component, architecture] for component in components)
        return tuple(index for index in rows if index is not None)

    def _open_index(self, component: str, architecture: str) -> PackageIndex | None:
        # Beside the newest state, the one that each index in the cache belongs to is kept:
        # a newer state, fetched for another architecture, must not cut it off.
        cache = self._access.cache
        key = f"{_key(self.source, verified=self.verified)} {component}/{architecture}"
        kept = cache.document(key)
        release = self.release
        if self._access.offline and kept is not None:
            release, verified = _checked(self.source, self._access, kept.data)
            self.verified = self.verified and verified
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
        if not self._access.offline:
            self._keep(key, plain.sha256)
        return index

    def _keep(self, key: str, sha256: str) -> None:
        """Remember which state an index is of, and forget the older index of the two."""
        cache = self._access.cache
        kept = cache.document(key)
        if kept is not None and kept.data == self._data:
            return
        other = None if kept is None else kept.meta["sha256"]
        # Another process may have fetched a newer one while this one was fetched.
        if kept is not None and ReleaseFile.parse(_text(kept.data)).date > self.release.date:
            other, sha256 = sha256, kept.meta["sha256"]
        else:
            cache.put_document(key, Document(self._data, {"sha256": sha256}))
        if other is not None and other != sha256:
            cache.remove(other)

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
                f"{shown(self.source.directory)} has no {plain.path} in any form, though the "
                "signed index of the suite names it",
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
                f"{shown(self.source.directory)}: {path.name} is not what the signed index of the "
                f"suite says: {error.message}"
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
    cached = access.cache.document(_key(source, verified=True))
    document = _kept(source, access, cached) if access.offline else _current(source, access, cached)
    try:
        suite = Suite(source, access, document.data)
    except TrustError:
        # What came may be older than what another process has fetched meanwhile.
        newer = access.cache.document(_key(source, verified=True))
        if newer is None or (cached is not None and newer.data == cached.data):
            raise
        cached = document = newer
        suite = Suite(source, access, document.data)
    # Only now: what did not pass must never be taken for what did, nor take its place.
    if document is not cached and not access.offline:
        access.cache.put_document(_key(source, verified=suite.verified), document)
    if suite.verified and not source.pinned and not access.offline:
        for key in _memories(source, suite.release):
            access.cache.note_newest(key, suite.release.date)
    return suite


def _key(source: SuiteSource, *, verified: bool) -> str:
    return source.shown if verified else f"unverified {source.shown}"


def _kept(source: SuiteSource, access: Access, cached: Document | None) -> Document:
    """Return the index that is in the cache."""
    if cached is None and access.allow_unverified:
        cached = access.cache.document(_key(source, verified=False))
    if cached is None:
        raise NotFoundError(
            f"{source.shown} is not in the cache, and --offline forbids to fetch it",
            hint="run once without --offline",
        )
    return cached


def _current(source: SuiteSource, access: Access, cached: Document | None) -> Document:
    """Return the index as it is now; the cached one itself if that is still it."""
    if cached is not None and source.pinned:
        return cached
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
            raise FetchError(f"{source.shown}: the server says that nothing changed, unasked")
        return cached
    meta = {"etag": fetched.validators.etag, "last-modified": fetched.validators.last_modified}
    fresh = Document(fetched.data, meta)
    return cached if cached is not None and cached == fresh else fresh


def _checked(source: SuiteSource, access: Access, data: bytes) -> tuple[ReleaseFile, bool]:
    """Return what an index says, and whether every check of it passed."""
    # Freshness is a question to a mirror, not to what was fetched from it once.
    fixed = source.pinned or access.offline
    try:
        text = _verified(source, data)
        with _named(source.url):
            release = ReleaseFile.parse(text)
        check_release(
            release,
            suite=source.suite,
            where=source.shown,
            now=access.now,
            valid_until=source.check_valid_until and not fixed,
            newest=None if fixed else _newest(source, release, access.cache),
        )
    except TrustError as error:
        if not access.allow_unverified:
            raise
        access.warn(f"UNVERIFIED, as --allow-unverified says: {error.message}")
        with _named(source.url):
            return ReleaseFile.parse(_text(data)), False
    return release, True


def _memories(source: SuiteSource, release: ReleaseFile) -> tuple[str, str]:
    """Return under what the age of a suite is remembered.

    The address is one of them. As one suite can be asked for by two names, and one name
    (``stable``) is of another suite later, what the suite calls itself is the other.
    """
    place = server_path(source.known_as or source.base)
    return f"{place} {source.suite}", f"{place} {release.label} {release.codename}"


def _newest(source: SuiteSource, release: ReleaseFile, cache: Cache) -> datetime | None:
    dates = [cache.newest(key) for key in _memories(source, release)]
    return max((date for date in dates if date is not None), default=None)


def _verified(source: SuiteSource, data: bytes) -> bytes:
    """Return the text that the keyring vouches for.

    :raises NotFoundError: it is another vendor's, where that is no fault.
    """
    try:
        return verify_inrelease(data, source.keyring).text
    except TrustError as error:
        if source.may_be_foreign:
            _check_origin(source, data)
        raise TrustError(f"{source.shown}: {error.message}", hint=error.hint) from error


def _check_origin(source: SuiteSource, data: bytes) -> None:
    try:
        origin = ReleaseFile.parse(_text(data)).origin
    except FormatError:
        return  # whose it is cannot be told
    # There is one more of Debian's own, "Debian Backports".
    if origin.split(" ")[0] != "Debian":
        raise NotFoundError(f"{source.shown} is of {origin or 'an unnamed vendor'}, not of Debian")


@contextlib.contextmanager
def _named(address: str) -> Iterator[None]:
    """Say in errors of a file's format where it is from."""
    try:
        yield
    except FormatError as error:
        raise FormatError(f"{shown(address)}: {error.message}", hint=error.hint) from error


def _text(data: bytes) -> bytes:
    """Return the text of an index, signed or not, without any check."""
    return unsigned_text(data) if data.startswith(_CLEAR_SIGNED) else data
