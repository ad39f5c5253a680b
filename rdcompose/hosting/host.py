"""What hosts of releases have in common, so that one way of publishing fits all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdcompose.hosting.folder import File

Advance = Callable[[int, int], None]
"""Called with the bytes that were sent and the bytes in all."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a release is to be. ``None`` leaves it to the host, or as it is.

    ``target`` is the commit or branch of a tag that does not exist yet.
    """

    tag: str
    title: str | None = None
    notes: str | None = None
    target: str | None = None
    prerelease: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Release:
    """A release at its host: ``key`` is how the host names it, ``url`` where people see it."""

    key: str
    url: str
    published: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Remote:
    """A file of a release at its host.

    ``sha256`` is ``None`` if the host does not tell; ``complete`` is false for what an
    interrupted upload left.
    """

    key: str
    name: str
    size: int
    sha256: str | None
    complete: bool = True

    def fits(self, file: File) -> bool:
        """Whether it is this file, as far as the host tells."""
        return self.complete and self.size == file.size and self.sha256 in {None, file.sha256}


class Host(Protocol):
    """One project at a host of releases; used from several threads at once.

    Whatever fails and may pass is tried again inside, except by :meth:`send`. All methods raise
    :class:`~rdcompose.errors.UploadError` for what is refused or fails too often.
    """

    name: str
    """For messages: ``github.com/OWNER/REPO``."""

    first_alone: bool
    """Whether the first file of a release is to be there before others are sent."""

    def repeated(self, attempt: Callable[[], None]) -> None:
        """Do something until it works, with pauses, as often as the host deserves."""

    def check(self, files: Sequence[File], wish: Wish) -> None:
        """Do nothing if the host takes files of these names and a tag of this name.

        :raises SpecError: it would refuse or rename one.
        """

    def find(self, wish: Wish) -> Release | None:
        """Return the release of a tag, published or not."""

    def create(self, wish: Wish) -> Release:
        """Return a release that nobody sees yet; that of the tag if meanwhile there is one."""

    def remotes(self, release: Release) -> list[Remote]:
        """Return the files that a release has."""

    def digest(self, release: Release, remote: Remote) -> str:
        """Return the SHA-256 of a file as its host gives it out."""

    def remove(self, remote: Remote) -> None:
        """Remove a file; one that is gone is removed."""

    def send(self, release: Release, file: File, advance: Advance) -> Remote:
        """Send a file, in one attempt.

        :raises TransientError: it did not arrive, or only in part: look, and try again.
        """

    def publish(
        self, release: Release, wish: Wish, files: Sequence[File], *, replace: bool
    ) -> Release:
        """Make a release public, with its files. Doing it twice changes nothing."""
