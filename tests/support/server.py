"""An HTTP server on the loopback address over a directory, with faults on demand.

    with ArchiveServer(directory) as server:
        server.fail("*/InRelease", status=503, times=2, headers={"Retry-After": "1"})
        server.cut("*.deb", after=1000)
        stalled = server.stall("*/Packages.xz", after=10)
        ...  # a client that uses server.url
        assert stalled.reached.wait(60)
        assert [request.path for request in server.requests] == ["/dists/sid/InRelease"]

A pattern is a shell's, of the whole decoded path without the query; ``*`` also matches
slashes. Of the faults that match a request, the one that was asked for first and has
``times`` left is what happens; ``times=None`` has no end.

HTTP is as RFC 9110 has it, as far as mirrors are used: conditional requests, ranges,
connections that stay open. A request in the form that a proxy gets is answered too, so that
the server can stand for one. Nothing is printed, and leaving the block ends at once, whatever
clients do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.server
import re
import threading
from email.utils import formatdate, parsedate_to_datetime
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from tests.support.loopback import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for; ``target`` as it was sent, header names in lower case."""

    method: str
    target: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """An answer before conditions and ranges are looked at; ``modified`` is seconds since 1970."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    modified: float | None = None

    @property
    def etag(self) -> str:
        """A strong validator: it follows from the bytes."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


class Fault:
    """Something that goes wrong with the requests of a pattern.

    ``hits`` counts them. ``reached`` is set once a fault stalls; :meth:`release` lets it go on.
    """

    def __init__(
        self,
        pattern: str,
        times: int | None,
        *,
        answer: Callable[[Request], Response | None] | None = None,
        deliver: Callable[[Fault, Connection, bytes], bool] | None = None,
        length: int | None = None,
    ) -> None:
        self.pattern = pattern
        self.hits = 0
        self.reached = threading.Event()
        self.released = threading.Event()
        self.left = times
        self.answer = answer
        self.deliver = deliver
        self.length = length

    def release(self) -> None:
        """Let what stalls go on, now and in later requests."""
        self.released.set()


