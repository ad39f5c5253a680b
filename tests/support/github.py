"""A stand-in for GitHub's API of releases, as docs.github.com describes it.

What people see of a release is in ``published``, as it was at each moment it changed: a test
that looks there sees whether something was public that should not have been.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import Any, Final
from urllib.parse import unquote

from tests.support.api_server import Answer, ApiServer, Call, Hangup, paged

PROJECT: Final = "someone/kernels"
TOKEN: Final = "ghp_secret0123"


@dataclasses.dataclass
class Asset:
    """A file of a release; ``data`` is what arrived."""

    number: int
    release: int
    name: str
    data: bytes
    state: str = "uploaded"


class GitHubServer(ApiServer):
    """One repository; ``digests`` is false for an older server, which does not tell them."""

    def __init__(self, *, digests: bool = True) -> None:
        super().__init__()
        self.releases: dict[int, dict[str, Any]] = {}
        self.assets: dict[int, Asset] = {}
        self.published: list[dict[str, bytes]] = []
        self.damage: list[str] = []
        self._digests = digests
        self._last = 0

    @property
    def api(self) -> str:
        return f"{self.url}/api/v3"

    # What a test prepares and looks at.

    def add_release(self, tag: str, *, draft: bool, **others: Any) -> int:
        number = self._number()
        self.releases[number] = {
            "id": number,
            "tag_name": tag,
            "draft": draft,
            "html_url": f"https://github.test/{PROJECT}/releases/{'untagged' if draft else tag}",
            **others,
        }
        return number

    def add_asset(self, release: int, name: str, data: bytes, state: str = "uploaded") -> None:
        number = self._number()
        self.assets[number] = Asset(number, release, name, data, state)

    def files(self, release: int) -> dict[str, bytes]:
        return {a.name: a.data for a in self.assets.values() if a.release == release}

    def only(self) -> dict[str, Any]:
        (release,) = self.releases.values()
        return release

    # The API.

    def route(self, call: Call) -> Answer:
        segments = call.segments
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            call.body()
            return Answer(401, {"message": "Bad credentials", "status": "401"})
        if segments[0] == "uploads":
            segments = segments[1:]
        elif segments[:2] == ["api", "v3"]:
            segments = segments[2:]
            assert call.headers.get("accept", "").startswith("application/")
            assert call.headers.get("x-github-api-version") == "2022-11-28"
        if "/".join(segments[:3]) != f"repos/{PROJECT}":
            call.body()
            return Answer(404, {"message": "Not Found"})
        return self._routes(call, segments[3:])

    def _routes(self, call: Call, segments: list[str]) -> Answer:  # noqa: PLR0911
        match call.method, segments:
            case "GET", ["releases"]:
                rows = sorted(self.releases.values(), key=lambda row: -row["id"])
                return paged(call, [self._release(row) for row in rows])
            case "POST", ["releases"]:
                return self._create(call.json())
            case "GET", ["releases", "tags", tag]:
                for row in self.releases.values():
                    if row["tag_name"] == unquote(tag) and not row["draft"]:
                        return Answer(200, self._release(row))
            case "GET", ["releases", "assets", number] if int(number) in self.assets:
                return self._download(call, self.assets[int(number)])
            case "DELETE", ["releases", "assets", number] if int(number) in self.assets:
                with self.lock:
                    asset = self.assets.pop(int(number))
                    self._note(asset.release)
                return Answer(204)
            case _, ["releases", number, *rest] if number.isdigit():
                if int(number) in self.releases:
                    return self._of_release(call, int(number), rest)
            case _:
                pass
        call.body()
        return Answer(404, {"message": "Not Found"})

    def _of_release(self, call: Call, number: int, rest: list[str]) -> Answer:
        match call.method, rest:
            case "GET", []:
                return Answer(200, self._release(self.releases[number]))
            case "PATCH", []:
                with self.lock:
                    self.releases[number] |= call.json()
                    self._note(number)
                return Answer(200, self._release(self.releases[number]))
            case "GET", ["assets"]:
                rows = [a for a in self.assets.values() if a.release == number]
                return paged(call, [self._asset(row) for row in rows])
            case "POST", ["assets"]:
                return self._upload(call, number)
            case _:
                pass
        call.body()
        return Answer(404, {"message": "Not Found"})

    def _create(self, wanted: dict[str, Any]) -> Answer:
        with self.lock:
            taken = [r for r in self.releases.values() if r["tag_name"] == wanted["tag_name"]]
            if any(not row["draft"] for row in taken):
                return Answer(422, _already_exists("Release", "tag_name"))
            number = self.add_release(wanted.pop("tag_name"), **wanted)
        return Answer(201, self._release(self.releases[number]))

    def _upload(self, call: Call, number: int) -> Answer:
        assert call.segments[0] == "uploads"
        assert call.headers["content-type"] == "application/octet-stream"
        name = _sanitized(call.query["name"])
        data = call.body()
        if not data:
            return Answer(400, {"message": "Bad Content-Length"})
        with self.lock:
            if name in self.files(number):
                return Answer(422, _already_exists("ReleaseAsset", "name"))
            if name in self.damage:
                self.damage.remove(name)
                data = bytes([data[0] ^ 1]) + data[1:]
            self.add_asset(number, name, data)
            self._note(number)
            asset = next(a for a in self.assets.values() if (a.release, a.name) == (number, name))
        return Answer(201, self._asset(asset))

    def upload_cut(self, call: Call, data: bytes) -> None:
        """Leave what GitHub may leave: an asset that is no file."""
        del data
        self.add_asset(int(call.segments[5]), _sanitized(call.query["name"]), b"", "starter")

    def _download(self, call: Call, asset: Asset) -> Answer:
        if call.headers["accept"] != "application/octet-stream":
            return Answer(200, self._asset(asset))
        return Answer(302, None, {"Location": f"{self.url}/storage/{asset.number}"})

    def answer(self, call: Call) -> Answer:
        """Give out what is stored to everyone, but to nobody who shows a token."""
        if call.segments[0] != "storage":
            return super().answer(call)
        if "authorization" in call.headers:
            raise Hangup
        return Answer(200, self.assets[int(call.segments[1])].data)

    def _number(self) -> int:
        with self.lock:
            self._last += 1
            return self._last

    def _note(self, number: int) -> None:
        """Remember what people see now."""
        files = self.files(number)
        if not self.releases[number]["draft"] and self.published[-1:] != [files]:
            self.published.append(files)

    def _release(self, row: dict[str, Any]) -> dict[str, Any]:
        address = f"{self.url}/uploads/repos/{PROJECT}/releases/{row['id']}/assets"
        return {**row, "upload_url": f"{address}{{?name,label}}"}

    def _asset(self, asset: Asset) -> dict[str, Any]:
        digest = hashlib.sha256(asset.data).hexdigest()
        return {
            "id": asset.number,
            "name": asset.name,
            "label": "",
            "state": asset.state,
            "size": len(asset.data),
            "digest": f"sha256:{digest}" if self._digests and asset.state == "uploaded" else None,
        }


def _sanitized(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]", ".", name).strip(".")


def _already_exists(resource: str, field: str) -> dict[str, Any]:
    error = {"resource": resource, "code": "already_exists", "field": field}
    return {"message": "Validation Failed", "errors": [error]}
