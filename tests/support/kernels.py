"""Real Debian packages, from the mirror that apt on this machine is configured with.

A package is downloaded once, with an apt state of its own per suite and architecture
(the machine's apt is only asked for addresses), and kept in
``$RDCOMPOSE_TEST_CACHE`` or ``~/.cache/rdcompose-tests``. Any version that is there
already serves: tests compare with real tools, not with version numbers, and so a
filled cache needs no network.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.apt import apt_settings, as_options
from tests.support.tools import missing, run, tool

if TYPE_CHECKING:
    from collections.abc import Iterator

# Kernels that everything is compared on: both suites, a small and a large one, another
# architecture.
KERNELS: Final = (
    ("bookworm", "amd64", "linux-image-cloud-amd64"),
    ("bookworm", "amd64", "linux-image-amd64"),
    ("trixie", "amd64", "linux-image-cloud-amd64"),
    ("trixie", "arm64", "linux-image-arm64"),
)
# The smallest of every other architecture: 32-bit and big-endian ones are among them.
OTHER_ARCHITECTURES: Final = (
    ("bookworm", "i386", "linux-image-686"),
    ("bookworm", "armhf", "linux-image-armmp"),
    ("bookworm", "armel", "linux-image-rpi"),
    ("trixie", "riscv64", "linux-image-riscv64"),
    ("bookworm", "ppc64el", "linux-image-powerpc64le"),
    ("bookworm", "s390x", "linux-image-s390x"),
    ("bookworm", "mipsel", "linux-image-4kc-malta"),
    ("bookworm", "mips64el", "linux-image-5kc-malta"),
)
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# The start of a versioned name: linux-image-6.1.0-44-…, linux-image-6.12.57+deb13-…
_RELEASE_START: Final = r"\d[0-9.]*(?:\+deb\d+)?(?:-\d+)?"


def cache_directory() -> Path:
    """Where downloads are kept between runs."""
    if own := os.environ.get("RDCOMPOSE_TEST_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rdcompose-tests"


def package(suite: str, architecture: str, name: str) -> Path:
    """Path of a package's ``.deb``; the test is skipped where it cannot be had.

    A kernel metapackage (``linux-image-cloud-amd64``) gives the package with the
    kernel that it depends on.
    """
    directory = cache_directory() / f"{suite}-{architecture}"
    if (found := _cached(directory, architecture, name)) is not None:
        return found
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory / ".lock"):
        # Another test process may have downloaded it while this one waited.
        if (found := _cached(directory, architecture, name)) is None:
            _download(directory, suite, architecture, name)
            found = _cached(directory, architecture, name)
    if found is None:
        missing(f"apt downloaded no {name} of {suite} for {architecture}")
    return found


def neighbour(suite: str, architecture: str, flavour: str) -> Path:
    """Path of another build of the kernel that :func:`package` gives for a flavour.

    It is of the same suite and upstream version, with another release.

    The test is skipped where the mirror has only the one.
    """
    own = package(suite, architecture, f"linux-image-{flavour}").name.partition("_")[0]
    directory = cache_directory() / f"{suite}-{architecture}-neighbours"
    directory.mkdir(parents=True, exist_ok=True)
    # The oldest of 6.1: the newest may differ in so little that its modules would load.
    start = ".".join(own.split(".")[:2]) + "."
    pattern = re.compile(_file_name(f"linux-image-{flavour}"))
    with locked(directory / ".lock"):
        for path in sorted(directory.glob("linux-image-*.deb")):
            name = path.name.partition("_")[0]
            if pattern.fullmatch(name) and name.startswith(start) and name != own:
                return path
        options = _apt_state(directory, suite, architecture)
        _update(options)
        names = run(tool("apt-cache"), *options, "pkgnames", "linux-image-").split()
        others = sorted(
            name
            for name in names
            if pattern.fullmatch(name) and name.startswith(start) and name != own
        )
        if not others:
            missing(f"the mirror has no other {flavour} of {suite}")
        _fetch(directory, options, others[0])
        return next(directory.glob(f"{others[0]}_*.deb"))


def unpacked(suite: str, architecture: str, name: str) -> Path:
    """A directory with the content of a package, kept beside its ``.deb``."""
    deb = package(suite, architecture, name)
    target = deb.parent / "unpacked" / deb.stem
    if not target.is_dir():
        target.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            content = Path(scratch) / "content"
            run(tool("dpkg-deb"), "-x", deb, content)
            # Another process may have been faster; both did the same.
            with contextlib.suppress(OSError):
                content.rename(target)
    return target


def lsinitramfs() -> str:
    """Path of initramfs-tools' lsinitramfs, with unmkinitramfs beside it.

    The package is not installed for that: it brings udev and systemd along, and
    conflicts with dracut. Both are shell scripts that run from anywhere; programs
    that they call (cpio, zstd, …) must be there.
    """
    if (found := shutil.which("lsinitramfs")) is not None:
        return found
    tool("cpio")
    scripts = unpacked("bookworm", "all", "initramfs-tools-core") / "usr" / "bin"
    # lsinitramfs looks for its other half in PATH.
    wrapper = scripts / "rdcompose-lsinitramfs"
    if not wrapper.exists():
        draft = scripts / f"rdcompose-lsinitramfs.{os.getpid()}"
        draft.write_text('#!/bin/sh\nPATH="${0%/*}:$PATH" exec "${0%/*}/lsinitramfs" "$@"\n')
        draft.chmod(0o755)
        draft.replace(wrapper)
    return str(wrapper)


def _cached(directory: Path, architecture: str, name: str) -> Path | None:
    # apt writes the colon of an epoch as %3a; only versions hold characters like "~".
    suffix = rf"_[^_/]+_(?:{re.escape(architecture)}|all)\.deb"
    pattern = re.compile(_file_name(name) + suffix)
    found = [path for path in directory.glob("*.deb") if pattern.fullmatch(path.name)]
    return max(found, key=lambda path: (path.stat().st_mtime, path.name), default=None)


def _file_name(name: str) -> str:
    """Pattern of the package names that serve a name asked for."""
    if not _is_metapackage(name):
        return re.escape(name)
    return rf"linux-image-{_RELEASE_START}-{re.escape(name.removeprefix('linux-image-'))}"


def _is_metapackage(name: str) -> bool:
    """Whether it is of a flavour; those begin with a digit, too (686-pae), but no release."""
    return name.startswith("linux-image-") and re.match(r"linux-image-\d+\.", name) is None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, against other test processes."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(directory: Path, suite: str, architecture: str, name: str) -> None:
    options = _apt_state(directory, suite, architecture)
    _update(options)
    _fetch(directory, options, _real_name(options, name))


def _fetch(directory: Path, options: list[str], wanted: str) -> None:
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        run(tool("apt-get"), *options, "-qq", "download", wanted, cwd=scratch, timeout=1800)
        for deb in Path(scratch).glob("*.deb"):
            deb.replace(directory / deb.name)


def _update(options: list[str]) -> None:
    # A mirror in the middle of its own update gives lists that do not fit together. If it
    # stays so, what could be had may be enough: the download tells.
    for _ in range(3):
        command = [tool("apt-get"), *options, "-qq", "update"]
        if subprocess.run(command, capture_output=True, check=False, timeout=900).returncode == 0:
            return
        time.sleep(5)


def _real_name(options: list[str], name: str) -> str:
    """The kernel package behind a metapackage; any other name as it is."""
    if not _is_metapackage(name):
        return name
    listing = run(tool("apt-cache"), *options, "depends", "--important", name)
    depends = re.search(r"^ +Depends: (linux-image-\d\S*)$", listing, re.MULTILINE)
    return depends[1] if depends else name


def _apt_state(directory: Path, suite: str, architecture: str) -> list[str]:
    """Options that give apt lists, sources and status of their own in ``directory``."""
    main, security = mirrors()
    state = directory / "apt"
    # Packages for all architectures are listed with every real one.
    native = run(tool("dpkg"), "--print-architecture").strip()
    listed = native if architecture == "all" else architecture
    settings = apt_settings(state, listed)
    origin = f"deb [arch={listed} signed-by={KEYRING}]"
    (state / "sources.list").write_text(
        f"{origin} {main} {suite} main non-free-firmware\n"
        f"{origin} {security} {suite}-security main non-free-firmware\n"
    )
    return as_options(settings)


def mirrors() -> tuple[str, str]:
    """Addresses of the Debian and the Debian security archive, as apt has them."""
    if shutil.which("apt-get") is None:
        missing("there is no apt to get real packages with")
    if not KEYRING.exists():
        missing(f"{KEYRING} is missing (Debian package debian-archive-keyring)")
    listing = run(
        tool("apt-get"),
        "indextargets",
        "--format",
        "$(LABEL) $(COMPONENT) $(REPO_URI)",
        "Created-By: Packages",
    )
    rows = [line.split() for line in listing.splitlines()]
    found = {label: uri for label, component, uri in rows if component == "main"}
    if not {"Debian", "Debian-Security"} <= found.keys():
        missing("apt has no lists of a Debian archive (apt-get update makes them)")
    return found["Debian"], found["Debian-Security"]
