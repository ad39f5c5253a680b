from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from rdcompose import __version__
from rdcompose.archive.fetch import Fetched, HttpFetcher, OfflineFetcher, Validators
from rdcompose.errors import FetchError, NotFoundError, OutputError
from tests.support.fetching import DATA, NAME, PATH, SIZE, Client, ranges, refusing
from tests.support.raw_server import RawServer, answer, chunked
from tests.support.server import ArchiveServer

if TYPE_CHECKING:
    from collections.abc import Iterator

CERTIFICATE: Final = Path(__file__).parent / "data" / "loopback.pem"

# Small files.


def test_get(server: ArchiveServer, client: Client) -> None:
    fetched = client.fetcher().get(f"{server.url}/InRelease", limit=11)
    assert fetched is not None
    assert fetched.data == b"Suite: sid\n"
    [request] = server.requests
    assert request.headers["user-agent"] == f"rdcompose/{__version__}"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["cache-control"] == "max-age=0"


def test_get_what_has_not_changed(server: ArchiveServer, client: Client) -> None:
    url = f"{server.url}/InRelease"
    fetcher = client.fetcher()
    first = fetcher.get(url, limit=100)
    assert first is not None
    etag, modified = first.validators
    assert etag
    assert modified
    for validators in (first.validators, Validators(etag=etag), Validators("", modified)):
        assert fetcher.get(url, limit=100, validators=validators) is None
    other = fetcher.get(url, limit=100, validators=Validators('"other"'))
    assert other == first
    assert fetcher.get(url, limit=100, validators=Validators()) == first


def test_connections_serve_again(
    server: ArchiveServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = []
    process = server._server.process_request

    def count(request: Any, address: object) -> None:
        accepted.append(address)
        process(request, address)

    monkeypatch.setattr(server._server, "process_request", count)
    server.redirect("/moved", "/InRelease")
    fetcher = client.fetcher()
    first = fetcher.get(f"{server.url}/moved", limit=100)
    assert first is not None
    fetcher.get(f"{server.url}/InRelease", limit=100, validators=first.validators)
    with pytest.raises(NotFoundError):
        fetcher.get(f"{server.url}/none", limit=100)
    fetcher.download(server.url + PATH, client.path, size=SIZE, advance=client.advance)
    assert len(server.requests) == 5
    assert len(accepted) == 1


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"x" * 11, length=11),
        answer(b"x" * 11),
        answer(chunked(b"x" * 6, b"x" * 5), "Transfer-Encoding: chunked"),
        itertools.chain([answer()], itertools.repeat(b"x" * 1000)),
        itertools.chain([answer(length=10**15)], itertools.repeat(b"x" * 1000)),
        itertools.chain(
            [answer(b"", "Transfer-Encoding: chunked")], itertools.repeat(b"3\r\nxxx\r\n")
        ),
    ],
    ids=["length", "close", "chunked", "endless", "endless-length", "endless-chunks"],
)
def test_get_what_is_too_large(reply: Any, client: Client) -> None:
    with RawServer(reply) as server, pytest.raises(FetchError) as caught:
        client.fetcher().get(f"{server.url}/x", limit=10)
    assert caught.value.message == (f"{server.url}/x has more than the 10 bytes that are allowed")
    assert client.pauses == []


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"0123456789", length=10),
        answer(b"0123456789"),
        answer(chunked(b"012", b"3456789"), "Transfer-Encoding: chunked"),
        answer(chunked(b"012", b"3456789"), "Transfer-Encoding: chunked", length=77),
        answer(b"0123456789", "Content-Encoding: gzip", length=10),
    ],
    ids=["length", "close", "chunked", "chunked-and-length", "encoded"],
)
def test_get_takes_bytes_as_they_are(reply: bytes, client: Client) -> None:
    with RawServer(reply) as server:
        assert client.fetcher().get(f"{server.url}/x", limit=10) == Fetched(
            b"0123456789", Validators()
        )


