"""A stand-in for GitLab's API of releases and generic packages, as docs.gitlab.com describes it."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import Any, Final
from urllib.parse import unquote

from tests.support.api_server import Answer, ApiServer, Call, paged

PROJECT: Final = "group/sub/kernels"
TOKEN: Final = "glpat-secret0123"
JOB_TOKEN: Final = "job-secret0123"
MISSING: Final = {"message": "404 Not found"}
_PATH: Final = re.compile(r"/[^/](?!.*//.*)[-.\w/]+[\da-zA-Z]+")


@dataclasses.dataclass
class PackageFile:
    """A file of a package; several may have one name, the newest is given out."""

    number: int
    package: int
    name: str
    data: bytes


class GitLabServer(ApiServer):
    """One project. ``tags`` are those of its repository."""

    def __init__(self, *tags: str) -> None:
        super().__init__()
        self.tags = set(tags)
        self.packages: dict[int, tuple[str, str]] = {}
        self.files: dict[int, PackageFile] = {}
        self.releases: dict[str, dict[str, Any]] = {}
        self.damage: list[str] = []
        self._creating = 0
        self._last = 0

    @property
    def api(self) -> str:
        return f"{self.url}/api/v4"

    def linked(self, tag: str) -> dict[str, bytes]:
        """What people get by the links of a release."""
        found = {}
        for link in self.releases[tag]["links"]:
            name, version, file = map(unquote, link["url"].split("/")[-3:])
            found[link["name"]] = self._newest(name, version, file).data
        return found

    def add_file(self, package: str, version: str, name: str, data: bytes) -> PackageFile:
        with self.lock:
            number = next((n for n, row in self.packages.items() if row == (package, version)), 0)
            if not number:
                number = self._number()
                self.packages[number] = (package, version)
            file = PackageFile(self._number(), number, name, data)
            self.files[file.number] = file
            return file

    # The API.

    def route(self, call: Call) -> Answer:
        headers = call.headers
        known = headers.get("private-token") == TOKEN or headers.get("job-token") == JOB_TOKEN
        if not known:
            call.body()
            return Answer(401, {"message": "401 Unauthorized"})
        segments = call.segments
        if segments[:3] != ["api", "v4", "projects"] or unquote(segments[3]) != PROJECT:
            call.body()
            return Answer(404, {"message": "404 Project Not Found"})
        kind, *rest = segments[4:]
        answer = self._packages(call, rest) if kind == "packages" else self._releases(call, rest)
        return answer or Answer(404, MISSING)

    def _packages(self, call: Call, rest: list[str]) -> Answer | None:
        match call.method, rest:
            case "GET", []:
                assert call.query["package_type"] == "generic"
                part = call.query["package_name"]
                rows = [
                    {"id": number, "name": name, "version": version, "package_type": "generic"}
                    for number, (name, version) in self.packages.items()
                    if part in name
                ]
                return paged(call, rows)
            case "PUT", ["generic", package, version, name]:
                return self._upload(call, unquote(package), unquote(version), unquote(name))
            case "GET", ["generic", package, version, name]:
                return Answer(200, self._newest(*map(unquote, (package, version, name))).data)
            case "GET", [package, "package_files"]:
                rows = [_file(f) for f in self.files.values() if f.package == int(package)]
                return paged(call, rows)
            case "DELETE", [_, "package_files", number] if int(number) in self.files:
                del self.files[int(number)]
                return Answer(204)
        return None

    def _upload(self, call: Call, package: str, version: str, name: str) -> Answer:
        assert re.fullmatch(r"[A-Za-z0-9._+-]+", name), name
        assert re.fullmatch(r"(?!.*\.\.)[\w+.-]+", version), version
        assert call.query == {"select": "package_file"}
        with self.lock:
            new = (package, version) not in self.packages.values()
            if new and self._creating:
                call.body()
                return Answer(500, {"message": "500 Internal Server Error"})
            self._creating += new
        try:
            data = call.body()
        finally:
            self._creating -= new
        if name in self.damage:
            self.damage.remove(name)
            data = bytes([data[0] ^ 1]) + data[1:]
        return Answer(201, _file(self.add_file(package, version, name, data)))

    def _releases(self, call: Call, rest: list[str]) -> Answer | None:  # noqa: PLR0911
        match call.method, rest:
            case "POST", []:
                return self._release(call.json())
            case "GET", [tag] if unquote(tag) in self.releases:
                return Answer(200, _shown(self.releases[unquote(tag)]))
            case "GET", [_]:
                return Answer(403, {"message": "403 Forbidden"})
            case "GET", [tag, "assets", "links"]:
                return paged(call, self.releases[unquote(tag)]["links"])
            case "POST", [tag, "assets", "links"]:
                self._link(self.releases[unquote(tag)], call.json())
                return Answer(201, {})
            case "PUT", [tag, "assets", "links", number]:
                links = self.releases[unquote(tag)]["links"]
                next(row for row in links if row["id"] == int(number)).update(call.json())
                return Answer(200, {})
            case _:
                return None

    def _release(self, wanted: dict[str, Any]) -> Answer:
        tag = wanted["tag_name"]
        with self.lock:
            if tag in self.releases:
                return Answer(409, {"message": "Release already exists"})
            if tag not in self.tags and "ref" not in wanted:
                return Answer(422, {"message": "Ref is not specified"})
            links = wanted.pop("assets")["links"]
            release: dict[str, Any] = {**wanted, "links": []}
            for link in links:
                self._link(release, link)
            self.releases[tag] = release
        return Answer(201, _shown(release))

    def _link(self, release: dict[str, Any], link: dict[str, Any]) -> None:
        path = link.get("direct_asset_path")
        assert path is None or _PATH.fullmatch(path), path
        assert link["name"] not in {row["name"] for row in release["links"]}
        release["links"].append({"id": self._number(), **link})

    def _newest(self, package: str, version: str, name: str) -> PackageFile:
        found = [
            file
            for file in self.files.values()
            if (*self.packages[file.package], file.name) == (package, version, name)
        ]
        return max(found, key=lambda file: file.number)

    def _number(self) -> int:
        with self.lock:
            self._last += 1
            return self._last


def _shown(release: dict[str, Any]) -> dict[str, Any]:
    tag = release["tag_name"]
    return {"tag_name": tag, "_links": {"self": f"https://gitlab.test/{PROJECT}/-/releases/{tag}"}}


def _file(file: PackageFile) -> dict[str, Any]:
    return {
        "id": file.number,
        "package_id": file.package,
        "file_name": file.name,
        "size": len(file.data),
        "file_sha256": hashlib.sha256(file.data).hexdigest(),
    }
