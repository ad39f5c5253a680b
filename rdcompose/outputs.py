"""From a plan to files: all of them, complete, or none.

The initramfs is compressed, and the kernel written, beside the modules disk; all straight into
their files.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from rdcompose.compose.spec import Codec, DiskFormat, EmitForm
from rdcompose.emit import SUFFIXES, directory_name, emitted_files, write_directory
from rdcompose.errors import OutputError
from rdcompose.formats.compression import compress
from rdcompose.formats.cpio import write_newc
from rdcompose.kernel.held import give_back
from rdcompose.manifest import checksum_line, manifest, to_json
from rdcompose.publish import Publication

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence
    from pathlib import Path

    from rdcompose.compose.plan import DiskPlan, Plan
    from rdcompose.formats.squashfs.store import BlockStore
    from rdcompose.tree import Tree

CHECKSUMS: Final = "SHA256SUMS"

# As sha256sum writes it; names of our outputs hold no character that it would escape.
_CHECKSUM_LINE: Final = re.compile(rb"[0-9a-f]{64}  [^/\\]+")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A file that was written: its name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a composition wrote, and its manifest."""

    outputs: tuple[Output, ...]
    manifest: dict[str, Any]


def write_outputs(
    plans: Sequence[Plan],
    directory: Path,
    *,
    threads: int,
    blocks: BlockStore | None = None,
    mark: str = "",
) -> tuple[Result, ...]:
    """Write every file of some compositions into a directory; one result for each.

    Files of an earlier composition of the same release are replaced, and removed where
    this one has none, so that no two that do not fit stand side by side. Other files
    stay, whatever their names. ``blocks`` keeps what is compressed for the disks, for other
    calls; ``mark`` is as :class:`Publication` has it.

    :raises OutputError: a file cannot be written; the directory is as it was.
    """
    with Publication(directory, mark) as publication:
        results = [_write_files(publication, plan, threads, blocks) for plan in plans]
        with publication.locked():
            stale: set[str] = set()
            directories: set[str] = set()
            for plan, result in zip(plans, results, strict=True):
                earlier = _earlier(directory, plan.release)
                stale |= _stale(earlier, plan.release, result.outputs)
                directories |= _stale_directories(directory, earlier, plan)
            written = [output for result in results for output in result.outputs]
            sums = _checksums(directory, written, without=stale)
            checksums = _put(publication, CHECKSUMS, lambda out: _write(out, sums))
            publication.publish(remove=sorted(stale), remove_directories=sorted(directories))
    return tuple(
        dataclasses.replace(result, outputs=(*result.outputs, checksums)) for result in results
    )


def _write_files(
    publication: Publication, plan: Plan, threads: int, blocks: BlockStore | None
) -> Result:
    """Write the files of one composition, the manifest last."""
    outputs, sizes = _run(publication, plan, threads, blocks)
    outputs += _emit(publication, plan)
    outputs.sort(key=lambda output: output.name)
    data = manifest(plan, [dataclasses.asdict(output) for output in outputs], sizes)
    name = f"manifest-{plan.release}.json"
    outputs.append(_put(publication, name, lambda out: _write(out, to_json(data))))
    return Result(outputs=tuple(outputs), manifest=data)


def _emit(publication: Publication, plan: Plan) -> list[Output]:
    """Write the initramfs in the other forms that are asked for; a directory is no output."""
    mtime = plan.timestamp
    name = directory_name(plan.release, plan.emit)
    if name is not None:
        write_directory(publication.subdirectory(name), plan.initramfs, mtime=mtime)
    files = emitted_files(plan.release, plan.initramfs, plan.emit, mtime=mtime)
    return [_put(publication, file, write) for file, write in files.items()]


def initramfs_bytes(tree: Tree, compression: Codec, *, mtime: int) -> bytes:
    """Return a tree as one compressed newc segment."""
    segment = io.BytesIO()
    write_newc(segment, tree, mtime=mtime)
    return compress(compression.name, segment.getvalue(), compression.level)


def initramfs_segments(plan: Plan) -> dict[str, bytes]:
    """Return the segments of the initramfs by name; joined they are the file."""
    # A plain segment ends at a multiple of 512, and a packed one is the last: the kernel wants
    # plain ones at multiples of four, and nothing may follow what lz4 packed.
    return {
        segment.name: initramfs_bytes(segment.tree, segment.compression, mtime=plan.timestamp)
        for segment in plan.segments
    }


def _names(plan: Plan) -> dict[str, str]:
    release = plan.release
    names = {
        "image": f"{plan.image.name}-{release}",
        "initramfs": f"initramfs-{release}",
        "config": f"config-{release}",
    }
    if plan.uki is not None:
        names["uki"] = f"{release}.efi"
    if plan.disk is not None:
        names["disk"] = f"modules-{release}.{plan.disk.format.value}"
    return names


class _Earlier(NamedTuple):
    """What the manifest of an earlier composition says that it wrote."""

    files: frozenset[str] = frozenset()
    directory: str | None = None


