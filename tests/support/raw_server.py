"""A server on the loopback address whose every byte a test decides.

    with RawServer(b"HTTP/1.1 200 OK\\r\\n\\r\\nbody") as server:
        ...  # a client that uses server.url

Each connection gets the next answer, whatever is asked, and is closed behind it; the last
answer is repeated. An answer that is an iterable is sent piece by piece, until the client
goes away. For what well-made servers do there is :mod:`tests.support.server`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self


def answer(
    body: bytes = b"", *headers: str, status: str = "200 OK", length: int | None = None
) -> bytes:
    """The bytes of an answer; with a length only where it is given."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*chunks: bytes) -> bytes:
    """A body in the chunked coding (RFC 9112, section 7.1), with its end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


class RawServer:
    """Serves the answers, see the module; ``requests`` are the heads that were received.

    ``url`` is its address, without a slash at its end.
    """

    def __init__(self, *answers: bytes | Iterable[bytes]) -> None:
        self.requests: list[bytes] = []
        self._answers = list(answers)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._connection: socket.socket | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Wakes the thread, which accepts or sends.
        for one in (self._socket, self._connection):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                self._connection, _ = self._socket.accept()
            except OSError:
                return
            with self._connection, contextlib.suppress(OSError):
                self._answer(self._connection)

    def _answer(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            received = connection.recv(1 << 16)
            if not received:
                return
            head += received
        self.requests.append(head)
        reply = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        for piece in [reply] if isinstance(reply, bytes) else reply:
            connection.sendall(piece)
