"""Size and processor time of the compressors, on the content of a real composition.

The initramfs and the modules disk of one kernel are composed in memory, compressed with each
compressor and level, and unpacked again, in one thread: processor time is what counts here, of
the fastest of a few runs. Figures, charts and the tables of docs/compression.md are written
anew. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import platform
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.cases import TOP
from bench.compression_page import Figure, Measured, write
from bench.machine import model
from bench.measure import Clock
from rdcompose.compose.inputs import Input, InputFile
from rdcompose.compose.plan import make_plan
from rdcompose.compose.spec import ComposeSpec
from rdcompose.formats.compression import compress, decompress
from rdcompose.formats.cpio import write_newc
from rdcompose.formats.squashfs.store import MemoryBlocks, decode_blocks
from rdcompose.formats.squashfs.unpackers import unpack_function
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.kernel.package import read_kernels
from rdcompose.kernel.source import DebSource
from tests.support.kernels import package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rdcompose.compose.plan import DiskPlan, Plan

T = TypeVar("T")

INITRAMFS = (
    *[("zstd", level) for level in (1, 3, 6, 9, 12, 15, 17, 19, 22)],
    *[("xz", level) for level in (0, 1, 6, 9)],
    *[("gzip", level) for level in (1, 6, 9)],
    *[("lz4", level) for level in (1, 9)],
    ("none", None),
)
DISK = (
    *[("zstd", level, kib) for level in (1, 3, 5, 6, 9, 12) for kib in (128, 256, 512, 1024)],
    ("zstd", 17, 512),
    ("zstd", 19, 512),
    ("xz", 0, 512),
    ("xz", 6, 512),
    *[("gzip", level, 512) for level in (1, 6, 9)],
    ("lz4", 6, 512),
)
# One run of what takes longer than this, in seconds, is enough.
LONG = 2.0
RUNS = 3
PLACE = TOP / "docs" / "compression"


class Packed(MemoryBlocks):
    """A store that gives nothing back, so that everything is compressed, and counts it."""

    def __init__(self) -> None:
        super().__init__(1 << 30)
        self.values: list[bytes] = []

    def get(self, _key: bytes, /) -> bytes | None:
        """Return nothing."""
        return None

    def put(self, _key: bytes, value: bytes, /) -> None:
        """Keep the blocks."""
        self.values.append(value)


def main() -> None:
    """Compose, compress, and write the figures."""
    parser = argparse.ArgumentParser(prog="bench/compression", description=__doc__)
    parser.add_argument("--suite", default="bookworm")
    parser.add_argument("--arch", default="amd64")
    parser.add_argument("--kernel", default="linux-image-cloud-amd64")
    parser.add_argument("-o", "--output", type=Path, default=PLACE, metavar="DIR")
    parser.add_argument("--render", action="store_true", help="only make tables and charts again")
    options = parser.parse_args()
    figures = options.output / "figures.json"
    if not options.render:
        measured = measure(options)
        text = json.dumps(dataclasses.asdict(measured), indent=1) + "\n"
        options.output.mkdir(parents=True, exist_ok=True)
        figures.write_text(text, encoding="utf-8")
    write(Measured.read(figures.read_text(encoding="utf-8")), options.output)


def measure(options: argparse.Namespace) -> Measured:
    """Return the figures of one kernel."""
    deb = package(options.suite, options.arch, options.kernel)
    spec = ComposeSpec(
        profile="minivm",
        busybox=InputFile(path=package(options.suite, options.arch, "busybox-static")),
        e2fsck=InputFile(path=package(options.suite, options.arch, "e2fsck-static")),
    )
    with deb.open("rb") as stream:
        (kernel,) = read_kernels([DebSource(stream)])
    source = Input(role="kernel", file=deb.name, sha256="", source="")
    plan = make_plan(kernel, [source], spec)
    start = Clock.now()
    segments, disks = tuple(initramfs(plan)), tuple(disk(plan))
    return Measured(
        about=f"{kernel.release} ({options.arch}), {model()}, Python {platform.python_version()}",
        others=round(start.others_until(Clock.now()), 2),
        initramfs=segments,
        disk=disks,
    )


def initramfs(plan: Plan) -> Iterator[Figure]:
    """Yield the figures of each compressor of the initramfs."""
    segment = io.BytesIO()
    write_newc(segment, plan.initramfs, mtime=plan.timestamp)
    data = segment.getvalue()
    for name, level in INITRAMFS:
        pack, packed = timed(partial(compress, name, data, level))
        unpack = 0.0
        if name != "none":
            unpack, _ = timed(partial(decompress, packed, limit=len(data)))
        yield told(Figure(name, level, 0, pack, unpack, len(packed)))


def disk(plan: Plan) -> Iterator[Figure]:
    """Yield the figures of each compressor of the disk, for some sizes of blocks."""
    assert plan.disk is not None
    for name, level, kib in DISK:
        pack, (size, values) = timed(
            partial(pack_disk, plan.disk, name, level, block_size=kib << 10)
        )
        blocks = [block for value in values for block in compressed_blocks(value)]
        unpack, _ = timed(partial(unpack_blocks, name, blocks, block_size=kib << 10))
        yield told(Figure(name, level, kib, pack, unpack, size))


def pack_disk(disk: DiskPlan, name: str, level: int, *, block_size: int) -> tuple[int, list[bytes]]:
    """Return the size of the disk, and its blocks as values of a store."""
    packed = Packed()
    result = write_squashfs(
        io.BytesIO(),
        disk.tree,
        mtime=0,
        compressor=name,
        level=level,
        block_size=block_size,
        threads=1,
        left_out=disk.left_out,
        blocks=packed,
    )
    return result.size, packed.values


def unpack_blocks(name: str, blocks: Iterable[bytes], *, block_size: int) -> None:
    """Unpack blocks, one after the other."""
    unpack = unpack_function(name)
    for block in blocks:
        unpack(block, block_size)


def compressed_blocks(value: bytes) -> list[bytes]:
    """Return the blocks in a value of a store that are compressed."""
    blocks = decode_blocks(value) or []
    return [block.data for block in blocks if block.stored_size == len(block.data) > 0]


def timed(action: Callable[[], T]) -> tuple[float, T]:
    """Return the processor time of the fastest run, and what came out."""
    best, result = _timed(action)
    for _ in range(RUNS - 1):
        if best < LONG:
            best = min(best, _timed(action)[0])
    return best, result


def _timed(action: Callable[[], T]) -> tuple[float, T]:
    start = time.process_time()
    result = action()
    return time.process_time() - start, result


def told(figure: Figure) -> Figure:
    """Show a figure while the next is taken."""
    print(f"{figure.label} {figure.block}: {figure.pack:.2f} s", file=sys.stderr)
    return figure


if __name__ == "__main__":
    main()
