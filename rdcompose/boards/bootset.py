"""A kernel's set in a boot folder: everything of one release that a Raspberry Pi loads.

A set is a directory of its own, which ``os_prefix`` of config.txt leads to: kernel, initramfs,
device trees and overlays of the kernel's own package, the command line, and a stamp that says
what they are: the manifest and checksums.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Final

from rdcompose.boards.cmdline import command_line
from rdcompose.errors import CapabilityError, UsageError
from rdcompose.manifest import checksum_line, manifest, to_json
from rdcompose.outputs import CHECKSUMS, initramfs_segments
from rdcompose.tree import Bytes, File, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rdcompose.boards.models import Model
    from rdcompose.compose.inputs import Input
    from rdcompose.compose.plan import Plan

CMDLINE: Final = "cmdline.txt"
OVERLAYS: Final = "overlays/"
# The firmware takes overlays of a prefix only where this file is beside them.
OVERLAYS_README: Final = f"{OVERLAYS}README"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SetSpec:
    """What is asked for of a set.

    ``models`` are the boards asked for, ``None`` for all that the kernel runs on. ``options`` are
    what the manifest is to say beside those of the plan, and ``inputs`` what went in beside it.
    """

    models: tuple[Model, ...] | None = None
    root: str | None = None
    cmdline: str = ""
    kernel_name: str | None = None
    device_tree: str | None = None
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    inputs: tuple[Input, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BootSet:
    """A set: its files in ``tree``, and what config.txt has to say of them.

    ``models`` are the boards that it is for; ``upstream`` tells whether device trees have the names
    of Linux as kernel.org has it; ``timestamp`` is the time of every file, in seconds since 1970.
    """

    release: str
    architecture: str
    bits: int
    models: tuple[Model, ...]
    kernel: str
    initramfs: str
    upstream: bool
    device_tree: str | None
    tree: Tree
    timestamp: int


def make_set(plan: Plan, spec: SetSpec) -> BootSet:
    """Make the set of a plan.

    :raises UsageError: the kernel does not run on a board that was asked for.
    :raises CapabilityError: its package has no device tree for one.
    """
    bits = plan.architecture.bits
    models = _models(plan, spec)
    trees = _device_trees(plan, models)
    upstream = any(name in trees for model in models for name in _upstream_only(model))
    kernel = spec.kernel_name or kernel_name(models, bits)
    initramfs = initramfs_name(kernel)
    segments = initramfs_segments(plan)
    line = command_line(models, upstream=upstream, root=spec.root, words=spec.cmdline)
    files = {
        kernel: plan.image.data,
        initramfs: b"".join(segments.values()),
        CMDLINE: line.encode("ascii") + b"\n",
        f"config-{plan.release}": plan.config,
        **trees,
    }
    sizes = {name: len(data) for name, data in segments.items()}
    plan = dataclasses.replace(
        plan, options={**plan.options, **spec.options}, inputs=(*plan.inputs, *spec.inputs)
    )
    return BootSet(
        release=plan.release,
        architecture=plan.architecture.name,
        bits=bits,
        models=models,
        kernel=kernel,
        initramfs=initramfs,
        upstream=upstream,
        device_tree=spec.device_tree,
        tree=_tree(files | _stamp(plan, files, sizes)),
        timestamp=plan.timestamp,
    )


def kernel_name(models: Sequence[Model], bits: int) -> str:
    """Return the name that the firmware of all these boards looks for, else of the first."""
    wanted = [model.kernels.get(bits, ()) for model in models]
    names = [name for name in wanted[0] if all(name in others for others in wanted)]
    return (names or wanted[0])[0]


def initramfs_name(kernel: str) -> str:
    """Return the name that goes with a kernel's, by the firmware's rule for ``auto_initramfs``."""
    stem = kernel.removesuffix(".img")
    if stem.startswith("kernel"):
        return stem.replace("kernel", "initramfs", 1)
    return f"initramfs-{stem}"


def _models(plan: Plan, spec: SetSpec) -> tuple[Model, ...]:
    from rdcompose.boards.models import models_for

    runs = models_for(plan.architecture.name, plan.release.rpartition("-")[2])
    found = [model for model in runs if spec.models is None or model in spec.models]
    if not found:
        raise UsageError(f"the kernel {plan.release} runs on no board that is asked for")
    return tuple(found)


def _device_trees(plan: Plan, models: Sequence[Model]) -> dict[str, bytes]:
    by_name = {path.rpartition("/")[2]: data for path, data in plan.device_trees.items()}
    found: dict[str, bytes] = {}
    for model in models:
        names = {*model.device_trees(upstream=True), *model.device_trees(upstream=False)}
        own = {name: by_name[name] for name in sorted(names) if name in by_name}
        if not own:
            raise CapabilityError(
                f"the package of the kernel {plan.release} has no device tree for {model.title}"
            )
        found |= own
    return found


def _upstream_only(model: Model) -> set[str]:
    return set(model.device_trees(upstream=True)) - set(model.device_trees(upstream=False))


def _stamp(plan: Plan, files: Mapping[str, bytes], sizes: Mapping[str, int]) -> dict[str, bytes]:
    outputs = [
        {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in sorted(files.items())
    ]
    name = f"manifest-{plan.release}.json"
    data = to_json(manifest(plan, outputs, sizes))
    rows = [(str(row["name"]), str(row["sha256"])) for row in outputs]
    rows.append((name, hashlib.sha256(data).hexdigest()))
    sums = b"".join(checksum_line(*row) for row in sorted(rows))
    return {name: data, CHECKSUMS: sums}


def _tree(files: Mapping[str, bytes]) -> Tree:
    tree = Tree()
    for path, data in sorted(files.items()):
        tree.add(File(path=path, content=Bytes(data)))
    return tree
