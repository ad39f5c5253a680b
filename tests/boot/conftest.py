from __future__ import annotations

import dataclasses
import functools
import os
import sys
from typing import TYPE_CHECKING, Protocol

import pytest

from rdcompose.kernel.release import flavour_architecture
from tests.support import rootfs
from tests.support.kernels import cache_directory, mirrors, package
from tests.support.qemu import Machine
from tests.support.tools import run

if TYPE_CHECKING:
    from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """The files that one ``rdcompose build`` wrote."""

    architecture: str
    release: str
    directory: Path

    @property
    def disk(self) -> Path:
        """The modules disk, a qcow2 image."""
        return self.directory / f"modules-{self.release}.qcow2"

    def machine(self, append: str, *devices: tuple[str, ...], memory: int = 512) -> Machine:
        """A machine with this kernel and initramfs."""
        return Machine(
            architecture=self.architecture,
            kernel=self.directory / f"vmlinuz-{self.release}",
            initramfs=self.directory / f"initramfs-{self.release}",
            # The kernel's own messages would cut those of init into pieces on a serial line.
            append=f"loglevel=4 {append}",
            devices=tuple(word for device in devices for word in device),
            memory=memory,
        )


def architecture_of(flavour: str) -> str:
    """Debian's name of the architecture of a flavour."""
    found = flavour_architecture(flavour)
    assert found is not None, flavour
    return found.name


class Compose(Protocol):
    """Runs ``rdcompose build``, once for the same arguments."""

    def __call__(self, suite: str, flavour: str, *options: str) -> Composition: ...


@pytest.fixture(scope="session")
def kernel_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of this test run: most kernels are composed several times, as users do, too."""
    own = tmp_path_factory.getbasetemp()
    # Each worker has a directory of its own below that of the run.
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "kernels"


@pytest.fixture(scope="session")
def composition(tmp_path_factory: pytest.TempPathFactory, kernel_cache: Path) -> Compose:
    @functools.cache
    def compose(suite: str, flavour: str, *options: str) -> Composition:
        architecture = architecture_of(flavour)
        kernel = package(suite, architecture, f"linux-image-{flavour}")
        out = tmp_path_factory.mktemp("composition")
        run(
            *(sys.executable, "-m", "rdcompose", "build", kernel, "-q", "-o", out),
            *("--busybox", package(suite, architecture, "busybox-static")),
            *("--e2fsck", package(suite, architecture, "e2fsck-static")),
            *("--cache", kernel_cache),
            *options,
        )
        # What boots must pass as sound, too.
        run(*(sys.executable, "-m", "rdcompose", "verify", "-q", out))
        [initramfs] = out.glob("initramfs-*")
        release = initramfs.name.removeprefix("initramfs-")
        return Composition(architecture=architecture, release=release, directory=out)

    return compose


@pytest.fixture(scope="session")
def composition_by_name(tmp_path_factory: pytest.TempPathFactory) -> Compose:
    """Has rdcompose itself fetch the kernel and the programs from the archive."""

    @functools.cache
    def compose(suite: str, flavour: str, *options: str) -> Composition:
        mirrors()
        out = tmp_path_factory.mktemp("composition")
        cache = cache_directory() / "archive"
        run(
            *(sys.executable, "-m", "rdcompose", "build", flavour, "--suite", suite, *options),
            *("--no-snapshot", "-q", "-o", str(out), "--cache", str(cache)),
        )
        # What boots must pass as sound, too.
        run(*(sys.executable, "-m", "rdcompose", "verify", "-q", out))
        [initramfs] = out.glob("initramfs-*")
        release = initramfs.name.removeprefix("initramfs-")
        architecture = architecture_of(flavour)
        return Composition(architecture=architecture, release=release, directory=out)

    return compose


class RootImage(Protocol):
    """Makes an ext4 root image whose init is a script."""

    def __call__(self, init: str, *, architecture: str = "amd64", kmod: bool = False) -> Path: ...


@pytest.fixture(scope="session")
def root_image(tmp_path_factory: pytest.TempPathFactory) -> RootImage:
    @functools.cache
    def make(init: str, *, architecture: str = "amd64", kmod: bool = False) -> Path:
        folder = tmp_path_factory.mktemp("root")
        tree = rootfs.root_tree(folder / "tree", architecture, init, kmod=kmod)
        return rootfs.ext4_image(tree, folder / "root.img")

    return make
