"""The kernels of ``rdcompose pi``: from arguments to sets and firmware files."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.archive.version import version_key
from rdcompose.boards.bootset import (
    BOARDS,
    DEVICE_TREE,
    KERNEL_NAME,
    OVERLAYS,
    BootSet,
    SetSpec,
    make_set,
    models_of,
    tree_name,
)
from rdcompose.boards.cmdline import check_words, names_root
from rdcompose.boards.edit import edited_line
from rdcompose.boards.models import MODELS, find_models
from rdcompose.boards.netroot import network_root
from rdcompose.boards.pifirmware import PACKAGE, read_pi_firmware
from rdcompose.cli import pi_card
from rdcompose.cli.composition import compose
from rdcompose.cli.pi_kernels import group_kernels
from rdcompose.cli.pi_root import features_with, plan_with
from rdcompose.cli.prepared import kernel_store
from rdcompose.cli.terminal import progress
from rdcompose.compose.filesource import PI_FIRMWARE, parse_source
from rdcompose.compose.lock import Lock, read_lock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rdcompose.boards.models import Model
    from rdcompose.boards.pifirmware import PiFirmware
    from rdcompose.boards.present import Present
    from rdcompose.cli.acquired import Acquired
    from rdcompose.cli.pi_card import Beside
    from rdcompose.cli.prepared import KernelStore
    from rdcompose.compose.filesource import SourceRequest
    from rdcompose.compose.plan import Plan

_DEFAULTS: Final = {
    "profile": "pi",
    "image": "package",
    "disk": "none",
    "disk-format": "squashfs",
}
# Options as the manifest of a set names them, and as the parser does.
_OPTIONS: Final = {
    BOARDS: "board",
    "root": "root",
    "cmdline": "words",
    KERNEL_NAME: "kernel_name",
    DEVICE_TREE: "device_tree",
    PI_FIRMWARE: "pi_firmware",
    **pi_card.OPTIONS,
}
_NONE: Final = "none"


class Composed(NamedTuple):
    """What a boot folder is made of: sets, the boards it is for, and firmware files by name."""

    sets: tuple[BootSet, ...]
    models: tuple[Model, ...]
    firmware: Mapping[str, bytes]


class _Kernel(NamedTuple):
    """A kernel as it was asked for, what was read of it, and what is to be made of that."""

    lock: Lock | None
    options: dict[str, str]
    acquired: Acquired
    plans: tuple[Plan, ...]


class Planned(NamedTuple):
    """Everything that was asked for, read and decided; no boot folder yet."""

    kernels: tuple[_Kernel, ...]
    asked: tuple[Model, ...]
    firmware: PiFirmware | None

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The compositions of all kernels."""
        return tuple(plan for kernel in self.kernels for plan in kernel.plans)

    @property
    def options(self) -> dict[str, str]:
        """The options that are not of one kernel alone."""
        return self.kernels[0].options


def plan_sets(arguments: argparse.Namespace, *, shown: bool) -> Planned:
    """Read every kernel that is asked for, and decide its composition.

    :raises UsageError: the options contradict each other.
    :raises RdcomposeError: a kernel, or what goes beside it, cannot be had.
    """
    locks = [read_lock(path) for path in arguments.locked or ()]
    with kernel_store(arguments) as store:
        kernels = tuple(
            _read(arguments, group, lock, store, shown=shown)
            for group, lock in group_kernels(arguments.kernel, locks)
        )
    asked = _asked_models(kernels)
    with progress("composing", shown=shown):
        firmware = _firmware(kernels, asked or tuple(MODELS.values()))
    return Planned(kernels, asked, firmware)


def make_sets(
    planned: Planned, beside: Beside, present: Present | None = None, *, shown: bool
) -> Composed:
    """Make the set of every kernel; ``beside`` is what goes with all of them.

    With ``present``, the sets are for that folder, and have the command line that it has.

    :raises RdcomposeError: a kernel runs on no board that was asked for, or is not what its lock
        says.
    """
    firmware = planned.firmware
    with progress("composing", shown=shown):
        sets = [
            made for kernel in planned.kernels for made in _sets(kernel, firmware, beside, present)
        ]
    models = planned.asked or tuple(
        model for model in MODELS.values() if any(model in made.models for made in sets)
    )
    files = {} if firmware is None else firmware.files
    return Composed(tuple(sets), models, files)


