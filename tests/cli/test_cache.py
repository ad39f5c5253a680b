from __future__ import annotations

import hashlib
import json
import os
import pwd
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest

from rdcompose.archive.cache import Cache, Document
from rdcompose.cli.environment import cache_directory
from rdcompose.cli.main import main
from rdcompose.errors import UsageError
from tests.support.cache_worker import store

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parents[2]
LARGE = b"1" * 1_500_000
SMALL = b"2" * 300
MOMENT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def set_used(directory: Path, name: str, used: datetime) -> None:
    [path] = directory.rglob(name)
    os.utime(path, (used.timestamp(), used.timestamp()))


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with something of each kind, named by the environment."""
    path = tmp_path / "cache"
    monkeypatch.setenv("RDCOMPOSE_CACHE", str(path))
    cache = Cache(path)
    store(cache, SMALL, "busybox.deb")
    store(cache, LARGE, "linux-image.deb")
    cache.put_document("http://a/InRelease", Document(b"data", {}))
    (path / "partial" / ("0" * 64)).write_bytes(b"begun")
    (path / "prepared").mkdir()
    (path / "prepared" / ("1" * 64)).write_bytes(b"6.1.0-7-amd64\nkernel")
    for file in path.rglob("*"):
        os.utime(file, (MOMENT.timestamp(), MOMENT.timestamp()))
    return path


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A wall clock that is the same everywhere."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command; returns what it prints."""
    capsys.readouterr()
    assert main(["cache", *arguments]) == 0
    streams = capsys.readouterr()
    assert streams.err == ""
    return streams.out


@pytest.mark.usefixtures("directory", "utc")
def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "list").splitlines() == [
        "linux-image.deb                     1.5 MB  2026-03-04 05:06",
        "busybox.deb                          300 B  2026-03-04 05:06",
        "(unfinished downloads: 1)              5 B  2026-03-04 05:06",
        "(signed indexes and notes: 1)        111 B  2026-03-04 05:06",
        "(prepared kernels and programs: 1)    20 B  2026-03-04 05:06",
        "total                               1.5 MB  5 files",
    ]


def test_list_as_json(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    used = "2026-03-04T05:06:07+00:00"
    assert json.loads(run(capsys, "list", "--json")) == {
        "directory": str(directory),
        "files": [
            {
                "name": "linux-image.deb",
                "sha256": digest(LARGE),
                "size": len(LARGE),
                "used": used,
            },
            {"name": "busybox.deb", "sha256": digest(SMALL), "size": len(SMALL), "used": used},
        ],
        "partials": [{"sha256": "0" * 64, "size": 5, "used": used}],
        "documents": [{"name": "http://a/InRelease", "size": 111, "used": used}],
        "prepared": [{"name": "6.1.0-7-amd64", "size": 20, "used": used}],
        "size": len(LARGE) + len(SMALL) + 5 + 111 + 20,
    }


def test_an_empty_cache(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing"
    assert run(capsys, "list", "--cache", str(missing)) == "total  0 B  0 files\n"
    assert run(capsys, "clean", "--cache", str(missing)) == "0 files removed, 0 B freed\n"
    assert not missing.exists()


def test_clean(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "clean") == "5 files removed, 1.5 MB freed\n"
    cache = Cache(directory)
    assert (cache.entries(), cache.partials(), cache.documents()) == ([], [], [])
    assert run(capsys, "clean") == "0 files removed, 0 B freed\n"


def test_clean_what_was_not_used(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    set_used(directory, "linux-image.deb", now - timedelta(days=9))
    set_used(directory, "busybox.deb", now - timedelta(days=11))
    assert run(capsys, "clean", "--unused-for", "9999") == "0 files removed, 0 B freed\n"
    assert run(capsys, "clean", "--unused-for", "10") == "4 files removed, 436 B freed\n"
    assert [entry.name for entry in Cache(directory).entries()] == ["linux-image.deb"]
    assert run(capsys, "clean", "--unused-for", "0") == "1 file removed, 1.5 MB freed\n"


def test_clean_says_what_others_use(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = Cache(directory)
    assert other.find(digest(SMALL), len(SMALL)) is not None
    assert run(capsys, "clean") == (
        "4 files removed, 1.5 MB freed\n1 file left, in use by another command\n"
    )
    del other
    assert run(capsys, "clean") == "1 file removed, 300 B freed\n"


@pytest.mark.parametrize("days", ["-1", "1.5", "x", "", "10000", "²"])
def test_wrong_days(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["cache", "clean", f"--unused-for={days}"])
    assert "is not a number of days from 0 to 9999" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["burn"]])
def test_an_action_is_needed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["cache", *arguments])
    assert "ACTION" in capsys.readouterr().err


def test_a_directory_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert main(["cache", "list", "--cache", str(file)]) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.splitlines() == [
        f"rdcompose: error: cannot use the cache {file}: Not a directory",
        "  hint: name another directory with --cache DIR or in RDCOMPOSE_CACHE",
    ]


def test_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RDCOMPOSE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "path") == f"{tmp_path}/xdg/rdcompose\n"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert run(capsys, "path") == f"{tmp_path}/home/.cache/rdcompose\n"
    monkeypatch.setenv("RDCOMPOSE_CACHE", "")
    assert run(capsys, "path") == f"{tmp_path}/home/.cache/rdcompose\n"
    monkeypatch.setenv("RDCOMPOSE_CACHE", "relative")
    assert run(capsys, "path") == f"{tmp_path}/relative\n"
    assert run(capsys, "path", "--cache", "/other") == "/other\n"


def test_no_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    for name in ("RDCOMPOSE_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(UsageError, match="no home directory"):
        cache_directory(None)
    # What older versions of the library do.
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: Path("~/.cache") / name)
    with pytest.raises(UsageError, match="no home directory"):
        cache_directory(None)
    assert cache_directory(Path("x")) == Path("x")


def test_a_path_that_is_no_text(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff"
    command: list[str | bytes] = [sys.executable, "-m", "rdcompose", "cache", "path"]
    command += ["--cache", name]
    done = subprocess.run(command, cwd=TOP, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (name + b"\n", b"")
