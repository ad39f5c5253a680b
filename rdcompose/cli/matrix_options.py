"""Options of ``rdcompose matrix``."""

from __future__ import annotations

import argparse

from rdcompose.cli.project_options import add_only


def add_matrix(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "matrix",
        help="print the builds of rdcompose.toml as jobs of a CI",
        description="Print the builds that rdcompose.toml names as jobs of a CI, one for each "
        "build, or several builds to a job where the service takes no more jobs.",
    )
    parser.add_argument(
        "--format",
        choices=("github", "gitlab", "json"),
        default="json",
        help="a matrix of GitHub Actions, a child pipeline of GitLab CI, or a plain list "
        "(default: json)",
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        type=_limit,
        help="make at most so many jobs (default: what the service takes, 256 or 200; all of json)",
    )
    add_only(parser)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of jobs")
    return int(text)
