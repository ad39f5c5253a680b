"""What tests of the archive share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.archive.cache import Cache
from tests.support.fetching import DATA, NAME, Client
from tests.support.server import ArchiveServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    path = tmp_path / "mirror"
    (path / NAME).parent.mkdir(parents=True)
    (path / NAME).write_bytes(DATA)
    (path / "InRelease").write_bytes(b"Suite: sid\n")
    return path


@pytest.fixture
def server(mirror: Path) -> Iterator[ArchiveServer]:
    with ArchiveServer(mirror) as running:
        yield running


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path / "partial")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")
