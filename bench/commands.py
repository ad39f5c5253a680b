"""The sections that measure commands: what runs in each, beside what."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Final

from bench.cases import LAUNCHER, TOP, Case, empty, environment, lacks, run_cases
from bench.measure import RunError, measure
from bench.results import Row

if TYPE_CHECKING:
    from pathlib import Path

    from bench.cases import Bench

OURS: Final = "rdcompose"
COLD: Final = "rdcompose, cold"
WARM: Final = "rdcompose, warm"
UNCACHED: Final = "rdcompose, --no-prepared"
MINIVM: Final = "MiniVM's steps"
BUILDERS: Final = ("initramfs-tools", "dracut")
BARE: Final = "bare Python"
CLOUD: Final = "cloud-amd64 of Debian 12"
GENERIC: Final = "amd64 of Debian 12"
ARM64: Final = "arm64 of Debian 13"
RASPBERRY: Final = "Raspberry Pi, boot folder with three kernels of Debian 12"
THREE: Final = ("rpi", "armmp", "arm64")
PI: Final = f"rdcompose pi {' '.join(THREE)}"
GROUPS: Final = {"cloud": CLOUD, "generic": GENERIC, "arm64": ARM64}
FILES: Final = ("out/initramfs-*", "out/modules-*", "out/vmlinuz-*")
PEER_FILES: Final = ("initramfs-*", "modules-*.qcow2")
# Programs that MiniVM's steps call.
STEPS: Final = ("ar", "tar", "depmod", "cpio", "gzip", "mke2fs", "qemu-img")
BUILDER_TOOLS: Final = ("dpkg-deb", "depmod", "cpio", "zstd", "unshare", "mount")


def builds(bench: Bench) -> list[Row]:
    """Whole builds: kernel, initramfs and modules disk."""
    cases: list[Case] = []
    rows: list[Row] = []
    for key, group in GROUPS.items():
        try:
            cases += _whole(bench, key, group)
        except RunError as error:
            rows.append(Row(name=OURS, group=group, error=str(error)))
            continue
        if key == "arm64":
            continue
        try:
            words = minivm_steps(bench, key, "disk")
            # A quarter of a minute each for the large kernel.
            slow = None if key == "cloud" else 3
            cases.append(Case(name=MINIVM, group=group, words=words, sizes=PEER_FILES, runs=slow))
        except RunError as error:
            rows.append(Row(name=MINIVM, group=group, error=str(error)))
    cases.append(_raspberry(bench))
    return run_cases(bench, cases) + rows


def _raspberry(bench: Bench) -> Case:
    """Return three kernels in one boot folder, from the archive; the first run fetches them."""
    options = ("--suite", "bookworm", "--cache", bench.package("archive"), "--no-prepared")
    words = (str(LAUNCHER), "pi", *THREE, *options, "--no-progress", "-o", "boot")
    return Case(name=PI, group=RASPBERRY, words=words, once=True)


def _whole(bench: Bench, key: str, group: str) -> list[Case]:
    cache = str(bench.scratch / f"warm-{key}")
    warm = bench.build(key, "-o", "out", "--cache", cache)
    cold = bench.build(key, "-o", "out", "--cache", "cache")
    alone = bench.build(key, "-o", "out", "--no-prepared")
    return [
        Case(name=COLD, group=group, words=cold, sizes=FILES),
        *([Case(name=UNCACHED, group=group, words=alone, sizes=FILES)] if key == "cloud" else []),
        Case(name=WARM, group=group, words=warm, sizes=FILES, prepare=(warm,)),
    ]


def initramfs(bench: Bench) -> list[Row]:
    """An initramfs alone, from the package."""
    words = bench.build("cloud", "--disk", "none", "-o", "out", "--cache", "cache")
    return _beside(bench, [Case(name=COLD, words=words, sizes=FILES)], bench.package("cloud"))


def relist(bench: Bench) -> list[Row]:
    """Another list on a kernel that was seen before, unpacked and indexed by the others."""
    cache = ("--cache", str(bench.scratch / "warm-relist"))
    first = bench.build("cloud", "-o", "out", *cache)
    other = bench.build("cloud", "--profile", "virtio", "-o", "out", *cache)
    cases = [
        Case(
            name=f"{WARM}, without a disk",
            words=(*other, "--disk", "none"),
            sizes=FILES,
            prepare=(first,),
        ),
        Case(
            name=f"{WARM}, with its disk",
            words=other,
            sizes=FILES,
            note="its blocks were kept in the uncounted run",
        ),
    ]
    return _beside(bench, cases, str(unpacked(bench)))


def unpacked(bench: Bench) -> Path:
    """Return a directory with the small kernel as it is when it is installed."""
    tree = bench.scratch / "tree"
    if not tree.exists():
        words = (str(TOP / "bench" / "peer-steps"), "unpack", bench.package("cloud"))
        measure(words, bench.scratch, environment())
    return tree


def _beside(bench: Bench, cases: list[Case], kernel: str) -> list[Row]:
    """Measure our cases beside the others', which start from a package or a directory."""
    rows: list[Row] = []
    try:
        words = minivm_steps(bench, "cloud", "none", kernel)
        cases.append(Case(name=f"{MINIVM}, gzip", words=words, sizes=PEER_FILES))
    except RunError as error:
        rows.append(Row(name=MINIVM, error=str(error)))
    for builder in BUILDERS:
        try:
            words = builder_steps(bench, builder, kernel)
            cases.append(Case(name=f"{builder}, zstd", words=words, sizes=PEER_FILES))
        except RunError as error:
            rows.append(Row(name=builder, error=str(error)))
    return run_cases(bench, cases) + rows


def startup(bench: Bench) -> list[Row]:
    """What a command takes that has nothing to do."""
    python = os.environ.get("BENCH_PYTHON", sys.executable)
    launcher = str(LAUNCHER)
    cases = [
        Case(name=BARE, words=(python, "-P", "-c", "pass")),
        Case(name="--version", words=(launcher, "--version")),
        Case(name="--help", words=(launcher, "--help")),
        Case(name="build --help", words=(launcher, "build", "--help")),
        Case(name="build, no such file", words=(launcher, "build", "./none.deb"), status=1),
        Case(name="build, unknown option", words=(launcher, "build", "--none"), status=2),
        Case(
            name="build, unknown kernel",
            words=(launcher, "build", "9.9.9-9-cloud-amd64", "--offline", "--cache", "cache"),
            status=1,
        ),
        Case(name="boot, no such directory", words=(launcher, "boot", "./none"), status=1),
        Case(name="verify, no such file", words=(launcher, "verify", "./none"), status=1),
    ]
    return run_cases(bench, cases)


def presets(bench: Bench) -> list[Row]:
    """What to choose between time and size."""
    options = {"default": (), "--fast": ("--fast",), "--small": ("--small",)}
    cases = [
        Case(
            name=name,
            words=bench.build("cloud", *words, "-o", "out", "--cache", "cache"),
            sizes=FILES,
            # Takes many times as long, for the size.
            once=name == "--small",
        )
        for name, words in options.items()
    ]
    return run_cases(bench, cases)


def sizes(bench: Bench) -> list[Row]:
    """What is written, of the same content; times do not count here."""
    cases = [
        Case(name=f"rdcompose, profile {profile}", words=words, sizes=FILES, runs=0)
        for profile in ("minivm", "virtio", "generic")
        for words in [bench.build("cloud", "--profile", profile, "-o", "out", "--cache", "cache")]
    ]
    rows: list[Row] = []
    name = "rdcompose, profile minivm, Alpine's busybox"
    if bench.minivm is None:
        rows.append(Row(name=name, error="no --minivm, whose busybox is Alpine's"))
    else:
        busybox = str(bench.minivm / "ramdisk-template" / "bin" / "busybox")
        words = bench.build("cloud", "-o", "out", "--cache", "cache", busybox=busybox)
        cases.append(Case(name=name, words=words, sizes=FILES, runs=0))
    return run_cases(bench, cases) + rows


def minivm_steps(bench: Bench, key: str, disk: str, kernel: str = "") -> tuple[str, ...]:
    """Return the command that does MiniVM's steps.

    :raises RunError: a program or a package is not there.
    """
    if lacking := lacks(*STEPS):
        raise RunError(f"not installed: {lacking}")
    _, busybox, _, e2fsck = bench.programs("bookworm", "amd64")
    template = str(TOP / "ramdisk-template")
    steps = str(TOP / "bench" / "minivm-steps")
    modules = str(listed_modules(bench, key, disk))
    return steps, disk, kernel or bench.package(key), busybox, e2fsck, template, modules


def builder_steps(bench: Bench, builder: str, kernel: str) -> tuple[str, ...]:
    """Return the command that makes an initramfs with another builder.

    :raises RunError: a program or a package is not there.
    """
    if lacking := lacks(*BUILDER_TOOLS):
        raise RunError(f"not installed: {lacking}")
    steps = str(TOP / "bench" / "peer-steps")
    modules = str(listed_modules(bench, "cloud", "none"))
    return steps, builder, kernel, bench.package("builders"), modules


def listed_modules(bench: Bench, key: str, disk: str) -> Path:
    """Return a file with the modules of our initramfs, for others to take the same.

    With a disk it holds those that mount the disk.
    """
    target = bench.scratch / f"modules-{key}-{disk}"
    if not target.exists():
        options = ["--disk", "none"] if disk == "none" else []
        with empty(bench) as work:
            words = bench.build(key, *options, "-o", "out", "--cache", "cache")
            measure(words, work, environment())
            (manifest,) = (work / "out").glob("manifest-*.json")
            rows = json.loads(manifest.read_bytes())["initramfs"]["modules"]
        target.write_text("".join(f"{row['path']}\n" for row in rows))
    return target
