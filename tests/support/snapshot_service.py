"""A snapshot service on the loopback address, which answers as snapshot.debian.org does.

    with SnapshotServer(tmp_path / "farm") as service:
        service.state("debian", "20240210T150000Z", tmp_path / "debian")
        ...  # the archive in tmp_path / "debian" changes
        service.state("debian", "20240501T030000Z", tmp_path / "debian")
        ...  # a client that uses service.url

It keeps a copy of what it is shown, and knows each ``.deb`` in it from then on. Faults and
records are those of :class:`tests.support.server.ArchiveServer`.

The machine API is the one that the service's document "API" describes; fields are as its
source has them (``controllers/package.py``, ``models/snapshotmodel.py``). What clients stumble
over is as there:

- a file below ``/archive/`` answers 302 with the path ``/file/SHA1``, whatever the timestamp; a
  directory answers 301 with the timestamp of the state that it is of
- a timestamp between two states means the earlier one, one to come the newest, ``now`` too;
  before the first there is nothing (404)
- ``first_seen`` is of the file in the pool, which an index need not name yet; one that is in
  several archives or places has a row for each
- errors have pages of HTML, not JSON
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import posixpath
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote

from rdcompose.archive.version import version_key
from rdcompose.formats.deb import Deb
from tests.support.server import ArchiveServer, Response

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import Request

_ROUTES: Final = {
    "_versions": re.compile(r"/mr/binary/([^/]+)/"),
    "_binfiles": re.compile(r"/mr/binary/([^/]+)/([^/]+)/binfiles"),
    "_fileinfo": re.compile(r"/mr/file/([0-9a-f]{40})/info"),
    "_file": re.compile(r"/file/([0-9a-f]{40})"),
    "_archive": re.compile(r"/archive/([^/]+)/(now|\d{8}(?:T\d{6}Z)?)(/.*)?"),
}
_MAX_LINKS: Final = 16


@dataclasses.dataclass(frozen=True, slots=True)
class _Binary:
    """A ``.deb`` in the farm."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str


@dataclasses.dataclass(frozen=True, slots=True)
class _State:
    """An archive at a moment: SHA-1 of each file, target of each link, by path from ``/``."""

    archive: str
    timestamp: str
    files: dict[str, str]
    links: dict[str, str]

    def resolved(self, path: str) -> str:
        """Return a path without links in it."""
        for _ in range(_MAX_LINKS):
            parts = path.split("/")
            prefixes = ("/".join(parts[:end]) for end in range(2, len(parts) + 1))
            link = next((prefix for prefix in prefixes if prefix in self.links), None)
            if link is None:
                break
            target = posixpath.join(posixpath.dirname(link), self.links[link])
            path = posixpath.normpath(target) + path.removeprefix(link)
        return path

    def names(self, directory: str) -> list[str]:
        """Return what is in a directory; nothing if there is none."""
        start = directory.rstrip("/") + "/"
        paths = (*self.files, *self.links)
        return sorted({p[len(start) :].split("/")[0] for p in paths if p.startswith(start)})


