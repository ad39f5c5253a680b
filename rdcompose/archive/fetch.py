"""Fetching files from mirrors: http, https and file; the only place that uses the network.

HTTP: RFC 9110, ranges in its section 14. Proxies are those of the environment
(``http_proxy``, ``https_proxy``, ``no_proxy``).

A failure that may pass is tried again after a pause: no connection, silence, a body cut off,
an overloaded server. A download goes on where it was cut. No server is trusted: what is read
is bounded by what was asked for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, Protocol, Self

from rdcompose import __version__
from rdcompose.archive.addresses import redirected, scheme_of, shown
from rdcompose.archive.download import Download
from rdcompose.archive.failures import OTHER_MIRROR, TransientError, failure
from rdcompose.archive.headers import content_length, retry_after
from rdcompose.archive.localfile import read_blocks, read_file
from rdcompose.archive.partial import Partial
from rdcompose.archive.retry import Retry
from rdcompose.errors import FetchError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    import requests

Advance = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes in all."""

_BLOCK: Final = 1 << 18
_REDIRECTS: Final = 10
_WITH_FILE: Final = frozenset({200, 206})
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_ABSENT: Final = frozenset({404, 410})
# Overload and restarts; any other refusal would be repeated word for word.
_TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})


class Validators(NamedTuple):
    """What a server said of the state of a file (RFC 9110, section 8.8)."""

    etag: str = ""
    last_modified: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Fetched:
    """A small file, and what to ask with whether it has changed."""

    data: bytes
    validators: Validators


class Fetcher(Protocol):
    """Something that gets files by their addresses, from several threads at once."""

    def get(self, url: str, *, limit: int, validators: Validators | None = None) -> Fetched | None:
        """Return a file of at most ``limit`` bytes; ``None``: the validators still hold.

        :raises NotFoundError: the server answers that it is not there.
        :raises FetchError: it cannot be had, or is larger.
        """

    def download(self, url: str, path: Path, *, size: int, advance: Advance) -> None:
        """Fill a file until it holds ``size`` bytes, going on behind what it holds.

        What has arrived is in the file at any moment, and never more than ``size`` bytes.
        Whether they are the right ones is for the caller to check.

        :raises NotFoundError: the server answers that it is not there.
        :raises FetchError: it cannot be had, or has another size.
        :raises OutputError: the file cannot be written.
        """


class OfflineFetcher:
    """Refuses everything: what is not in the cache is not to be had."""

    def get(self, url: str, *, limit: int, validators: Validators | None = None) -> NoReturn:  # noqa: ARG002
        """Refuse.

        :raises FetchError: always.
        """
        raise _forbidden(url)

    def download(self, url: str, path: Path, *, size: int, advance: Advance) -> NoReturn:  # noqa: ARG002
        """Refuse.

        :raises FetchError: always.
        """
        raise _forbidden(url)


class HttpFetcher:
    """Fetches from servers, and from directories by ``file://``.

    ``attempts``, ``backoff``, ``cancelled`` and ``sleep`` are those of
    :class:`~rdcompose.archive.retry.Retry`. Time-outs are in seconds; ``read_timeout``
    is the longest silence.
    """

    def __init__(
        self,
        *,
        attempts: int = 5,
        backoff: float = 0.5,
        connect_timeout: float = 10.0,
        read_timeout: float = 30.0,
        cancelled: threading.Event | None = None,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._retry = Retry(
            attempts=attempts,
            backoff=backoff,
            cancelled=cancelled or threading.Event(),
            sleep=sleep,
        )
        self._client = Client(connect_timeout, read_timeout)

    def get(self, url: str, *, limit: int, validators: Validators | None = None) -> Fetched | None:
        """Return a file of at most ``limit`` bytes; see :class:`Fetcher`."""
        if scheme_of(url) == "file":
            return Fetched(read_file(url, limit), Validators())
        # Caches on the way are to ask, as apt wants it, whether what they have is current.
        headers = {"Cache-Control": "max-age=0", **_conditions(validators or Validators())}
        return self._retry.call(url, lambda: self._get(url, limit, headers))

    def _get(self, url: str, limit: int, headers: Mapping[str, str]) -> Fetched | None:
        with self._client.request(url, headers) as answer:
            if answer.status == 304:
                return None
            if answer.status != 200:
                raise answer.refusal()
            data = bytearray()
            if (answer.length or 0) <= limit:
                for block in answer.blocks(limit + 1):
                    self._retry.check(url)
                    data += block
            if max(answer.length or 0, len(data)) > limit:
                raise FetchError(f"{answer.name} has more than the {limit} bytes that are allowed")
            return Fetched(bytes(data), answer.validators)

    def download(self, url: str, path: Path, *, size: int, advance: Advance) -> None:
        """Fill a file until it holds ``size`` bytes; see :class:`Fetcher`."""
        with Partial(path) as partial:
            if partial.size > size:
                partial.cut(0)
            there = partial.size
            advance(there, size)
            if there == size:
                return
            download = Download(url, partial, size, advance, self._retry)
            if scheme_of(url) == "file":
                download.receive(there, read_blocks(url, there, size))
            else:
                self._retry.call(url, lambda: download.attempt(self._client), lambda: partial.size)


class Client:
    """One session for all threads: its connections are pooled, and it keeps nothing else."""

    def __init__(self, connect_timeout: float, read_timeout: float) -> None:
        self._timeouts = (connect_timeout, read_timeout)
        self._lock = threading.Lock()
        self._session: requests.Session | None = None

    def request(self, url: str, headers: Mapping[str, str]) -> Answer:
        """Ask for a file, following redirects; the answer is to be closed.

        :raises TransientError: no connection or no answer; it may help to ask again.
        :raises FetchError: nobody can be asked, or redirects lead nowhere.
        """
        asked = url
        for _ in range(_REDIRECTS + 1):
            if scheme_of(asked) not in {"http", "https"}:
                raise FetchError(f"cannot fetch {shown(asked)}: not http, https or file")
            answer = self._send(asked, headers, _name(url, asked))
            if answer.status not in _WITH_FILE:
                answer.skip_body()
            location = answer.headers.get("Location")
            if answer.status not in _MOVED or location is None:
                return answer
            answer.close()
            # Servers send UTF-8, where the library reads every byte as a character.
            asked = redirected(asked, location.encode("latin-1").decode("utf-8", "replace"))
        raise FetchError(f"cannot fetch {shown(url)}: more than {_REDIRECTS} redirects")

    def _send(self, url: str, headers: Mapping[str, str], name: str) -> Answer:
        with _translated(name, self._timeouts):
            response = self._open_session().get(
                url, headers=dict(headers), stream=True, timeout=self._timeouts
            )
        return Answer(response, name, self._timeouts)

    def _open_session(self) -> requests.Session:
        with self._lock:
            if self._session is None:
                self._session = new_session()
            return self._session


def new_session() -> requests.Session:
    """Return a session that follows no redirects and keeps no cookies; for all threads."""
    from http.cookiejar import DefaultCookiePolicy

    import requests
    from requests.adapters import HTTPAdapter

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> None:
            """Follow none: the library reads the body of a redirect, however long it is."""

    session = Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["User-Agent"] = f"rdcompose/{__version__}"
    session.headers["Accept-Encoding"] = "identity"
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=32))
    return session


