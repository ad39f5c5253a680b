"""``rdcompose build``: from options to a composition, and what is said about it."""

from __future__ import annotations

import functools
import json
import sys
import time
from typing import TYPE_CHECKING, Final

from rdcompose.cli.acquire import (
    Acquired,
    acquire,
    architecture_asked_for,
    local_packages,
)
from rdcompose.cli.asked import ask
from rdcompose.cli.environment import source_date_epoch
from rdcompose.cli.kernel_input import read_kernel
from rdcompose.cli.sources import wanted_sources
from rdcompose.cli.terminal import progress, size_text, table
from rdcompose.cli.uki import uki_spec
from rdcompose.compose.addlist import parse_request
from rdcompose.compose.filesource import FIRMWARE, MICROCODE, MODULE, STUB, SYMVERS
from rdcompose.compose.lock import Lock, read_lock
from rdcompose.compose.plan import Plan, make_plan
from rdcompose.compose.profile import load_profile
from rdcompose.compose.spec import (
    Codec,
    ComposeSpec,
    DiskFormat,
    DiskMode,
    EmitForm,
    FirmwareMode,
    ImageForm,
)
from rdcompose.errors import SpecError, UsageError
from rdcompose.formats.compression import parse_compression
from rdcompose.formats.squashfs import compressors
from rdcompose.kernel.release import architecture_by_name
from rdcompose.outputs import Result, write_outputs

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from rdcompose.compose.addlist import Request
    from rdcompose.compose.inputs import Input
    from rdcompose.kernel.release import Architecture

# Named as the manifest names them.
_OPTIONS: Final = (
    "profile",
    "image",
    "compress",
    "disk",
    "disk-format",
    "disk-compress",
    "firmware",
)
_DEFAULTS: Final = {
    "profile": "minivm",
    "image": "package",
    "disk": "remaining",
    "disk-format": "qcow2",
}


def build(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    started = time.monotonic()
    lock = None if arguments.locked is None else read_lock(arguments.locked)
    options = _options(arguments, lock)
    shown = not (arguments.quiet or arguments.no_progress)
    requests = _requests(arguments, options)
    asked = ask(arguments, lock, requests, wanted_sources(arguments, options))

    @functools.cache
    def acquired(architecture: Architecture) -> Acquired:
        return acquire(arguments, asked, lock, architecture, shown=shown)

    wanted: Architecture | None
    if asked.is_local:
        wanted = asked.architecture if lock is None else architecture_by_name(lock.architecture)
        files = local_packages(asked, lock)
    else:
        wanted = architecture_asked_for(asked, lock)
        files = acquired(wanted).kernel
    kernels = read_kernel(asked, files, wanted, threads=arguments.threads, shown=shown)
    specs = [
        _spec(arguments, options, acquired(package.architecture), lock)
        for package in kernels.packages
    ]
    with progress("composing", shown=shown):
        plans = [
            make_plan(package, kernels.inputs, spec)
            for package, spec in zip(kernels.packages, specs, strict=True)
        ]
        if lock is not None:
            lock.check(plans[0].inputs)
        results = write_outputs(plans, arguments.output, threads=arguments.threads)
    _tell(arguments, plans, results, kernels.inputs[0], seconds=time.monotonic() - started)
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
        found = [_summary(result, arguments.output) for result in results]
        data = found[0] if len(found) == 1 else found
        print(json.dumps(data, indent=2, ensure_ascii=False))
    elif not arguments.quiet:
        _report(plans, results, kernel, seconds=seconds)
    if arguments.verbose:
        for plan in plans:
            prefix = "note: " if len(plans) == 1 else f"note: {plan.release}: "
            for note in plan.notes:
                print(f"{prefix}{note}", file=sys.stderr)


def _requests(arguments: argparse.Namespace, options: Mapping[str, str]) -> list[Request]:
    """Return what is to be added, by options and by the profile."""
    texts = options.get("add", "").split() if arguments.add is None else arguments.add
    own = [parse_request(text) for text in texts]
    return [*own, *load_profile(options["profile"]).additions]


def _options(arguments: argparse.Namespace, lock: Lock | None) -> dict[str, str]:
    """Return what was asked for, else what the lock was made with, else the defaults."""
    options = _DEFAULTS | (lock.options if lock is not None else {})
    asked = ((name, getattr(arguments, name.replace("-", "_"))) for name in _OPTIONS)
    return options | {name: value for name, value in asked if value is not None}


def _spec(
    arguments: argparse.Namespace,
    options: Mapping[str, str],
    acquired: Acquired,
    lock: Lock | None,
) -> ComposeSpec:
    mode = DiskMode(options["disk"])
    if mode is DiskMode.NONE and arguments.disk_compress is not None:
        raise UsageError("--disk-compress has no meaning with --disk none")
    epoch = source_date_epoch()
    if epoch is None and lock is not None:
        epoch = lock.timestamp
    return ComposeSpec(
        profile=options["profile"],
        template=arguments.template,
        busybox=acquired.busybox,
        e2fsck=acquired.e2fsck,
        additions=acquired.additions,
        microcode=acquired.of_role(MICROCODE),
        modules=acquired.of_role(MODULE),
        symvers=acquired.of_role(SYMVERS),
        firmware=FirmwareMode(options["firmware"]) if "firmware" in options else None,
        firmware_sources=acquired.of_role(FIRMWARE),
        features=tuple(arguments.feature or options.get("features", "").split()),
        compress=_codec("--compress", options.get("compress")),
        disk=mode,
        disk_format=DiskFormat(options["disk-format"]),
        disk_compress=_codec("--disk-compress", options.get("disk-compress")),
        image=ImageForm(options["image"]),
        emit=_forms(arguments.emit or options.get("emit", "").split()),
        uki=uki_spec(arguments, options, acquired.of_role(STUB)),
        epoch=epoch,
    )


def _forms(names: Iterable[str]) -> tuple[EmitForm, ...]:
    """Return the forms of these names, each once, in an order of their own."""
    asked = {EmitForm(name) for name in names}
    return tuple(form for form in EmitForm if form in asked)


def _codec(option: str, text: str | None) -> Codec | None:
    if text is None:
        return None
    try:
        codec = Codec(*parse_compression(text))
        if option == "--disk-compress":
            compressors.find(codec.name)
    except SpecError as error:
        raise UsageError(f"{option}: {error.message}", hint=error.hint) from error
    return codec


def _summary(result: Result, directory: Path) -> dict[str, object]:
    files = [
        {
            "name": output.name,
            "path": str(directory / output.name),
            "size": output.size,
            "sha256": output.sha256,
        }
        for output in result.outputs
    ]
    manifest = result.manifest
    disk = manifest["disk"]
    return {
        "release": manifest["release"],
        "architecture": manifest["architecture"],
        "initramfs_modules": len(manifest["initramfs"]["modules"]),
        "disk_modules": disk["modules"] if disk else 0,
        "own_modules": manifest["own_modules"],
        "notes": manifest["notes"],
        "files": files,
    }


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
