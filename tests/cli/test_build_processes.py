"""``rdcompose build`` as processes: several at once, killed ones, interrupted ones, on terminals.

Moments are chosen by what the server was asked for and what is in the cache.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.archive.cache import Cache
from tests.support.archive_packages import kernel_package
from tests.support.farm import ARM, NEW, OLD, TRIXIE
from tests.support.screen import Terminal
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    from tests.cli.conftest import Shop

LARGE: Final = "6.1.0-46-cloud-amd64"
RENEWED: Final = "6.1.0-47-cloud-amd64"
SIZE: Final = 1_000_000
DEB: Final = f"*/linux-image-{LARGE}_*.deb"
INRELEASE: Final = "*/bookworm/InRelease"
INDEX: Final = "/debian/dists/bookworm/main/binary-amd64/by-hash/*"
BUSYBOX: Final = "*/busybox-static_*.deb"
INTERRUPTED: Final = "rdcompose: interrupted\n"
PATIENCE: Final = 60
# Less than what it gives a silent server, or takes as a pause when asked to.
PROMPTLY: Final = 20


class Build:
    """A process; killed at the end of the block if it still runs."""

    def __init__(
        self,
        shop: Shop,
        *options: str,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        command: str = "build",
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rdcompose", *shop.arguments(command, *options)],
            env={**unmeasured(), "TERM": "xterm"},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self, patience: int = PATIENCE) -> tuple[int, str, str]:
        """Wait; returns status, output and errors."""
        out, err = self.process.communicate(timeout=patience)
        return self.process.returncode, out, err

    def succeed(self) -> str:
        """Wait until it is done, without a word on standard error; returns its output."""
        status, out, err = self.end()
        assert (status, err) == (0, "")
        return out

    def interrupt(self, number: int) -> None:
        """Interrupt it: it says so and nothing else."""
        self.process.send_signal(number)
        assert self.end(PROMPTLY) == (128 + number, "", INTERRUPTED)

    def has_open(self, text: str) -> bool:
        """Tell whether it has a file open whose path holds a text."""
        links = []
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed since
                links.append(str(link.readlink()))
        return any(text in link for link in links)

    def kill(self) -> None:
        self.process.kill()
        assert self.end() == (-signal.SIGKILL, "", "")


@pytest.fixture
def large(shop: Shop) -> Shop:
    """The shop, with a kernel whose download has a middle."""
    shop.farm.bookworm.add(_large_package())
    shop.farm.bookworm.write()
    return shop


@functools.cache
def _large_package() -> bytes:
    return kernel_package(LARGE, "6.1.166-1", padding=SIZE)


def until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, "it does not happen"
        time.sleep(0.002)


def listing(directory: Path) -> dict[str, bytes]:
    """Return the files of a directory, without what a killed process may leave."""
    files = [path for path in directory.iterdir() if not path.name.startswith(".")]
    return {path.name: path.read_bytes() for path in files}


def undisturbed(shop: Shop, release: str) -> dict[str, bytes]:
    """Return what a build writes that nobody disturbs, with a cache of its own."""
    directory = shop.path / f"undisturbed-{release}"
    shop.run("build", release, "--cache", str(shop.path / "cold"), "-o", str(directory))
    shop.server.clear()
    return listing(directory)


def partials(shop: Shop) -> list[int]:
    """Return the sizes of what is begun."""
    return [entry.size for entry in Cache(shop.cache).partials()]


def ranges(shop: Shop, pattern: str) -> list[str | None]:
    """Return which parts of a file the server was asked for."""
    paths = set(shop.server.paths(pattern))
    rows = [row for row in shop.server.requests if row.path in paths]
    return [row.headers.get("range") for row in rows]


def stalled_in(shop: Shop, pattern: str, after: int) -> Callable[[], bool]:
    """Have the server stall; returns what tells whether a client has all that comes."""
    fault = shop.server.stall(pattern, after=after)
    # Packages go straight into the cache.
    seen = pattern in {DEB, BUSYBOX}
    return lambda: fault.reached.is_set() and (not seen or after in partials(shop))


# Several at once.


@pytest.mark.parametrize("count", [2, 4])
def test_on_one_cold_cache(large: Shop, count: int) -> None:
    expected = undisturbed(large, LARGE)
    stalled = large.server.stall(DEB, after=SIZE // 2)
    outs = [large.path / f"out-{number}" for number in range(count)]
    with contextlib.ExitStack() as stack:
        builds = [stack.enter_context(Build(large, LARGE, "-o", str(out))) for out in outs]
        # All are under way, and one of them has half of the kernel.
        until(lambda: len(large.server.paths(INRELEASE)) == count and stalled.reached.is_set())
        stalled.release()
        for build in builds:
            assert f"amd64 kernel {LARGE} in " in build.succeed()
    assert [listing(out) for out in outs] == [expected] * count
    fetched = [*large.server.paths("*/pool/*"), *large.server.paths("*/by-hash/*")]
    assert len(fetched) == len(set(fetched)) == 5
    assert partials(large) == []


def test_of_different_architectures(shop: Shop) -> None:
    releases = (NEW, ARM, OLD, TRIXIE)
    expected = [undisturbed(shop, release) for release in releases]
    shop.server.drip("*/by-hash/*", size=200)
    shop.server.drip("*/pool/*", size=2000)
    with contextlib.ExitStack() as stack:
        outs = [shop.path / f"out-{release}" for release in releases]
        builds = [
            stack.enter_context(Build(shop, release, "-o", str(out)))
            for release, out in zip(releases, outs, strict=True)
        ]
        for build in builds:
            build.succeed()
    assert [listing(out) for out in outs] == expected
    fetched = shop.server.paths("*/pool/*")
    # busybox and e2fsck are the same in both releases of Debian here.
    assert len(fetched) == len(set(fetched)) == 4 + 4


# Killed.

MOMENTS: Final = [
    pytest.param(INRELEASE, 0, id="no-index-yet"),
    pytest.param(INRELEASE, 700, id="half-a-signature"),
    pytest.param(INDEX, 0, id="before-the-packages-index"),
    pytest.param(INDEX, 300, id="half-a-packages-index"),
    pytest.param(DEB, 0, id="before-the-kernel"),
    pytest.param(DEB, 1, id="a-byte-of-the-kernel"),
    pytest.param(DEB, SIZE // 2, id="half-the-kernel"),
    pytest.param(BUSYBOX, 500, id="half-of-busybox"),
]


@pytest.mark.parametrize(("pattern", "after"), MOMENTS)
def test_killed_and_run_again(large: Shop, pattern: str, after: int) -> None:
    expected = undisturbed(large, LARGE)
    received = stalled_in(large, pattern, after)
    with Build(large, LARGE) as build:
        until(received)
        build.kill()
    assert not large.out.exists()
    large.server.clear()
    large.run("build", LARGE)
    assert listing(large.out) == expected
    assert partials(large) == []
    if pattern == DEB:
        assert ranges(large, DEB) == [f"bytes={after}-" if after else None]


def slowed(shop: Shop) -> None:
    """Have the server take its time, so that a moment is likely to be in a download."""
    shop.server.drip("*/by-hash/*", size=200)
    shop.server.drip("*/pool/*", size=100_000)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_ended_at_any_moment(large: Shop, number: int) -> None:
    """Each goes on from what those before it have left; the last one is left alone."""
    expected = undisturbed(large, LARGE)
    slowed(large)
    with Build(large, LARGE, "-o", str(large.path / "measured")) as build:
        until(large.server.paths)
        begun = time.monotonic()
        build.succeed()
        whole = time.monotonic() - begun
    large.run("cache", "clean")
    for step in range(6):
        large.server.requests.clear()
        with Build(large, LARGE) as build:
            until(large.server.paths)
            with contextlib.suppress(subprocess.TimeoutExpired):
                build.process.wait(whole * step / 6)
            build.process.send_signal(number)
            status, out, err = build.end()
        if status in {0, -number}:  # all was done, or it was killed
            assert err == ""
        else:
            assert (status, out, err) == (128 + number, "", INTERRUPTED)
        if large.out.exists() and number != signal.SIGKILL:
            assert listing(large.out) == expected
    with Build(large, LARGE) as build:
        build.succeed()
    assert listing(large.out) == expected
    assert partials(large) == []


# Interrupted.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("pattern", "after"),
    [
        pytest.param(INRELEASE, 700, id="signed-index"),
        pytest.param(INDEX, 300, id="packages-index"),
        pytest.param(DEB, SIZE // 2, id="kernel"),
    ],
)
def test_interrupted_while_the_server_stalls(
    large: Shop, pattern: str, after: int, number: int
) -> None:
    expected = undisturbed(large, LARGE)
    large.out.mkdir()
    (large.out / f"vmlinuz-{LARGE}").write_bytes(b"old")
    received = stalled_in(large, pattern, after)
    with Build(large, LARGE) as build:
        until(received)
        build.interrupt(number)
    assert listing(large.out) == {f"vmlinuz-{LARGE}": b"old"}
    assert [path.name for path in large.out.iterdir()] == [f"vmlinuz-{LARGE}"]
    large.server.clear()
    large.run("build", LARGE)
    assert listing(large.out) == expected
    if pattern == DEB:
        assert ranges(large, DEB) == [f"bytes={after}-"]


def test_interrupted_in_a_pause(large: Shop) -> None:
    """The server has asked for a minute."""
    busy = large.server.fail(DEB, status=503, headers={"Retry-After": "60"})
    with Build(large, LARGE) as build:
        until(lambda: busy.hits)
        build.interrupt(signal.SIGINT)
    assert not large.out.exists()


def test_interrupted_while_another_fetches(large: Shop) -> None:
    received = stalled_in(large, DEB, SIZE // 2)
    with Build(large, LARGE) as first:
        until(received)
        with Build(large, LARGE, "-o", str(large.path / "other")) as second:
            until(lambda: second.has_open("/locks/"))
            second.interrupt(signal.SIGINT)
        large.server.clear()
        first.succeed()
    assert not (large.path / "other").exists()
    assert large.server.paths(DEB) == []


# Changes meanwhile.


def test_a_cache_that_is_emptied_meanwhile(large: Shop) -> None:
    expected = undisturbed(large, LARGE)
    received = stalled_in(large, DEB, SIZE // 2)
    with Build(large, LARGE) as build:
        until(received)
        printed, _ = large.run("cache", "clean")
        assert printed.splitlines()[-1].endswith(" left, in use by another command")
        assert partials(large) == [SIZE // 2]
        large.server.clear()
        build.succeed()
    assert listing(large.out) == expected
    assert large.server.paths(DEB) == []


def test_a_cache_that_is_emptied_all_the_time(large: Shop) -> None:
    expected = undisturbed(large, LARGE)
    slowed(large)
    outs = [large.path / f"out-{number}" for number in range(3)]
    with contextlib.ExitStack() as stack:
        builds = [stack.enter_context(Build(large, LARGE, "-o", str(out))) for out in outs]
        while any(build.process.poll() is None for build in builds):
            large.run("cache", "clean")
            time.sleep(0.01)
        for build in builds:
            build.succeed()
    assert [listing(out) for out in outs] == [expected] * 3
    large.run("cache", "clean")
    assert Cache(large.cache).entries() == []
    assert partials(large) == []


def renewed(shop: Shop) -> None:
    """Have the mirror get a new kernel."""
    suite = shop.farm.bookworm
    suite.add(kernel_package(RENEWED, "6.1.167-1"))
    suite.date += datetime.timedelta(days=1)
    suite.write()


def test_a_mirror_that_is_updated_meanwhile(large: Shop) -> None:
    """Who began with the old state ends with it; the new one is not lost to others."""
    expected = undisturbed(large, LARGE)
    stalled = large.server.stall(INDEX, after=300)
    with Build(large, LARGE) as old:
        until(stalled.reached.is_set)
        renewed(large)
        stalled.left = 0
        with Build(large, RENEWED, "-o", str(large.path / "new")) as new:
            new.succeed()
        stalled.release()
        old.succeed()
    assert listing(large.out) == expected
    large.run("build", RENEWED, "--offline")
    assert listing(large.path / "new") == undisturbed(large, RENEWED)


def test_a_mirror_that_is_updated_behind_the_signed_index(large: Shop) -> None:
    expected = undisturbed(large, LARGE)
    stalled = large.server.stall(INRELEASE, after=300)
    with Build(large, LARGE) as old:
        until(stalled.reached.is_set)
        renewed(large)
        stalled.left = 0
        with Build(large, RENEWED, "-o", str(large.path / "new")) as new:
            new.succeed()
        stalled.release()
        old.succeed()
    assert listing(large.out) == expected


# On a terminal.


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal() as made:
        yield made


def test_progress(large: Shop, terminal: Terminal) -> None:
    received = stalled_in(large, DEB, 700_000)
    with Build(large, LARGE, stderr=terminal.theirs) as build:
        until(received)
        line = terminal.wait_for(r" 0\.7/1\.0 MB +\d+\.\d [kMG]B/s +\d:\d\d:\d\d$")
        assert line.startswith("linux-image-6.1.")
        assert not terminal.in_order()
        large.server.clear()
        status, out, _ = build.end()
    assert status == 0
    assert f"amd64 kernel {LARGE} in " in out
    assert terminal.lines == []
    assert terminal.in_order()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_on_a_terminal(large: Shop, terminal: Terminal, number: int) -> None:
    received = stalled_in(large, DEB, SIZE // 2)
    with Build(large, LARGE, stdout=terminal.theirs, stderr=terminal.theirs) as build:
        until(received)
        terminal.wait_for("^linux-image-")
        build.process.send_signal(number)
        assert build.end(PROMPTLY)[0] == 128 + number
    assert terminal.lines == ["rdcompose: interrupted"]
    assert terminal.in_order()


def test_an_error_on_a_terminal(large: Shop, terminal: Terminal) -> None:
    large.server.stall(DEB, after=SIZE // 2)
    lost = large.server.fail("*/e2fsck-static_*", status=403)
    with Build(large, LARGE, stdout=terminal.theirs, stderr=terminal.theirs) as build:
        assert build.end()[0] == 1
    assert lost.hits == 1
    assert terminal.lines[0].startswith("rdcompose: error: cannot fetch http://127.0.0.1:")
    assert "403 Forbidden" in " ".join(terminal.lines)
    assert terminal.in_order()


@pytest.mark.parametrize("option", ["-q", "--no-progress"])
def test_no_progress(large: Shop, terminal: Terminal, option: str) -> None:
    received = stalled_in(large, DEB, SIZE // 2)
    with Build(large, LARGE, option, stderr=terminal.theirs) as build:
        until(received)
        large.server.clear()
        status, out, _ = build.end()
    assert status == 0
    assert bool(out) == (option != "-q")
    assert terminal.raw == ""
