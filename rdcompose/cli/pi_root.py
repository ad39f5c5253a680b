"""The root of ``rdcompose pi`` on a server: what it needs, and whether that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.boards.netroot import check_initramfs, check_kernel
from rdcompose.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from rdcompose.boards.netroot import NetworkRoot
    from rdcompose.cli.composition import Composition
    from rdcompose.compose.lock import Lock
    from rdcompose.compose.plan import Plan


def features_with(
    arguments: argparse.Namespace, lock: Lock | None, root: NetworkRoot | None
) -> list[str] | None:
    """Return the features of the init script that count: those asked for, and the root's.

    :raises UsageError: the root is to be on a card, too.
    """
    features: list[str] | None = arguments.feature
    if root is None:
        return features
    if arguments.root_from is not None:
        raise UsageError(
            f"--root {root.text} and --root-from contradict each other",
            hint="what is on a server needs no partition on the card",
        )
    if not features and lock is not None:
        features = lock.options.get("features", "").split()
    return list(dict.fromkeys([*(features or ()), root.feature]))


def plan_with(composition: Composition, root: NetworkRoot | None) -> tuple[Plan, ...]:
    """Decide the compositions of kernels that are to have a root.

    :raises CapabilityError: a kernel cannot have it.
    :raises SpecError: an initramfs lacks a module for it.
    :raises RdcomposeError: as :meth:`Composition.plans` does.
    """
    if root is None:
        return tuple(composition.plans())
    # Before the selection, which can only say that a module is missing, not why.
    for package in composition.kernels.packages:
        check_kernel(root, package)
    plans = tuple(composition.plans())
    for package, plan in zip(composition.kernels.packages, plans, strict=True):
        check_initramfs(root, package, plan)
    return plans
