"""``rdcompose rebuild``: whether what a manifest names comes out again."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rdcompose.cli.as_command import as_command
from rdcompose.cli.composition import DEFAULTS, Compositions, wish
from rdcompose.cli.terminal import progress, table
from rdcompose.compose.filesource import PI_FIRMWARE
from rdcompose.errors import SpecError, UsageError
from rdcompose.outputs import write_outputs
from rdcompose.release.rebuilt import compare_build
from rdcompose.release.records import read_record

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from rdcompose.release.rebuilt import Compared
    from rdcompose.release.records import BuildRecord


def rebuild(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status.

    :raises SpecError: a file is not the same; the first that is not.
    """
    if arguments.check == (arguments.output is not None):
        raise UsageError(
            "what is built again is either only compared or kept",
            hint="give --check, or --output DIR",
        )
    record = read_record(arguments.manifest)
    builds = _chosen(record.builds, arguments.only or [])
    shown = not (arguments.quiet or arguments.no_progress)
    rows: list[tuple[str, Compared]] = []
    with _directory(arguments.output) as directory:
        for build in builds:
            target = directory / build.name if len(record.builds) > 1 else directory
            if _same(target, arguments.manifest.parent):
                raise UsageError(f"{target} holds what is to be compared with", hint="name another")
            if PI_FIRMWARE in build.lock.options:
                made = _build_folder(arguments, build, target)
            else:
                made = _build(arguments, build, target, shown=shown)
            title = build.name or build.lock.release
            rows += [(title, row) for row in compare_build(build, arguments.manifest, made)]
    _tell(arguments, rows)
    return 0


def _chosen(builds: tuple[BuildRecord, ...], names: list[str]) -> tuple[BuildRecord, ...]:
    known = {build.name: build for build in builds}
    for name in names:
        if name not in known:
            raise UsageError(
                f"the manifest names no build {name!r}", hint=f"there is {', '.join(known)}"
            )
    return tuple(build for build in builds if not names or build.name in names)


@contextlib.contextmanager
def _directory(output: Path | None) -> Iterator[Path]:
    if output is not None:
        yield output
        return
    with tempfile.TemporaryDirectory(prefix="rdcompose-rebuild-") as directory:
        yield Path(directory)


def _same(one: Path, other: Path) -> bool:
    return one.is_dir() and one.samefile(other)


def _build(arguments: argparse.Namespace, build: BuildRecord, target: Path, *, shown: bool) -> Path:
    """Build as ``rdcompose build --locked`` does, without anything that was kept of a kernel."""
    own = as_command("build", arguments, only=None)
    lock = build.lock
    wanted = wish(own, lock, DEFAULTS)
    with _no_epoch():
        composition = Compositions(store=None, shown=shown).compose(wanted)
        with progress(f"composing {lock.release}", shown=shown):
            plans = composition.plans()
            lock.check(plans[0].inputs)
            write_outputs(plans, target, threads=arguments.threads)
    return target


def _build_folder(arguments: argparse.Namespace, build: BuildRecord, target: Path) -> Path:
    """Make a boot folder as ``rdcompose pi --locked`` does; returns where the kernel's files are.

    :raises UsageError: something is there.
    """
    from rdcompose.cli.pi import pi  # with all that it knows of boards

    made = target / build.lock.release
    if made.exists():
        raise UsageError(f"{made} is there already", hint="name another directory with --output")
    own = as_command("pi", arguments, only=None)
    own.locked, own.output = [arguments.manifest], target
    own.prepared, own.json, own.quiet = False, False, True
    with _no_epoch():
        pi(own)
    return made


@contextlib.contextmanager
def _no_epoch() -> Iterator[None]:
    """Keep the time of the manifest, whatever time the environment wants."""
    kept = os.environ.pop("SOURCE_DATE_EPOCH", None)
    try:
        yield
    finally:
        if kept is not None:
            os.environ["SOURCE_DATE_EPOCH"] = kept


def _tell(arguments: argparse.Namespace, rows: list[tuple[str, Compared]]) -> None:
    if arguments.json:
        print(json.dumps([_as_json(*row) for row in rows], indent=2, ensure_ascii=False))
    elif not arguments.quiet:
        print(table([(row.name, _said(row), row.remark) for _, row in rows]))
    for title, row in rows:
        if not row.same:
            raise SpecError(
                f"{row.name} of {title} does not come out again: {row.remark}",
                hint="use the versions of rdcompose and its libraries that it was built with",
            )


def _said(row: Compared) -> str:
    return "the same" if row.same else "differs"


def _as_json(title: str, row: Compared) -> dict[str, Any]:
    return {"build": title, **dataclasses.asdict(row)}
