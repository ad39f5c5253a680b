"""The plan of a composition: complete and checked before any output appears.

Every output is a function of the plan alone.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rdcompose.compose.capability import check_init, disk_compression, initramfs_compression
from rdcompose.compose.choosing import choice_of
from rdcompose.compose.features import add_features, feature_inputs, load_features
from rdcompose.compose.filesource import STUB
from rdcompose.compose.firmware import add_firmware, driver_wishes, load_firmware
from rdcompose.compose.images import boot_image
from rdcompose.compose.inputs import Input, digest
from rdcompose.compose.known import Known
from rdcompose.compose.layout import add_modules, depmod_of, disk_path, disk_tree
from rdcompose.compose.microcode import load_microcode
from rdcompose.compose.own_modules import OwnModules, from_outside
from rdcompose.compose.profile import Profile, load_profile
from rdcompose.compose.programname import ProgramName
from rdcompose.compose.spec import Codec, ComposeSpec, DiskFormat, DiskMode, EmitForm, ImageForm
from rdcompose.compose.userspace import load_userspace
from rdcompose.kernel.selection import Selection
from rdcompose.kernel.shipped import shipped_notes
from rdcompose.kernel.taints import taints_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rdcompose.compose.added import Added
    from rdcompose.compose.features import Feature
    from rdcompose.compose.firmware import Piece
    from rdcompose.compose.images import BootImage
    from rdcompose.compose.microcode import Blob
    from rdcompose.compose.own_modules import OwnModule
    from rdcompose.compose.uki import UkiPlan
    from rdcompose.compose.userspace import Loaded
    from rdcompose.kernel.depmod import Depmod
    from rdcompose.kernel.moduletree import ModuleTree
    from rdcompose.kernel.package import KernelPackage
    from rdcompose.kernel.release import Architecture
    from rdcompose.kernel.taints import Taints
    from rdcompose.tree import Tree


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DiskPlan:
    """The modules disk: its tree and how it is stored.

    ``left_out`` has the sizes, by path, of the modules that are in the initramfs instead.
    """

    tree: Tree
    left_out: Mapping[str, int]
    mode: DiskMode
    format: DiskFormat
    compression: Codec
    modules: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the initramfs with a name of its own in the manifest."""

    name: str
    tree: Tree
    compression: Codec


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that will be written, decided.

    ``early`` is what the kernel reads before it can unpack anything, empty where there is none.
    ``disk`` and ``uki`` are ``None`` where there is none; ``timestamp`` is the time of every file
    inside the outputs, in seconds since 1970; ``module_paths`` has the path below
    ``lib/modules/R`` of each module by its name; ``added`` are programs that are not static,
    and what they need; ``microcode`` is what ``early`` holds; ``emit`` are forms in which
    ``initramfs`` is written, too; ``own_modules`` are the
    user's own, among the others; ``taints`` is about all modules; ``device_trees`` are those
    of the kernel's package that were asked for, by their paths below its directory of them.
    """

    release: str
    architecture: Architecture
    image: BootImage
    uki: UkiPlan | None
    config: bytes
    device_trees: Mapping[str, bytes]
    early: Tree
    initramfs: Tree
    compression: Codec
    disk: DiskPlan | None
    selection: Selection
    module_paths: Mapping[str, str]
    added: tuple[Added, ...]
    microcode: tuple[Blob, ...]
    own_modules: tuple[OwnModule, ...]
    firmware: tuple[Piece, ...]
    taints: Taints
    emit: tuple[EmitForm, ...]
    timestamp: int
    options: Mapping[str, str]
    inputs: tuple[Input, ...]
    notes: tuple[str, ...]

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments of the initramfs, in their order."""
        early = Segment(name="early", tree=self.early, compression=Codec("none"))
        main = Segment(name="main", tree=self.initramfs, compression=self.compression)
        return (early, main) if len(self.early) else (main,)


