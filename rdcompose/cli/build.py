"""``rdcompose build``: from options to a composition, and what is said about it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rdcompose.cli.composition import DEFAULTS, Compositions, wish
from rdcompose.cli.summary import summary
from rdcompose.cli.terminal import progress, size_text, table
from rdcompose.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rdcompose.cli.project_builds import NamedBuild
    from rdcompose.compose.inputs import Input
    from rdcompose.compose.plan import Plan
    from rdcompose.outputs import Result


def build(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    builds = _named(arguments)
    if arguments.report == "-" and arguments.json:
        raise UsageError(
            "--report - and --json cannot both have standard output",
            hint="as data the report is written by --report FILE.json",
        )
    if builds:
        from rdcompose.cli.builds import build_project

        return build_project(arguments, builds)
    for option in ("only", "jobs", "executor"):
        if getattr(arguments, option) is not None:
            raise UsageError(
                f"--{option} is for the builds that rdcompose.toml names",
                hint="give no KERNEL, and name builds there",
            )
    if len(arguments.profile or ()) > 1:
        from rdcompose.cli.builds import build_profiles

        return build_profiles(arguments)
    if arguments.profile is not None:
        arguments.profile = arguments.profile[0]
    arguments.output = arguments.output or Path()
    return _build_one(arguments)


def _named(arguments: argparse.Namespace) -> Sequence[NamedBuild]:
    """Return the builds that a project names, if it is to be built."""
    if arguments.kernel or arguments.locked is not None:
        return ()
    from rdcompose.cli.project import read_project
    from rdcompose.cli.project_builds import read_builds

    return read_builds(read_project())


def _build_one(arguments: argparse.Namespace) -> int:
    started = time.monotonic()
    lock = None
    if arguments.locked is not None:
        from rdcompose.compose.lock import read_lock

        lock = read_lock(arguments.locked)
    shown = not (arguments.quiet or arguments.no_progress)
    wanted = wish(arguments, lock, DEFAULTS)
    # What is asked for wrongly is told before all this is loaded.
    from rdcompose.cli.prepared import kept_blocks, kernel_store
    from rdcompose.outputs import write_outputs

    with kernel_store(arguments) as store:
        composition = Compositions(store=store, shown=shown).compose(wanted)
        with progress("composing", shown=shown):
            plans = composition.plans()
            if lock is not None:
                lock.check(plans[0].inputs)
            with kept_blocks(store, composition.kernels.packages) as blocks:
                results = write_outputs(
                    plans, arguments.output, threads=arguments.threads, blocks=blocks
                )
    kernel = composition.kernels.inputs[0]
    _tell(arguments, plans, results, kernel, seconds=time.monotonic() - started)
    if arguments.report is not None:
        from rdcompose.cli.report import report_builds

        files = [
            [arguments.output / output.name for output in result.outputs] for result in results
        ]
        report_builds(files, arguments.report, threads=arguments.threads)
    return 0


def _tell(
    arguments: argparse.Namespace,
    plans: Sequence[Plan],
    results: Sequence[Result],
    kernel: Input,
    *,
    seconds: float,
) -> None:
    if arguments.json:
        found = [summary(result, arguments.output) for result in results]
        data = found[0] if len(found) == 1 else found
        print(json.dumps(data, indent=2, ensure_ascii=False))
    elif not arguments.quiet:
        _report(plans, results, kernel, seconds=seconds)
    if arguments.verbose:
        for plan in plans:
            prefix = "note: " if len(plans) == 1 else f"note: {plan.release}: "
            for note in plan.notes:
                print(f"{prefix}{note}", file=sys.stderr)


def _initramfs_remark(plan: Plan) -> str:
    remark = f"{len(plan.selection.ramdisk)} modules, {plan.compression}"
    if plan.firmware:
        remark = f"{len(plan.firmware)} files of firmware, {remark}"
    if plan.microcode:
        size = size_text(sum(len(blob.data) for blob in plan.microcode))
        remark += f"; in front of it {size} of microcode"
    return remark


def _report(
    plans: Sequence[Plan], results: Sequence[Result], kernel: Input, *, seconds: float
) -> None:
    remarks: dict[str, str] = {}
    for plan in plans:
        remarks |= _remarks(plan, kernel)
    outputs = {output.name: output for result in results for output in result.outputs}
    rows = [
        (output.name, size_text(output.size), remarks.get(output.name, ""))
        for output in outputs.values()
    ]
    directories = (result.manifest["initramfs"]["directory"] for result in results)
    rows += [
        (f"{found['name']}/", "", "what the initramfs holds")
        for found in directories
        if found is not None
    ]
    print(table(rows))
    for row in (row for result in results for row in result.manifest["own_modules"]):
        print(f"{row['path']}, your own: {' and '.join(row['in'])}")
    what = ", ".join(f"{plan.architecture.name} kernel {plan.release}" for plan in plans)
    count = sum(len(plan.notes) for plan in plans)
    notes = f", {count} notes (shown by -v)" if count else ""
    print(f"{what} in {seconds:.1f} s{notes}")


def _remarks(plan: Plan, kernel: Input) -> dict[str, str]:
    """Return what is said of files, by their names."""
    disk = plan.disk
    origin = f" of {kernel.archive.suite}" if kernel.archive is not None else ""
    name = f"{kernel.package} {kernel.version}{origin}" if kernel.package else kernel.source
    remarks = {
        f"initramfs-{plan.release}": _initramfs_remark(plan),
        f"{plan.image.name}-{plan.release}": name,
    }
    if plan.uki is not None:
        remarks[f"{plan.release}.efi"] = f"{plan.uki.stub}, kernel and initramfs"
    if disk is not None:
        remarks[f"modules-{plan.release}.{disk.format.value}"] = (
            f"{disk.modules} modules, {disk.compression}"
        )
    return remarks
