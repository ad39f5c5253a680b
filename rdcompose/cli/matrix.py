"""``rdcompose matrix``: the builds of a project as jobs of a CI.

A matrix of GitHub Actions is "at most 256 jobs per workflow run" by its documentation. GitLab's
``parallel:matrix`` ends at 200, and puts all variables into the names of jobs, which end at 255
characters: so what is printed for it are jobs of their own, as many.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, Final

from rdcompose.cli.job import same_kernel
from rdcompose.cli.project import PROJECT_FILE, read_project
from rdcompose.cli.project_builds import chosen, read_builds
from rdcompose.errors import SpecError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from rdcompose.cli.project_builds import NamedBuild

_LIMITS: Final[Mapping[str, int]] = {"github": 256, "gitlab": 200}
# In ci/gitlab.yml.
_TEMPLATE: Final = ".rdcompose-build"


def matrix(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    builds = chosen(read_builds(read_project()), arguments.only)
    if not builds:
        raise SpecError(
            f"{PROJECT_FILE} names no builds", hint="begin each with [[build]], in this directory"
        )
    limit = arguments.limit or len(builds)
    jobs = split(builds, min(limit, _LIMITS.get(arguments.format, limit)))
    if arguments.format == "github":
        # In one line, as GITHUB_OUTPUT wants it.
        print(json.dumps({"include": [_row(job) for job in jobs]}))
    elif arguments.format == "gitlab":
        # JSON is YAML, too.
        print(json.dumps(dict(map(_gitlab, jobs)), indent=2))
    else:
        rows = [_row(job) | {"builds": [build.name for build in job]} for job in jobs]
        print(json.dumps(rows, indent=2))
    return 0


def split(builds: Sequence[NamedBuild], limit: int) -> list[list[NamedBuild]]:
    """Return builds as at most ``limit`` jobs of nearly the same length.

    Where jobs have several builds, those of one kernel stand together.
    """
    count = min(limit, len(builds))
    if count == len(builds):
        return [[build] for build in builds]
    ordered = [build for group in same_kernel(builds, lambda row: row.options) for build in group]
    ends = [len(ordered) * number // count for number in range(count + 1)]
    return [ordered[start:end] for start, end in itertools.pairwise(ends)]


def _name(job: Sequence[NamedBuild]) -> str:
    more = len(job) - 1
    return f"{job[0].name} and {more} more" if more else job[0].name


def _row(job: Sequence[NamedBuild]) -> dict[str, Any]:
    return {"name": _name(job), "args": _args(job)}


def _gitlab(job: Sequence[NamedBuild]) -> tuple[str, dict[str, Any]]:
    # With a word in front, because not every name can be a job's there.
    variables = {"RDCOMPOSE_ARGS": _args(job)}
    return f"build {_name(job)}", {"extends": _TEMPLATE, "variables": variables}


def _args(job: Sequence[NamedBuild]) -> str:
    return " ".join(f"--only {build.name}" for build in job)
