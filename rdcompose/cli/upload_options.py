"""The options of ``rdcompose upload``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_upload(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "upload",
        help="publish a directory of files as a release at GitHub or GitLab",
        description="Send the files of DIR to a draft of the release TAG and publish it when all "
        "are there and right. What is there already is not sent again: after an interruption, run "
        "the same command again. The token is that in GITHUB_TOKEN or GH_TOKEN, or in GITLAB_TOKEN "
        "or CI_JOB_TOKEN.",
    )
    parser.add_argument(
        "directory",
        metavar="DIR",
        type=Path,
        help="what rdcompose release or rdcompose build has written, with its SHA256SUMS",
    )
    parser.add_argument("tag", metavar="TAG", help="the tag of the release")
    host = parser.add_mutually_exclusive_group(required=True)
    host.add_argument("--github", metavar="OWNER/REPO", help="the repository at GitHub")
    host.add_argument(
        "--gitlab", metavar="PROJECT", help="the project at GitLab, its path or its number"
    )
    _add_release(parser)
    _add_conflicts(parser)
    group = parser.add_argument_group("how it runs")
    group.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    group.add_argument("--no-progress", action="store_true", help="show no progress")
    group.add_argument("--json", action="store_true", help="print the result as JSON")


def _add_release(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what the release says")
    group.add_argument(
        "--title", metavar="TEXT", help="its title (default: the name in manifest.json)"
    )
    group.add_argument(
        "--notes",
        metavar="FILE",
        type=Path,
        help="its text, in Markdown (default: NOTES.md in DIR, if there is one)",
    )
    group.add_argument(
        "--target",
        metavar="COMMIT",
        help="commit or branch that the tag is made at if it does not exist",
    )
    group.add_argument(
        "--prerelease", action="store_true", help="mark it as not for everyone (GitHub)"
    )
    group.add_argument(
        "--package",
        metavar="NAME",
        help="generic package that holds the files at GitLab (default: release)",
    )


def _add_conflicts(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is there already")
    group.add_argument(
        "--replace",
        action="store_true",
        help="change files of a release that is published (default: stop)",
    )
    group.add_argument(
        "--others",
        choices=("keep", "remove"),
        help="files of the draft that are not in DIR (default: stop)",
    )
    group.add_argument(
        "--draft", action="store_true", help="leave it a draft, to be published later (GitHub)"
    )
    group.add_argument(
        "--api",
        metavar="URL",
        help="the API of a server of your own (default: GITHUB_API_URL or CI_API_V4_URL, else "
        "github.com or gitlab.com)",
    )
