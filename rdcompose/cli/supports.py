"""``rdcompose supports``: what kernels can do, by their configurations and modules."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from rdcompose.cli.kernel_alone import want_kernel
from rdcompose.cli.pi_kernels import group_kernels
from rdcompose.cli.prepared import kernel_store
from rdcompose.cli.terminal import table
from rdcompose.errors import UsageError
from rdcompose.kernel.supports import FEATURES, PINET, Status, Support, find_feature
from rdcompose.kernel.supports import supports as supported

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rdcompose.cli.kernel_alone import WantedKernel
    from rdcompose.kernel.package import KernelPackage


def supports(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    kernels, features = _told_apart(arguments.word)
    shown = not (arguments.quiet or arguments.no_progress)
    wanted = [_wanted(arguments, group) for group, _ in group_kernels(kernels, ())]
    with kernel_store(arguments) as store:
        packages = [package for one in wanted for package in one.read(store, shown=shown)]
    found = [(package, _of(package, features)) for package in packages]
    if arguments.json:
        rows = [_summary(package, row) for package, row in found]
        print(json.dumps(rows[0] if len(rows) == 1 else rows, indent=2, ensure_ascii=False))
    elif not arguments.quiet:
        _report(found)
    return int(any(one.status is Status.LACKING for _, row in found for one in row))


def _told_apart(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the kernels and the features; what is not a path and known as a feature is one."""
    features = [word for word in words if find_feature(word) is not None]
    kernels = [word for word in words if word not in features]
    if not kernels:
        raise UsageError(
            "no KERNEL is given", hint="a release, a flavour, a .deb file or a directory"
        )
    return kernels, features or [*PINET]


def _wanted(arguments: argparse.Namespace, kernels: Sequence[str]) -> WantedKernel:
    try:
        return want_kernel(arguments, kernels)
    except UsageError as error:
        raise _unknown(kernels[0], error) from error


def _unknown(word: str, error: UsageError) -> UsageError:
    """Return what to say of a word that may be a feature that is not known."""
    if Path(word).exists() or any(character.isdigit() for character in word):
        return error
    return UsageError(
        f"{word!r} is no feature that is known, and as a kernel: {error.message}",
        hint=f"features are {', '.join(FEATURES)}, and CONFIG_NAME",
    )


def _of(package: KernelPackage, features: Sequence[str]) -> list[Support]:
    modules = {module.name for module in package.tree.modules}
    return [supported(package.config, modules, name) for name in features]


def _report(found: Sequence[tuple[KernelPackage, Sequence[Support]]]) -> None:
    for package, row in found:
        print(f"{package.release}, {package.architecture.name}")
        print(table([(f"  {one.feature}", one.status.value, _remark(one)) for one in row]))


def _remark(one: Support) -> str:
    said = []
    if one.missing:
        said.append(", ".join(one.missing))
    elif one.absent:
        said.append(f"{', '.join(one.absent)} in none of the packages that are given")
    elif one.modules:
        said.append(", ".join(one.modules))
    if one.remark:
        said.append(one.remark)
    return "; ".join(said)


def _summary(package: KernelPackage, row: Sequence[Support]) -> dict[str, object]:
    return {
        "release": package.release,
        "architecture": package.architecture.name,
        "features": [dataclasses.asdict(one) for one in row],
    }