def _earlier(directory: Path, release: str) -> _Earlier:
    try:
        earlier = json.loads((directory / f"manifest-{release}.json").read_bytes())
        files = frozenset(str(output["name"]) for output in earlier["outputs"])
        emitted = earlier["initramfs"].get("directory")
        return _Earlier(files, None if emitted is None else str(emitted["name"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _Earlier()  # no manifest of ours: then nothing is known to be ours


def _stale(earlier: _Earlier, release: str, outputs: Iterable[Output]) -> set[str]:
    """Names of files that an earlier composition of the release wrote, and this one does not."""
    known = {f"vmlinuz-{release}", f"vmlinux-{release}", f"{release}.efi"}
    known |= {f"modules-{release}.{kind.value}" for kind in DiskFormat}
    known |= {f"embed-{release}{suffix}" for suffix in SUFFIXES}
    return known & earlier.files - {output.name for output in outputs}


def _stale_directories(directory: Path, earlier: _Earlier, plan: Plan) -> set[str]:
    """Return the name of the directory that the release has no more, if it had one.

    :raises OutputError: one would be replaced that no earlier composition wrote.
    """
    name = directory_name(plan.release, plan.emit)
    own = directory_name(plan.release, tuple(EmitForm))
    if name is not None:
        if name != earlier.directory and (directory / name).exists():
            raise OutputError(
                f"cannot write {directory / name}: it exists, and is not of an earlier composition",
                hint="remove it, or write to another directory",
            )
        return set()
    return {own} if own is not None and own == earlier.directory else set()


def _run(
    publication: Publication, plan: Plan, threads: int, blocks: BlockStore | None
) -> tuple[list[Output], dict[str, int]]:
    """Write the files; returns also the sizes of the initramfs's segments, by their names."""
    names = _names(plan)
    sizes: dict[str, int] = {}
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="outputs") as beside:
        others = [
            beside.submit(_put_initramfs, publication, plan, names, sizes),
            beside.submit(_put_kernel, publication, plan, names),
        ]
        # The longest job runs in this thread, where an interrupt arrives.
        outputs: list[Output] = []
        if plan.disk is not None:
            write = partial(_write_disk, plan, plan.disk, threads, blocks)
            outputs.append(_put(publication, names["disk"], write))
        for other in others:
            outputs += other.result()
    return outputs, sizes


def _put(publication: Publication, name: str, write: Callable[[BinaryIO], object]) -> Output:
    with publication.file(name) as out:
        write(out)
        out.seek(0)
        # Read back, because the headers of a disk are written last.
        sha256 = hashlib.file_digest(out, "sha256").hexdigest()
        size = out.tell()
    return Output(name=name, size=size, sha256=sha256)


def _write(out: BinaryIO, data: bytes) -> None:
    out.write(data)


def _put_kernel(publication: Publication, plan: Plan, names: Mapping[str, str]) -> list[Output]:
    return [
        _put(publication, names["image"], lambda out: _write(out, plan.image.data)),
        _put(publication, names["config"], lambda out: _write(out, plan.config)),
    ]


def _put_initramfs(
    publication: Publication, plan: Plan, names: Mapping[str, str], sizes: dict[str, int]
) -> list[Output]:
    """Write the initramfs, and the image that holds it; adds the sizes of its segments."""
    segments = initramfs_segments(plan)
    # The compressor's tables, while the disk goes on to take more.
    give_back()
    sizes |= {name: len(data) for name, data in segments.items()}
    data = b"".join(segments.values())
    outputs = [_put(publication, names["initramfs"], lambda out: _write(out, data))]
    if plan.uki is not None:
        from rdcompose.formats.uki import make_uki

        image = make_uki(plan.uki.parts, data)
        outputs.append(_put(publication, names["uki"], lambda out: _write(out, image)))
    return outputs


def _write_disk(
    plan: Plan, disk: DiskPlan, threads: int, blocks: BlockStore | None, out: BinaryIO
) -> None:
    write_disk(
        out,
        disk.tree,
        disk.format,
        disk.compression,
        mtime=plan.timestamp,
        threads=threads,
        left_out=disk.left_out,
        blocks=blocks,
    )


def write_disk(
    out: BinaryIO,
    tree: Tree,
    disk_format: DiskFormat,
    compression: Codec,
    *,
    mtime: int,
    threads: int,
    left_out: Mapping[str, int] | None = None,
    blocks: BlockStore | None = None,
) -> None:
    """Write a modules disk in its format; ``mtime`` is in seconds since 1970.

    ``left_out`` and ``blocks`` are as :func:`write_squashfs` has them.
    """
    # Composing without a disk does not wait for them.
    from rdcompose.formats.qcow2 import Qcow2Writer
    from rdcompose.formats.squashfs.writer import write_squashfs

    qcow2 = Qcow2Writer(out) if disk_format is DiskFormat.QCOW2 else None
    write_squashfs(
        out if qcow2 is None else qcow2,
        tree,
        mtime=mtime,
        compressor=compression.name,
        level=compression.level,
        threads=threads,
        left_out=left_out,
        blocks=blocks,
    )
    if qcow2 is not None:
        qcow2.finish()


def _checksums(directory: Path, outputs: Iterable[Output], *, without: Container[str]) -> bytes:
    """Return ``SHA256SUMS``, with the lines of other releases that stand there already."""
    lines = {output.name: checksum_line(output.name, output.sha256) for output in outputs}
    for line in _present_lines(directory / CHECKSUMS):
        name = line[66:].rstrip(b"\n").decode("utf-8", "surrogateescape")
        if name not in lines and name not in without and (directory / name).is_file():
            lines[name] = line
    return b"".join(lines[name] for name in sorted(lines))


def _present_lines(path: Path) -> list[bytes]:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    return [line + b"\n" for line in text.splitlines() if _CHECKSUM_LINE.fullmatch(line)]