def test_get_starts_again(server: ArchiveServer, client: Client) -> None:
    server.fail("/InRelease", status=503, times=2)
    server.cut("/InRelease", after=3)
    server.hang_up("/InRelease")
    fetched = client.fetcher().get(f"{server.url}/InRelease", limit=100)
    assert fetched is not None
    assert fetched.data == b"Suite: sid\n"
    assert client.pauses == [0.5, 1, 2, 4]


def test_validators_that_cannot_be_sent_are_forgotten(client: Client) -> None:
    reply = answer(b"x", 'ETag: "\xe4"', "Last-Modified: \x01", length=1)
    with RawServer(reply) as server:
        fetched = client.fetcher().get(server.url, limit=1)
    assert fetched is not None
    assert fetched.validators == Validators()


# Refusals.


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_not_there(status: int, server: ArchiveServer, client: Client) -> None:
    server.fail("*", status=status)
    error = client.fail(server.url + PATH)
    assert isinstance(error, NotFoundError)
    phrase = {404: "Not Found", 410: "Gone"}[status]
    assert error.message == (
        f"cannot fetch {server.url}{PATH}: the server answers {status} {phrase}"
    )
    with pytest.raises(NotFoundError):
        client.fetcher().get(server.url + PATH, limit=10)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "400 Bad Request"),
        (401, "401 Unauthorized"),
        (403, "403 Forbidden"),
        (407, "407 Proxy Authentication Required"),
        (501, "501 Not Implemented"),
        (299, "299"),
        (300, "300 Multiple Choices"),
        (301, "301 Moved Permanently"),
        (599, "599"),
    ],
)
def test_refusals(status: int, text: str, server: ArchiveServer, client: Client) -> None:
    server.fail("*", status=status)
    error = client.fail(server.url + PATH)
    assert not isinstance(error, NotFoundError)
    assert error.message == f"cannot fetch {server.url}{PATH}: the server answers {text}"
    with pytest.raises(FetchError):
        client.fetcher().get(server.url + PATH, limit=10)
    assert len(server.requests) == 2
    assert client.has(0)


def test_answers_that_nobody_asked_for(client: Client) -> None:
    # A part of a small file, and "not modified" about a large one.
    part = answer(b"x", "Content-Range: bytes 0-0/10", status="206 Partial Content", length=1)
    with RawServer(part) as server, pytest.raises(FetchError, match="206 Partial Content"):
        client.fetcher().get(server.url, limit=10)
    with RawServer(answer(status="304 Not Modified")) as server:
        assert "304 Not Modified" in client.fail(server.url).message


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_failures_that_may_pass(status: int, server: ArchiveServer, client: Client) -> None:
    server.fail("*", status=status, times=2)
    client.download(server.url + PATH)
    assert client.pauses == [0.5, 1]


def test_retry_after(server: ArchiveServer, client: Client) -> None:
    server.fail("*", times=1, headers={"Retry-After": "7"})
    server.fail("*", times=1, headers={"Retry-After": "3600"})
    server.fail("*", times=1, headers={"Retry-After": "0"})
    client.download(server.url + PATH)
    assert client.pauses == [7, 60, 2]


def test_failures_that_do_not_pass(server: ArchiveServer, client: Client) -> None:
    server.fail("*", status=503)
    error = client.fail(server.url + PATH, attempts=3)
    assert error.message == (
        f"cannot fetch {server.url}{PATH}: the server answers 503 Service Unavailable (3 attempts)"
    )
    assert error.hint == "try again later, or name another mirror with --mirror"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"", "Remote end closed connection without response"),
        (b"SSH-2.0-OpenSSH_9.2\x1b\r\n", "the answer is damaged or cut off (BadStatusLine)"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500, "the answer is damaged or cut off"),
        (answer(b"x" * 99, length=SIZE), "the answer is damaged or cut off (IncompleteRead)"),
    ],
    ids=["nothing", "no-http", "headers", "cut"],
)
def test_servers_that_make_no_sense(reply: bytes, reason: str, client: Client) -> None:
    with RawServer(reply) as server:
        error = client.fail(f"{server.url}/x", attempts=2)
    assert error.message.startswith(f"cannot fetch {server.url}/x: {reason}")
    assert error.message.endswith(" (2 attempts)")
    assert error.message.isprintable()


