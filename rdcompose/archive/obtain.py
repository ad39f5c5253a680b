"""Packages as files: from the cache, or fetched and checked against a known digest."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from urllib.parse import quote

from rdcompose.archive.addresses import printable
from rdcompose.archive.repository import SAFE
from rdcompose.errors import FetchError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rdcompose.archive.repository import Access
    from rdcompose.archive.search import Archive, Found
    from rdcompose.archive.snapshot import Snapshot


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file that is known by its digest, and what else is known to find it by.

    ``path`` is that below the base of its archive, empty where it is not known; so are the
    suite and what names the package.
    """

    file: str
    sha256: str
    size: int
    package: str = ""
    version: str = ""
    architecture: str = ""
    suite: str = ""
    path: str = ""


def obtain_found(found: Found, access: Access) -> Path:
    """Return the file of a package that was found, in the cache.

    :raises FetchError: it cannot be fetched.
    :raises TrustError: it is not what the signed index says.
    """
    package = found.package
    advance = access.watch(found.file)

    def fill(partial: Path) -> None:
        access.fetcher.download(found.url, partial, size=package.size, advance=advance)

    return access.cache.obtain(package.sha256, package.size, found.file, fill)


def obtain_wanted(wanted: Wanted, archive: Archive, snapshot: Snapshot | None) -> Path:
    """Return a file by its digest, in the cache: from the archive or the snapshot service.

    :raises FetchError: it is nowhere.
    :raises TrustError: there is another file where it should be.
    """
    access = archive.access
    advance = access.watch(wanted.file)

    def fill(partial: Path) -> None:
        reasons: list[str] = []

        def download(url: str) -> None:
            access.fetcher.download(url, partial, size=wanted.size, advance=advance)

        places = (_in_archive(wanted, archive), _in_history(wanted, snapshot))
        if any(_downloaded(addresses, download, reasons) for addresses in places):
            return
        raise NotFoundError(
            f"{printable(wanted.file)} with SHA-256 {wanted.sha256} is not to be had: "
            + ("; ".join(reasons) or "nothing tells where it might be"),
            hint="give the file itself on the command line",
        )

    return access.cache.obtain(wanted.sha256, wanted.size, wanted.file, fill)


def _downloaded(
    addresses: Iterator[str], download: Callable[[str], None], reasons: list[str]
) -> bool:
    """Download from the first address that has it; notes why others have not."""
    try:
        for url in addresses:
            try:
                download(url)
            except FetchError as error:
                reasons.append(error.message)
            else:
                return True
    except FetchError as error:  # where to look for addresses
        reasons.append(error.message)
    return False


def _in_archive(wanted: Wanted, archive: Archive) -> Iterator[str]:
    """Yield where a file may be at the place; looks only when it is asked for."""
    if wanted.path and wanted.suite:
        for source in archive.place.sources(wanted.suite):
            yield f"{source.base}/{quote(wanted.path, safe=SAFE)}"
    elif wanted.package and wanted.architecture:
        for suite in archive.configured(wanted.architecture):
            for package in suite.find(wanted.package, wanted.architecture):
                if package.sha256 == wanted.sha256:
                    yield suite.url(package)


def _in_history(wanted: Wanted, snapshot: Snapshot | None) -> Iterator[str]:
    """Yield where the snapshot service has a file; asks only when it is asked for."""
    if snapshot is not None and wanted.package and wanted.version:
        files = snapshot.files(wanted.package, wanted.version, wanted.architecture)
        # Seen in several archives, it is the same file.
        yield from map(snapshot.file_url, dict.fromkeys(file.sha1 for file in files))
