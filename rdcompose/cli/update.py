"""``update-busybox`` and ``update-e2fsck``: refresh the programs of a template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.cli.archive import archive_session
from rdcompose.cli.fetching import fetch
from rdcompose.cli.kernels import host_architecture
from rdcompose.compose.inputs import read_file
from rdcompose.compose.programname import PATHS, ProgramName
from rdcompose.compose.programs import load_program, program_architecture
from rdcompose.compose.resolve import resolve_program
from rdcompose.errors import SpecError
from rdcompose.kernel.release import architecture_by_name
from rdcompose.update import update_template

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from rdcompose.kernel.release import Architecture


def update(arguments: argparse.Namespace) -> int:
    """Run one of the two commands; returns the exit status."""
    name = ProgramName(arguments.command.removeprefix("update-"))
    template: Path = arguments.template
    if not template.is_dir():
        raise SpecError(f"there is no template directory {template}")
    architecture = None
    source: Path | None = arguments.source
    if source is None:
        architecture = _architecture(arguments.arch, template / PATHS[name])
        source = _fetched(arguments, name, architecture)
    elif arguments.arch is not None:
        architecture = architecture_by_name(arguments.arch)
    program = load_program(name, read_file(source, name), str(source), architecture=architecture)
    links = update_template(template, program)
    if not arguments.quiet:
        version = f" {program.origin.version}" if program.origin.version else ""
        print(f"{template}: {name}{version} for {program.architecture.name}, {links} links")
    return 0


def _architecture(option: str | None, program: Path) -> Architecture:
    """Return what the option says, else what the template is for, else the host's."""
    if option is None and program.is_file():
        return program_architecture(read_file(program, "program"), str(program))
    return host_architecture(option, None)


def _fetched(arguments: argparse.Namespace, name: ProgramName, architecture: Architecture) -> Path:
    shown = not (arguments.quiet or arguments.no_progress)
    with archive_session(arguments, shown=shown) as session:
        archive = session.archive
        found = resolve_program(f"{name}-static", archive.suite, architecture.name, archive)
        return fetch([found], session)[0].path
