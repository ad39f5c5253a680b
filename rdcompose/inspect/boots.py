"""What the boards load from a boot folder, and the sets of files that this makes.

Which boards a folder is for is not written anywhere: it is for those that find a kernel that
runs on them and a device tree, and for those that have a section of their own in config.txt.
"""

from __future__ import annotations

import dataclasses
import re
from functools import cached_property
from typing import TYPE_CHECKING, Final

from rdcompose.boards.configtxt import ConfigTxt, LineKind
from rdcompose.boards.firmware_view import BootView, view
from rdcompose.boards.models import MODELS, Model, Variant
from rdcompose.inspect.artifact import Artifact, Kind
from rdcompose.inspect.bootfolder import CONFIG, BootFolder
from rdcompose.inspect.collection import ArtifactSet, grouped, refuse_release, release_of_name
from rdcompose.inspect.identify import identify_content, identify_volume
from rdcompose.inspect.names import is_boot_name
from rdcompose.kernel.release import (
    architectures_of_image,
    flavour_architecture,
    flavour_of_release,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.tree import Content

# What decides which files are loaded: a line with one of these is never there for nothing.
BOOT_KEYS: Final = frozenset(
    {
        *("kernel", "initramfs", "ramfsfile", "auto_initramfs", "os_prefix", "device_tree"),
        *("cmdline", "arm_64bit", "upstream_kernel", "overlay_prefix", "include"),
    }
)
# What lies beside a kernel and tells of it.
_RECORDS: Final = re.compile(
    r"(?:manifest|config|modules|System\.map)-.*|SHA256SUMS|.*\.(?:squashfs|sqfs|qcow2)"
)
_NUMBERED: Final = re.compile(r"(.+)\.\d+")
_DEVICE_TREE: Final = re.compile(r".*\.dtbo?")
# Firmware that starts the others; a folder has some of it or none.
_START: Final = re.compile(r"bootcode\.bin|start\w*\.elf|fixup\w*\.dat")


@dataclasses.dataclass(frozen=True, slots=True)
class Boot:
    """A board, and what it loads. ``asked``: config.txt has a section for it."""

    view: BootView
    asked: bool

    @property
    def title(self) -> str:
        """What messages call the board: ``3 B+``."""
        return self.view.variant.name


class BootFacts:
    """A boot folder with all that is known of it; files are read when they are asked for.

    Of its sets only those of ``release`` count, if it is given.
    """

    def __init__(self, folder: BootFolder, release: str | None = None) -> None:
        self.folder = folder
        self.release = release
        self._artifacts: dict[str, Artifact] = {}
        # The directory of a TFTP server is no file of this one's.
        data = folder.text(CONFIG)
        self.has_config = data is not None
        self.own_config = ConfigTxt.parse(data or b"")
        self.config = self.own_config.expanded(folder.text)

    def artifact(self, path: str) -> Artifact:
        """Return what a file of the folder is; it is there, as the view of a board says."""
        if path not in self._artifacts:
            directory = path.rpartition("/")[0]
            content = self.folder.file(path).content
            found = identify_content(content, self.folder.path, path)
            self._artifacts[path] = dataclasses.replace(
                found, claimed=self._claimed(path), beside=_Beside(self.folder, directory)
            )
        return self._artifacts[path]

    def _claimed(self, path: str) -> str | None:
        """Return the release that a path tells; ``R.2`` holds the second set of R, by its stamp."""
        found = release_of_name(path)
        release = None if found is None else _NUMBERED.fullmatch(found)
        top = path.partition("/")[0]
        if release is not None and self.folder.exists(f"{top}/manifest-{release[1]}.json"):
            return release[1]
        return found

    @cached_property
    def boots(self) -> tuple[Boot, ...]:
        """The boards that the folder is for, each with what it loads.

        Where there is none, those that come closest: for them is said what is missing.
        """
        meant = tuple(boot for boot in self.all_boots if boot.asked or self.complete(boot.view))
        if meant:
            return meant
        base = [boot for boot in self.all_boots if boot.view.variant is boot.view.model.variants[0]]
        names = {path.rpartition("/")[2] for path in self.folder.files}
        closest = (
            [boot for boot in base if boot.view.kernel and boot.view.device_tree],
            [boot for boot in base if not names.isdisjoint(boot.view.variant.device_trees())],
            [boot for boot in base if boot.view.kernel and self._runs(boot.view)],
            [boot for boot in base if boot.view.kernel],
            [boot for boot in base if any(map(self.has_file, boot.view.firmware[-2:]))],
            base,
        )
        return tuple(next(filter(None, closest)))

    @cached_property
    def all_boots(self) -> tuple[Boot, ...]:
        """Every board that there is, and what it would load."""
        return tuple(
            self._boot(model, variant) for model in MODELS.values() for variant in model.variants
        )

    @cached_property
    def has_firmware(self) -> bool:
        """Whether the firmware of any board is in the folder."""
        return any(_START.fullmatch(path) for path in self.folder.files)

    def has_file(self, name: str) -> bool:
        """Whether a file of the firmware is there, or where a TFTP client looks for it."""
        shared = self.folder.shared
        return self.folder.exists(name) or (shared is not None and name in shared)

    @cached_property
    def active(self) -> dict[str, ArtifactSet]:
        """The set of each kernel that a board loads, by the kernel's path."""
        return {kernel: self._set(kernel) for kernel in self.kernels}

    @cached_property
    def sets(self) -> tuple[ArtifactSet, ...]:
        """The sets that boards load, then those that lie there, too.

        :raises SpecError: there is none of the release that is asked for.
        """
        active = tuple(self.active.values())
        taken = {artifact.name for group in active for artifact in group.artifacts}
        rest = [self.artifact(path) for path in self.folder.files if self._may_boot(path, taken)]
        parts = [row for row in rest if row.kind is not Kind.UNKNOWN]
        every = (*active, *self._kept(parts))
        if self.release is None:
            return every
        # A set of which nothing tells a release may be of this one.
        meant = tuple(one for one in every if (one.named or one.release) in {self.release, None})
        return meant or refuse_release(self.release, [one.named or one.release for one in every])

    @cached_property
    def kernels(self) -> tuple[str, ...]:
        """The paths of the kernels that boards load."""
        found = [boot.view.kernel for boot in self.boots if boot.view.kernel is not None]
        return tuple(dict.fromkeys(found))

    def loading(self, kernel: str) -> tuple[Boot, ...]:
        """Return the boards that load a kernel."""
        return tuple(boot for boot in self.boots if boot.view.kernel == kernel)

    def loaded(self, kernel: str) -> tuple[str, ...]:
        """Return the paths, as stored, of all that is loaded with a kernel, itself first."""
        found = [kernel]
        for boot in self.loading(kernel):
            found += boot.view.initramfs
            found += [boot.view.device_tree] if boot.view.device_tree is not None else []
            found += boot.view.overlays
        return tuple(dict.fromkeys(self.folder.file(path).path for path in found))

    def _boot(self, model: Model, variant: Variant) -> Boot:
        config = self.config if model.reads_includes else self.own_config
        found = view(config, model, self.folder.exists, variant=variant)
        names = {
            name
            for line in config.lines
            if line.kind in {LineKind.SETTING, LineKind.COMMAND} and line.key in BOOT_KEYS
            for name in line.section
        }
        # Others read the same sections, and that alone does not make them meant.
        others = model.variants[: model.variants.index(variant)]
        filters = {model.section, *(variant.filters - model.filters)}
        own = filters.difference(*({model.section, *row.filters} for row in others))
        return Boot(found, asked=not names.isdisjoint(own))

    def complete(self, found: BootView) -> bool:
        """Whether a board finds a kernel of its own kind, a device tree and its firmware."""
        if found.kernel is None or (found.device_tree is None and found.device_tree_asked):
            return False
        own = found.firmware[-2:]
        if own and self.has_firmware and not any(self.has_file(name) for name in own):
            return False
        return wrong_kernel(found, self.artifact(found.kernel)) is None

    def _runs(self, found: BootView) -> bool:
        """Whether a board's processor is as wide as its kernel."""
        image = None if found.kernel is None else self.artifact(found.kernel).image
        return image is not None and image.bits in {None, *found.model.bits}

    def _set(self, kernel: str) -> ArtifactSet:
        loaded = self.loaded(kernel)
        found = [self.artifact(path) for path in loaded]
        directory = loaded[0].rpartition("/")[0]
        places = {row.name.rpartition("/")[0] for row in found if row.kind is Kind.DEVICE_TREE}
        release = found[0].image.release if found[0].image is not None else None
        for path in self.folder.files:
            parent, _, name = path.rpartition("/")
            beside = parent in places and _DEVICE_TREE.fullmatch(name)
            record = parent == directory and _RECORDS.fullmatch(name)
            if path in loaded or not (beside or record):
                continue
            row = self.artifact(path)
            if beside or _tells_of(row, release, loaded, directory):
                found.append(row)
        return ArtifactSet(None, (*found, *self._disks(release)))

    def _disks(self, release: str | None) -> Iterator[Artifact]:
        """Yield the modules disks of this release that are partitions."""
        for volume in self.folder.volumes:
            name = f"partition {volume.number}"
            if "squashfs" not in volume.kinds:
                continue
            if name not in self._artifacts:
                self._artifacts[name] = identify_volume(volume.source, self.folder.path, name)
            disk = self._artifacts[name].disk
            if disk is not None and release in disk.contents.directories:
                yield self._artifacts[name]

    def _may_boot(self, path: str, taken: set[str]) -> bool:
        """Whether a file may be part of a set that no board loads."""
        directory, _, name = path.rpartition("/")
        if path in taken or "/" in directory:
            return False
        if is_boot_name(name):
            return True
        mine = {kernel.rpartition("/")[0] for kernel in self.kernels}
        return directory not in mine and _RECORDS.fullmatch(name) is not None

    @staticmethod
    def _kept(parts: Iterable[Artifact]) -> Iterator[ArtifactSet]:
        """Yield the sets of each directory that nobody loads."""
        by_directory: dict[str, list[Artifact]] = {}
        for row in parts:
            by_directory.setdefault(row.name.rpartition("/")[0], []).append(row)
        for rows in by_directory.values():
            if any(row.kind in {Kind.KERNEL, Kind.INITRAMFS} for row in rows):
                yield from grouped(rows)


class _Beside:
    """The files of a directory of a boot folder."""

    def __init__(self, folder: BootFolder, directory: str) -> None:
        self._folder = folder
        self._prefix = f"{directory}/" if directory else ""

    def __call__(self, name: str) -> Content | None:
        return self._folder.content(self._prefix + name)


def _tells_of(record: Artifact, release: str | None, loaded: Iterable[str], directory: str) -> bool:
    """Whether a file beside a kernel is about it, and not about another one that is there."""
    if directory or release is None or record.claimed in {None, release}:
        return True
    outputs = (record.manifest or {}).get("outputs")
    rows = outputs if isinstance(outputs, list) else []
    named = {str(row.get("name")) for row in rows if isinstance(row, dict)}
    return not named.isdisjoint(loaded)


def wrong_kernel(found: BootView, kernel: Artifact) -> str | None:
    """Return why a kernel does not run on a board, ``None`` if it does or may."""
    image = kernel.image
    if image is None:
        return f"{kernel.name} is no kernel: {kernel.problem or kernel.what}"
    if image.bits is not None and image.bits not in found.model.bits:
        return f"{kernel.name} is a kernel of {image.bits} bits, which this board does not run"
    if image.bits not in {found.bits, None}:
        return (
            f"{kernel.name} is a kernel of {image.bits} bits, and the firmware starts it in "
            f"{found.bits}: arm_64bit is to be {int(image.bits == 64)}"
        )
    flavour = None if image.release is None else flavour_of_release(image.release)
    # A 32-bit kernel itself does not tell whether it is armel or armhf.
    meant = None if flavour is None else flavour_architecture(flavour)
    possible = [row for row in architectures_of_image(image) if meant in {row, None}]
    if not any(found.model.runs(row.name, flavour) for row in possible):
        return f"{kernel.name} is a kernel that does not run there: {image.release or image.kind}"
    return None
