"""From options to plans: what every command that composes shares."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.cli.acquire import acquire, architecture_asked_for, local_packages
from rdcompose.cli.asked import ask
from rdcompose.cli.environment import source_date_epoch
from rdcompose.cli.sources import wanted_sources
from rdcompose.cli.terminal import warn
from rdcompose.cli.uki import uki_spec
from rdcompose.compose.addlist import parse_request
from rdcompose.compose.features import load_features, missing_packages
from rdcompose.compose.filesource import FIRMWARE, MICROCODE, MODULE, STUB, SYMVERS
from rdcompose.compose.inputs import read_file
from rdcompose.compose.profile import load_profile
from rdcompose.compose.programname import ProgramName
from rdcompose.compose.spec import (
    Codec,
    ComposeSpec,
    DiskFormat,
    DiskMode,
    EmitForm,
    FirmwareMode,
    ImageForm,
    Preset,
)
from rdcompose.errors import RdcomposeError, SpecError, UsageError
from rdcompose.formats.compression import parse_compression
from rdcompose.formats.squashfs import compressors
from rdcompose.kernel.release import architecture_by_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rdcompose.cli.acquired import Acquired
    from rdcompose.cli.asked import Asked
    from rdcompose.cli.kernel_input import Kernels
    from rdcompose.cli.prepared import KernelStore
    from rdcompose.cli.terminal import Say
    from rdcompose.compose.addlist import Request
    from rdcompose.compose.filesource import SourceRequest
    from rdcompose.compose.inputs import InputFile
    from rdcompose.compose.known import Known
    from rdcompose.compose.lock import Lock
    from rdcompose.compose.plan import Plan
    from rdcompose.kernel.release import Architecture

# Named as the manifest names them.
_OPTIONS: Final = (
    "profile",
    "image",
    "compress",
    "disk",
    "disk-format",
    "disk-compress",
    "firmware",
)
# What a preset chooses anew, where a lock or a default has it.
_OF_PRESETS: Final = frozenset({"compress", "disk-compress"})

# Of ``rdcompose build``.
DEFAULTS: Final = {
    "profile": "minivm",
    "image": "package",
    "disk": "remaining",
    "disk-format": "qcow2",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """Kernels that were read, and what is to be made of each; all in the same order.

    While it lives, no other process cleans away what it takes from the cache.
    """

    kernels: Kernels
    specs: tuple[ComposeSpec, ...]
    acquired: tuple[Acquired, ...]
    known: Known

    def plans(self) -> list[Plan]:
        """Decide the compositions.

        :raises RdcomposeError: as :func:`rdcompose.compose.plan.make_plan` does.
        """
        from rdcompose.compose.plan import make_plan
        from rdcompose.kernel.held import give_back

        pairs = zip(self.kernels.packages, self.specs, strict=True)
        inputs = self.kernels.inputs
        plans = [make_plan(package, inputs, spec, self.known) for package, spec in pairs]
        # What indexes are made of; most memory is taken by what comes now.
        give_back()
        return plans


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One composition as it is asked for, checked as far as that goes without reading a kernel.

    ``options`` are those that the manifest will have, as far as they are known.
    """

    arguments: argparse.Namespace
    options: Mapping[str, str]
    asked: Asked
    lock: Lock | None


def wish(
    arguments: argparse.Namespace,
    lock: Lock | None,
    defaults: Mapping[str, str],
    sources: Sequence[SourceRequest] = (),
) -> Wish:
    """Check what is asked for; the parameters are those of :func:`compose`.

    :raises UsageError: the options contradict each other.
    :raises SpecError: a list, an option or the name of something is wrong.
    """
    options = _options(arguments, lock, defaults)
    for option in ("compress", "disk-compress"):
        _codec(f"--{option}", options.get(option))
    if options["disk"] == DiskMode.NONE and arguments.disk_compress is not None:
        raise UsageError("--disk-compress has no meaning with --disk none")
    load_features(_features(arguments, options))
    requests = _requests(arguments, options)
    asked = ask(arguments, lock, requests, (*wanted_sources(arguments, options), *sources))
    if not asked.is_local:
        architecture_asked_for(asked, lock)
    return Wish(arguments=arguments, options=options, asked=asked, lock=lock)


