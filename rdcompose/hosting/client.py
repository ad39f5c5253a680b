"""Talking with the API of a host of releases: requests with a token, answers in JSON.

HTTP: RFC 9110. How GitHub and GitLab say that it was too much: status 403 or 429 with
``Retry-After``, or with ``X-RateLimit-Remaining`` (at GitLab ``RateLimit-Remaining``) 0 and the
moment when it begins anew in ``X-RateLimit-Reset``, in seconds since 1970.

The token goes to the API and to where the API wants files sent, nowhere else: redirects are not
followed with it. It stands in no message.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rdcompose.archive.addresses import printable, shown
from rdcompose.archive.failures import TransientError, failure
from rdcompose.archive.fetch import Client as Downloads
from rdcompose.archive.fetch import new_session
from rdcompose.archive.retry import Retry
from rdcompose.errors import FetchError, UploadError
from rdcompose.hosting.limits import pause_of
from rdcompose.hosting.settings import may_have_token

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    import requests

    from rdcompose.hosting.body import FileBody
    from rdcompose.hosting.settings import Settings

_T = TypeVar("_T")

_ATTEMPTS: Final = 5
_BACKOFF: Final = 1.0
# Seconds without a connection, and of silence.
_TIMEOUTS: Final = (10.0, 60.0)
# Some proxies in front of a host give 500 for what 502 and 503 are meant for.
_TRANSIENT: Final = frozenset({408, 500, 502, 503, 504})
_MOVED: Final = frozenset({301, 302, 307, 308})
# A host that asks for longer is not waited for.
_LONGEST_PAUSE: Final = 60
_LONGEST_MESSAGE: Final = 300
# The most of an answer that is read: lists of a hundred files with all that is said of each.
_LONGEST_ANSWER: Final = 1 << 24
_BLOCK: Final = 1 << 18


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """An answer: ``data`` is what stood in it as JSON, ``None`` if nothing did."""

    status: int
    headers: Mapping[str, str]
    data: Any


class Client:
    """Asks one API; from several threads at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._retry = Retry(
            attempts=_ATTEMPTS, backoff=_BACKOFF, cancelled=settings.cancelled, sleep=None
        )
        self._lock = threading.Lock()
        self._session: requests.Session | None = None

    @property
    def cancelled(self) -> threading.Event:
        """Set to end everything."""
        return self._settings.cancelled

    def repeated(self, attempt: Callable[[], _T]) -> _T:
        """Return what an attempt returns in the end.

        :raises UploadError: it failed too often.
        """
        try:
            return self._retry.call(self._settings.api, attempt)
        except FetchError as error:
            raise UploadError(error.message, hint=error.hint) from error

    def ask(
        self, method: str, address: str, body: object = None, *, accept: Collection[int] = (200,)
    ) -> Reply:
        """Send JSON, or nothing, to an address below the API; tries again where that may help.

        :raises UploadError: the status is none of those to accept; there is no answer.
        """
        return self.repeated(lambda: self.attempt(method, address, body, accept=accept))

    def attempt(
        self, method: str, address: str, body: object = None, *, accept: Collection[int] = (200,)
    ) -> Reply:
        """Send JSON, or nothing, to an address below the API, once.

        :raises TransientError: it may help to do it again.
        :raises UploadError: it will not.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        return self._answered(method, self._settings.api + address, data, headers, accept)

    def pages(self, address: str) -> Iterator[Any]:
        """Yield the items of a list that is told in pages of a hundred.

        :raises UploadError: it cannot be had.
        """
        mark = "&" if "?" in address else "?"
        for page in range(1, 1001):
            reply = self.ask("GET", f"{address}{mark}per_page=100&page={page}")
            if not isinstance(reply.data, list):
                raise self._senseless()
            yield from reply.data
            if len(reply.data) < 100:
                return

    def send(
        self, method: str, url: str, body: FileBody, *, accept: Collection[int] = (201,)
    ) -> Reply:
        """Send a file to a full address, once.

        :raises TransientError: it may help to do it again.
        :raises UploadError: it will not.
        """
        if not may_have_token(url):
            raise self._senseless()
        headers = {"Content-Type": "application/octet-stream"}
        reply = self._answered(method, url, body, headers, accept)
        body.check()
        return reply

    def digest(self, address: str) -> str:
        """Return the SHA-256 of what an address below the API gives out.

        :raises UploadError: it cannot be had.
        """
        return self.repeated(lambda: self._digest(self._settings.api + address))

    def _digest(self, url: str) -> str:
        digest = hashlib.sha256()
        headers = {"Accept": "application/octet-stream"}
        with self._talk(), self._request("GET", url, None, headers) as response:
            location = response.headers.get("Location")
            if response.status_code in _MOVED and location is not None:
                # Where it is stored: another server, which needs no token.
                with Downloads(*_TIMEOUTS).request(location, {}) as answer:
                    if answer.status != 200:
                        raise answer.refusal()
                    for block in answer.blocks(1 << 40):
                        digest.update(block)
                return digest.hexdigest()
            if response.status_code != 200:
                raise self.refused(response.status_code, response.headers, None)
            while block := response.raw.read(_BLOCK):
                digest.update(block)
        return digest.hexdigest()

    def _answered(
        self,
        method: str,
        url: str,
        body: bytes | FileBody | None,
        headers: Mapping[str, str],
        accept: Collection[int],
    ) -> Reply:
        with self._talk(), self._request(method, url, body, headers) as response:
            raw = response.raw.read(_LONGEST_ANSWER)
        data = _parsed(raw)
        if response.status_code not in accept:
            raise self.refused(response.status_code, response.headers, data)
        return Reply(response.status_code, response.headers, data)

    def _request(
        self,
        method: str,
        url: str,
        body: bytes | FileBody | None,
        headers: Mapping[str, str],
    ) -> requests.Response:
        # With "auth" the library does not look for a password in ~/.netrc to send instead.
        return self._open_session().request(
            method,
            url,
            data=body,
            headers={**self._settings.headers, **headers},
            auth=self._authenticate,
            stream=True,
            timeout=_TIMEOUTS,
        )

    def _authenticate(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self._settings.token
        request.headers[token.name] = token.value
        return request

    def _open_session(self) -> requests.Session:
        with self._lock:
            if self._session is None:
                self._session = new_session()
            return self._session

    @contextlib.contextmanager
    def _talk(self) -> Iterator[None]:
        """Turn what the library raises into errors that say what happened."""
        import requests
        import urllib3

        try:
            yield
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            found = failure(shown(self._settings.api), error, _TIMEOUTS, doing="reach")
            if isinstance(found, FetchError):
                raise UploadError(found.message, hint=found.hint) from error
            raise found from error

    def refused(
        self, status: int, headers: Mapping[str, str], data: object
    ) -> UploadError | TransientError:
        """Return the error for an answer with a status that nobody hoped for."""
        said = self.said(data)
        message = f"{self._settings.name} answers {status}{f': {said}' if said else ''}"
        pause = pause_of(status, headers, said)
        if pause is not None and pause > _LONGEST_PAUSE:
            return UploadError(
                f"{message} (for {-(-pause // 60):.0f} more minutes)",
                hint="run the command again then: it goes on where it was",
            )
        if pause is not None or status in _TRANSIENT:
            hint = "run the command again later: it goes on where it was"
            return TransientError(message, pause=pause or 0, hint=hint)
        if status in _MOVED:
            return UploadError(message, hint="it has another name or address now: use that")
        return UploadError(message, hint=self._settings.hints.get(status))

    def said(self, data: object) -> str:
        """Return what a host says of an error, short and without the token."""
        if not isinstance(data, dict):
            return ""
        parts = [data.get("message") or data.get("error") or ""]
        parts += data["errors"] if isinstance(data.get("errors"), list) else []
        texts = [part if isinstance(part, str) else json.dumps(part) for part in parts if part]
        said = printable("; ".join(texts)).replace(self._settings.token.secret, "***")
        return said if len(said) <= _LONGEST_MESSAGE else said[:_LONGEST_MESSAGE] + "…"

    def _senseless(self) -> UploadError:
        return UploadError(
            f"{self._settings.name} gives an answer that makes no sense",
            hint="is the address of the API right? --api names it",
        )

    def record(self, data: object, **kinds: type) -> dict[str, Any]:
        """Return an object of an answer that has these keys, with values of these kinds.

        :raises UploadError: it has not.
        """
        if isinstance(data, dict) and all(isinstance(data.get(k), v) for k, v in kinds.items()):
            return data
        raise self._senseless()


def _parsed(raw: bytes) -> object:
    try:
        parsed: object = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return parsed
