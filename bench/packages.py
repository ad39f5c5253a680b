"""Debian packages that are measured with, found or downloaded: printed as JSON.

A program of its own, because what finds packages for tests loads much, and what measures is to
stay small: a process begins as a copy of its parent, and no peak below that is seen.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import pytest

from tests.support.kernels import cache_directory, locked, package

KERNELS: Final = {
    "cloud": ("bookworm", "amd64", "linux-image-cloud-amd64"),
    "generic": ("bookworm", "amd64", "linux-image-amd64"),
    "arm64": ("trixie", "arm64", "linux-image-arm64"),
    "trixie": ("trixie", "amd64", "linux-image-cloud-amd64"),
}
PROGRAMS: Final = ("busybox-static", "e2fsck-static")
# What the other builders need beside themselves, of this machine's own Debian.
BUILDERS: Final = (
    "initramfs-tools-core",
    "dracut-core",
    "udev",
    "libudev1",
    "libsystemd-shared",
    "klibc-utils",
    "libklibc",
    "busybox-static",
)


def main() -> None:
    """Print the paths of what could be had, and of what not the reason."""
    # Where commands find what they fetch by themselves, which other runs may have fetched.
    found = {"archive": str(cache_directory() / "archive")}
    lacking: dict[str, str] = {}
    wanted = dict(KERNELS)
    for suite, arch in (("bookworm", "amd64"), ("trixie", "arm64"), ("trixie", "amd64")):
        wanted |= {f"{name}:{suite}:{arch}": (suite, arch, name) for name in PROGRAMS}
    for key, (suite, arch, name) in wanted.items():
        try:
            found[key] = str(package(suite, arch, name))
        except (pytest.skip.Exception, pytest.fail.Exception) as error:
            lacking[key] = str(error)
    try:
        found["builders"] = str(builders())
    except (pytest.skip.Exception, pytest.fail.Exception, OSError) as error:
        lacking["builders"] = str(error)
    except subprocess.CalledProcessError as error:
        lacking["builders"] = f"{error.cmd[0]} ended with {error.returncode}"
    json.dump({"found": found, "lacking": lacking}, sys.stdout)


def builders() -> Path:
    """Return a directory with initramfs-tools and dracut, as they would be installed."""
    system = platform.freedesktop_os_release()
    if system.get("ID") != "debian":
        pytest.skip(f"the builders are Debian's, this is {system.get('NAME', 'another system')}")
    suite = system["VERSION_CODENAME"]
    debs = [package(suite, "amd64", name) for name in BUILDERS]
    target = cache_directory() / f"builders-{suite}"
    names = "".join(f"{deb.name}\n" for deb in debs)
    # What is there counts only if it is complete, and of these packages.
    stamp = target / "packages"
    with locked(target.with_suffix(".lock")):
        if stamp.is_file() and stamp.read_text() == names:
            return target
        shutil.rmtree(target, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            layer = Path(scratch) / "layer"
            for deb in debs:
                subprocess.run(["dpkg-deb", "-x", deb, layer], check=True)
            _merge(layer)
            (layer / "packages").write_text(names)
            layer.rename(target)
    return target


def _merge(layer: Path) -> None:
    """Move /bin, /sbin and /lib into /usr, where they are in an installed system."""
    for path in sorted(layer.iterdir()):
        if re.fullmatch(r"bin|sbin|lib(64)?", path.name) and not path.is_symlink():
            shutil.copytree(path, layer / "usr" / path.name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(path)


if __name__ == "__main__":
    main()