class ArchiveServer:
    """Serves a directory; see the module.

    ``validators`` says whether files have an ETag and a Last-Modified, and conditions on them
    are honoured; ``ranges`` whether parts of files can be asked for.
    """

    def __init__(self, directory: Path, *, validators: bool = True, ranges: bool = True) -> None:
        self.directory = directory
        self.validators = validators
        self.ranges = ranges
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self.closing.set()
        for fault in self._faults:
            fault.release()
        self._server.hang_up()
        # Waits for the threads of all connections, which have nothing left to wait for.
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Address of the directory, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def paths(self, pattern: str = "*") -> list[str]:
        """Return the paths that were asked for, in order."""
        return [r.path for r in list(self.requests) if fnmatchcase(r.path, pattern)]

    # What can go wrong.

    def fail(
        self,
        pattern: str,
        *,
        status: int = 503,
        times: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Answer with an error."""
        return self._add(
            Fault(pattern, times, answer=lambda _: Response(b"failed\n", status, headers or {}))
        )

    def hang_up(self, pattern: str, *, times: int | None = 1) -> Fault:
        """Close the connection without an answer."""
        return self._add(Fault(pattern, times, answer=lambda _: None))

    def cut(self, pattern: str, *, after: int, times: int | None = 1) -> Fault:
        """Close the connection after so many bytes of the body, of which all were announced."""

        def deliver(_: Fault, connection: Connection, body: bytes) -> bool:
            connection.wfile.write(body[:after])
            return False

        return self._add(Fault(pattern, times, deliver=deliver))

    def stall(self, pattern: str, *, after: int, times: int | None = None) -> Fault:
        """Send so many bytes of the body and then nothing, until the fault is released."""

        def deliver(fault: Fault, connection: Connection, body: bytes) -> bool:
            connection.wfile.write(body[:after])
            fault.reached.set()
            fault.released.wait()
            if self.closing.is_set():
                return False
            connection.wfile.write(body[after:])
            return True

        return self._add(Fault(pattern, times, deliver=deliver))

    def drip(
        self, pattern: str, *, size: int, pause: float = 0.01, times: int | None = None
    ) -> Fault:
        """Send the body in pieces of so many bytes, with a pause in seconds behind each."""

        def deliver(_: Fault, connection: Connection, body: bytes) -> bool:
            for start in range(0, len(body), size):
                connection.wfile.write(body[start : start + size])
                if self.closing.wait(pause):
                    return False
            return True

        return self._add(Fault(pattern, times, deliver=deliver))

    def redirect(
        self, pattern: str, to: str, *, status: int = 302, times: int | None = None
    ) -> Fault:
        """Send clients elsewhere: an address or a path, in which ``{path}`` is the one asked for.

        To ``{path}`` alone it is a loop.
        """
        return self._add(
            Fault(
                pattern,
                times,
                answer=lambda request: Response(
                    b"", status, {"Location": to.replace("{path}", request.path)}
                ),
            )
        )

    def replace(self, pattern: str, body: bytes, *, times: int | None = None) -> Fault:
        """Serve other bytes, also where there is no file."""
        return self._add(Fault(pattern, times, answer=lambda _: Response(body)))

    def misstate(self, pattern: str, *, length: int, times: int | None = None) -> Fault:
        """Announce another length of the body than it has, and send all of it."""

        def deliver(_: Fault, connection: Connection, body: bytes) -> bool:
            connection.wfile.write(body)
            return False

        return self._add(Fault(pattern, times, deliver=deliver, length=length))

    def clear(self) -> None:
        """Forget all faults and requests; what stalls goes on."""
        with self._lock:
            faults, self._faults = self._faults, []
            self.requests.clear()
        for fault in faults:
            fault.release()

    # What the threads of the connections use.

    def answer(self, request: Request) -> Response:
        """Return what the path holds; servers of something else than files override this."""
        parts = request.path.split("/")[1:]
        path = self.directory.joinpath(*parts)
        if ".." in parts or "" in parts or not path.is_file():
            return Response(b"not found\n", 404)
        return Response(path.read_bytes(), modified=path.stat().st_mtime)

    def note(self, request: Request) -> Fault | None:
        """Record a request and return what is to go wrong with it."""
        with self._lock:
            self.requests.append(request)
            for fault in self._faults:
                if fault.left != 0 and fnmatchcase(request.path, fault.pattern):
                    fault.hits += 1
                    if fault.left is not None:
                        fault.left -= 1
                    return fault
        return None

    def _add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault


class Connection(http.server.BaseHTTPRequestHandler):
    """One client's connection; runs in a thread of its own."""

    protocol_version = "HTTP/1.1"
    # A header and a body are two packets: without this the second waits for the first.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def handle(self) -> None:
        # Clients go away when they like.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""

    def _serve(self) -> None:
        assert isinstance(self.server, _Server)
        archive = self.server.archive
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = unquote(parts.path)
        request = Request(self.command, self.path, path, parts.query, MappingProxyType(headers))
        fault = archive.note(request)
        response = (fault.answer if fault and fault.answer else archive.answer)(request)
        if response is None:
            self.close_connection = True
            return
        if response.status == 200:
            response = _ranged(_conditional(response, request, archive), request, archive)
        self._send(response, fault)

    def _send(self, response: Response, fault: Fault | None) -> None:
        length = len(response.body)
        if fault is not None and fault.length is not None:
            length = fault.length
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 304:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault is None or fault.deliver is None:
            self.wfile.write(response.body)
        elif not fault.deliver(fault, self, response.body):
            self.close_connection = True


class _Server(LoopbackServer):
    def __init__(self, archive: ArchiveServer) -> None:
        self.archive = archive
        super().__init__(Connection)


def _conditional(response: Response, request: Request, archive: ArchiveServer) -> Response:
    """Add the validators, or say that nothing changed (RFC 9110, section 13)."""
    if not archive.validators:
        return response
    validators = {"ETag": response.etag}
    if response.modified is not None:
        validators["Last-Modified"] = formatdate(int(response.modified), usegmt=True)
    headers = {**response.headers, **validators}
    if _unchanged(response, request):
        return Response(b"", 304, headers)
    return dataclasses.replace(response, headers=headers)


def _unchanged(response: Response, request: Request) -> bool:
    if (tags := request.headers.get("if-none-match")) is not None:
        return tags == "*" or response.etag in {tag.strip() for tag in tags.split(",")}
    since = request.headers.get("if-modified-since")
    if since is None or response.modified is None:
        return False
    return int(response.modified) <= parsedate_to_datetime(since).timestamp()


def _ranged(response: Response, request: Request, archive: ArchiveServer) -> Response:
    """Cut the body to what was asked for (RFC 9110, section 14)."""
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    condition = request.headers.get("if-range")
    current = {response.headers.get("ETag"), response.headers.get("Last-Modified")}
    usable = archive.ranges and response.status == 200 and condition in {None, *current}
    if found is None or found[0] == "bytes=-" or not usable:
        return response
    size = len(response.body)
    if not found[1]:
        start, end = max(0, size - int(found[2])), size
    else:
        start, end = int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
    if start >= end:
        return Response(b"", 416, {"Content-Range": f"bytes */{size}"})
    headers = {**response.headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return Response(response.body[start:end], 206, headers)
