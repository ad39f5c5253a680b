"""All checks of all sets, and the report: as lines, and as JSON-ready data.

The fields of the latter are described in ``docs/verify.md``.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.checks.bootconfig import check_command_line, check_config_txt, check_tftp
from rdcompose.inspect.checks.bootfiles import (
    check_board_trees,
    check_firmware,
    check_initramfs,
    check_kernel,
)
from rdcompose.inspect.checks.bootroot import check_partitions, check_root, check_stamp
from rdcompose.inspect.checks.machine import architectures, check_machine
from rdcompose.inspect.checks.modules import check_dependencies, check_vermagic
from rdcompose.inspect.checks.programs import check_init, check_links, check_programs
from rdcompose.inspect.checks.records import check_checksums, check_device_trees, check_manifest
from rdcompose.inspect.checks.release import check_config, check_readable, check_release
from rdcompose.inspect.checks.symbols import check_symbols
from rdcompose.inspect.findings import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rdcompose.boards.firmware_view import BootView
    from rdcompose.inspect.artifact import Artifact
    from rdcompose.inspect.boots import BootFacts
    from rdcompose.inspect.collection import ArtifactSet, Collection
    from rdcompose.inspect.findings import Check, Finding

SCHEMA: Final = 1


@dataclasses.dataclass(frozen=True, slots=True)
class SetReport:
    """A set of files, and what was found; the checks that were made come in their order."""

    group: ArtifactSet
    checks: tuple[Check, ...]

    @property
    def contradictions(self) -> tuple[Finding, ...]:
        """Everything that cannot be, the most telling first."""
        return tuple(finding for check in self.checks for finding in check.contradictions)

    @property
    def architecture(self) -> str | None:
        """Debian's name of the architecture, of several the first."""
        return next((row.name for row in architectures(self.group)), None)


@dataclasses.dataclass(frozen=True, slots=True)
class FolderReport:
    """A boot folder of a Raspberry Pi, and what was found of it as a whole."""

    facts: BootFacts
    checks: tuple[Check, ...]

    @property
    def contradictions(self) -> tuple[Finding, ...]:
        """Everything that cannot be, the most telling first."""
        return tuple(finding for check in self.checks for finding in check.contradictions)


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """The reports of boot folders, and of all sets, theirs among them."""

    sets: tuple[SetReport, ...]
    left_over: tuple[Artifact, ...]
    folders: tuple[FolderReport, ...] = ()

    @property
    def contradictions(self) -> tuple[Finding, ...]:
        """Everything that cannot be, of all folders and sets."""
        of_folders = [finding for one in self.folders for finding in one.contradictions]
        return (*of_folders, *(finding for one in self.sets for finding in one.contradictions))


def verify(collection: Collection, folders: Iterable[BootFacts] = ()) -> Report:
    """Make every check of every set and boot folder.

    :raises SpecError: a file that a manifest or checksums name cannot be read.
    """
    known = tuple(folders)
    reports = [*_reports(collection.sets)]
    for facts in known:
        reports += _reports(facts.sets)
    return Report(
        tuple(reports),
        collection.left_over,
        tuple(
            FolderReport(facts, tuple(check(facts) for check in _BOOT_CHECKS)) for facts in known
        ),
    )


def _reports(sets: Sequence[ArtifactSet]) -> Iterator[SetReport]:
    releases = [group.named or group.release for group in sets]
    for number, group in enumerate(sets):
        others = {name for name in releases if name not in {None, releases[number]}}
        yield SetReport(group, _checked(group, frozenset(map(str, others))))


_BOOT_CHECKS: Final = (
    check_config_txt,
    check_kernel,
    check_initramfs,
    check_board_trees,
    check_firmware,
    check_command_line,
    check_partitions,
    check_root,
    check_stamp,
    check_tftp,
)


def _checked(group: ArtifactSet, others: frozenset[str]) -> tuple[Check, ...]:
    return (
        check_readable(group),
        check_release(group),
        check_config(group),
        check_machine(group),
        check_vermagic(group),
        check_symbols(group),
        check_dependencies(group),
        check_init(group),
        check_programs(group),
        check_links(group),
        check_device_trees(group),
        check_manifest(group),
        check_checksums(group, others),
    )