class Answer:
    """What a server answers; a context manager. ``name`` is the address for messages."""

    def __init__(
        self, response: requests.Response, name: str, timeouts: tuple[float, float]
    ) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.name = name
        self._response = response
        self._timeouts = timeouts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection, unless all was read and it can serve again."""
        self._response.close()

    @property
    def length(self) -> int | None:
        """Bytes of the body, if that is told beforehand."""
        return content_length(self.headers)

    @property
    def validators(self) -> Validators:
        """What to ask with the next time."""
        names = ("ETag", "Last-Modified")
        values = (self.headers.get(name, "") for name in names)
        # What cannot be sent back was not worth keeping.
        return Validators(*(v if v.isascii() and v.isprintable() else "" for v in values))

    def blocks(self, limit: int) -> Iterator[bytes]:
        """Yield the body as it arrives, ``limit`` bytes at most, as it is on the wire.

        :raises TransientError: it is cut off, or nothing comes.
        """
        with _translated(self.name, self._timeouts):
            # Not Response.iter_content: that waits until a block is full.
            while limit and (block := self._response.raw.read1(min(limit, _BLOCK))):
                limit -= len(block)
                yield block

    def skip_body(self) -> None:
        """Read a short body that nobody wants, so that the connection can serve again."""
        with contextlib.suppress(TransientError):
            if self.status == 304 or (self.length is not None and self.length < _BLOCK):
                for _ in self.blocks(_BLOCK):
                    pass

    def goes_on(self) -> bool:
        """Whether more of the body comes, where its length was not told."""
        with contextlib.suppress(TransientError):
            return self.length is None and any(self.blocks(1))
        return False

    def broken(self, what: str) -> TransientError:
        """Return the error for an answer that makes no sense; the next one may."""
        return TransientError(f"cannot fetch {self.name}: {what}", hint=OTHER_MIRROR)

    def refusal(self) -> FetchError | TransientError:
        """Return the error for a status that is none of those hoped for."""
        from http import HTTPStatus

        status = str(self.status)
        with contextlib.suppress(ValueError):
            status += f" {HTTPStatus(self.status).phrase}"
        message = f"cannot fetch {self.name}: the server answers {status}"
        if self.status in _ABSENT:
            return NotFoundError(message)
        if self.status in _TRANSIENT:
            return TransientError(message, pause=retry_after(self.headers), hint=OTHER_MIRROR)
        return FetchError(message)


@contextlib.contextmanager
def _translated(name: str, timeouts: tuple[float, float]) -> Iterator[None]:
    """Turn what the library raises into errors that say what happened."""
    import requests
    import urllib3

    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise failure(name, error, timeouts) from error


def _conditions(validators: Validators) -> dict[str, str]:
    """Return the headers that ask only for what has changed."""
    headers = {
        "If-None-Match": validators.etag,
        "If-Modified-Since": validators.last_modified,
    }
    return {name: value for name, value in headers.items() if value}


def _name(url: str, asked: str) -> str:
    """Name a file for messages, and where redirects have led if they have."""
    return shown(url) if asked == url else f"{shown(url)} (redirected to {shown(asked)})"


def _forbidden(url: str) -> FetchError:
    return FetchError(f"{shown(url)} is not in the cache, and --offline forbids to fetch it")
