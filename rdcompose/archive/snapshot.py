"""Client of the snapshot service, which has every state that Debian's archive ever was in.

Interface: the file ``API`` of the service's source,
https://salsa.debian.org/snapshot-team/snapshot/-/blob/master/API. Of an archive state,
``/archive/NAME/TIMESTAMP``, the address may have any timestamp: what answers is the last
state not after it, so one of the future stands for the newest state.

The service tells where and when a file was seen, and its SHA-1. None of that is trusted:
what a file must be is taken from the signed indexes of the state that it names. The answers
are checked here only so that nothing in them can lead an address or a path astray.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from rdcompose.archive.addresses import shown
from rdcompose.archive.version import version_key
from rdcompose.errors import FormatError, NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rdcompose.archive.fetch import Fetcher

SERVICE: Final = "https://snapshot.debian.org"

# An answer has some hundred bytes for each version, or for each architecture and archive.
_LIMIT: Final = 4 << 20
_MAX_TEXT: Final = 255
# What Debian releases. Other archives have the same file under other keys and suites
# (debian-ports, debian-debug), or are of a time before these two (debian-backports).
_PREFERRED: Final = frozenset({"debian", "debian-security"})

_PACKAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]+")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.:~-]*")
_ARCHITECTURE: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_ARCHIVE: Final = re.compile(r"[a-z0-9][a-z0-9.-]*")
# No component can be "." or "..", because none starts with a dot.
_DIRECTORY: Final = re.compile(r"(?:/[A-Za-z0-9][A-Za-z0-9+._~-]*)+")
# NAME_VERSION_ARCHITECTURE.deb, the version without its epoch.
_FILE_NAME: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9+.-]*_[A-Za-z0-9+.~-]+_[a-z0-9][a-z0-9-]*\.u?deb"
)
_PRINTABLE: Final = re.compile(r"[!-~]+")
_SHA1: Final = re.compile(r"[0-9a-f]{40}")

_TIMESTAMP: Final = "%Y%m%dT%H%M%SZ"
_TIMESTAMPS: Final = (_TIMESTAMP, "%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ")
# The service has a state some hours after the mirrors, and now and then some days.
_DELAY: Final = datetime.timedelta(days=7)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFile:
    """A package's file at one place where it was seen.

    ``archive`` is the service's name of it (``debian``, ``debian-security``), ``path`` the
    directory there without a slash in front (``pool/main/b/busybox``), ``first_seen`` the
    timestamp of the first state that has it there (``20240501T032412Z``). That is of the
    pool; which suites' indexes of that state name it is not told.
    """

    name: str
    archive: str
    path: str
    size: int
    sha1: str
    first_seen: str
    version: str
    architecture: str


class Snapshot:
    """The service at an address.

    Its methods raise ``FetchError`` if it does not answer, and ``FormatError`` if what
    answers does not speak its language.
    """

    def __init__(self, fetcher: Fetcher, service: str = SERVICE) -> None:
        self.service = service.rstrip("/")
        self._fetcher = fetcher

    def versions(self, package: str) -> tuple[str, ...]:
        """Return all versions that there ever were of a binary package, newest first.

        Empty if the service does not know it.

        :raises FetchError: no answer.
        :raises FormatError: the answer is malformed.
        """
        if not _PACKAGE.fullmatch(package):
            return ()
        # Without the slash at its end the address is redirected, to one without encryption.
        url = f"{self.service}/mr/binary/{quote(package)}/"
        answer = self._ask(url)
        if answer is None:
            return ()
        found = [_text(row, "binary_version", _VERSION, url) for row in _rows(answer, url)]
        return tuple(sorted(dict.fromkeys(found), key=version_key, reverse=True))

    def files(self, package: str, version: str, architecture: str) -> tuple[SnapshotFile, ...]:
        """Return where the files of one version were seen, for an architecture or for all.

        Those in Debian's main archive come first, then those in its security archive, then
        all others, and the earlier before the later. One file can be in several archives,
        and is twice in one that it left and came back to. Empty if the service knows none.

        :raises FetchError: no answer.
        :raises FormatError: the answer is malformed.
        """
        if not (_PACKAGE.fullmatch(package) and _VERSION.fullmatch(version)):
            return ()
        asked = f"{quote(package)}/{quote(version)}"
        url = f"{self.service}/mr/binary/{asked}/binfiles?fileinfo=1"
        answer = self._ask(url)
        if answer is None:
            return ()
        places = answer.get("fileinfo")
        if not isinstance(places, dict):
            raise _malformed(url, "it has no fileinfo")
        found = dict.fromkeys(
            file
            for row in _rows(answer, url)
            for file in _seen(row, places, version, url)
            if file.architecture in {architecture, "all"}
        )
        return tuple(sorted(found, key=_preference))

    def base(self, archive: str, timestamp: str) -> str:
        """Return the address of an archive's state at a moment.

        ``timestamp`` is of the form that :func:`parse_timestamp` returns.
        """
        return f"{self.service}/archive/{archive}/{timestamp}"

    def file_url(self, sha1: str) -> str:
        """Return the address of a file's content."""
        return f"{self.service}/file/{sha1}"

    def _ask(self, url: str) -> dict[str, object] | None:
        """Return the object that the service answers with, ``None`` if it knows of none."""
        try:
            fetched = self._fetcher.get(url, limit=_LIMIT)
        except NotFoundError:
            return None
        # "Not modified" is an answer to those only who say what they have.
        assert fetched is not None
        try:
            answer = json.loads(fetched.data)
        except (ValueError, RecursionError) as error:
            raise _malformed(url, "it is no JSON") from error
        if not isinstance(answer, dict):
            raise _malformed(url, "it is no object")
        return answer


