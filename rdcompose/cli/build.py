"""``rdcompose build``: from options to a composition, and what is said about it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from rdcompose.cli.acquire import KERNEL, Acquired, acquire
from rdcompose.cli.environment import source_date_epoch
from rdcompose.cli.sources import wanted_sources
from rdcompose.cli.terminal import progress, size_text, table
from rdcompose.compose.addlist import parse_request
from rdcompose.compose.filesource import MICROCODE
from rdcompose.compose.inputs import Input, InputFile
from rdcompose.compose.lock import Lock, read_lock
from rdcompose.compose.plan import Plan, make_plan
from rdcompose.compose.profile import load_profile
from rdcompose.compose.spec import Codec, ComposeSpec, DiskFormat, DiskMode, ImageForm
from rdcompose.errors import RdcomposeError, SpecError, UsageError
from rdcompose.formats.compression import parse_compression
from rdcompose.formats.squashfs import compressors
from rdcompose.kernel.package import KernelPackage, read_kernels
from rdcompose.kernel.source import DebSource
from rdcompose.outputs import Result, write_outputs

if TYPE_CHECKING:
    import argparse
    import io
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from rdcompose.compose.addlist import Request

# Named as the manifest names them.
_OPTIONS: Final = ("profile", "image", "compress", "disk", "disk-format", "disk-compress")
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
    sources = wanted_sources(arguments, options)
    acquired = acquire(arguments, lock, _requests(arguments, options), sources, shown=shown)
    spec = _spec(arguments, options, acquired, lock)
    package, kernel = _read_kernel(acquired.kernel, threads=arguments.threads, shown=shown)
    with progress("composing", shown=shown):
        plan = make_plan(package, kernel, spec)
        if lock is not None:
            lock.check(plan.inputs)
        (result,) = write_outputs([plan], arguments.output, threads=arguments.threads)
    if arguments.json:
        print(json.dumps(_summary(result, arguments.output), indent=2, ensure_ascii=False))
    elif not arguments.quiet:
        _report(plan, result, kernel[0], seconds=time.monotonic() - started)
    if arguments.verbose:
        for note in plan.notes:
            print(f"note: {note}", file=sys.stderr)
    return 0


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
        features=tuple(arguments.feature or options.get("features", "").split()),
        compress=_codec("--compress", options.get("compress")),
        disk=mode,
        disk_format=DiskFormat(options["disk-format"]),
        disk_compress=_codec("--disk-compress", options.get("disk-compress")),
        image=ImageForm(options["image"]),
        epoch=epoch,
    )


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


def _read_kernel(
    files: Sequence[InputFile], *, threads: int, shown: bool
) -> tuple[KernelPackage, list[Input]]:
    names = ", ".join(str(file.path) for file in files)
    try:
        with contextlib.ExitStack() as stack:
            streams = [stack.enter_context(file.path.open("rb")) for file in files]
            again = [stack.enter_context(file.path.open("rb")) for file in files]
            beside = stack.enter_context(ThreadPoolExecutor(1))
            advance = stack.enter_context(progress(f"reading {files[0].path.name}", shown=shown))
            digests = beside.submit(_digests, again)
            sources = [DebSource(stream, threads=threads) for stream in streams]
            (package,) = read_kernels(sources, threads=threads, progress=advance)
            found = digests.result()
    except OSError as error:
        where = error.filename or names
        raise SpecError(f"cannot read the kernel package {where}: {error.strerror}") from error
    except RdcomposeError as error:
        raise type(error)(f"{names}: {error.message}", hint=error.hint) from error
    return package, [
        Input(
            role=KERNEL,
            file=file.path.name,
            sha256=sha256,
            source=file.source,
            package=control.package,
            version=control.version,
            architecture=control.architecture,
            size=size,
            archive=file.archive,
        )
        for file, control, (sha256, size) in zip(files, package.controls, found, strict=True)
    ]


def _digests(streams: Iterable[io.BufferedReader]) -> list[tuple[str, int]]:
    """Return SHA-256 and size of files."""
    return [
        (hashlib.file_digest(stream, "sha256").hexdigest(), stream.tell()) for stream in streams
    ]


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


def _initramfs_remark(plan: Plan) -> str:
    remark = f"{len(plan.selection.ramdisk)} modules, {plan.compression}"
    if plan.microcode:
        size = size_text(sum(len(blob.data) for blob in plan.microcode))
        remark += f"; in front of it {size} of microcode"
    return remark


def _report(plan: Plan, result: Result, kernel: Input, *, seconds: float) -> None:
    disk = plan.disk
    origin = f" of {kernel.archive.suite}" if kernel.archive is not None else ""
    remarks = {
        f"initramfs-{plan.release}": _initramfs_remark(plan),
        f"{plan.image.name}-{plan.release}": f"{kernel.package} {kernel.version}{origin}",
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
