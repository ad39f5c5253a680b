"""Boots by which module lists are found and proved, with every module of the kernel at hand.

The first boot has the drivers of the profile ``generic``, and small ones of common devices beside
them, so that few more boots are needed. Whatever its devices ask for goes into the next one, whose
drivers may find more devices, until there is nothing new; then what did not stay loaded is taken
out. So no machine needs the memory for all modules at once.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.cli.as_command import as_command
from rdcompose.cli.composition import DEFAULTS, Compositions, wish
from rdcompose.cli.kernel_alone import only_kernel
from rdcompose.cli.machine import Job, check_boot, find_emulation
from rdcompose.cli.named_file import write_named
from rdcompose.cli.prepared import kept_blocks, kernel_store
from rdcompose.cli.terminal import progress
from rdcompose.compose.layout import depmod_of
from rdcompose.compose.profile import AUTOLOAD, RAMFS, load_profile
from rdcompose.errors import SpecError, UsageError
from rdcompose.inspect.findings import count
from rdcompose.inspect.observed import Observed
from rdcompose.inspect.suggestion import check_modules, suggest
from rdcompose.kernel.modlist import ListEntry, parse_modules
from rdcompose.kernel.selection import select
from rdcompose.outputs import write_outputs
from rdcompose.qemu.artifacts import find_artifacts
from rdcompose.qemu.trial import read_facts, trial_segment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.cli.composition import Wish
    from rdcompose.cli.prepared import KernelStore
    from rdcompose.cli.terminal import Say
    from rdcompose.inspect.suggestion import Suggestion
    from rdcompose.kernel.package import KernelPackage
    from rdcompose.qemu.report import Report
    from rdcompose.qemu.trial import TrialFacts

_FIRST: Final = "generic"
_BESIDE: Final = b"""
arch/ crypto/ drivers/acpi/ drivers/char/ drivers/cpufreq/ drivers/edac/ drivers/firmware/
drivers/gpio/ drivers/i2c/busses/ drivers/input/*.ko drivers/input/keyboard/ drivers/input/misc/
drivers/input/mouse/ drivers/input/serio/ drivers/mfd/ drivers/net/*.ko drivers/parport/
drivers/pci/ drivers/power/ drivers/rtc/ drivers/thermal/ drivers/tty/ drivers/virtio/
drivers/watchdog/
"""
_MOST: Final = 8
# What is in every composition with a modules disk, listed or not.
_OF_DISK: Final = frozenset({"squashfs", "overlay"})
_ROOT_STEP: Final = "root filesystem"


class Boot(NamedTuple):
    """A boot: the modules that its initramfs had, what it said, and how it is judged."""

    held: frozenset[str]
    facts: TrialFacts
    report: Report


class Tried(NamedTuple):
    """Lists that were found, the last of so many boots, and whether it was with just these."""

    suggestion: Suggestion
    boot: Boot
    boots: int
    proved: bool


@contextlib.contextmanager
def open_trial(arguments: argparse.Namespace, *, shown: bool) -> Iterator[Trial]:
    """Make ready for boots; what they take is gone afterwards.

    :raises RdcomposeError: the kernel, a program or the machine cannot be had.
    """
    if arguments.root == "none":
        raise UsageError("a boot that is to prove lists needs a root, so not --root none")
    own = argparse.Namespace(**{**vars(arguments), "check": True, "writable": False})
    with (
        tempfile.TemporaryDirectory(prefix="rdcompose-") as folder,
        kernel_store(arguments) as store,
    ):
        yield Trial(own, Path(folder), store, shown=shown)


class Trial:
    """A kernel, a machine, and a directory for what is booted."""

    def __init__(
        self, arguments: argparse.Namespace, folder: Path, store: KernelStore | None, *, shown: bool
    ) -> None:
        self._arguments = arguments
        self._folder = folder
        self._store = store
        self._shown = shown
        self._driven: frozenset[str] = frozenset()
        self._compositions = Compositions(store=store, shown=shown)
        kernels = self._compositions.compose(self._wish("", "")).kernels
        self.package: Final[KernelPackage] = only_kernel(kernels.packages)
        self.depmod: Final = depmod_of(self.package.tree)
        check_modules(self.depmod)
        self._emulation = find_emulation(
            arguments, self.package.architecture.name, self.package.release
        )

    @property
    def machine(self) -> str:
        """The name of the machine."""
        return self._emulation.board.name

    def find(self, say: Say) -> Tried:
        """Boot until nothing is missing; ``say`` is told of each boot.

        :raises SpecError: the machine does not come so far that it says what it has, or always
            has something new.
        """
        seen = Observed()
        refused: frozenset[str] = frozenset()
        found: Suggestion | None = None
        for number in range(1, _MOST + 1):
            boot = self._boot(self._first(), "") if found is None else self.boot(found)
            seen = seen.and_also(self.observed(boot))
            booted = found
            found, refused = self._next(boot, seen, refused)
            lacking = len(found.names - boot.held)
            devices = count(len(boot.facts.devices), "device")
            say(f"boot {number}: {devices}, {count(lacking, 'more module')} to try")
            if booted is not None and _lists(booted) == _lists(found):
                return Tried(found, boot, number, proved=True)
            if not lacking and self._arguments.prove is False:
                return Tried(found, boot, number, proved=False)
        raise SpecError(f"after {_MOST} boots the machine still has devices that are new")

    def boot(self, suggestion: Suggestion) -> Boot:
        """Boot with just these lists.

        :raises SpecError: the machine does not come so far that it says what it has.
        """
        return self._boot(*_lists(suggestion))

    def observed(self, boot: Boot) -> Observed:
        """Return what was seen of the machine; of a root of the user, its file system, too."""
        asked = boot.facts.asked
        self._driven |= boot.facts.driven
        if self._arguments.root is not None:
            steps = boot.report.verdict.steps
            mounted = (step for step in steps if step.name == _ROOT_STEP and step.passed)
            asked = (*asked, *(f"fs-{step.detail.split()[0]}" for step in mounted))
        return Observed(devices=boot.facts.devices, asked=asked)

    def suggest(self, seen: Observed, refused: frozenset[str] = frozenset()) -> Suggestion:
        """Choose modules; those of the modules disk come without a list."""
        own = _OF_DISK - {name.removeprefix("fs-") for name in seen.asked}
        if self._arguments.root is None:
            # The root that is made for a trial is none of the user's.
            own = _OF_DISK
        return suggest(self.depmod, seen, refused=refused, passed_over=own, driven=self._driven)

    def _next(
        self, boot: Boot, seen: Observed, refused: frozenset[str]
    ) -> tuple[Suggestion, frozenset[str]]:
        """Return what is to be booted next, and all that did not stay loaded."""
        while True:
            found = self.suggest(seen, refused)
            if not found.names <= boot.held:
                # A module may stay only when those are there that are not yet.
                return found, refused
            asked_for = {one.name for one in found.ramfs if one.devices or one.asked}
            fresh = asked_for - boot.facts.loaded
            if not fresh:
                return found, refused
            refused |= fresh

    def _first(self) -> str:
        listed = (*load_profile(_FIRST).entries, *parse_modules(_BESIDE, file="suggest"))
        entries = [
            dataclasses.replace(entry, optional=True)
            for entry in listed
            if isinstance(entry, ListEntry)
        ]
        return "".join(f"{name}\n" for name in select(self.depmod, entries).ramdisk)

    def _wish(self, ramfs: str, autoload: str) -> Wish:
        profile = self._folder / "profile"
        write_named(profile / RAMFS, ramfs.encode())
        write_named(profile / AUTOLOAD, autoload.encode())
        own = as_command("build", self._arguments, profile=str(profile), e2fsck="none", fast=True)
        return wish(own, None, DEFAULTS)

    def _boot(self, ramfs: str, autoload: str) -> Boot:
        arguments, release = self._arguments, self.package.release
        out = self._folder / "out"
        composition = self._compositions.compose(self._wish(ramfs, autoload))
        with progress("composing", shown=self._shown):
            plans = composition.plans()
            with kept_blocks(self._store, composition.kernels.packages) as blocks:
                write_outputs(plans, out, threads=arguments.threads, blocks=blocks)
        artifacts = find_artifacts(out, release)
        trial = self._folder / "initramfs"
        write_named(trial, trial_segment() + artifacts.initramfs.read_bytes())
        job = Job(
            arguments=arguments,
            artifacts=dataclasses.replace(artifacts, initramfs=trial),
            emulation=self._emulation,
            root=None if arguments.root is None else Path(arguments.root),
            made=self._folder / "root.squashfs",
            efi=None,
        )
        run, report = check_boot(job)
        facts = read_facts(run.lines)
        if not facts.told:
            raise SpecError(
                f"the machine ended before it told what it has: {report.verdict.reason}",
                hint="-v shows its console"
                if arguments.template is None
                else "scripts of /etc/rdcompose.d are run by init of the built-in template",
            )
        return Boot(frozenset(plans[0].selection.ramdisk), facts, report)


def _lists(suggestion: Suggestion) -> tuple[str, str]:
    # Comments, which differ from one boot to the next, are not what lists are compared by.
    ramfs = "".join(f"{one.name}\n" for one in suggestion.ramfs)
    return ramfs, "".join(f"{one.name}\n" for one in suggestion.autoload)
