"""Size and processor time of the compressors, on the content of a real composition.

The initramfs and the modules disk of one kernel are composed in memory and compressed with
each compressor and level, one thread, once: processor time is what counts here, and it
varies little. The table is the one in docs/compression.md. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import io
import platform
import time
from typing import TYPE_CHECKING

from rdcompose.compose.inputs import Input, InputFile
from rdcompose.compose.plan import make_plan
from rdcompose.compose.spec import ComposeSpec
from rdcompose.formats.compression import compress
from rdcompose.formats.cpio import write_newc
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.kernel.package import read_kernels
from rdcompose.kernel.source import DebSource
from tests.support.kernels import package

if TYPE_CHECKING:
    from rdcompose.compose.plan import Plan

INITRAMFS = (
    *[("zstd", level) for level in (1, 3, 6, 9, 12, 15, 17, 19, 22)],
    *[("xz", level) for level in (1, 6, 9)],
    *[("gzip", level) for level in (6, 9)],
    *[("lz4", level) for level in (1, 9)],
    ("none", None),
)
BLOCK_SIZES = (128, 256, 512, 1024)
# The slow ones, with the size of blocks that is the default only: a minute each otherwise.
DISK = (
    *[("zstd", level, BLOCK_SIZES) for level in (3, 6, 9, 12)],
    *[(name, level, (512,)) for name, level in (("zstd", 19), ("xz", 6), ("gzip", 6), ("lz4", 6))],
)


def main() -> None:
    """Compose, compress and print."""
    parser = argparse.ArgumentParser(prog="bench/compression", description=__doc__)
    parser.add_argument("--suite", default="bookworm")
    parser.add_argument("--arch", default="amd64")
    parser.add_argument("--kernel", default="linux-image-cloud-amd64")
    options = parser.parse_args()
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
    print(f"{kernel.release}, {platform.machine()}, Python {platform.python_version()}")
    initramfs(plan)
    disk(plan)


def initramfs(plan: Plan) -> None:
    """Print a row for each compressor of the initramfs."""
    segment = io.BytesIO()
    write_newc(segment, plan.initramfs, mtime=plan.timestamp)
    data = segment.getvalue()
    print("\n| initramfs | processor s | bytes |\n|---|---|---|")
    for name, level in INITRAMFS:
        start = time.process_time()
        packed = compress(name, data, level)
        taken = time.process_time() - start
        print(f"| {name}{'' if level is None else f' {level}'} | {taken:.2f} | {len(packed)} |")


def disk(plan: Plan) -> None:
    """Print a row for each compressor of the disk, a column for each size of blocks."""
    assert plan.disk is not None
    heads = " | ".join(f"{size} KiB: s, MB" for size in BLOCK_SIZES)
    print(f"\n| disk | {heads} |\n|{'---|' * (len(BLOCK_SIZES) + 1)}")
    for name, level, sizes in DISK:
        cells = []
        for size in BLOCK_SIZES:
            if size not in sizes:
                cells.append("")
                continue
            start = time.process_time()
            result = write_squashfs(
                io.BytesIO(),
                plan.disk.tree,
                mtime=plan.timestamp,
                compressor=name,
                level=level,
                block_size=size << 10,
                threads=1,
            )
            cells.append(f"{time.process_time() - start:.1f}, {result.size / 1e6:.2f}")
        print(f"| {name} {level} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