def _read(
    arguments: argparse.Namespace,
    kernels: Sequence[str],
    lock: Lock | None,
    store: KernelStore | None,
    *,
    shown: bool,
) -> _Kernel:
    # Who has a boot folder has firmware in it.
    usual = _NONE if arguments.edit else PACKAGE
    options = {PI_FIRMWARE: usual} | _options(arguments, lock)
    names = {name for model in MODELS.values() for name in _tree_names(model)}
    if DEVICE_TREE in options:
        names.add(tree_name(options[DEVICE_TREE]))

    def wanted(path: str) -> bool:
        return path.startswith(OVERLAYS) or path.rpartition("/")[2] in names

    own = argparse.Namespace(**{**vars(arguments), "kernel": [*kernels]})
    root = network_root(options.get("root", ""), options.get("cmdline", ""))
    own.feature = features_with(own, lock, root)
    sources: list[SourceRequest] = []
    if options[PI_FIRMWARE] != _NONE:
        sources.append(parse_source(PI_FIRMWARE, options[PI_FIRMWARE]))
        # Without directories of this machine.
        options[PI_FIRMWARE] = sources[0].text
    composition = compose(
        own, lock, _DEFAULTS, sources=sources, device_trees=wanted, store=store, shown=shown
    )
    for package in composition.kernels.packages:
        # Before module lists are looked at, which are for such kernels.
        models_of(package.release, package.architecture.name, _models(options))
    with progress("composing", shown=shown):
        plans = plan_with(composition, root)
    # Not the kernel itself: its modules take memory that the next kernel needs.
    return _Kernel(lock, options, composition.acquired[0], plans)


def _tree_names(model: Model) -> tuple[str, ...]:
    return (*model.device_trees(upstream=True), *model.device_trees(upstream=False))


def _options(arguments: argparse.Namespace, lock: Lock | None) -> dict[str, str]:
    """Return the options of this command's own that were given, else what a lock has.

    :raises UsageError: two of them contradict each other.
    """
    locked = {} if lock is None else lock.options
    options = {name: locked[name] for name in _OPTIONS if name in locked}
    for name, attribute in _OPTIONS.items():
        value = getattr(arguments, attribute)
        if value is not None:
            options[name] = " ".join(value) if isinstance(value, list) else value
    check_words(options.get("root"), options.get("cmdline", ""))
    return options


def _models(options: Mapping[str, str]) -> tuple[Model, ...] | None:
    """Return the boards that are asked for, ``None`` where all count."""
    return find_models(options[BOARDS].split()) if BOARDS in options else None


def _asked_models(kernels: Sequence[_Kernel]) -> tuple[Model, ...]:
    """Return the boards that are asked for; none where all count."""
    return find_models(
        name for kernel in kernels for name in kernel.options.get(BOARDS, "").split()
    )


def _firmware(kernels: Sequence[_Kernel], models: Sequence[Model]) -> PiFirmware | None:
    """Return the newest firmware of those that the kernels' releases of Debian have."""
    found: PiFirmware | None = None
    for kernel in kernels:
        for source in kernel.acquired.of_role(PI_FIRMWARE):
            read = read_pi_firmware(source, models)
            if found is None or _newer(read, found):
                found = read
    return found


def _newer(one: PiFirmware, other: PiFirmware) -> bool:
    return version_key(one.input.version) > version_key(other.input.version)


def _sets(
    kernel: _Kernel, firmware: PiFirmware | None, beside: Beside, present: Present | None
) -> list[BootSet]:
    options = _with_card(kernel.options, beside)
    models = _models(options)
    root, words = options.get("root"), options.get("cmdline", "")
    inputs = [*(() if firmware is None else (firmware.input,)), *beside.inputs]
    line = None
    if present is not None:
        found = edited_line(present, models or MODELS.values(), root=root, words=words)
        if found is not None:
            line, item = found
            inputs.append(item)
    spec = SetSpec(
        models=models,
        root=root,
        cmdline=words,
        line=line,
        kernel_name=options.get(KERNEL_NAME),
        device_tree=options.get(DEVICE_TREE),
        options=options,
        inputs=tuple(inputs),
    )
    if kernel.lock is not None:
        kernel.lock.check((*kernel.plans[0].inputs, *spec.inputs))
    return [make_set(plan, spec) for plan in kernel.plans]


def _with_card(given: Mapping[str, str], beside: Beside) -> dict[str, str]:
    """Return options with what a card makes of them."""
    options = dict(given)
    words = options.get("cmdline", "")
    if beside.root is not None and not names_root(words):
        options.setdefault("root", beside.root)
    if beside.words and beside.words not in words.split():
        options["cmdline"] = f"{words} {beside.words}".strip()
    # In one order, wherever they come from: they are part of the manifest.
    return {name: options[name] for name in _OPTIONS if name in options}