def test_a_connection_that_is_refused(client: Client) -> None:
    with refusing() as taken:
        url = f"http://user:word@127.0.0.1:{taken.getsockname()[1]}/x"
        error = client.fail(url)
    assert error.message == (
        f"cannot fetch {url.replace('user:word@', '')}: Connection refused (5 attempts)"
    )
    assert error.hint is not None
    assert "http_proxy" in error.hint
    assert client.pauses == [0.5, 1, 2, 4]


def test_a_machine_that_does_not_answer(client: Client) -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # The system drops what is beyond the queue, as a firewall drops everything.
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/x"
        error = client.fail(url, connect_timeout=0.05, attempts=2)
    assert error.message == f"cannot fetch {url}: no connection within 0.05 s (2 attempts)"


def resolver(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer as the name service does, whatever it is on this machine."""

    def refuse(*_: object, **__: object) -> None:
        raise socket.gaierror(code, f"code {code}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_a_name_that_nobody_knows(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    resolver(socket.EAI_NONAME, monkeypatch)
    error = client.fail("http://mirror.invalid/x")
    assert error.message == "cannot fetch http://mirror.invalid/x: code -2"
    assert client.pauses == []


def test_a_name_service_that_is_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    resolver(socket.EAI_AGAIN, monkeypatch)
    error = client.fail("http://mirror.invalid/x")
    assert error.message == "cannot fetch http://mirror.invalid/x: code -3 (5 attempts)"


def test_an_error_that_a_caller_handles_is_not_named(client: Client) -> None:
    def get(url: str) -> None:
        try:
            Path("/dev/null/none").stat()
        except NotADirectoryError:
            client.fetcher(attempts=1).get(url, limit=1)

    with refusing() as taken, pytest.raises(FetchError, match="Connection refused"):
        get(f"http://127.0.0.1:{taken.getsockname()[1]}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://user:word@host:99999/",
        "http://user:word@[::1/",
        "http:///x",
        "http://" + "a" * 70 + ".invalid/",
    ],
)
def test_addresses_that_are_none(url: str, client: Client) -> None:
    error = client.fail(url)
    assert error.message.startswith(f"cannot fetch {url.replace('user:word@', '')}: ")
    assert "word" not in error.message
    assert client.pauses == []


@pytest.mark.parametrize("url", ["ftp://u:word@host/", "host/x", "", "mailto:x"])
def test_other_schemes(url: str, client: Client) -> None:
    error = client.fail(url)
    shown = url.replace("u:word@", "")
    assert error.message == f"cannot fetch {shown}: not http, https or file"


# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(status: int, server: ArchiveServer, client: Client) -> None:
    server.redirect("/old/*", PATH, status=status)
    client.download(f"{server.url}/old/x")
    assert server.paths() == ["/old/x", f"/{NAME}"]


def test_redirects_are_told(server: ArchiveServer, client: Client) -> None:
    server.redirect("/old", "InRelease")
    fetched = client.fetcher().get(f"{server.url}/old", limit=100)
    assert fetched is not None
    assert fetched.data == b"Suite: sid\n"
    server.redirect("/lost", "/none")
    with pytest.raises(NotFoundError) as caught:
        client.fetcher().get(f"{server.url}/lost", limit=100)
    assert caught.value.message == (
        f"cannot fetch {server.url}/lost (redirected to {server.url}/none):"
        " the server answers 404 Not Found"
    )


def test_ranges_go_along_with_redirects(server: ArchiveServer, client: Client) -> None:
    server.redirect("/old", PATH)
    server.cut("/pool/*", after=300_000)
    client.download(f"{server.url}/old")
    assert ranges(server) == [None, None, "bytes=300000-", "bytes=300000-"]


def test_a_redirect_loop(server: ArchiveServer, client: Client) -> None:
    server.redirect("*", "{path}")
    error = client.fail(f"{server.url}/x")
    assert error.message == f"cannot fetch {server.url}/x: more than 10 redirects"
    assert len(server.requests) == 11


@pytest.mark.parametrize("scheme", ["file://", "ftp://host", "gopher://host"])
def test_redirects_out_of_http(scheme: str, server: ArchiveServer, client: Client) -> None:
    target = f"{scheme}{server.directory}/InRelease"
    server.redirect("/x", target)
    error = client.fail(f"{server.url}/x")
    assert error.message == (
        f"cannot fetch {server.url}/x: it redirects to {target}, which is not followed"
    )
    with pytest.raises(FetchError, match="which is not followed"):
        client.fetcher().get(f"{server.url}/x", limit=100)


@pytest.mark.parametrize(
    "location", [b"http://[::1/", b"http://127.0.0.1:99999/", b"\xff\xfe", b"/\xc3\xa4%zz\x01"]
)
def test_redirects_to_nonsense(location: bytes, client: Client) -> None:
    first = b"HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: " + location + b"\r\n\r\n"
    with RawServer(first, answer(status="404 Not Found")) as server:
        error = client.fail(f"{server.url}/x")
    assert error.message.isprintable()


def test_a_redirect_in_utf_8(client: Client) -> None:
    first = b"HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: /\xc3\xa4\r\n\r\n"
    with RawServer(first, answer(b"x", length=1)) as server:
        assert client.fetcher().get(server.url, limit=1) is not None
        assert server.requests[1].startswith(b"GET /%C3%A4 ")


def test_a_redirect_with_an_endless_body(server: ArchiveServer, client: Client) -> None:
    first = answer(b"", f"Location: {server.url}{PATH}", status="302 Found")
    with RawServer(itertools.chain([first], itertools.repeat(b"x" * 1000))) as raw:
        client.download(f"{raw.url}/x")


# What the environment says.


def test_a_proxy(server: ArchiveServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    client.download(f"http://mirror.invalid{PATH}")
    assert [request.target for request in server.requests] == [f"http://mirror.invalid{PATH}"]


def test_a_proxy_that_is_not_for_all(
    server: ArchiveServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing() as taken:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "example.invalid,127.0.0.1")
        client.download(server.url + PATH)
    assert [request.target for request in server.requests] == [PATH]


def test_a_proxy_that_does_not_answer(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing() as taken:
        proxy = f"http://user:word@127.0.0.1:{taken.getsockname()[1]}"
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy)
        for url in ("http://mirror.invalid/x", "https://mirror.invalid/x"):
            error = client.fail(url)
            assert error.message == (
                f"cannot fetch {url}: the proxy: Connection refused (5 attempts)"
            )


@pytest.mark.parametrize("proxy", ["http://", "http://user:word@[::1", "http://u:word@h:99999"])
def test_a_proxy_that_is_no_address(
    proxy: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    error = client.fail("http://mirror.invalid/x")
    assert error.message.startswith("cannot fetch http://mirror.invalid/x: ")
    assert "word" not in error.message
    assert client.pauses == []


def test_a_proxy_that_forbids_a_tunnel(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(answer(status="407 Proxy Authentication Required", length=0)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        error = client.fail("https://mirror.invalid/x", attempts=2)
    assert error.message == (
        "cannot fetch https://mirror.invalid/x: the proxy:"
        " Tunnel connection failed: 407 Proxy Authentication Required (2 attempts)"
    )


def test_credentials_are_sent_and_not_shown(server: ArchiveServer, client: Client) -> None:
    server.redirect("/x", server.url + "/none")
    host = server.url.removeprefix("http://")
    error = client.fail(f"http://user:word@{host}/x")
    assert error.message == (
        f"cannot fetch {server.url}/x (redirected to {server.url}/none):"
        " the server answers 404 Not Found"
    )
    # The same server is told them again.
    assert [request.headers["authorization"] for request in server.requests] == [
        "Basic dXNlcjp3b3Jk"
    ] * 2


def test_other_servers_are_not_told_credentials(
    server: ArchiveServer, mirror: Path, client: Client
) -> None:
    with ArchiveServer(mirror) as other:
        server.redirect("/x", other.url + PATH)
        client.download(server.url.replace("http://", "http://user:word@") + "/x")
        assert "authorization" in server.requests[0].headers
        assert "authorization" not in other.requests[0].headers


@pytest.fixture
def secure(mirror: Path) -> Iterator[ArchiveServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server = ArchiveServer(mirror)
    server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
    with server:
        yield server


def test_https(secure: ArchiveServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    url = secure.url.replace("http:", "https:")
    secure.cut("*", after=300_000)
    client.download(url + PATH)
    secure.redirect("/x", secure.url + PATH)
    with pytest.raises(FetchError, match="which is not followed from https"):
        client.fetcher().get(f"{url}/x", limit=SIZE)


def test_a_certificate_that_is_not_trusted(secure: ArchiveServer, client: Client) -> None:
    error = client.fail(secure.url.replace("http:", "https:") + PATH)
    assert "the server's certificate is not trusted: self-signed certificate" in error.message
    assert error.hint is not None
    assert "REQUESTS_CA_BUNDLE" in error.hint
    assert client.pauses == []


def test_https_where_there_is_none(server: ArchiveServer, client: Client) -> None:
    error = client.fail(server.url.replace("http:", "https:") + PATH, attempts=2)
    assert error.message.endswith(" (2 attempts)")
    assert server.requests == []


# Directories.


def test_files(mirror: Path, client: Client) -> None:
    url = (mirror / NAME).as_uri()
    client.download(url)
    client.path.write_bytes(DATA[:400_000])
    client.steps.clear()
    client.sizes.clear()
    client.download(url)
    assert client.steps[0] == 400_000
    assert client.fetcher().get(url, limit=SIZE) == Fetched(DATA, Validators())
    with pytest.raises(NotFoundError):
        client.fetcher().get(url + "x", limit=SIZE)


def test_files_end_when_cancelled(mirror: Path, client: Client) -> None:
    cancelled = threading.Event()
    cancelled.set()
    assert "interrupted" in client.fail((mirror / NAME).as_uri(), cancelled=cancelled).message


# What is written.


def test_a_file_that_cannot_be_written(server: ArchiveServer, tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"
    with pytest.raises(OutputError, match="No such file or directory"):
        HttpFetcher().download(server.url + PATH, path, size=SIZE, advance=lambda *_: None)
    assert server.requests == []


def test_an_error_of_the_caller_is_not_taken_for_the_network(
    server: ArchiveServer, client: Client
) -> None:
    def advance(done: int, _: int) -> None:
        if done:
            raise ConnectionResetError("the terminal has gone")

    with pytest.raises(ConnectionResetError, match="terminal"):
        client.fetcher().download(server.url + PATH, client.path, size=SIZE, advance=advance)
    assert len(server.requests) == 1


def test_offline() -> None:
    fetcher = OfflineFetcher()
    message = "http://host/x is not in the cache, and --offline forbids to fetch it"
    with pytest.raises(FetchError, match=f"^{message}$"):
        fetcher.get("http://u:word@host/x", limit=1)
    with pytest.raises(FetchError, match=f"^{message}$"):
        fetcher.download("http://u:word@host/x", Path("x"), size=1, advance=lambda *_: None)