def make_plan(
    package: KernelPackage, kernel: Iterable[Input], spec: ComposeSpec, known: Known | None = None
) -> Plan:
    """Decide a composition of a kernel, whose files are the inputs ``kernel``.

    ``known`` is what earlier plans have worked out.

    :raises SpecError: a list, the template, a program or a module is wrong.
    :raises ReleaseError: a module of the user's own does not fit this kernel.
    :raises CapabilityError: this kernel cannot boot it.
    """
    known = known or Known()
    own = _own_modules(package, spec)
    tree = own.package.tree
    image = boot_image(package, spec.image)
    uki = _uki(package, spec)
    mode = spec.disk if tree.modules else DiskMode.NONE
    compression = initramfs_compression(package.config, spec.compress, spec.preset)
    # Before the selection, which can only say that a module is missing, not why.
    disk_codec = None
    if mode is not DiskMode.NONE:
        disk_codec = disk_compression(package.config, mode, spec.disk_compress, spec.preset)
    depmod = known.depmod(tree)
    profile = load_profile(spec.profile)
    features = load_features((*profile.features, *spec.features))
    selection = _select(depmod, profile, features, mode)
    own.check_placed(selection.ramdisk, mode)
    microcode = load_microcode(spec.microcode, package.architecture, package.config)
    firmware = load_firmware(
        spec.firmware,
        spec.firmware_sources,
        listed=profile.firmware,
        wishes=driver_wishes(depmod, selection.ramdisk),
        release=package.release,
        config=package.config,
    )
    programs = _programs(spec, package.architecture, known)
    userspace = load_userspace(spec.template, programs, spec.additions, package.architecture)
    if userspace.builtin_init:
        check_init(package.config, modules=bool(tree.modules))
    add_features(userspace.tree, features, builtin_init=userspace.builtin_init)
    add_modules(userspace.tree, tree.release, depmod, selection, mode=mode)
    pieces = add_firmware(userspace.tree, firmware.pieces)
    disk = None
    if disk_codec is not None:
        disk = _disk_plan(tree, depmod, selection, spec, disk_codec)
    return Plan(
        release=package.release,
        architecture=package.architecture,
        image=image,
        uki=uki,
        config=package.config_text,
        device_trees=package.device_trees,
        early=microcode.tree,
        initramfs=userspace.tree,
        compression=compression,
        disk=disk,
        selection=selection,
        module_paths={name: module.path for name, module in depmod.modules.items()},
        added=userspace.added,
        timestamp=package.timestamp if spec.epoch is None else spec.epoch,
        microcode=microcode.blobs,
        own_modules=own.modules,
        firmware=pieces,
        taints=taints_of(depmod.modules.values()),
        emit=spec.emit,
        options=_options(profile, spec.image, mode, compression, disk)
        | _uki_options(spec)
        | _words(spec),
        inputs=(
            *kernel,
            *userspace.inputs,
            *feature_inputs(features),
            *microcode.inputs,
            *firmware.inputs,
            *own.inputs,
            *(uki.inputs if uki is not None else ()),
            *_profile_inputs(profile),
        ),
        notes=(
            *image.notes,
            *_shipped(package.tree, tree, depmod),
            *own.notes,
            *selection.notes,
            *userspace.notes,
            *firmware.notes,
        ),
    )


def _uki(package: KernelPackage, spec: ComposeSpec) -> UkiPlan | None:
    if spec.uki is None:
        return None
    from rdcompose.compose.uki import plan_uki

    return plan_uki(package, spec.uki)


def _programs(spec: ComposeSpec, architecture: Architecture, known: Known) -> tuple[Loaded, ...]:
    wanted = ((ProgramName.BUSYBOX, spec.busybox), (ProgramName.E2FSCK, spec.e2fsck))
    return tuple(
        known.program(name, file, architecture) for name, file in wanted if file is not None
    )


def _shipped(shipped: ModuleTree, whole: ModuleTree, depmod: Depmod) -> tuple[str, ...]:
    """Return notes on what came with the modules, before the user's own were among them."""
    if shipped.indexes and shipped is not whole:
        depmod = depmod_of(shipped)
    return shipped_notes(shipped, depmod)


def _own_modules(package: KernelPackage, spec: ComposeSpec) -> OwnModules:
    if not spec.modules and not from_outside(package.tree.modules):
        return OwnModules(package=package)
    from rdcompose.compose.fitting import add_own_modules

    return add_own_modules(package, spec.modules, spec.symvers)


def _disk_plan(
    tree: ModuleTree, depmod: Depmod, selection: Selection, spec: ComposeSpec, codec: Codec
) -> DiskPlan:
    left_out = frozenset(selection.ramdisk if spec.disk is DiskMode.REMAINING else ())
    return DiskPlan(
        tree=disk_tree(tree, depmod, without=left_out),
        left_out={
            disk_path(tree.release, module): module.content.size
            for module in tree.modules
            if module.name in left_out
        },
        mode=spec.disk,
        format=spec.disk_format,
        compression=codec,
        modules=sum(module.name not in left_out for module in tree.modules),
    )


def _select(
    depmod: Depmod, profile: Profile, features: Iterable[Feature], mode: DiskMode
) -> Selection:
    if not depmod.modules:
        # With everything built in there is nothing to choose from.
        note = "the kernel has no modules: the module lists have no effect"
        return Selection(ramdisk=(), disk=(), autoload=(), reasons={}, notes=(note,))
    return choice_of(profile, features, mode).select(depmod)


def _options(
    profile: Profile, form: ImageForm, mode: DiskMode, compression: Codec, disk: DiskPlan | None
) -> dict[str, str]:
    options = {
        "profile": profile.name,
        "image": form.value,
        "compress": str(compression),
        "disk": mode.value,
    }
    if disk is not None:
        options["disk-format"] = disk.format.value
        options["disk-compress"] = str(disk.compression)
    return options


def _uki_options(spec: ComposeSpec) -> dict[str, str]:
    if spec.uki is None:
        return {}
    from rdcompose.compose.uki import check_cmdline

    options = {STUB: spec.uki.stub.request.text, "cmdline": check_cmdline(spec.uki.cmdline)}
    return {name: value for name, value in options.items() if value}


def _words(spec: ComposeSpec) -> dict[str, str]:
    """Return the options that can be given several times, and were given."""
    words = {
        "add": spec.additions.asked,
        "features": spec.features,
        "microcode": [source.request.text for source in spec.microcode],
        "module": [source.request.text for source in spec.modules],
        "symvers": [source.request.text for source in spec.symvers],
        "emit": spec.emit,
        "firmware": [] if spec.firmware is None else [spec.firmware.value],
        "firmware-from": [
            source.request.text for source in spec.firmware_sources if not source.request.where
        ],
    }
    return {name: " ".join(given) for name, given in words.items() if given}


def _profile_inputs(profile: Profile) -> Iterable[Input]:
    for file in profile.files:
        yield Input(
            role="module list",
            file=file.name,
            sha256=digest(file.data),
            source="built in" if file.builtin else "local file",
        )
