"""Bare Debian userlands to try things in as a new user does.

debootstrap makes one per suite, kept beside the downloaded packages; every test gets a
copy. The network settings of this machine go in with it: the mirror, apt's transport
options, pip's configuration and the certificates.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.kernels import KEYRING, cache_directory, locked, mirrors
from tests.support.tools import missing, run, tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
# The package ca-certificates writes the usual file anew: this one stays.
_CERTIFICATES_INSIDE: Final = Path("/usr/local/share/machine-certificates.crt")
_PIP_FILES: Final = ("/etc/pip.conf", "~/.config/pip/pip.conf", "~/.pip/pip.conf")
_PASSED_ON: Final = re.compile(r"PIP_\w+|(https?|ftp|all|no)_proxy", re.IGNORECASE)
# Mounts go with the namespace, whatever happens to the test.
_ENTER: Final = """
set -eu
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do
    mkdir -p "$root$1"
    mount --bind "$1" "$root$1"
    mount -o remount,bind,ro "$root$1"
    shift
done
shift
exec chroot "$root" "$@"
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Userland:
    """A root directory and what to call programs in it with."""

    root: Path
    environment: Mapping[str, str]
    folders: tuple[str, ...]

    def run(
        self, command: str, *, cwd: str = "/root", timeout: float = 1800
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command as root in there; output and errors come as one text."""
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _ENTER, "sh"]
        inside = ["/bin/sh", "-c", f"cd {cwd} && {command}"]
        return subprocess.run(
            [*enter, str(self.root), *self.folders, "--", *inside],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )


@contextlib.contextmanager
def userland(suite: str) -> Iterator[Userland]:
    """A fresh userland of a suite; the test is skipped where none can be made."""
    if os.geteuid() != 0:
        missing("only root can enter a userland")
    probe = subprocess.run(
        [tool("unshare"), "--mount", "true"], capture_output=True, text=True, check=False
    )
    if probe.returncode:
        # So it is inside a chroot, whose root is no mount point.
        missing(f"no userland can be entered from here: {probe.stderr.strip()}")
    base = _bootstrapped(suite)
    with tempfile.TemporaryDirectory(dir=base.parent, prefix=f"{suite}-try-") as scratch:
        root = Path(scratch) / "root"
        run("cp", "-a", "--reflink=auto", base, root)
        yield Userland(root, _environment(), _configure(root, suite))


def _bootstrapped(suite: str) -> Path:
    architecture = run(tool("dpkg"), "--print-architecture").strip()
    directory = cache_directory() / "userland"
    directory.mkdir(parents=True, exist_ok=True)
    root = directory / f"{suite}-{architecture}"
    with locked(directory / f"{suite}-{architecture}.lock"):
        if not root.exists():
            program = tool("debootstrap")
            draft = root.with_name(f"{root.name}.new")
            shutil.rmtree(draft, ignore_errors=True)
            options = ["--variant=minbase", f"--keyring={KEYRING}"]
            run(program, *options, suite, draft, mirrors()[0], timeout=1800)
            shutil.rmtree(draft / "var/cache/apt/archives", ignore_errors=True)
            shutil.rmtree(draft / "var/lib/apt/lists", ignore_errors=True)
            draft.rename(root)
    return root


def _environment() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
    if _CERTIFICATES.exists():
        environment["PIP_CERT"] = str(_CERTIFICATES_INSIDE)
    return environment | {
        "HOME": "/root",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }


def _configure(root: Path, suite: str) -> tuple[str, ...]:
    """Put this machine's network settings in; tell which local folders they name."""
    main, security = mirrors()
    (root / "etc/apt/sources.list").write_text(
        f"deb {main} {suite} main\ndeb {security} {suite}-security main\n"
    )
    transport = re.compile(r"^Acquire::(?:https?|Check|Retries).*;$", re.MULTILINE)
    settings = transport.findall(run(tool("apt-config"), "dump"))
    (root / "etc/apt/apt.conf.d/99machine").write_text("\n".join([*settings, ""]))
    for name in ("/etc/resolv.conf", "/etc/hosts"):
        shutil.copyfile(name, root / name[1:])
    if _CERTIFICATES.exists():
        target = root / _CERTIFICATES_INSIDE.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_CERTIFICATES, target)
    return _configure_pip(root)


def _configure_pip(root: Path) -> tuple[str, ...]:
    settings = [value for name, value in os.environ.items() if name.startswith("PIP_")]
    for name in _PIP_FILES:
        source = Path(name).expanduser()
        if source.exists():
            text = source.read_text().replace(str(_CERTIFICATES), str(_CERTIFICATES_INSIDE))
            target = root / name.replace("~", "/root").lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            settings.append(text)
    # Local folders with packages: find-links = /DIR, index-url = file:///DIR/simple, whose
    # pages may link to files beside it.
    named = re.findall(
        r"(?:^|[\s=]|file://)(/[^\s,]+?)(?:/simple/?)?(?=[\s,]|$)", "\n".join(settings)
    )
    return tuple(sorted({name for name in named if Path(name).is_dir()}))