def parse_timestamp(text: str) -> str:
    """Return a moment as the snapshot service writes it: ``20240501T120000Z``, in UTC.

    Understands that form, ``2024-05-01T12:00:00Z`` and ``2024-05-01``, which is the
    beginning of the day.

    :raises UsageError: it is none of these, or there is no such day or time.
    """
    for form in _TIMESTAMPS:
        moment = _moment(text, form)
        if moment is not None:
            return moment.strftime(_TIMESTAMP)
    raise UsageError(
        f"{_shown(text)} is no moment of the archive's history",
        hint="write it like 20240501T120000Z, 2024-05-01T12:00:00Z or 2024-05-01",
    )


def is_settled(timestamp: str, now: datetime.datetime) -> bool:
    """Tell whether the service will always answer with the same state for a moment.

    ``timestamp`` is of the form that :func:`parse_timestamp` returns.
    """
    return timestamp < (now - _DELAY).strftime(_TIMESTAMP)


def _moment(text: str, form: str) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.strptime(text, form).replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
    # strptime also takes digits that are missing, and those of other scripts.
    return moment if moment.strftime(form) == text else None


def _seen(
    row: Mapping[str, object], places: Mapping[str, object], version: str, url: str
) -> Iterator[SnapshotFile]:
    """Yield a file's places; it has none if it had to be removed from the service."""
    sha1 = _text(row, "hash", _SHA1, url)
    for place in _objects(places.get(sha1, []), "fileinfo", url):
        yield SnapshotFile(
            name=_text(place, "name", _FILE_NAME, url),
            archive=_text(place, "archive_name", _ARCHIVE, url),
            path=_text(place, "path", _DIRECTORY, url)[1:],
            size=_size(place, url),
            sha1=sha1,
            first_seen=_first_seen(place, url),
            version=version,
            architecture=_architecture(row, place, url),
        )


def _architecture(row: Mapping[str, object], place: Mapping[str, object], url: str) -> str:
    """Return a file's architecture; where an answer leaves it out the file's name has it."""
    if row.get("architecture") is not None:
        return _text(row, "architecture", _ARCHITECTURE, url)
    return _text(place, "name", _FILE_NAME, url).rpartition("_")[2].partition(".")[0]


def _size(place: Mapping[str, object], url: str) -> int:
    size = place.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _malformed(url, f"its size is {_shown(size)}")
    return size


def _first_seen(place: Mapping[str, object], url: str) -> str:
    text = _text(place, "first_seen", _PRINTABLE, url)
    if _moment(text, _TIMESTAMP) is None:
        raise _malformed(url, f"its first_seen is {_shown(text)}")
    return text


def _preference(file: SnapshotFile) -> tuple[bool, str, str, str, str, str]:
    other = file.archive not in _PREFERRED
    return other, file.archive, file.first_seen, file.path, file.name, file.sha1


def _rows(answer: Mapping[str, object], url: str) -> Iterator[dict[str, object]]:
    return _objects(answer.get("result"), "result", url)


def _objects(value: object, field: str, url: str) -> Iterator[dict[str, object]]:
    if not isinstance(value, list):
        raise _malformed(url, f"its {field} is {_shown(value)}")
    for item in value:
        if not isinstance(item, dict):
            raise _malformed(url, f"its {field} has {_shown(item)}")
        yield item


def _text(row: Mapping[str, object], field: str, form: re.Pattern[str], url: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or len(value) > _MAX_TEXT or not form.fullmatch(value):
        raise _malformed(url, f"its {field} is {_shown(value)}")
    return value


def _malformed(url: str, what: str) -> FormatError:
    return FormatError(
        f"{shown(url)}: this is no answer of the snapshot service: {what}",
        hint="something else may answer at this address, like the login page of a network",
    )


def _shown(value: object) -> str:
    """Return a value for a message, however long it is."""
    match value:
        case None:
            return "missing"
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            text = ascii(value)
            return text if len(text) <= 80 else f"{text[:77]}..."
