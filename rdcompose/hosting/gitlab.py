"""Releases at GitLab, and at servers of one's own.

API: docs.gitlab.com, "Releases API", "Release links API", "Packages API" and "GitLab generic
packages repository". GitLab has no drafts, and a release holds links, not files: these lie in
the package registry of the project, as a generic package whose version is the tag. So files are
there first, and the release is made last, with all its links in one request.

Which names are allowed: ``lib/gitlab/regex/packages.rb`` and ``app/models/releases/link.rb`` of
GitLab. The files of a new package are to be sent one by one, or GitLab may fail at making the
package several times; so the first is sent alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from rdcompose.archive.failures import TransientError
from rdcompose.errors import SpecError, UploadError, UsageError
from rdcompose.hosting.body import FileBody
from rdcompose.hosting.client import Client
from rdcompose.hosting.host import Release, Remote
from rdcompose.hosting.settings import Settings, Token, server_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from rdcompose.hosting.folder import File
    from rdcompose.hosting.host import Advance, Wish

DEFAULT_API: Final = "https://gitlab.com/api/v4"
DEFAULT_PACKAGE: Final = "release"

_PROJECT: Final = re.compile(r"[0-9]+|[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+")
_NAME: Final = re.compile(r"[A-Za-z0-9._+-]+")
_VERSION: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9_+.-]+")
# A permanent address below the release may have these characters only.
_ASSET_PATH: Final = re.compile(r"/[A-Za-z0-9_.-]{2,126}(?<=[A-Za-z0-9])")
_HINTS: Final = {
    401: "the token in GITLAB_TOKEN or CI_JOB_TOKEN is not valid, or no longer",
    403: "the token needs the scope api and the role Developer; some projects allow each file "
    "name only once and no removal to job tokens",
    404: "no such project, or the token has no access to it",
    413: "a file is larger than this server takes into its package registry",
    422: "a tag that does not exist yet is made from --target",
}


def settings(
    project: str,
    token: str,
    cancelled: threading.Event,
    *,
    job: bool = False,
    api: str = DEFAULT_API,
) -> Settings:
    """Return how to talk with GitLab about a project, its path or number.

    ``job`` says that the token is that of a job of GitLab's CI.

    :raises UsageError: the project is not named so, or no token may go to the API.
    """
    if not _PROJECT.fullmatch(project):
        raise UsageError(
            f"--gitlab {project!r}: a project is named GROUP/PROJECT, or by its number"
        )
    return Settings(
        name=f"{server_of(api)}/{project}",
        api=f"{api.rstrip('/')}/projects/{quote(project, safe='')}",
        token=Token("JOB-TOKEN" if job else "PRIVATE-TOKEN", token, token),
        headers={"Accept": "application/json"},
        hints=_HINTS,
        cancelled=cancelled,
    )


class GitLab:
    """A project, with the generic package that its files go to; see the protocol ``Host``."""

    first_alone = True

    def __init__(self, given: Settings, *, package: str = DEFAULT_PACKAGE) -> None:
        self.name = given.name
        self._api = given.api
        self._client = Client(given)
        self._package = package

    def repeated(self, attempt: Callable[[], None]) -> None:
        """Do something until it works, or has failed too often."""
        self._client.repeated(attempt)

    def check(self, files: Sequence[File], wish: Wish) -> None:
        """Do nothing if GitLab takes files of these names, and the tag as a version."""
        if not _NAME.fullmatch(self._package):
            raise SpecError(f"{self._package!r} is no name of a package at GitLab")
        if not _VERSION.fullmatch(wish.tag):
            raise SpecError(
                f"the tag {wish.tag!r} cannot be the version of a package at GitLab",
                hint="that has letters, digits and . _ + - only",
            )
        for file in files:
            if not _NAME.fullmatch(file.name):
                raise SpecError(
                    f"GitLab does not take the name {file.name!r}",
                    hint="it takes letters, digits and . _ + -",
                )

    def find(self, wish: Wish) -> Release | None:
        """Return the release of the tag."""
        # 403: what GitLab says of a release that is not there to those who may not see all.
        reply = self._client.ask("GET", self._release_address(wish.tag), accept=(200, 403, 404))
        return self._release(reply.data) if reply.status == 200 else None

    def create(self, wish: Wish) -> Release:
        """Return the release to be: at GitLab there is nothing yet."""
        return Release(wish.tag, "", published=False)

    def remotes(self, release: Release) -> list[Remote]:
        """Return the files of the package; of several with one name, the one that is given out."""
        found: dict[str, Remote] = {}
        for package in self._packages(release):
            for data in self._client.pages(f"/packages/{package}/package_files"):
                row = self._client.record(data, id=int, file_name=str, size=int)
                remote = self._remote(package, row)
                known = found.get(remote.name)
                if known is None or int(known.key.rpartition("/")[2]) < row["id"]:
                    found[remote.name] = remote
        return list(found.values())

    def _packages(self, release: Release) -> list[int]:
        # Part of the name is enough for GitLab.
        wanted = f"package_type=generic&package_name={quote(self._package, safe='')}"
        numbers = []
        for data in self._client.pages(f"/packages?{wanted}"):
            row = self._client.record(data, id=int, name=str, version=str)
            if (row["name"], row["version"]) == (self._package, release.key):
                numbers.append(row["id"])
        return numbers

    def digest(self, release: Release, remote: Remote) -> str:
        """Return the SHA-256 of a file of the package."""
        return self._client.digest(self._path(release, remote.name))

    def remove(self, remote: Remote) -> None:
        """Remove a file of the package."""
        package, _, number = remote.key.partition("/")
        address = f"/packages/{package}/package_files/{number}"
        self._client.ask("DELETE", address, accept=(204, 404))

    def send(self, release: Release, file: File, advance: Advance) -> Remote:
        """Send a file of the package, once."""
        url = f"{self._file_address(release, file)}?select=package_file"
        with FileBody(file, advance, self._client.cancelled) as body:
            reply = self._client.send("PUT", url, body, accept=(200, 201))
        row = self._client.record(reply.data, id=int, package_id=int, file_name=str, size=int)
        return self._remote(row["package_id"], row)

    def publish(
        self, release: Release, wish: Wish, files: Sequence[File], *, replace: bool
    ) -> Release:
        """Make the release with all its links; give one that is there those that it lacks."""
        links = [self._link(release, file) for file in files]
        if not release.published:
            wanted: dict[str, Any] = {"tag_name": wish.tag, "assets": {"links": links}}
            described = {"name": wish.title, "description": wish.notes, "ref": wish.target}
            wanted |= {key: value for key, value in described.items() if value is not None}
            return self._client.repeated(lambda: self._make(wish, wanted))
        self._complete(f"{self._release_address(wish.tag)}/assets/links", links, replace=replace)
        return release

    def _make(self, wish: Wish, wanted: dict[str, Any]) -> Release:
        reply = self._client.attempt("POST", "/releases", wanted, accept=(201, 409))
        if reply.status == 201:
            return self._release(reply.data)
        # The answer to an attempt before this one was lost.
        found = self.find(wish)
        if found is None:
            raise TransientError(f"{self.name} says that {wish.tag} is there, and that it is not")
        links = wanted["assets"]["links"]
        self._complete(f"{self._release_address(wish.tag)}/assets/links", links, replace=False)
        return found

    def _complete(self, address: str, links: list[dict[str, str]], *, replace: bool) -> None:
        """Add links to a release; nothing is done if one of another file is in the way."""
        there: dict[str, dict[str, Any]] = {}
        for data in self._client.pages(address):
            row = self._client.record(data, id=int, name=str, url=str)
            there[row["name"]] = row
        others = [
            link
            for link in links
            if link["name"] in there and there[link["name"]]["url"] != link["url"]
        ]
        if others and not replace:
            raise UploadError(
                f"{self.name}: the release links {others[0]['name']} to another file",
                hint="--replace changes the link; or take another tag",
            )
        for link in others:
            self._client.ask("PUT", f"{address}/{there[link['name']]['id']}", link)
        for link in links:
            if link["name"] not in there:
                self._client.ask("POST", address, link, accept=(201,))

    def _link(self, release: Release, file: File) -> dict[str, str]:
        link = {
            "name": file.name,
            "url": self._file_address(release, file),
            "link_type": "package",
        }
        if _ASSET_PATH.fullmatch(f"/{file.name}"):
            link["direct_asset_path"] = f"/{file.name}"
        return link

    def _file_address(self, release: Release, file: File) -> str:
        return self._api + self._path(release, file.name)

    def _path(self, release: Release, name: str) -> str:
        parts = (self._package, release.key, name)
        return f"/packages/generic/{'/'.join(quote(part, safe='') for part in parts)}"

    def _release_address(self, tag: str) -> str:
        return f"/releases/{quote(tag, safe='')}"

    def _release(self, data: object) -> Release:
        row = self._client.record(data, tag_name=str)
        links = row.get("_links")
        url = links.get("self") if isinstance(links, dict) else None
        return Release(row["tag_name"], str(url or ""), published=True)

    def _remote(self, package: int, row: dict[str, Any]) -> Remote:
        digest = row.get("file_sha256")
        return Remote(
            key=f"{package}/{row['id']}",
            name=row["file_name"],
            size=row["size"],
            sha256=digest if isinstance(digest, str) and digest else None,
        )