def as_lines(report: Report, *, verbose: bool) -> Iterator[str]:
    """Yield the report as text: a heading for each set, then a line for each check.

    ``verbose``: also what was not checked, and why.
    """
    yield from map(printable, _lines(report, verbose=verbose))


def _lines(report: Report, *, verbose: bool) -> Iterator[str]:
    for folder in report.folders:
        yield _folder_heading(folder.facts)
        yield from check_lines(folder.checks, verbose=verbose)
    for one in report.sets:
        yield _heading(one)
        yield from check_lines(one.checks, verbose=verbose)
    for artifact in report.left_over:
        yield f"left over: {artifact.name} ({artifact.problem or artifact.what})"


def check_lines(checks: Iterable[Check], *, verbose: bool) -> Iterator[str]:
    """Yield a line for each check that was made, and for what else was found."""
    for check in checks:
        if not check.done and not check.findings:
            if verbose:
                yield f"  {'-':7} {check.name:13} {check.summary}"
            continue
        if not check.contradictions and check.summary:
            yield f"  {'ok':7} {check.name:13} {check.summary}"
        for finding in check.findings:
            yield f"  {_mark(finding):7} {check.name:13} {finding.message}"


def _folder_heading(facts: BootFacts) -> str:
    boards = ", ".join(dict.fromkeys(boot.view.model.name for boot in facts.boots))
    return f"{facts.folder.kind.value} {facts.folder.name}: Raspberry Pi {boards}"


def _heading(one: SetReport) -> str:
    names = [row.name for row in one.group.artifacts if row.kind is not Kind.DEVICE_TREE]
    told = ", ".join(part for part in (one.group.release, one.architecture) if part)
    return f"{told or 'of no release that can be told'}: {', '.join(names)}"


def _mark(finding: Finding) -> str:
    return "FAILED" if finding.severity.value == "contradiction" else "remark"


def as_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON-ready data."""
    return {
        "schema": SCHEMA,
        "ok": not report.contradictions,
        "folders": [_folder(one) for one in report.folders],
        "sets": [_set(one) for one in report.sets],
        "left_over": [
            {
                "name": printable(row.name),
                "kind": row.kind.value,
                "why": printable(row.problem or row.what),
            }
            for row in report.left_over
        ],
    }


def _set(one: SetReport) -> dict[str, Any]:
    release = one.group.release
    return {
        "release": None if release is None else printable(release),
        "architecture": one.architecture,
        "ok": not one.contradictions,
        "files": [
            {"name": printable(row.name), "kind": row.kind.value, "size": row.size}
            for row in one.group.artifacts
        ],
        "checks": checks_as_json(one.checks),
    }


def _folder(one: FolderReport) -> dict[str, Any]:
    return {
        "name": printable(one.facts.folder.name),
        "kind": one.facts.folder.kind.value,
        "ok": not one.contradictions,
        "boards": [_board(boot.view) for boot in one.facts.boots],
        "checks": checks_as_json(one.checks),
    }


def _board(view: BootView) -> dict[str, Any]:
    return {
        "board": view.model.name,
        "variant": view.variant.name,
        "bits": view.bits,
        "os_prefix": printable(view.prefix),
        "kernel": _name(view.kernel),
        "initramfs": [printable(name) for name in view.initramfs],
        "device_tree": _name(view.device_tree),
        "cmdline": _name(view.cmdline),
    }


def _name(path: str | None) -> str | None:
    return None if path is None else printable(path)


def checks_as_json(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """Return checks as JSON-ready data."""
    return [
        {
            "name": check.name,
            "result": _result(check),
            "summary": printable(check.summary),
            "findings": [
                {"severity": finding.severity.value, "message": finding.message}
                for finding in check.findings
            ],
        }
        for check in checks
    ]


def _result(check: Check) -> str:
    if check.contradictions:
        return "failed"
    return "passed" if check.done else "skipped"
