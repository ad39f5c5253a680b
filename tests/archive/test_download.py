from __future__ import annotations

import itertools
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.archive.fetch import HttpFetcher
from rdcompose.archive.together import run_together
from rdcompose.errors import FetchError
from tests.support.fetching import DATA, NAME, PATH, PATIENCE, SIZE, Client, ranges
from tests.support.raw_server import RawServer, answer, chunked
from tests.support.server import ArchiveServer
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_download(server: ArchiveServer, client: Client) -> None:
    client.download(server.url + PATH)
    assert ranges(server) == [None]
    assert client.steps[0] == 0
    assert client.steps == sorted(client.steps)


def test_resume_after_a_cut(server: ArchiveServer, client: Client) -> None:
    server.cut("*", after=300_000)
    server.cut("*", after=5)
    client.download(server.url + PATH)
    assert ranges(server) == [None, "bytes=300000-", "bytes=300005-"]
    assert client.pauses == [0.5, 1]


def test_resume_of_an_earlier_run(server: ArchiveServer, client: Client) -> None:
    client.path.write_bytes(DATA[:400_000])
    client.download(server.url + PATH)
    assert ranges(server) == ["bytes=400000-"]
    assert client.steps[0] == 400_000


def test_a_complete_file_is_not_asked_for(server: ArchiveServer, client: Client) -> None:
    client.path.write_bytes(DATA)
    client.download(server.url + PATH)
    assert server.requests == []
    assert client.steps == [SIZE]


def test_a_file_that_is_too_long_begins_again(server: ArchiveServer, client: Client) -> None:
    client.path.write_bytes(b"x" * (SIZE + 1))
    client.download(server.url + PATH)
    assert ranges(server) == [None]


def test_an_empty_file(tmp_path: Path, client: Client) -> None:
    steps = []
    client.fetcher().download(
        "http://host.invalid/",
        tmp_path / "empty",
        size=0,
        advance=lambda done, size: steps.append((done, size)),
    )
    assert ((tmp_path / "empty").read_bytes(), steps) == (b"", [(0, 0)])


def test_a_server_that_ignores_ranges(mirror: Path, client: Client) -> None:
    client.path.write_bytes(DATA[:400_000])
    with ArchiveServer(mirror, ranges=False) as server:
        server.cut("*", after=300_000, times=2)
        server.cut("*", after=700_000)
        client.download(server.url + PATH)
        assert ranges(server) == [
            *["bytes=400000-"] * 3,
            "bytes=700000-",
        ]
    # What is there stays there until it is written again.
    assert client.sizes == sorted(client.sizes)


def test_a_server_that_never_gets_far(mirror: Path, client: Client) -> None:
    with ArchiveServer(mirror, ranges=False) as server:
        server.cut("*", after=700_000, times=None)
        error = client.fail(server.url + PATH)
        # The first was progress.
        assert len(server.requests) == 5
    assert "(5 attempts)" in error.message
    assert client.has(700_000)


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        (["Content-Range: bytes */1000000"], "416 Range Not Satisfiable"),
        (["Content-Range: bytes */*"], "416 Range Not Satisfiable"),
        ([], "416 Range Not Satisfiable"),
        (["Content-Range: bytes 0-9/1000000"], "206 Partial Content"),
        (["Content-Range: bytes nonsense"], "206 Partial Content"),
        (["Content-Type: multipart/byteranges"], "206 Partial Content"),
    ],
)
def test_a_range_that_is_not_what_was_asked_for(
    headers: list[str], known: str, client: Client
) -> None:
    client.path.write_bytes(DATA[:400_000])
    wrong = answer(b"0123456789", *headers, status=known, length=10)
    with RawServer(wrong, answer(DATA, length=SIZE)) as server:
        client.download(f"{server.url}/x")
        first, second = server.requests
    assert b"\r\nRange: bytes=400000-\r\n" in first
    assert b"Range" not in second


