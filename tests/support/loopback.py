"""The part of HTTP servers for tests that is about connections."""

from __future__ import annotations

import contextlib
import http.server
import socket
import socketserver
import threading


class LoopbackServer(http.server.ThreadingHTTPServer):
    """Listens on the loopback address, and can end what clients hold open."""

    # Threads are waited for, so that none outlives its test.
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks the name service, which may take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        assert isinstance(request, socket.socket)
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        assert isinstance(request, socket.socket)
        with self._open_lock:
            self._open.discard(request)
            super().shutdown_request(request)

    def hang_up(self) -> None:
        """End all connections, which wakes the threads that read or write them."""
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
