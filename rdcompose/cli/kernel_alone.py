"""A kernel by its name, packages or root, for commands that compose nothing of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NamedTuple

from rdcompose.cli.acquire import acquire, architecture_asked_for
from rdcompose.cli.asked import ask
from rdcompose.cli.kernel_input import read_kernel
from rdcompose.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdcompose.cli.asked import Asked
    from rdcompose.cli.prepared import KernelStore
    from rdcompose.kernel.package import KernelPackage
    from rdcompose.kernel.release import Architecture


class WantedKernel(NamedTuple):
    """A kernel as it is asked for, with its architecture if that is known before it is read."""

    arguments: argparse.Namespace
    asked: Asked
    architecture: Architecture | None

    def read(self, store: KernelStore | None, *, shown: bool) -> tuple[KernelPackage, ...]:
        """Read it, fetched if it is not at hand; several, where the packages hold several.

        :raises RdcomposeError: it cannot be had.
        """
        arguments, asked, architecture = self
        files = asked.packages
        if not asked.is_local and architecture is not None:
            files = acquire(arguments, asked, None, architecture, shown=shown).kernel
        threads = arguments.threads
        read = read_kernel(asked, files, architecture, threads=threads, shown=shown, store=store)
        return read.packages


def want_kernel(arguments: argparse.Namespace, kernels: Sequence[str]) -> WantedKernel:
    """Check what is asked for, whatever the options say of what goes beside a kernel.

    :raises UsageError: it is no kernel, or several.
    """
    alone = {"kernel": [*kernels], "busybox": "none", "e2fsck": "none", "template": None}
    own = argparse.Namespace(**{**vars(arguments), **alone})
    asked = ask(own, None, (), ())
    if asked.is_local:
        return WantedKernel(own, asked, asked.architecture)
    return WantedKernel(own, asked, architecture_asked_for(asked, None))


def only_kernel(packages: Sequence[KernelPackage]) -> KernelPackage:
    """Return the kernel, where a command is about one.

    :raises UsageError: the packages hold several.
    """
    if len(packages) > 1:
        raise UsageError(
            f"several kernels are there: {', '.join(one.release for one in packages)}",
            hint="choose one with --release",
        )
    return packages[0]