class Compositions:
    """Compositions of the same kernels, which are read once; of the same files, fetched once."""

    def __init__(
        self,
        *,
        store: KernelStore | None,
        shown: bool,
        say: Say = warn,
        device_trees: Callable[[str], bool] | None = None,
    ) -> None:
        self._store = store
        self._known: Known | None = None
        self._shown = shown
        self._say = say
        self._device_trees = device_trees
        self._acquired: list[tuple[Asked, Architecture, Acquired]] = []
        self._kernels: Kernels | None = None
        self._failure: RdcomposeError | None = None

    def compose(self, wanted: Wish) -> Composition:
        """Return a composition; the kernels are read by the first.

        All must ask for the same kernels.

        :raises RdcomposeError: as :func:`compose` does.
        """
        from rdcompose.compose.known import Known

        self._known = self._known or Known(None if self._store is None else self._store.values())
        self._known.begin(self._programs(wanted))
        kernels = self._read(wanted)
        beside = tuple(self._acquire(wanted, package.architecture) for package in kernels.packages)
        specs = tuple(
            _spec(wanted.arguments, wanted.options, found, wanted.lock) for found in beside
        )
        return Composition(kernels=kernels, specs=specs, acquired=beside, known=self._known)

    def _programs(self, wanted: Wish) -> list[tuple[ProgramName, InputFile]]:
        """Return the programs that are at hand before a kernel is read."""
        asked = wanted.asked
        programs = asked.programs
        if not asked.is_local:
            found = self._acquire(wanted, architecture_asked_for(asked, wanted.lock))
            programs = {ProgramName.BUSYBOX: found.busybox, ProgramName.E2FSCK: found.e2fsck}
        return [(name, file) for name, file in programs.items() if file is not None]

    def _read(self, wanted: Wish) -> Kernels:
        if self._failure is not None:
            raise self._failure
        if self._kernels is not None:
            return self._kernels
        from rdcompose.cli.kernel_input import read_kernel

        asked, lock = wanted.asked, wanted.lock
        architecture: Architecture | None
        if asked.is_local:
            architecture = asked.architecture
            if lock is not None:
                architecture = architecture_by_name(lock.architecture)
            files = local_packages(asked, lock)
        else:
            architecture = architecture_asked_for(asked, lock)
            files = self._acquire(wanted, architecture).kernel
        try:
            self._kernels = read_kernel(
                asked,
                files,
                architecture,
                device_trees=self._device_trees,
                store=self._store,
                threads=wanted.arguments.threads,
                shown=self._shown,
            )
        except RdcomposeError as error:
            # What was read once in vain is not read for each.
            self._failure = error
            raise
        return self._kernels

    def _acquire(self, wanted: Wish, architecture: Architecture) -> Acquired:
        asked = wanted.asked
        found = self._fetch(wanted, asked, architecture)
        if wanted.lock is None and (more := _programs_of_features(wanted, found)):
            wider = dataclasses.replace(asked, requests=(*asked.requests, *more))
            return self._fetch(wanted, wider, architecture)
        return found

    def _fetch(self, wanted: Wish, asked: Asked, architecture: Architecture) -> Acquired:
        for known, of, found in self._acquired:
            if of == architecture and known == asked:
                return found
        found = acquire(
            wanted.arguments, asked, wanted.lock, architecture, shown=self._shown, say=self._say
        )
        self._acquired.append((asked, architecture, found))
        return found


def compose(
    arguments: argparse.Namespace,
    lock: Lock | None,
    defaults: Mapping[str, str],
    *,
    sources: Sequence[SourceRequest] = (),
    device_trees: Callable[[str], bool] | None = None,
    store: KernelStore | None = None,
    shown: bool,
) -> Composition:
    """Read the kernels that are asked for, fetching what is left to the archive.

    ``defaults`` are of options as the manifest names them; ``sources`` are of a command's own,
    beside those that the options name; ``device_trees`` says which device trees of a kernel are
    kept, by their paths below the directory of them; ``store`` has kernels that were read before.

    :raises UsageError: the options contradict each other.
    :raises RdcomposeError: a kernel, or what is to go beside it, cannot be had.
    """
    wanted = wish(arguments, lock, defaults, sources)
    compositions = Compositions(store=store, shown=shown, device_trees=device_trees)
    return compositions.compose(wanted)


