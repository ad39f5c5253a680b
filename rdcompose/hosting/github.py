"""Releases at GitHub, and at servers of GitHub Enterprise.

API: docs.github.com, "REST API endpoints for releases" and "for release assets", version
2022-11-28. A draft is not found by its tag: it is looked for among all releases, which needs a
token that may write. An upload that was cut may leave an asset with another state than
``uploaded``, which is in the way of the next one. Other characters than those of :data:`_NAME`
are replaced in the names of assets; ``+`` is kept if it is sent as ``%2B``.
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

DEFAULT_API: Final = "https://api.github.com"

_PROJECT: Final = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_NAME: Final = re.compile(r"[A-Za-z0-9_+-]([A-Za-z0-9._+-]*[A-Za-z0-9_+-])?")
_LARGEST: Final = 2**31 - 1
_MOST: Final = 1000
_HINTS: Final = {
    401: "the token in GITHUB_TOKEN or GH_TOKEN is not valid, or no longer",
    403: "the token needs to write contents; in a workflow: permissions: contents: write",
    404: "no such repository, or the token has no access to it",
}


def settings(
    project: str, token: str, cancelled: threading.Event, *, api: str = DEFAULT_API
) -> Settings:
    """Return how to talk with GitHub about a repository, ``OWNER/REPO``.

    :raises UsageError: it is not named so, or no token may go to the API.
    """
    if not _PROJECT.fullmatch(project):
        raise UsageError(f"--github {project!r}: a repository is named OWNER/REPO")
    name = "github.com" if api == DEFAULT_API else server_of(api)
    return Settings(
        name=f"{name}/{project}",
        api=f"{api.rstrip('/')}/repos/{project}",
        token=Token("Authorization", f"Bearer {token}", token),
        headers={
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        hints=_HINTS,
        cancelled=cancelled,
    )


class GitHub:
    """A repository; see :class:`~rdcompose.hosting.host.Host`."""

    first_alone = False

    def __init__(self, given: Settings) -> None:
        self.name = given.name
        self._upload_addresses: dict[str, str] = {}
        self._client = Client(given)

    def repeated(self, attempt: Callable[[], None]) -> None:
        """Do something until it works, or has failed too often."""
        self._client.repeated(attempt)

    def check(self, files: Sequence[File], wish: Wish) -> None:  # noqa: ARG002
        """Do nothing if GitHub takes files of these names."""
        if len(files) > _MOST:
            raise SpecError(f"{len(files)} files: GitHub takes {_MOST} in a release")
        for file in files:
            if not _NAME.fullmatch(file.name):
                raise SpecError(
                    f"GitHub would rename {file.name!r}, and the checksums would not fit",
                    hint="it keeps letters, digits and . _ + - with no dot at an end",
                )
            if file.size > _LARGEST:
                raise SpecError(f"{file.path} has 2 GiB or more, which GitHub does not take")

    def find(self, wish: Wish) -> Release | None:
        """Return the published release of the tag, else its oldest draft."""
        tag = quote(wish.tag, safe="")
        reply = self._client.ask("GET", f"/releases/tags/{tag}", accept=(200, 404))
        if reply.status == 200:
            return self._release(reply.data)
        drafts = []
        for data in self._client.pages("/releases"):
            row = self._client.record(data, id=int, tag_name=str, draft=bool)
            if row["tag_name"] == wish.tag:
                drafts.append(row)
        return self._release(min(drafts, key=lambda row: row["id"])) if drafts else None

    def create(self, wish: Wish) -> Release:
        """Return a new draft, or the release that is there after all."""
        lost = False

        def attempt() -> Release:
            nonlocal lost
            # An answer that was lost may have been a success.
            if lost and (found := self.find(wish)) is not None:
                return found
            lost = True
            wanted = {"tag_name": wish.tag, "draft": True, **_described(wish)}
            if wish.target is not None:
                wanted["target_commitish"] = wish.target
            reply = self._client.attempt("POST", "/releases", wanted, accept=(201, 422))
            if reply.status == 422:
                raise self._clash(reply.data)
            return self._release(reply.data)

        return self._client.repeated(attempt)

    def _clash(self, data: object) -> UploadError | TransientError:
        """Return the error for what GitHub says of data that it does not take."""
        message = f"{self.name} answers 422: {self._client.said(data)}"
        errors = data.get("errors") if isinstance(data, dict) else None
        rows = [row for row in errors if isinstance(row, dict)] if isinstance(errors, list) else []
        if any(row.get("code") == "already_exists" for row in rows):
            return TransientError(message)
        return UploadError(message)

    def remotes(self, release: Release) -> list[Remote]:
        """Return the assets of a release."""
        return [self._remote(d) for d in self._client.pages(f"/releases/{release.key}/assets")]

    def digest(self, release: Release, remote: Remote) -> str:  # noqa: ARG002
        """Return the SHA-256 of an asset; needed where an older server does not tell it."""
        return self._client.digest(f"/releases/assets/{remote.key}")

    def remove(self, remote: Remote) -> None:
        """Remove an asset."""
        self._client.ask("DELETE", f"/releases/assets/{remote.key}", accept=(204, 404))

    def send(self, release: Release, file: File, advance: Advance) -> Remote:
        """Send an asset, once."""
        url = f"{self._upload_address(release)}?name={quote(file.name, safe='')}"
        with FileBody(file, advance, self._client.cancelled) as body:
            reply = self._client.send("POST", url, body, accept=(201, 422))
        if reply.status == 422:
            raise self._clash(reply.data)
        return self._remote(reply.data)

    def _upload_address(self, release: Release) -> str:
        """Return where GitHub wants files of a release: another server than that of the API."""
        if (known := self._upload_addresses.get(release.key)) is not None:
            return known
        reply = self._client.attempt("GET", f"/releases/{release.key}")
        address: str = self._client.record(reply.data, upload_url=str)["upload_url"]
        self._upload_addresses[release.key] = address.partition("{")[0]
        return self._upload_addresses[release.key]

    def publish(
        self,
        release: Release,
        wish: Wish,
        files: Sequence[File],  # noqa: ARG002
        *,
        replace: bool,  # noqa: ARG002
    ) -> Release:
        """Make a draft public; a release that is, stays as it is."""
        if release.published:
            return release
        wanted = {"draft": False, **_described(wish)}
        reply = self._client.ask("PATCH", f"/releases/{release.key}", wanted)
        return self._release(reply.data)

    def _release(self, data: object) -> Release:
        row = self._client.record(data, id=int, html_url=str, draft=bool)
        return Release(str(row["id"]), row["html_url"], not row["draft"])

    def _remote(self, data: object) -> Remote:
        row = self._client.record(data, id=int, name=str, size=int, state=str)
        kind, _, digest = str(row.get("digest") or "").partition(":")
        return Remote(
            key=str(row["id"]),
            name=row["name"],
            size=row["size"],
            sha256=digest if kind == "sha256" else None,
            complete=row["state"] == "uploaded",
        )


def _described(wish: Wish) -> dict[str, Any]:
    """Return what people read of a release, as far as it is wished."""
    described: dict[str, Any] = {}
    if wish.title is not None:
        described["name"] = wish.title
    if wish.notes is not None:
        described["body"] = wish.notes
    if wish.prerelease:
        described["prerelease"] = True
    return described
