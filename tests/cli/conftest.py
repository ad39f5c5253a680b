"""What commands of the tests need: an archive to use, and nothing of this machine's."""

from __future__ import annotations

import dataclasses
import functools
import gc
import json
from typing import TYPE_CHECKING, Any

import pytest

import rdcompose.cli.archive
from rdcompose.archive.fetch import HttpFetcher
from rdcompose.archive.sources import AptSources
from rdcompose.cli.main import main
from tests.support.farm import Farm
from tests.support.server import ArchiveServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True)
class Shop:
    """A published farm, a server over it, and the command line in an empty directory."""

    farm: Farm
    server: ArchiveServer
    path: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def out(self) -> Path:
        return self.path / "out"

    @property
    def cache(self) -> Path:
        return self.path / "cache"

    def arguments(self, command: str, *options: str) -> list[str]:
        """Return the arguments of a command with the farm as mirror."""
        given = [command, *options]
        if "--cache" not in options:
            given += ["--cache", str(self.cache)]
        if command != "cache":
            given += self._archive_options(options)
        if command == "build" and "-o" not in options:
            given += ["-o", str(self.out)]
        return given

    def run(self, command: str, *options: str, status: int = 0) -> tuple[str, str]:
        """Run a command with the farm as mirror; returns what it printed and its errors."""
        ended = main(self.arguments(command, *options))
        # A cache holds on to what it gave away for as long as the process lives.
        gc.collect()
        printed = self.capsys.readouterr()
        assert ended == status, printed.err
        return printed.out, printed.err

    def _archive_options(self, options: Sequence[str]) -> Iterator[str]:
        if "--keyring" not in options:
            yield from ("--keyring", str(self.farm.keyring))
        if "--suite" not in options:
            yield from ("--suite", "bookworm")
        if "--snapshot" not in options:
            if "--mirror" not in options:
                yield from ("--mirror", f"{self.server.url}/debian")
            if "--snapshot-service" not in options:
                yield "--no-snapshot"

    def error(self, command: str, *options: str, status: int = 1) -> str:
        """Run a command that fails; returns its one message, with the hint. Nothing is written."""
        _, err = self.run(command, *options, status=status)
        assert err.startswith("rdcompose: error: "), err
        assert "Traceback" not in err
        assert not self.out.exists()
        return err

    def manifest(self, release: str) -> dict[str, Any]:
        """Return the manifest of a composition."""
        loaded = json.loads((self.out / f"manifest-{release}.json").read_text(encoding="utf-8"))
        assert isinstance(loaded, dict)
        return loaded

    def downloads(self) -> list[str]:
        """Return the names of the packages and indexes that the server was asked for."""
        names = [path.rpartition("/")[2] for path in self.server.paths("*/pool/*")]
        return sorted(names)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of the fetcher are short."""
    quick = functools.partial(HttpFetcher, backoff=0.0, read_timeout=0.5, connect_timeout=2.0)
    monkeypatch.setattr(rdcompose.cli.archive, "HttpFetcher", quick)


@pytest.fixture
def shop(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    impatient: None,  # noqa: ARG001
) -> Iterator[Shop]:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(rdcompose.cli.archive, "apt_sources", lambda: AptSources((), ()))
    monkeypatch.setattr(rdcompose.cli.archive, "codename_of_host", lambda: None)
    farm = Farm(tmp_path / "farm")
    farm.publish()
    with ArchiveServer(farm.directory) as server:
        yield Shop(farm, server, work, capsys)
