"""Initramfs that others made: Debian's initramfs-tools and dracut, from Debian's own kernel.

Both take an installed kernel and are installed programs; ``bench/peer-steps`` lays them over this
system in a mount namespace, so that nothing of the machine changes. What they made is kept beside
the packages that it is made from.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import pytest

from bench.packages import builders
from tests.support.kernels import cache_directory, locked, package
from tests.support.tools import run, search_path, tool

BUILDERS: Final = ("initramfs-tools", "dracut")
_STEPS: Final = Path(__file__).parents[2] / "bench" / "peer-steps"
_MODULES: Final = (
    "kernel/drivers/virtio/virtio_pci.ko",
    "kernel/drivers/block/virtio_blk.ko",
    "kernel/fs/ext4/ext4.ko",
)


def foreign_initramfs(builder: str) -> Path:
    """Return an initramfs of one of :data:`BUILDERS`; its name tells the release.

    The test is skipped where it cannot be made.
    """
    deb = package("bookworm", "amd64", "linux-image-cloud-amd64")
    layer = builders()
    directory = cache_directory() / "foreign" / f"{layer.name}-{deb.stem}-{builder}"
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory.with_suffix(".lock")):
        if not (found := list(directory.iterdir())):
            _make(builder, deb, layer, directory)
            found = list(directory.iterdir())
    [image] = found
    return image


def _make(builder: str, deb: Path, layer: Path, directory: Path) -> None:
    for name in ("depmod", "cpio", "zstd", "mount"):
        tool(name)
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        _check_namespaces(Path(scratch))
        modules = Path(scratch) / "list"
        modules.write_text("".join(f"{path}\n" for path in _MODULES))
        work = Path(scratch) / "work"
        work.mkdir()
        run(_STEPS, builder, deb, layer, modules, cwd=work)
        [image] = work.glob("initramfs-*")
        # dracut lets nobody else read it.
        image.chmod(0o644)
        image.rename(directory / image.name)


def _check_namespaces(scratch: Path) -> None:
    """Skip the test where containers may not mount anything."""
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    (scratch / "top").mkdir()
    mount = f"mount -t overlay overlay -o lowerdir=/etc:{scratch} {scratch}/top"
    done = subprocess.run(
        [tool("unshare"), "--mount", *root, "sh", "-c", mount],
        env={**os.environ, "PATH": search_path()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no file systems can be laid over others here: {done.stderr.strip()}")