def test_a_server_that_only_refuses_ranges(client: Client) -> None:
    client.path.write_bytes(DATA[:400_000])
    with RawServer(answer(status="416 Range Not Satisfiable", length=0)) as server:
        error = client.fail(f"{server.url}/x")
    assert error.message == (
        f"cannot fetch {server.url}/x: the server answers another range than was asked for"
        " (5 attempts)"
    )
    assert client.has(400_000)


def test_ranges_shorter_than_asked_for(client: Client) -> None:
    client.path.write_bytes(DATA[:100])

    def part(start: int, end: int) -> bytes:
        said = f"Content-Range: bytes {start}-{end - 1}/{SIZE}"
        return answer(DATA[start:end], said, status="206 Partial Content", length=end - start)

    with RawServer(part(100, 500_000), part(500_000, 600_000), part(600_000, SIZE)) as server:
        client.download(f"{server.url}/x")
    assert client.pauses == [0.5, 1]


@pytest.mark.parametrize(
    ("size", "start"),
    [(SIZE - 1, 0), (SIZE + 1, 0), (0, 0), (10**17, 0), (SIZE - 1, 1000), (SIZE + 1, 1000)],
)
def test_a_server_with_another_size(size: int, start: int, client: Client) -> None:
    client.path.write_bytes(DATA[:start])
    reply = answer(DATA, length=size)
    if start:
        said = f"Content-Range: bytes {start}-{size - 1}/{size}"
        reply = answer(DATA[start:], said, status="206 Partial Content")
    with RawServer(reply) as server:
        error = client.fail(f"{server.url}/x")
        assert len(server.requests) == 1
    assert error.message == f"{server.url}/x has {size} bytes, where {SIZE} are expected"
    assert client.has(start)


def test_a_shorter_file_told_by_a_refused_range(server: ArchiveServer, client: Client) -> None:
    client.path.write_bytes(DATA[:500])
    server.replace("*", DATA[:400])
    error = client.fail(server.url + PATH)
    assert error.message == f"{server.url}{PATH} has 400 bytes, where {SIZE} are expected"


@pytest.mark.parametrize(
    "reply",
    [
        answer(DATA + b"x"),
        answer(chunked(DATA, b"x"), "Transfer-Encoding: chunked"),
        itertools.chain([answer()], itertools.cycle([DATA])),
    ],
    ids=["close", "chunked", "endless"],
)
def test_a_body_longer_than_the_file(reply: Any, client: Client) -> None:
    with RawServer(reply) as server:
        error = client.fail(f"{server.url}/x")
    assert error.message == f"{server.url}/x has more than {SIZE} bytes"
    assert max(client.sizes) == SIZE
    # Nothing of it is any good.
    assert client.has(0)


@pytest.mark.parametrize(
    "reply",
    [
        answer(DATA),
        answer(chunked(DATA[:100], DATA[100:]), "Transfer-Encoding: chunked"),
        answer(chunked(DATA), "Transfer-Encoding: chunked", length=5),
        # Its end is missing, but none of the file.
        answer(chunked(DATA)[:-5], "Transfer-Encoding: chunked"),
        answer(DATA, "Content-Encoding: gzip", length=SIZE),
        answer(DATA, "Content-Length: -1"),
        answer(DATA, "Content-Length: many"),
    ],
    ids=["close", "chunked", "both", "chunked-no-end", "encoded", "negative", "words"],
)
def test_bodies_of_all_kinds(reply: bytes, client: Client) -> None:
    with RawServer(reply) as server:
        client.download(f"{server.url}/x")
    assert client.pauses == []


@pytest.mark.parametrize(
    "reply",
    [
        answer(DATA[:1000]),
        answer(chunked(DATA[:1000]), "Transfer-Encoding: chunked"),
        answer(chunked(DATA[:1000])[:-5], "Transfer-Encoding: chunked"),
        answer(chunked(DATA[:1000])[:-5] + b"-5\r\n", "Transfer-Encoding: chunked"),
    ],
    ids=["close", "chunked", "chunked-no-end", "chunked-negative"],
)
def test_a_body_of_unknown_length_that_is_cut(reply: bytes, client: Client) -> None:
    rest = answer(DATA[1000:], f"Content-Range: bytes 1000-{SIZE - 1}/*", status="206 Partial")
    with RawServer(reply, rest) as server:
        client.download(f"{server.url}/x")
    assert client.pauses == [0.5]


