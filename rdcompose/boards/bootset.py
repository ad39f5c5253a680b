"""A kernel's set in a boot folder: everything of one release that a Raspberry Pi loads.

A set is a directory of its own, which ``os_prefix`` of config.txt leads to: kernel, initramfs,
device trees and overlays of the kernel's own package, the command line, and a stamp that says
what they are: the manifest and checksums.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import TYPE_CHECKING, Final

from rdcompose.boards.cmdline import command_line
from rdcompose.boards.models import models_for
from rdcompose.errors import CapabilityError, UsageError
from rdcompose.formats.image import ImageKind, read_image
from rdcompose.formats.vmlinux import unpack_kernel
from rdcompose.kernel.release import flavour_of_release
from rdcompose.manifest import checksum_line, manifest, to_json
from rdcompose.outputs import CHECKSUMS, initramfs_segments
from rdcompose.tree import Bytes, File, Tree

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from rdcompose.boards.models import Model
    from rdcompose.compose.inputs import Input
    from rdcompose.compose.plan import Plan

CMDLINE: Final = "cmdline.txt"
# How names of other files in a folder end.
_RESERVED: Final = (".txt", ".json", ".dtb", CHECKSUMS)
# It becomes a value in config.txt, of whose lines the firmware reads no more than 98 characters.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~-]{0,63}")
_README: Final = (
    b"Overlays of this kernel's package. Without this file the firmware passes over them.\n"
)
# Options of the manifest that a folder is read by.
BOARDS: Final = "board"
KERNEL_NAME: Final = "kernel-name"
DEVICE_TREE: Final = "device-tree"
OVERLAYS: Final = "overlays/"
# The firmware takes overlays of a prefix only where this file is beside them.
OVERLAYS_README: Final = f"{OVERLAYS}README"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SetSpec:
    """What is asked for of a set.

    ``models`` are the boards asked for, ``None`` for all that the kernel runs on. ``line`` is the
    whole command line where ``root`` and ``cmdline`` have no say. ``options`` are
    what the manifest is to say beside those of the plan, and ``inputs`` what went in beside it.
    """

    models: tuple[Model, ...] | None = None
    root: str | None = None
    cmdline: str = ""
    line: str | None = None
    kernel_name: str | None = None
    device_tree: str | None = None
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    inputs: tuple[Input, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SetFacts:
    """What config.txt has to say of a set, and for which boards.

    ``kernel`` and ``initramfs`` are the names of files in it; ``upstream`` tells whether its device
    trees have the names of Linux as kernel.org has it; ``device_tree`` is the one to load on every
    board, ``None`` for each board's own.
    """

    release: str
    architecture: str
    bits: int
    models: tuple[Model, ...]
    kernel: str
    initramfs: str
    upstream: bool
    device_tree: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BootSet(SetFacts):
    """A set with its files; ``timestamp`` is the time of all of them, in seconds since 1970."""

    tree: Tree
    timestamp: int


def make_set(plan: Plan, spec: SetSpec) -> BootSet:
    """Make the set of a plan.

    :raises UsageError: the kernel runs on no board that was asked for.
    :raises CapabilityError: its package has no device tree for one.
    :raises SpecError: the command line is none.
    """
    bits = plan.architecture.bits
    models, trees = _device_trees(plan, spec)
    upstream = has_upstream_names(trees, models)
    kernel = kernel_name(models, bits) if spec.kernel_name is None else spec.kernel_name
    if _NAME.fullmatch(kernel) is None or kernel.endswith(_RESERVED):
        raise UsageError(f"--kernel-name {kernel!r} is no file name that the firmware takes")
    initramfs = initramfs_name(kernel)
    segments = initramfs_segments(plan)
    line = spec.line
    if line is None:
        line = command_line(models, upstream=upstream, root=spec.root, words=spec.cmdline)
    files = {
        kernel: _kernel(plan),
        initramfs: _initramfs(plan, segments.values()),
        CMDLINE: line.encode("ascii") + b"\n",
        f"config-{plan.release}": plan.config,
        **trees,
    }
    if len(files) != 4 + len(trees):
        raise UsageError(f"the kernel cannot have the name {kernel}: another file has it")
    own = {name: value for name, value in spec.options.items() if name != BOARDS}
    options = {BOARDS: " ".join(model.name for model in models), **own}
    plan = dataclasses.replace(
        plan, options={**plan.options} | options, inputs=(*plan.inputs, *spec.inputs)
    )
    sizes = {name: len(data) for name, data in segments.items()}
    return BootSet(
        release=plan.release,
        architecture=plan.architecture.name,
        bits=bits,
        models=models,
        kernel=kernel,
        initramfs=initramfs,
        upstream=upstream,
        device_tree=None if spec.device_tree is None else tree_name(spec.device_tree),
        tree=_tree(files | _stamp(plan, files, sizes)),
        timestamp=plan.timestamp,
    )


def kernel_name(models: Sequence[Model], bits: int) -> str:
    """Return the name that the firmware of all these boards looks for, else of the first."""
    wanted = [model.kernels.get(bits, ()) for model in models]
    names = [name for name in wanted[0] if all(name in others for others in wanted)]
    return (names or wanted[0])[0]


def tree_name(path: str) -> str:
    """Return what a device tree of a package is called in a set."""
    return path.rpartition("/")[2]


def initramfs_name(kernel: str) -> str:
    """Return the name that goes with a kernel's, by the firmware's rule for ``auto_initramfs``."""
    stem = kernel.removesuffix(".img")
    if stem.startswith("kernel"):
        return stem.replace("kernel", "initramfs", 1)
    return f"initramfs-{stem}"


def _kernel(plan: Plan) -> bytes:
    """Return the kernel as the firmware starts it: unpacked, but for gzip, which it knows."""
    data = plan.image.data
    image = read_image(data)
    if image.kind is not ImageKind.EFI_ZBOOT and image.compression in {None, "gzip"}:
        return data
    # It was unpacked before, to find its release.
    return unpack_kernel(data).data


def _initramfs(plan: Plan, segments: Iterable[bytes]) -> bytes:
    """Join the segments; zeros at the end let the firmware join the file with others."""
    data = b"".join(segments)
    # Of lz4 the kernel takes nothing behind the end.
    return data if plan.compression.name == "lz4" else data + bytes(-len(data) % 4)


def _device_trees(plan: Plan, spec: SetSpec) -> tuple[tuple[Model, ...], dict[str, bytes]]:
    """Return the boards of a set, and their device trees and the overlays by name."""
    models = models_of(plan.release, plan.architecture.name, spec.models)
    by_name = {tree_name(path): data for path, data in plan.device_trees.items()}
    found: dict[str, bytes] = {}
    booted = []
    for model in models:
        names = {*model.device_trees(upstream=True), *model.device_trees(upstream=False)}
        own = {name: by_name[name] for name in sorted(names) if name in by_name}
        if own:
            booted.append(model)
            found |= own
        elif spec.models is not None:
            raise _no_tree(plan, f"for a {model.title}: {min(names)}")
    if not booted:
        raise _no_tree(plan, "for any Raspberry Pi")
    if spec.device_tree is not None:
        if spec.device_tree not in {*plan.device_trees, *by_name}:
            raise _no_tree(plan, repr(spec.device_tree))
        name = tree_name(spec.device_tree)
        found[name] = by_name[name]
    return tuple(booted), found | _overlays(plan)


def models_of(
    release: str, architecture: str, asked: Sequence[Model] | None = None
) -> tuple[Model, ...]:
    """Return the boards that a kernel runs on, of those asked for.

    :raises UsageError: there are none.
    """
    runs = models_for(architecture, flavour_of_release(release))
    if not runs:
        raise UsageError(
            f"the kernel {release} for {architecture} runs on no Raspberry Pi",
            hint="rpi of armel is for Zero and 1, armmp of armhf for 2 to 4, arm64 for Zero 2 to 5",
        )
    found = tuple(model for model in runs if asked is None or model in asked)
    if not found:
        there = ", ".join(model.name for model in runs)
        raise UsageError(
            f"the kernel {release} runs on no board that --board names", hint=f"it runs on {there}"
        )
    return found


def _no_tree(plan: Plan, what: str) -> CapabilityError:
    return CapabilityError(
        f"the package of the kernel {plan.release} has no device tree {what}",
        hint="take another kernel, or other boards: --board",
    )


def _overlays(plan: Plan) -> dict[str, bytes]:
    """Return the overlays of the kernel's own package, by their paths in the set."""
    found = {path: data for path, data in plan.device_trees.items() if path.startswith(OVERLAYS)}
    if found:
        found.setdefault(OVERLAYS_README, _README)
    return found


def has_upstream_names(names: Container[str], models: Iterable[Model]) -> bool:
    """Whether none of the device trees has a name that only Raspberry Pi's own kernel gives it."""
    for model in models:
        upstream = model.device_trees(upstream=True)
        own = [name for name in model.device_trees(upstream=False) if name not in upstream]
        if any(name in names for name in own):
            return False
    return True


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
