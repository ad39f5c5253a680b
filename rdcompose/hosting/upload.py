"""Files to a release: all of them there and as they are here, and only then made public.

Nothing is remembered here: every run asks the host what is there and goes on from that. So a run
that was interrupted, anywhere, is completed by running it again.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from rdcompose.archive.failures import TransientError
from rdcompose.archive.together import run_together
from rdcompose.errors import UploadError

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from rdcompose.hosting.folder import File
    from rdcompose.hosting.host import Advance, Host, Release, Remote, Wish

Watch = Callable[[str], "Advance"]
"""Asked with the name of a file that is sent, returns what is told how far."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may be done to a release that is there.

    ``replace`` allows to change a file of a published release. ``others`` is what to do with
    files of a draft that are not here; ``None`` is to stop. ``draft`` leaves the release a draft.
    """

    replace: bool = False
    others: Literal["keep", "remove"] | None = None
    draft: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """The release, and names of files: those sent, those that were there, others removed."""

    release: Release
    sent: tuple[str, ...]
    there: tuple[str, ...]
    removed: tuple[str, ...]


class _Job:
    """One file on its way; ``known`` are files of its name that are in the way."""

    def __init__(
        self, host: Host, release: Release, file: File, known: Sequence[Remote], watch: Watch
    ) -> None:
        self._host = host
        self._release = release
        self._file = file
        self._known: Sequence[Remote] | None = known
        self._advance = watch(file.name)

    def attempt(self) -> None:
        """Have the file there; raises as :meth:`Host.send` does."""
        known, self._known = self._known, None
        if known is None:
            # Something went wrong before: what is there now?
            known = [r for r in self._host.remotes(self._release) if r.name == self._file.name]
        if not any(_same(self._host, self._release, remote, self._file) for remote in known):
            for remote in known:
                self._host.remove(remote)
            self._send()
        self._advance(self._file.size, self._file.size)

    def _send(self) -> None:
        sent = self._host.send(self._release, self._file, self._advance)
        if sent.name != self._file.name:
            self._host.remove(sent)
            raise UploadError(
                f"{self._host.name} has renamed {self._file.name} to {sent.name}",
                hint="give the file a name that the host keeps: the checksums have its name",
            )
        if not sent.fits(self._file):
            self._host.remove(sent)
            raise TransientError(
                f"{self._file.name} arrived at {self._host.name} with other content",
                hint="run the command again later: it goes on where it was",
            )


def upload(
    host: Host,
    files: Sequence[File],
    wish: Wish,
    policy: Policy,
    *,
    cancelled: threading.Event,
    watch: Watch,
) -> Outcome:
    """Send the files that are not there, and make the release public when all of them are.

    :raises SpecError: the host does not take a name or a size.
    :raises UploadError: the host refuses, or what is there is in the way.
    """
    host.check(files, wish)
    release = host.find(wish)
    if release is None:
        release = host.create(wish)
    there = host.remotes(release)
    others = _others(host, release, files, there, policy)
    same, wrong = _compared(host, release, files, there)
    if release.published and wrong and not policy.replace:
        raise UploadError(
            f"{host.name}: {wish.tag} is published with another {wrong[0].name}",
            hint="take another tag, or --replace to change what is published",
        )
    for remote in others:
        host.remove(remote)
    missing = [file for file in files if file.name not in same]
    jobs = [
        _Job(host, release, file, [r for r in there if r.name == file.name], watch)
        for file in missing
    ]
    _run(host, jobs, cancelled, alone=host.first_alone and not there)
    _check(host, release, files, same)
    if not policy.draft:
        release = host.publish(release, wish, files, replace=policy.replace)
    return Outcome(
        release,
        sent=tuple(file.name for file in missing),
        there=tuple(sorted(same)),
        removed=tuple(sorted(remote.name for remote in others)),
    )


def _others(
    host: Host, release: Release, files: Sequence[File], there: Sequence[Remote], policy: Policy
) -> list[Remote]:
    """Return what is to be removed: files of a draft that are not here."""
    names = {file.name for file in files}
    others = [remote for remote in there if remote.name not in names]
    if release.published:
        return []
    whole = [remote for remote in others if remote.complete]
    if whole and policy.others is None:
        raise UploadError(
            f"{host.name}: the draft has {whole[0].name}, which is not here",
            hint="--others keep publishes what the draft has, too; --others remove removes it",
        )
    return [r for r in others if not r.complete or policy.others == "remove"]


def _compared(
    host: Host, release: Release, files: Sequence[File], there: Sequence[Remote]
) -> tuple[set[str], list[File]]:
    """Return the names of files that are there already, and files that are there otherwise."""
    same: set[str] = set()
    wrong: list[File] = []
    for file in files:
        found = [remote for remote in there if remote.name == file.name]
        if any(_same(host, release, remote, file) for remote in found):
            same.add(file.name)
        elif any(remote.complete for remote in found):
            wrong.append(file)
    return same, wrong


def _same(host: Host, release: Release, remote: Remote, file: File) -> bool:
    if not remote.fits(file):
        return False
    return remote.sha256 is not None or host.digest(release, remote) == file.sha256


def _run(host: Host, jobs: Sequence[_Job], cancelled: threading.Event, *, alone: bool) -> None:
    calls = [functools.partial(host.repeated, job.attempt) for job in jobs]
    first = 1 if alone else 0
    run_together(calls[:first], cancelled)
    run_together(calls[first:], cancelled)


def _check(host: Host, release: Release, files: Sequence[File], same: set[str]) -> None:
    """Do nothing if all files are there.

    :raises UploadError: one is not, or not as it is here: something else changes the release.
    """
    found = {remote.name: remote for remote in host.remotes(release)}
    for file in files:
        remote = found.get(file.name)
        if remote is None or not remote.fits(file):
            known = "was" if file.name in same else "had arrived"
            raise UploadError(
                f"{host.name}: {file.name} {known} there, and is not any more",
                hint="does another job write to this release? Run the command again then",
            )