class SnapshotServer(ArchiveServer):
    """The service; see the module. ``farm`` is a directory for its copies.

    Without ``architectures`` the rows of ``binfiles`` do not have that field, which is what
    some clients met.
    """

    def __init__(self, farm: Path, *, architectures: bool = True) -> None:
        super().__init__(farm)
        self._architectures = architectures
        self._states: list[_State] = []
        self._binaries: dict[str, _Binary] = {}

    def state(self, archive: str, timestamp: str, directory: Path) -> None:
        """Keep what an archive's directory holds now as its state at a moment."""
        files: dict[str, str] = {}
        links: dict[str, str] = {}
        for path in sorted(directory.rglob("*")):
            name = f"/{path.relative_to(directory)}"
            if path.is_symlink():
                links[name] = str(path.readlink())
            elif path.is_file():
                files[name] = self._keep(path)
        self._states.append(_State(archive, timestamp, files, links))
        self._states.sort(key=lambda state: state.timestamp)

    def answer(self, request: Request) -> Response:
        for name, route in _ROUTES.items():
            if found := route.fullmatch(request.path):
                response: Response | None = getattr(self, name)(request, *found.groups())
                return response or _page(404, "Not Found")
        return _page(404, "Not Found")

    def _keep(self, path: Path) -> str:
        data = path.read_bytes()
        sha1 = hashlib.sha1(data).hexdigest()
        copy = self.directory / sha1
        if not copy.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
            if path.suffix == ".deb":
                self._binaries[sha1] = _binary(data)
        return sha1

    # What the addresses answer.

    def _versions(self, _: Request, name: str) -> Response | None:
        rows = {
            (row.version, row.source, row.source_version)
            for row in self._binaries.values()
            if row.name == name
        }
        result = [
            {"binary_version": version, "name": name, "source": source, "version": source_version}
            for version, source, source_version in sorted(
                rows, key=lambda row: (version_key(row[0]), row), reverse=True
            )
        ]
        return _json({"_comment": "foo", "binary": name, "result": result}) if result else None

    def _binfiles(self, request: Request, name: str, version: str) -> Response | None:
        found = {
            sha1: row.architecture
            for sha1, row in sorted(self._binaries.items())
            if (row.name, row.version) == (name, version)
        }
        if not found:
            return None
        answer: dict[str, Any] = {
            "_comment": "foo",
            "binary": name,
            "binary_version": version,
            "result": [
                {"architecture": architecture, "hash": sha1}
                if self._architectures
                else {"hash": sha1}
                for sha1, architecture in found.items()
            ],
        }
        if parse_qs(request.query).get("fileinfo") == ["1"]:
            answer["fileinfo"] = {sha1: self._seen(sha1) for sha1 in found}
        return _json(answer)

    def _fileinfo(self, _: Request, sha1: str) -> Response | None:
        result = self._seen(sha1)
        return _json({"_comment": "foo", "hash": sha1, "result": result}) if result else None

    def _file(self, _: Request, sha1: str) -> Response | None:
        path = self.directory / sha1
        return Response(path.read_bytes()) if path.is_file() else None

    def _archive(
        self, request: Request, archive: str, date: str, path: str | None
    ) -> Response | None:
        moment = {"now": "9"}.get(date, date if "T" in date else f"{date}T000000Z")
        states = [s for s in self._states if s.archive == archive and s.timestamp <= moment]
        if not states:
            return None
        state = states[-1]
        real = state.resolved((path or "").rstrip("/") or "/")
        if real in state.files:
            return _page(302, "Found", f"/file/{state.files[real]}")
        if not (names := state.names(real)):
            return None
        place = f"/archive/{archive}/{state.timestamp}{real.rstrip('/')}/"
        if place != request.path:
            return _page(301, "Moved Permanently", quote(place))
        return _page(200, "\n".join(names))

    def _seen(self, sha1: str) -> list[dict[str, Any]]:
        """Return where a file is, with the first state that has it there."""
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for state in self._states:
            for path in (path for path, digest in state.files.items() if digest == sha1):
                row = {
                    "archive_name": state.archive,
                    "first_seen": state.timestamp,
                    "name": posixpath.basename(path),
                    "path": posixpath.dirname(path),
                    "size": (self.directory / sha1).stat().st_size,
                }
                rows.setdefault((state.archive, path), row)
        return list(rows.values())


def _binary(deb: bytes) -> _Binary:
    control = Deb.open(io.BytesIO(deb)).control
    source, _, version = control.get("Source", control.package).partition(" ")
    return _Binary(
        control.package,
        control.version,
        control.architecture,
        source,
        version.strip("()") or control.version,
    )


def _json(answer: dict[str, Any]) -> Response:
    text = json.dumps(answer, separators=(",", ":"), sort_keys=True) + "\n"
    return Response(text.encode(), headers={"Content-Type": "application/json"})


def _page(status: int, text: str, location: str = "") -> Response:
    headers = {"Content-Type": "text/html; charset=utf-8"}
    if location:
        headers["Location"] = location
    body = f"<!doctype html>\n<title>{status} {text}</title>\n"
    return Response(body.encode(), status, headers)
