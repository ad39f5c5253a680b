"""Files that are read as they are sent, and change meanwhile."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError, UploadError
from rdcompose.hosting.body import FileBody
from rdcompose.hosting.folder import File

if TYPE_CHECKING:
    from pathlib import Path

DATA = bytes(range(256)) * 4000


@pytest.fixture
def file(tmp_path: Path) -> File:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return File("file", path, len(DATA), hashlib.sha256(DATA).hexdigest())


def test_it_is_read_and_told(file: File) -> None:
    told: list[tuple[int, int]] = []
    with FileBody(file, lambda done, size: told.append((done, size)), threading.Event()) as body:
        assert len(body) == len(DATA)
        assert b"".join(body) == DATA
        body.check()
    assert told[0] == (0, len(DATA))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    # Sent is not arrived.
    assert told[-1][0] < len(DATA)


@pytest.mark.parametrize("data", [DATA[:-1], b"x" + DATA[1:]], ids=["cut", "other"])
def test_it_changes(file: File, data: bytes) -> None:
    with FileBody(file, lambda *_: None, threading.Event()) as body:
        file.path.write_bytes(data)
        with pytest.raises(UploadError, match="changed while it was uploaded"):
            _read(body)


def test_more_is_not_sent(file: File) -> None:
    with FileBody(file, lambda *_: None, threading.Event()) as body:
        file.path.write_bytes(DATA + b"more")
        assert b"".join(body) == DATA
        body.check()


def _read(body: FileBody) -> None:
    for _ in body:
        pass
    body.check()


def test_it_is_cancelled(file: File) -> None:
    cancelled = threading.Event()
    with FileBody(file, lambda *_: None, cancelled) as body:
        body.read(10)
        cancelled.set()
        with pytest.raises(UploadError, match="interrupted"):
            body.read(10)


def test_it_is_gone(file: File) -> None:
    file.path.unlink()
    with pytest.raises(SpecError, match="cannot read"):
        FileBody(file, lambda *_: None, threading.Event())
