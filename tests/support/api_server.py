"""What the stand-ins for GitHub and GitLab share: an HTTP server on the loopback address.

    server.fail("POST */assets*", status=502)      # answers so, and does nothing
    server.lose("PATCH *")                         # does it, and hangs up before the answer
    server.cut("PUT *", after=1000)                # hangs up after so many bytes of the body
    server.die(at=7)                               # from the seventh request on: nothing works
    server.revive()

A pattern is a shell's, of method, space and path with query as they were sent. Of the faults
that match, the first with ``times`` left is what happens.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import threading
from email.utils import formatdate
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.support.loopback import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self


class Hangup(Exception):  # noqa: N818  # no error, but what is to happen
    """Ends a connection without an answer."""


class Answer(NamedTuple):
    """What is sent back: ``data`` as JSON, or as it is if it is bytes."""

    status: int
    data: Any = None
    headers: Mapping[str, str] = {}


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A request; ``segments`` are those of its path, as they were sent; header names lower."""

    method: str
    target: str
    headers: Mapping[str, str]
    read: Callable[[int], bytes]

    @property
    def line(self) -> str:
        return f"{self.method} {self.target}"

    @property
    def segments(self) -> list[str]:
        return urlsplit(self.target).path.split("/")[1:]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def length(self) -> int:
        return int(self.headers.get("content-length", 0))

    def body(self) -> bytes:
        data = self.read(self.length)
        if len(data) < self.length:
            raise Hangup
        return data

    def json(self) -> dict[str, Any]:
        loaded = json.loads(self.body())
        assert isinstance(loaded, dict)
        return loaded


@dataclasses.dataclass(slots=True)
class Fault:
    """What goes wrong with requests of a pattern; ``hits`` counts them."""

    pattern: str
    left: int
    happen: Callable[[Call], Answer]
    hits: int = 0


class ApiServer:
    """See the module; :meth:`route` is what a stand-in answers."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.lock = threading.RLock()
        self._faults: list[Fault] = []
        self._dead_from: int | None = None
        self._dies_after = False
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
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def route(self, call: Call) -> Answer:
        raise NotImplementedError

    def upload_cut(self, call: Call, data: bytes) -> None:
        """Note what arrived of a file that was cut."""

    # What can go wrong.

    def fail(
        self,
        pattern: str,
        *,
        status: int = 502,
        data: object = None,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
    ) -> Fault:
        def happen(call: Call) -> Answer:
            call.body()
            return Answer(status, data, headers or {})

        return self._add(Fault(pattern, times, happen))

    def lose(self, pattern: str, *, times: int = 1) -> Fault:
        def happen(call: Call) -> Answer:
            self.route(call)
            raise Hangup

        return self._add(Fault(pattern, times, happen))

    def cut(self, pattern: str, *, after: int, times: int = 1) -> Fault:
        def happen(call: Call) -> Answer:
            self.upload_cut(call, call.read(min(after, call.length)))
            raise Hangup

        return self._add(Fault(pattern, times, happen))

    def do(self, pattern: str, happen: Callable[[Call], Answer], *, times: int = 1) -> Fault:
        return self._add(Fault(pattern, times, happen))

    def die(self, *, at: int, after_doing: bool = False) -> None:
        """Answer nothing any more from a request on, which may still be done."""
        self.calls.clear()
        self._dead_from, self._dies_after = at, after_doing

    def revive(self) -> bool:
        """Go on; whether there was a request that was not answered."""
        died = self._dead_from is not None and len(self.calls) >= self._dead_from
        self._dead_from = None
        return died

    # What the threads of the connections use.

    def answer(self, call: Call) -> Answer:
        with self.lock:
            self.calls.append(call.line)
            number = len(self.calls)
            fault = next(
                (f for f in self._faults if f.left and fnmatchcase(call.line, f.pattern)), None
            )
            if fault is not None:
                fault.left -= 1
                fault.hits += 1
        if self._dead_from is not None and number >= self._dead_from:
            if self._dies_after and number == self._dead_from:
                self.route(call)
            raise Hangup
        return self.route(call) if fault is None else fault.happen(call)

    def _add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault


def paged(call: Call, rows: list[Any]) -> Answer:
    """One page of a list, as both services have them."""
    size, page = int(call.query.get("per_page", 30)), int(call.query.get("page", 1))
    assert size <= 100
    return Answer(200, rows[(page - 1) * size : page * size])


class _Connection(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, self.path, headers, self.rfile.read)
        try:
            answer = self.server.api.answer(call)
        except Hangup:
            self.close_connection = True
            return
        self._send(answer)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _send(self, answer: Answer) -> None:
        data = answer.data
        body = (
            data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
        )
        self.send_response_only(answer.status)
        headers = {"Date": formatdate(usegmt=True), **answer.headers}
        if answer.status != 204:
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""


class _Server(LoopbackServer):
    def __init__(self, api: ApiServer) -> None:
        self.api = api
        super().__init__(_Connection)
