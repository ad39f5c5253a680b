"""``rdcompose build``: from options to a composition, and what is said about it."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from rdcompose.cli.environment import source_date_epoch
from rdcompose.cli.terminal import progress, size_text, table
from rdcompose.compose.inputs import Input
from rdcompose.compose.plan import Plan, make_plan
from rdcompose.compose.spec import Codec, ComposeSpec, DiskFormat, DiskMode
from rdcompose.errors import RdcomposeError, SpecError, UsageError
from rdcompose.formats.compression import parse_compression
from rdcompose.formats.squashfs import compressors
from rdcompose.kernel.package import KernelPackage, read_package
from rdcompose.outputs import Result, write_outputs

if TYPE_CHECKING:
    import argparse
    import io


def build(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    started = time.monotonic()
    spec = _spec(arguments)
    shown = not (arguments.quiet or arguments.no_progress)
    package, kernel = _read_kernel(arguments.kernel, threads=arguments.threads, shown=shown)
    with progress("composing", shown=shown):
        plan = make_plan(package, kernel, spec)
        result = write_outputs(plan, arguments.output, threads=arguments.threads)
    if arguments.json:
        print(json.dumps(_summary(result, arguments.output), indent=2, ensure_ascii=False))
    elif not arguments.quiet:
        _report(plan, result, package, seconds=time.monotonic() - started)
    if arguments.verbose:
        for note in plan.notes:
            print(f"note: {note}", file=sys.stderr)
    return 0


def _spec(arguments: argparse.Namespace) -> ComposeSpec:
    mode = DiskMode(arguments.disk)
    if mode is DiskMode.NONE and arguments.disk_compress is not None:
        raise UsageError("--disk-compress has no meaning with --disk none")
    return ComposeSpec(
        profile=arguments.profile,
        template=arguments.template,
        busybox=_program(arguments.busybox),
        e2fsck=_program(arguments.e2fsck),
        compress=_codec("--compress", arguments.compress),
        disk=mode,
        disk_format=DiskFormat(arguments.disk_format),
        disk_compress=_codec("--disk-compress", arguments.disk_compress),
        epoch=source_date_epoch(),
    )


def _program(text: str) -> Path | None:
    return None if text == "none" else Path(text)


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


def _read_kernel(path: Path, *, threads: int, shown: bool) -> tuple[KernelPackage, Input]:
    try:
        with (
            path.open("rb") as stream,
            path.open("rb") as again,
            ThreadPoolExecutor(1) as beside,
            progress(f"reading {path.name}", shown=shown) as advance,
        ):
            digest = beside.submit(_digest, again)
            package = read_package(stream, threads=threads, progress=advance)
            sha256 = digest.result()
    except OSError as error:
        raise SpecError(f"cannot read the kernel package {path}: {error.strerror}") from error
    except RdcomposeError as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error
    return package, Input(
        role="kernel",
        file=path.name,
        sha256=sha256,
        source="local file",
        package=package.package,
        version=package.version,
        architecture=package.architecture.name,
    )


def _digest(stream: io.BufferedReader) -> str:
    return hashlib.file_digest(stream, "sha256").hexdigest()


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
        "notes": manifest["notes"],
        "files": files,
    }


def _report(plan: Plan, result: Result, package: KernelPackage, *, seconds: float) -> None:
    disk = plan.disk
    remarks = {
        f"initramfs-{plan.release}": f"{len(plan.selection.ramdisk)} modules, {plan.compression}",
        f"{plan.image_name}-{plan.release}": f"{package.package} {package.version}",
    }
    if disk is not None:
        remarks[f"modules-{plan.release}.{disk.format.value}"] = (
            f"{disk.modules} modules, {disk.compression}"
        )
    rows = [
        (output.name, size_text(output.size), remarks.get(output.name, ""))
        for output in result.outputs
    ]
    print(table(rows))
    notes = f", {len(plan.notes)} notes (shown by -v)" if plan.notes else ""
    print(f"{plan.architecture.name} kernel {plan.release} in {seconds:.1f} s{notes}")