def _requests(arguments: argparse.Namespace, options: Mapping[str, str]) -> list[Request]:
    """Return what is to be added, by options and by the profile."""
    texts = options.get("add", "").split() if arguments.add is None else arguments.add
    own = [parse_request(text) for text in texts]
    return [*own, *load_profile(options["profile"]).additions]


def _features(arguments: argparse.Namespace, options: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(arguments.feature or options.get("features", "").split())


def _programs_of_features(wanted: Wish, found: Acquired) -> tuple[Request, ...]:
    """Return the packages to add because the archive's busybox lacks what features need.

    Who brings a busybox of their own is told what it lacks, and chooses.
    """
    asked, options = wanted.asked, wanted.options
    names = (*load_profile(options["profile"]).features, *_features(wanted.arguments, options))
    features = load_features(names)
    if not any(feature.packages for feature in features):
        return ()
    if ProgramName.BUSYBOX in asked.programs or found.busybox is None:
        return ()
    from rdcompose.compose.applets import read_applets
    from rdcompose.compose.programs import load_program
    from rdcompose.compose.template import read_template

    data = read_file(found.busybox.path, ProgramName.BUSYBOX)
    busybox = load_program(ProgramName.BUSYBOX, data, str(found.busybox.path), architecture=None)
    present = {applet for applet, _ in read_applets(busybox.content)}
    present |= {row.entry.path.rpartition("/")[2] for row in found.additions.files}
    if asked.template is not None:
        present |= {entry.path.rpartition("/")[2] for entry in read_template(asked.template)}
    return tuple(map(parse_request, missing_packages(features, present)))


def _options(
    arguments: argparse.Namespace, lock: Lock | None, defaults: Mapping[str, str]
) -> dict[str, str]:
    """Return what was asked for, else what the lock was made with, else the defaults."""
    options = {**defaults} | (lock.options if lock is not None else {})
    if _preset(arguments) is not Preset.BALANCED:
        options = {name: value for name, value in options.items() if name not in _OF_PRESETS}
    asked = ((name, getattr(arguments, name.replace("-", "_"))) for name in _OPTIONS)
    return options | {name: value for name, value in asked if value is not None}


def _preset(arguments: argparse.Namespace) -> Preset:
    if arguments.fast and arguments.small:
        raise UsageError("--fast and --small contradict each other", hint="give one of them")
    if arguments.fast:
        return Preset.FAST
    return Preset.SMALL if arguments.small else Preset.BALANCED


def _spec(
    arguments: argparse.Namespace,
    options: Mapping[str, str],
    acquired: Acquired,
    lock: Lock | None,
) -> ComposeSpec:
    epoch = source_date_epoch()
    if epoch is None and lock is not None:
        epoch = lock.timestamp
    return ComposeSpec(
        profile=options["profile"],
        template=arguments.template,
        busybox=acquired.busybox,
        e2fsck=acquired.e2fsck,
        additions=acquired.additions,
        microcode=acquired.of_role(MICROCODE),
        modules=acquired.of_role(MODULE),
        symvers=acquired.of_role(SYMVERS),
        firmware=FirmwareMode(options["firmware"]) if "firmware" in options else None,
        firmware_sources=acquired.of_role(FIRMWARE),
        features=_features(arguments, options),
        preset=_preset(arguments),
        compress=_codec("--compress", options.get("compress")),
        disk=DiskMode(options["disk"]),
        disk_format=DiskFormat(options["disk-format"]),
        disk_compress=_codec("--disk-compress", options.get("disk-compress")),
        image=ImageForm(options["image"]),
        emit=_forms(arguments.emit or options.get("emit", "").split()),
        uki=uki_spec(arguments, options, acquired.of_role(STUB)),
        epoch=epoch,
    )


def _forms(names: Iterable[str]) -> tuple[EmitForm, ...]:
    """Return the forms of these names, each once, in an order of their own."""
    asked = {EmitForm(name) for name in names}
    return tuple(form for form in EmitForm if form in asked)


def _codec(option: str, text: str | None) -> Codec | None:
    if text is None:
        return None
    try:
        codec = Codec(*parse_compression(text))
        if option == "--disk-compress":
            compressors.find(codec.name)
    except SpecError as error:
        raise UsageError(f"{option}: {error.message}", hint=error.hint) from error
    return codec