def test_a_length_larger_than_the_body(server: ArchiveServer, client: Client) -> None:
    (server.directory / NAME).write_bytes(DATA[:-1])
    server.misstate("*", length=SIZE, times=1)
    error = client.fail(server.url + PATH)
    # The first answer is a cut for all that is known; the next tells more.
    assert error.message == f"{server.url}{PATH} has {SIZE - 1} bytes, where {SIZE} are expected"
    assert client.has(SIZE - 1)


def test_small_pieces_are_in_the_file_as_they_come(server: ArchiveServer, client: Client) -> None:
    stalled = server.stall("*", after=10)
    cancelled = threading.Event()

    def advance(done: int, _: int) -> None:
        if done == 10:
            assert client.has(10)
            cancelled.set()

    with pytest.raises(FetchError, match="interrupted"):
        client.fetcher(cancelled=cancelled).download(
            server.url + PATH, client.path, size=SIZE, advance=advance
        )
    assert stalled.reached.wait(PATIENCE)
    assert client.has(10)


def test_slow_is_not_stalled(server: ArchiveServer, client: Client) -> None:
    server.drip("*", size=100_000)
    client.download(server.url + PATH, attempts=1)


def test_a_stalled_server(server: ArchiveServer, client: Client) -> None:
    server.stall("*", after=400_000, times=1)
    client.download(server.url + PATH, read_timeout=0.3)
    assert ranges(server) == [None, "bytes=400000-"]


def test_a_server_that_never_answers(client: Client) -> None:
    # The system takes connections for it.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        error = client.fail(url, read_timeout=0.01, attempts=2)
    assert error.message == f"cannot fetch {url}: nothing came for 0.01 s (2 attempts)"


def test_several_threads(server: ArchiveServer, tmp_path: Path) -> None:
    fetcher = HttpFetcher(sleep=lambda _: None)
    server.cut("*", after=300_000, times=5)

    def job(number: int) -> Callable[[], bytes]:
        def download() -> bytes:
            path = tmp_path / str(number)
            fetcher.download(server.url + PATH, path, size=SIZE, advance=lambda *_: None)
            return path.read_bytes()

        return download

    jobs = [job(number) for number in range(20)]
    assert run_together(jobs, threading.Event()) == [DATA] * 20


# Interrupts.

SCRIPT = """
import signal, sys, threading
from pathlib import Path
from rdcompose.archive.fetch import HttpFetcher
from rdcompose.archive.together import run_together

signal.signal(signal.SIGINT, signal.default_int_handler)
url, path, size, how = sys.argv[1:]
cancelled = threading.Event()
# Nobody could wait so long.
fetcher = HttpFetcher(cancelled=cancelled, read_timeout=10**6)

def job():
    fetcher.download(url, Path(path), size=int(size), advance=lambda *_: None)

try:
    job() if how == "alone" else run_together([job, threading.Event().wait], cancelled)
except KeyboardInterrupt:
    sys.exit(130 if how == "alone" or cancelled.is_set() else 1)
"""


@pytest.mark.parametrize("how", ["alone", "together"])
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_interrupts_keep_what_has_arrived(
    number: int, status: int, how: str, server: ArchiveServer, client: Client
) -> None:
    # No multiple of any buffer.
    server.stall("*", after=333_333)
    url = server.url + PATH
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, url, client.path, str(SIZE), how], env=unmeasured()
    )
    with process:
        try:
            wait_for(lambda: client.path.exists() and client.path.stat().st_size == 333_333)
        finally:
            process.send_signal(number)
        assert process.wait(PATIENCE) == status
    assert client.has(333_333)
    server.clear()
    client.download(url)
    assert ranges(server) == ["bytes=333333-"]


def wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(PATIENCE * 100):
        if condition():
            return
        pause.wait(0.01)
    pytest.fail("it never happens")
