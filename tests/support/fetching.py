"""What tests of fetching share: a large file on a mirror, and a client that looks at itself."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, Final

import pytest

from rdcompose.archive.fetch import HttpFetcher
from rdcompose.errors import FetchError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import ArchiveServer

# Several blocks, and no two of them equal.
DATA: Final = os.urandom(1_000_000)
SIZE: Final = len(DATA)
NAME: Final = "pool/linux 6.1+1~2.deb"
PATH: Final = "/pool/linux%206.1%2B1~2.deb"
# Nothing waits so long unless it is broken.
PATIENCE: Final = 60


class Client:
    """A fetcher, where what it downloads goes, and what it did meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pauses: list[float] = []
        self.steps: list[int] = []
        self.sizes: list[int] = []

    def fetcher(self, **settings: Any) -> HttpFetcher:
        return HttpFetcher(sleep=self.pauses.append, **settings)

    def advance(self, done: int, size: int) -> None:
        assert size == SIZE
        self.steps.append(done)
        self.sizes.append(self.path.stat().st_size)

    def download(self, url: str, **settings: Any) -> None:
        """Download, and look at what it leaves."""
        self.fetcher(**settings).download(url, self.path, size=SIZE, advance=self.advance)
        assert self.path.read_bytes() == DATA
        assert self.steps[-1] == SIZE
        # What was counted was in the file.
        assert all(size >= step for step, size in zip(self.steps, self.sizes, strict=True))

    def fail(self, url: str, **settings: Any) -> FetchError:
        """Download, and return the error."""
        fetcher = self.fetcher(**settings)
        with pytest.raises(FetchError) as caught:
            fetcher.download(url, self.path, size=SIZE, advance=self.advance)
        return caught.value

    def has(self, count: int) -> bool:
        return self.path.read_bytes() == DATA[:count]


def ranges(server: ArchiveServer) -> list[str | None]:
    return [request.headers.get("range") for request in server.requests]


def refusing() -> socket.socket:
    """A port that is taken, but where nobody listens."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken
