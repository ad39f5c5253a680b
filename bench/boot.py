"""How long a machine takes to boot: from QEMU's start to the root's init.

All boot the same kernel in the same machine, by software emulation, which runs anywhere: only
ratios mean something. The root is an ext4 on a virtio disk whose init prints the guest's uptime
and switches off. The clock is this machine's, when a line of the console arrives; the lines are
the kernel's "Run /init" and the one that the root's init prints. Boots that a crash of the
emulation ended are counted and tried again.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.cases import TOP, empty, environment, lacks, shown
from bench.commands import BUILDERS, builder_steps
from bench.measure import RunError, measure
from bench.results import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bench.cases import Bench

QEMU: Final = "qemu-system-x86_64"
MACHINE: Final = ("-accel", "tcg,thread=multi", "-cpu", "max", "-m", "512", "-smp", "2")
# The default, zstd, is among the profiles.
COMPRESSORS: Final = ("none", "lz4", "gzip", "zstd:19", "xz")
PROFILES: Final = ("virtio", "generic")
PEERS: Final = "Others"
OURS: Final = "rdcompose, by profile"
PACKED: Final = "rdcompose, by compressor"
DEFAULT: Final = "minivm"
MINIVM: Final = "MiniVM's own scripts"
_INIT: Final = re.compile(rb"Run /init as init process")
_ROOT: Final = re.compile(rb"bench-root ([0-9.]+)")
# A crash of the emulation, not of what is booted; see rdcompose/qemu/verdict.py.
_CRASH: Final = re.compile(rb"Kernel panic - not syncing: (?!.*VFS|.*init)")
_CRASHES: Final = 3
_LIMIT: Final = 120.0
_ROOT_INIT: Final = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
read -r up rest </proc/uptime
echo "bench-root $up"
/bin/busybox sync
/bin/busybox poweroff -f
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What a machine starts: files, and the root's disk is added to them."""

    name: str
    group: str
    kernel: Path
    initramfs: Path
    disk: Path | None = None
    how: str = ""


def boot(bench: Bench) -> list[Row]:
    """Boot what every builder made, and ours with every compressor and profile."""
    if lacking := lacks(QEMU, "mke2fs"):
        return [Row(name=DEFAULT, group=OURS, error=f"not installed: {lacking}")]
    root = make_root(bench)
    rows: list[Row] = []
    boots: list[Boot] = []
    for name, group, make in _wanted(bench):
        bench.tell(f"{group}, {name}: build")
        try:
            boots.append(make())
        except RunError as error:
            rows.append(Row(name=name, group=group, error=str(error)))
    return _boot_all(bench, boots, root) + rows


def make_root(bench: Bench) -> Path:
    """Make the image of the root.

    :raises RunError: mke2fs failed, or busybox is not to be had.
    """
    image = bench.scratch / "root.img"
    with empty(bench) as work:
        words = ("dpkg-deb", "-x", bench.package("busybox-static:bookworm:amd64"), "busybox")
        measure(words, work, environment())
        tree = work / "root"
        for name in ("bin", "sbin", "proc", "dev", "sys", "run", "tmp", "lib/modules"):
            (tree / name).mkdir(parents=True)
        found = next(path for path in work.glob("busybox/**/bin/busybox") if path.is_file())
        shutil.copy(found, tree / "bin" / "busybox")
        init = tree / "sbin" / "init"
        init.write_text(_ROOT_INIT)
        init.chmod(0o755)
        measure(
            ("mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(image), "32M"), work, environment()
        )
    return image


def _wanted(bench: Bench) -> Iterator[tuple[str, str, Callable[[], Boot]]]:
    """Yield name, group and maker of all that is booted."""
    for name in (DEFAULT, *PROFILES):
        yield name, OURS, partial(_ours, bench, name, OURS, ("--profile", name))
    for name in COMPRESSORS:
        yield name, PACKED, partial(_ours, bench, name, PACKED, ("--compress", name))
    yield MINIVM, PEERS, partial(_minivm, bench)
    for name in BUILDERS:
        yield name, PEERS, partial(_builder, bench, name)


def _ours(bench: Bench, name: str, group: str, options: tuple[str, ...]) -> Boot:
    out = bench.scratch / f"boot-{len(list(bench.scratch.glob('boot-*')))}"
    cache = str(bench.scratch / "warm-boot")
    words = bench.build("cloud", *options, "-o", str(out), "--cache", cache)
    measure(words, bench.scratch, environment())
    return Boot(
        name=name,
        group=group,
        kernel=_one(out, "vmlinuz-*"),
        initramfs=_one(out, "initramfs-*"),
        disk=_one(out, "modules-*.qcow2"),
        how=shown(words, bench),
    )


def _minivm(bench: Bench) -> Boot:
    """Run MiniVM's own mkinitramfs on its own template and list, and make its disk."""
    if bench.minivm is None:
        raise RunError("no --minivm, the checkout whose init is booted")
    if lacking := lacks("depmod", "cpio", "gzip", "mke2fs", "qemu-img"):
        raise RunError(f"not installed: {lacking}")
    work = bench.scratch / "minivm"
    kept_out = shutil.ignore_patterns("lib", "initramfs-*", "modules-*")
    shutil.copytree(bench.minivm, work, symlinks=True, ignore=kept_out)
    # Its scripts are for kernels below lib/modules of the current directory.
    unpack = (str(TOP / "bench" / "peer-steps"), "unpack", bench.package("cloud"))
    measure(unpack, work, environment())
    (work / "lib").symlink_to("tree/usr/lib")
    release = _one(work / "tree/usr/lib/modules", "*").name
    words = ("./mkinitramfs", "ramdisk-template", release)
    disk = work / f"modules-{release}.qcow2"
    for step in (
        words,
        ("mke2fs", "-q", "-t", "ext4", "-d", "lib/modules", "modules.img", "200M"),
        ("qemu-img", "convert", "-c", "-O", "qcow2", "modules.img", str(disk)),
    ):
        measure(step, work, environment())
    return Boot(
        name=MINIVM,
        group=PEERS,
        kernel=_one(work / "tree/boot", "vmlinuz-*"),
        initramfs=_one(work, "initramfs-*"),
        disk=disk,
        how=" ".join(words),
    )


def _builder(bench: Bench, name: str) -> Boot:
    """Run initramfs-tools or dracut."""
    work = bench.scratch / f"builder-{name}"
    work.mkdir()
    words = builder_steps(bench, name, bench.package("cloud"))
    measure(words, work, environment())
    return Boot(
        name=name,
        group=PEERS,
        kernel=_one(work / "tree/boot", "vmlinuz-*"),
        initramfs=_one(work, "initramfs-*"),
        how=shown(words, bench),
    )


def _one(directory: Path, pattern: str) -> Path:
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise RunError(f"{directory} has {len(found)} of {pattern}, not one")
    return found[0]


def _boot_all(bench: Bench, boots: list[Boot], root: Path) -> list[Row]:
    """Boot all in turns. The files have just been written, so they are in the page cache."""
    runs: dict[str, list[dict[str, float]]] = {_label(item): [] for item in boots}
    errors: dict[str, str] = {}
    crashes = dict.fromkeys(runs, 0)
    for number in range(bench.runs):
        for item in boots:
            label = _label(item)
            if label in errors:
                continue
            bench.tell(f"{label}: boot {number + 1} of {bench.runs}")
            try:
                times, crashed = booted(item, root)
            except RunError as error:
                errors[label] = str(error)
                continue
            crashes[label] += crashed
            runs[label].append(times)
    return [
        Row(
            name=item.name,
            group=item.group,
            command=item.how,
            runs=() if _label(item) in errors else tuple(runs[_label(item)]),
            sizes={item.initramfs.name: item.initramfs.stat().st_size},
            facts={"crashes": float(crashes[_label(item)])},
            error=errors.get(_label(item), ""),
        )
        for item in boots
    ]


def _label(item: Boot) -> str:
    return f"{item.group}, {item.name}"


def command(item: Boot, root: Path) -> list[str]:
    """Return the command of QEMU for a boot."""
    argv = [QEMU, *MACHINE, "-nodefaults", "-no-user-config", "-display", "none"]
    argv += ["-serial", "stdio", "-no-reboot", "-kernel", str(item.kernel)]
    argv += ["-initrd", str(item.initramfs)]
    argv += ["-append", "console=ttyS0 root=/dev/vda rootfstype=ext4 rw panic=-1"]
    argv += ["-drive", f"file={root},format=raw,if=virtio,snapshot=on"]
    if item.disk is not None:
        argv += ["-drive", f"file={item.disk},format=qcow2,if=virtio,readonly=on"]
    return argv


def booted(item: Boot, root: Path) -> tuple[dict[str, float], int]:
    """Boot once; returns the times and how many boots before it had crashed.

    Times are seconds since QEMU was started: ``init``, ``root`` and ``wall`` at the end of QEMU;
    ``guest`` is the guest's own uptime at the root's init.

    :raises RunError: the root's init did not run.
    """
    console = b""
    for crashed in range(_CRASHES + 1):
        console, moments, wall = _run(command(item, root))
        if "root" in moments and "init" in moments:
            found = _ROOT.search(console)
            assert found is not None
            times = {**moments, "wall": wall, "guest": float(found[1])}
            return {key: round(value, 3) for key, value in times.items()}, crashed
        if not _CRASH.search(console):
            break
    text = console[-1500:].decode("utf-8", "replace").strip()
    raise RunError(f"{_label(item)} did not come to the root's init\n{text}")


def _run(argv: list[str]) -> tuple[bytes, dict[str, float], float]:
    start = time.perf_counter()
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    timer = threading.Timer(_LIMIT, process.kill)
    timer.start()
    assert process.stdout is not None
    console = b""
    moments: dict[str, float] = {}
    try:
        while piece := os.read(process.stdout.fileno(), 65536):
            now = time.perf_counter() - start
            console += piece
            watch(console, moments, now)
        process.wait()
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
    return console, moments, time.perf_counter() - start


def watch(console: bytes, moments: dict[str, float], now: float) -> None:
    """Note the moment at which a console first shows what is waited for."""
    for name, pattern in (("init", _INIT), ("root", _ROOT)):
        if name not in moments and pattern.search(console):
            moments[name] = now
