"""The server that tests of fetching are made with is what it says."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.server import ArchiveServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = bytes(range(256)) * 40
# Nothing waits so long unless it is broken.
PATIENCE = 60

Answer = tuple[int, bytes, http.client.HTTPMessage]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ArchiveServer]:
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "a+b~1.deb").write_bytes(DATA)
    with ArchiveServer(tmp_path) as running:
        yield running


@contextlib.contextmanager
def connected(server: ArchiveServer) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=PATIENCE)
    try:
        yield connection
    finally:
        connection.close()


def get(server: ArchiveServer, path: str, method: str = "GET", **headers: str) -> Answer:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with connected(server) as connection:
        connection.request(method, path, headers=sent)
        response = connection.getresponse()
        return response.status, response.read(), response.headers


FILE = "/pool/a+b~1.deb"


def test_files_are_served_and_requests_recorded(server: ArchiveServer) -> None:
    assert get(server, "/pool/a%2Bb~1.deb?x=1", Accept="x/y")[:2] == (200, DATA)
    status, body, headers = get(server, FILE, "HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(DATA)))
    (first, second) = server.requests
    assert (first.method, first.target, first.path, first.query) == (
        "GET",
        "/pool/a%2Bb~1.deb?x=1",
        FILE,
        "x=1",
    )
    assert first.headers["accept"] == "x/y"
    assert second.method == "HEAD"
    assert server.paths("*.deb") == [FILE, FILE]
    assert server.paths("*/InRelease") == []


@pytest.mark.parametrize("path", ["/none", "/pool", "/", "/pool//a+b~1.deb", "/pool/../pool/x"])
def test_what_is_no_file_is_not_found(server: ArchiveServer, path: str) -> None:
    assert get(server, path)[0] == 404


def test_nothing_outside_of_the_directory_is_served(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    with ArchiveServer(tmp_path / "inner") as server:
        assert get(server, "/../secret")[0] == 404
        assert get(server, "/%2e%2e/secret")[0] == 404


def test_a_connection_serves_several_requests(server: ArchiveServer) -> None:
    with connected(server) as connection:
        for _ in range(3):
            connection.request("GET", FILE)
            assert connection.getresponse().read() == DATA
            assert connection.sock is not None


def test_it_answers_as_a_proxy(server: ArchiveServer) -> None:
    assert get(server, "http://mirror.example.org" + FILE)[:2] == (200, DATA)
    assert server.requests[0].target == "http://mirror.example.org" + FILE
    assert server.paths() == [FILE]


def test_validators_follow_the_bytes_and_the_time(server: ArchiveServer) -> None:
    headers = get(server, FILE)[2]
    etag, modified = headers["ETag"], headers["Last-Modified"]
    assert get(server, FILE, If_None_Match=f'"x", {etag}')[:2] == (304, b"")
    assert get(server, FILE, If_Modified_Since=modified)[0] == 304
    assert get(server, FILE, If_None_Match='"x"', If_Modified_Since=modified)[0] == 200
    assert get(server, FILE, If_Modified_Since="Mon, 01 Jan 2001 00:00:00 GMT")[0] == 200
    (server.directory / FILE[1:]).write_bytes(DATA[::-1])
    assert get(server, FILE, If_None_Match=etag)[:2] == (200, DATA[::-1])


def test_validators_can_be_missing(server: ArchiveServer) -> None:
    headers = get(server, FILE)[2]
    server.validators = False
    status, body, bare = get(
        server, FILE, If_None_Match=headers["ETag"], If_Modified_Since=headers["Last-Modified"]
    )
    assert (status, body) == (200, DATA)
    assert not {"ETag", "Last-Modified"} & set(bare.keys())


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=100-", 100, 10240),
        ("bytes=0-0", 0, 1),
        ("bytes=10-99999", 10, 10240),
        ("bytes=-5", 10235, 10240),
        ("bytes=-99999", 0, 10240),
    ],
)
def test_parts_can_be_asked_for(server: ArchiveServer, asked: str, start: int, end: int) -> None:
    status, body, headers = get(server, FILE, Range=asked)
    assert (status, body) == (206, DATA[start:end])
    assert headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(DATA)}"


def test_parts_beyond_the_end_are_refused(server: ArchiveServer) -> None:
    status, body, headers = get(server, FILE, Range=f"bytes={len(DATA)}-")
    assert (status, body, headers["Content-Range"]) == (416, b"", f"bytes */{len(DATA)}")


def test_parts_of_another_file_or_without_ranges_are_the_whole(server: ArchiveServer) -> None:
    etag = get(server, FILE)[2]["ETag"]
    assert get(server, FILE, Range="bytes=9-", If_Range=etag)[0] == 206
    assert get(server, FILE, Range="bytes=9-", If_Range='"x"')[:2] == (200, DATA)
    assert get(server, FILE, Range="lines=1-2")[:2] == (200, DATA)
    server.ranges = False
    assert get(server, FILE, Range="bytes=9-")[:2] == (200, DATA)


def test_faults_happen_as_often_as_asked_and_in_order(server: ArchiveServer) -> None:
    fault = server.fail("*.deb", status=503, times=2, headers={"Retry-After": "7"})
    server.fail("/pool/*", status=404, times=1)
    status, _, headers = get(server, FILE)
    assert (status, headers["Retry-After"]) == (503, "7")
    assert [get(server, FILE)[0] for _ in range(3)] == [503, 404, 200]
    assert (fault.hits, len(server.requests)) == (2, 4)
    server.fail("*", status=500)
    assert [get(server, FILE)[0] for _ in range(2)] == [500, 500]
    server.clear()
    assert (get(server, FILE)[0], len(server.requests)) == (200, 1)


def test_a_body_can_be_cut(server: ArchiveServer) -> None:
    server.cut("*.deb", after=1000)
    with pytest.raises(http.client.IncompleteRead) as failure:
        get(server, FILE)
    assert failure.value.partial == DATA[:1000]
    server.cut("*.deb", after=10)
    with pytest.raises(http.client.IncompleteRead) as failure:
        get(server, FILE, Range="bytes=1000-")
    assert failure.value.partial == DATA[1000:1010]
    assert get(server, FILE)[1] == DATA


def test_a_connection_can_end_without_an_answer(server: ArchiveServer) -> None:
    server.hang_up("*.deb")
    with pytest.raises(http.client.RemoteDisconnected):
        get(server, FILE)
    assert get(server, FILE)[0] == 200


def test_a_body_can_stall_and_go_on(server: ArchiveServer) -> None:
    stalled = server.stall("*.deb", after=1000, times=1)
    with connected(server) as connection:
        connection.request("GET", FILE)
        response = connection.getresponse()
        assert response.read(1000) == DATA[:1000]
        assert stalled.reached.wait(PATIENCE)
        assert connection.sock is not None
        connection.sock.settimeout(0)
        with pytest.raises(BlockingIOError):
            connection.sock.recv(1)
        connection.sock.settimeout(PATIENCE)
        stalled.release()
        assert response.read() == DATA[1000:]


def test_a_body_can_drip(server: ArchiveServer) -> None:
    server.drip("*.deb", size=5000, pause=0)
    assert get(server, FILE)[1] == DATA


def test_clients_can_be_sent_elsewhere(server: ArchiveServer) -> None:
    server.redirect("/old/*", "http://elsewhere.example.org{path}", status=301)
    server.redirect("/loop", "{path}")
    status, _, headers = get(server, "/old/x")
    assert (status, headers["Location"]) == (301, "http://elsewhere.example.org/old/x")
    status, _, headers = get(server, "/loop")
    assert (status, headers["Location"]) == (302, "/loop")


def test_other_bytes_can_be_served(server: ArchiveServer) -> None:
    before = get(server, FILE)[2]["ETag"]
    server.replace("*.deb", b"other", times=1)
    status, body, headers = get(server, FILE, If_None_Match=before)
    assert (status, body, headers["Content-Length"]) == (200, b"other", "5")
    assert headers["ETag"] != before
    assert get(server, FILE)[1] == DATA
    server.replace("/none", b"there")
    assert get(server, "/none")[:2] == (200, b"there")


def test_a_wrong_length_can_be_announced(server: ArchiveServer) -> None:
    server.misstate("*.deb", length=99999, times=1)
    with pytest.raises(http.client.IncompleteRead) as failure:
        get(server, FILE)
    assert failure.value.partial == DATA
    server.misstate("*.deb", length=10, times=1)
    assert get(server, FILE)[1] == DATA[:10]


def test_leaving_waits_for_nobody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Stalled, dripping, idle and vanished clients, and one that does not read."""
    (tmp_path / "large").write_bytes(bytes(16 << 20))
    threads = threading.active_count()
    with contextlib.ExitStack() as clients:
        with ArchiveServer(tmp_path) as server:
            stalled = server.stall("/large", after=10, times=1)
            dripping = server.drip("/large", size=1, pause=PATIENCE, times=1)
            for _ in range(3):
                clients.enter_context(connected(server)).request("GET", "/large")
            idle = clients.enter_context(connected(server))
            idle.request("GET", "/none")
            idle.getresponse().read()
            address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
            clients.enter_context(socket.create_connection(address, timeout=PATIENCE))
            with connected(server) as vanishing:
                vanishing.request("GET", "/large")
            assert stalled.reached.wait(PATIENCE)
            while dripping.hits == 0 or len(server.requests) < 5:
                threading.Event().wait(0.001)
        assert threading.active_count() == threads
    assert capfd.readouterr() == ("", "")
