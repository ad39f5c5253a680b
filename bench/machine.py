"""Names what figures hold for: the machine, and the versions of what was measured."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.cases import TOP, environment, lacks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Beside ours: what the peers are made of, and how each tells its version.
_PROGRAMS: Final = (
    ("ar", "--version"),
    ("tar", "--version"),
    ("depmod", "--version"),
    ("cpio", "--version"),
    ("gzip", "--version"),
    ("zstd", "--version"),
    ("mke2fs", "-V"),
    ("qemu-img", "--version"),
    ("qemu-system-x86_64", "--version"),
)
_BUILDERS: Final = ("initramfs-tools-core", "dracut-core")
_VERSIONS: Final = (re.compile(r"\d+(?:\.\d+)+"), re.compile(r"\d+"))


def machine(packages: Mapping[str, str]) -> dict[str, str]:
    """Return what there is to know, as text by name."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "sources": _sources(),
        "processors": f"{len(os.sched_getaffinity(0))} x {model()}",
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": f"{system}, Linux {platform.release()}",
        "python": platform.python_version(),
        **{name: found for name, option in _PROGRAMS if (found := _version([name, option]))},
        **_builders(packages),
    }


def model() -> str:
    """Return what the processor calls itself."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _sources() -> str:
    """Return the commit, with a + if the sources differ from it."""
    if lacks("git"):
        return ""
    commit = _output(["git", "rev-parse", "--short=12", "HEAD"])
    changed = _output(["git", "status", "--porcelain", "--", "rdcompose", "bin", "module-lists"])
    return f"{commit}+" if changed else commit


def _version(words: Sequence[str]) -> str:
    if lacks(words[0]):
        return ""
    text = _output(words)
    found = (pattern.search(text) for pattern in _VERSIONS)
    return next((match[0] for match in found if match is not None), "")


def _output(words: Sequence[str]) -> str:
    done = subprocess.run(
        words,
        cwd=TOP,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def _builders(packages: Mapping[str, str]) -> dict[str, str]:
    if "builders" not in packages:
        return {}
    names = (Path(packages["builders"]) / "packages").read_text(encoding="utf-8").splitlines()
    parts = [name.split("_") for name in names]
    return {part[0]: part[1] for part in parts if part[0] in _BUILDERS}
