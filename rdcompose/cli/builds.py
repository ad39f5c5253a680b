"""Several builds in one call: those of ``rdcompose.toml``, and several profiles of a kernel."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rdcompose.cli.composition import DEFAULTS, wish
from rdcompose.cli.job import Part, build_job, jobs_of, outcomes_of
from rdcompose.cli.project import PROJECT_FILE
from rdcompose.cli.project_builds import arguments_of, chosen
from rdcompose.cli.terminal import progress, size_text, table
from rdcompose.compose.lock import read_lock
from rdcompose.compose.profile import load_profile
from rdcompose.errors import RdcomposeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from rdcompose.cli.job import Job, Outcome
    from rdcompose.cli.job_pool import Pool
    from rdcompose.cli.project_builds import NamedBuild


def build_project(arguments: argparse.Namespace, builds: Sequence[NamedBuild]) -> int:
    """Make the builds that a project names; returns the exit status."""
    parts = [
        part
        for build in chosen(builds, arguments.only)
        for part in _profiles(arguments_of(build, arguments), build.name)
    ]
    _check(parts, f"{PROJECT_FILE}: build ")
    return _run(arguments, parts)


def build_profiles(arguments: argparse.Namespace) -> int:
    """Make a build with each of several profiles; returns the exit status."""
    output = arguments.output or Path()
    parts = _profiles(argparse.Namespace(**{**vars(arguments), "output": output}), "")
    _check(parts, "profile ")
    return _run(arguments, parts)


def _profiles(arguments: argparse.Namespace, name: str) -> list[Part]:
    """Return a build for each profile, of several each in a directory of its name."""
    profiles: list[str] = arguments.profile or []
    if len(profiles) < 2:
        return [Part(title=name, arguments=_with(arguments, profile=next(iter(profiles), None)))]
    parts = []
    for profile in profiles:
        folder = load_profile(profile).name
        output = arguments.output / folder
        title = f"{name}/{folder}" if name else folder
        parts.append(Part(title=title, arguments=_with(arguments, profile=profile, output=output)))
    return parts


def _with(arguments: argparse.Namespace, **changed: object) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(arguments), **changed})


def _check(parts: Sequence[Part], what: str) -> None:
    """Check every build before the first is begun.

    :raises RdcomposeError: one asks for what cannot be, or two write to one directory.
    """
    places: dict[str, str] = {}
    for part in parts:
        arguments = part.arguments
        where = f"{what}{part.title!r}: "
        try:
            lock = None if arguments.locked is None else read_lock(arguments.locked)
            wish(arguments, lock, DEFAULTS)
        except RdcomposeError as error:
            raise type(error)(f"{where}{error.message}", hint=error.hint) from error
        place = os.path.abspath(arguments.output)  # noqa: PTH100 (nothing may be there yet)
        if place in places:
            raise UsageError(
                f"{where}it would write to {arguments.output}, as {places[place]!r} does",
                hint="give each a directory of its own",
            )
        places[place] = part.title


def _run(arguments: argparse.Namespace, parts: Sequence[Part]) -> int:
    jobs = jobs_of(parts, Path.cwd())
    shown = not (arguments.quiet or arguments.no_progress)
    count = min(arguments.jobs or 1, len(jobs))
    pool = _pool(arguments, count)
    outcomes: Generator[Outcome, None, None]
    if pool is None:
        outcomes = (outcome for job in jobs for outcome in outcomes_of(job, shown=shown))
    else:
        # What is on one machine shares its processors.
        threads = max(1, arguments.threads // count)
        outcomes = _beside([_with_threads(job, threads) for job in jobs], pool, shown=shown)
    found: dict[str, Outcome] = {}
    with contextlib.closing(outcomes):
        for outcome in outcomes:
            found[outcome.title] = outcome
            _tell_at_once(outcome)
    status = _tell(arguments, [found[part.title] for part in parts])
    if arguments.report is not None:
        _report(arguments, [found[part.title] for part in parts])
    return status


def _report(arguments: argparse.Namespace, outcomes: Sequence[Outcome]) -> None:
    """Report on all builds that were made, in one report."""
    from rdcompose.cli.report import report_builds

    files = [
        [Path(file["path"]) for file in found["files"]]
        for outcome in outcomes
        for found in outcome.summaries
    ]
    report_builds(files, arguments.report, threads=arguments.threads)


def _pool(arguments: argparse.Namespace, count: int) -> Pool | None:
    """Return where jobs run, ``None`` for one after the other in this process.

    :raises RdcomposeError: there is no such place.
    """
    if arguments.executor is not None:
        from rdcompose.cli.job_cluster import ClusterPool

        if arguments.jobs is not None:
            raise UsageError(
                "--jobs has no meaning with --executor", hint="the cluster's workers are as many"
            )
        return ClusterPool(arguments.executor)
    if count == 1:
        return None
    from rdcompose.cli.job_pool import ProcessPool

    return ProcessPool(count)


def _with_threads(job: Job, threads: int) -> Job:
    parts = (
        dataclasses.replace(part, arguments=_with(part.arguments, threads=threads))
        for part in job.parts
    )
    return dataclasses.replace(job, parts=tuple(parts))


def _beside(jobs: Sequence[Job], pool: Pool, *, shown: bool) -> Generator[Outcome, None, None]:
    from rdcompose.cli.job_pool import run_jobs

    total = sum(len(job.parts) for job in jobs)
    with progress(f"building {total}", shown=shown) as advance:
        for number, outcome in enumerate(run_jobs(jobs, pool, build_job), 1):
            advance(number, total)
            yield outcome


def _tell_at_once(outcome: Outcome) -> None:
    """Say on standard error what cannot wait until all are done."""
    for line in outcome.said:
        print(line, file=sys.stderr)
    failure = outcome.failure
    if failure is not None:
        print(f"rdcompose: error: {outcome.title}: {failure.message}", file=sys.stderr)
        if failure.hint is not None:
            print(f"  hint: {failure.hint}", file=sys.stderr)


def _tell(arguments: argparse.Namespace, outcomes: Sequence[Outcome]) -> int:
    failed = [outcome.title for outcome in outcomes if outcome.failure is not None]
    if arguments.json:
        print(json.dumps([_row(outcome) for outcome in outcomes], indent=2, ensure_ascii=False))
    elif not arguments.quiet:
        rows = [row for outcome in outcomes for row in _rows(outcome)]
        if rows:
            print(table(rows))
        print(f"{len(outcomes) - len(failed)} of {len(outcomes)} builds made")
    if arguments.verbose:
        for outcome in outcomes:
            for found in outcome.summaries:
                for note in found["notes"]:
                    print(f"note: {outcome.title}: {note}", file=sys.stderr)
    if failed:
        print(f"rdcompose: error: not made: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _row(outcome: Outcome) -> dict[str, object]:
    failure = outcome.failure
    return {
        "name": outcome.title,
        "output": str(outcome.output),
        "error": None if failure is None else failure.message,
        "kernels": list(outcome.summaries),
    }


def _rows(outcome: Outcome) -> Iterator[tuple[str, str, str]]:
    for found in outcome.summaries:
        release = found["release"]
        sizes = {file["name"]: file["size"] for file in found["files"]}
        parts = [f"initramfs {size_text(sizes[f'initramfs-{release}'])}"]
        parts += [
            f"disk {size_text(size)}"
            for name, size in sizes.items()
            if name.startswith(f"modules-{release}.")
        ]
        size = size_text(sum(sizes.values()))
        yield outcome.title, size, f"{outcome.output}/: {release}, {', '.join(parts)}"
