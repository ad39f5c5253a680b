"""``rdcompose upload``: a directory of files as a release at GitHub or GitLab."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Final

from rdcompose.cli.terminal import size_text, table, transfers
from rdcompose.errors import SpecError, UsageError
from rdcompose.hosting import github, gitlab
from rdcompose.hosting.folder import read_folder
from rdcompose.hosting.github import GitHub
from rdcompose.hosting.gitlab import GitLab
from rdcompose.hosting.host import Wish
from rdcompose.hosting.upload import Policy, upload

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from rdcompose.hosting.folder import File
    from rdcompose.hosting.host import Host
    from rdcompose.hosting.upload import Outcome

NOTES: Final = "NOTES.md"


def upload_directory(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status.

    :raises UsageError: options do not go together, or there is no token.
    :raises SpecError: the files are not what ``SHA256SUMS`` says, or cannot be published.
    :raises UploadError: the host refuses, or cannot be reached.
    """
    _check_options(arguments)
    cancelled = threading.Event()
    host = _host(arguments, cancelled)
    if not arguments.directory.is_dir():
        raise SpecError(f"{arguments.directory} is no directory")
    files = read_folder(arguments.directory)
    wish = Wish(
        tag=arguments.tag,
        title=_title(arguments.directory) if arguments.title is None else arguments.title,
        notes=_notes(arguments.directory, arguments.notes),
        target=arguments.target,
        prerelease=arguments.prerelease,
    )
    policy = Policy(replace=arguments.replace, others=arguments.others, draft=arguments.draft)
    shown = not (arguments.quiet or arguments.no_progress or arguments.json)
    with transfers(shown=shown) as watch:
        outcome = upload(host, files, wish, policy, cancelled=cancelled, watch=watch)
    if arguments.json:
        print(json.dumps(_as_json(outcome), indent=2, ensure_ascii=False))
    elif not arguments.quiet:
        print(_as_text(outcome, files))
    return 0


def _check_options(arguments: argparse.Namespace) -> None:
    for name, of_github in (("draft", True), ("prerelease", True), ("package", False)):
        if getattr(arguments, name) and (arguments.github is not None) is not of_github:
            host = "GitLab" if of_github else "GitHub"
            raise UsageError(f"--{name}: there is no such thing at {host}")
    if not arguments.tag or not arguments.tag.isprintable() or " " in arguments.tag:
        raise UsageError(f"{arguments.tag!r} is no name of a tag")


def _host(arguments: argparse.Namespace, cancelled: threading.Event) -> Host:
    if arguments.github is not None:
        api = arguments.api or os.environ.get("GITHUB_API_URL") or github.DEFAULT_API
        token = _token("GITHUB_TOKEN", "GH_TOKEN")[1]
        return GitHub(github.settings(arguments.github, token, cancelled, api=api))
    api = arguments.api or os.environ.get("CI_API_V4_URL") or gitlab.DEFAULT_API
    name, token = _token("GITLAB_TOKEN", "CI_JOB_TOKEN")
    job = name == "CI_JOB_TOKEN"
    settings = gitlab.settings(arguments.gitlab, token, cancelled, job=job, api=api)
    return GitLab(settings, package=arguments.package or gitlab.DEFAULT_PACKAGE)


def _token(*names: str) -> tuple[str, str]:
    """Return the first of these variables that is set, and the token in it."""
    for name in names:
        # A secret that was pasted often ends with a line feed.
        token = os.environ.get(name, "").strip()
        if token:
            if not token.isascii() or not token.isprintable() or " " in token:
                raise UsageError(f"what is in {name} is no token")
            return name, token
    raise UsageError(
        f"there is no token in {' or '.join(names)}",
        hint="put one into the environment that may write releases and their files",
    )


def _notes(directory: Path, given: Path | None) -> str | None:
    path = directory / NOTES if given is None else given
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if given is None:
            return None
        raise SpecError(f"cannot read {path}: there is no such file") from None
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not UTF-8: {error.reason}") from error


def _title(directory: Path) -> str | None:
    """Return what the release is called, if ``rdcompose release`` has written it."""
    try:
        manifest = json.loads((directory / "manifest.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return None  # some other file, or none
    name = manifest.get("name") if isinstance(manifest, dict) else None
    return name if isinstance(name, str) and name else None


def _as_text(outcome: Outcome, files: Sequence[File]) -> str:
    rows = [
        ("sent" if file.name in outcome.sent else "there", size_text(file.size), file.name)
        for file in files
    ]
    rows += [("removed", "", name) for name in outcome.removed]
    state = "published" if outcome.release.published else "draft"
    return f"{table(rows)}\n{state} {outcome.release.url}".rstrip()


def _as_json(outcome: Outcome) -> dict[str, object]:
    return {
        "url": outcome.release.url,
        "published": outcome.release.published,
        "sent": list(outcome.sent),
        "there": list(outcome.there),
        "removed": list(outcome.removed),
    }
