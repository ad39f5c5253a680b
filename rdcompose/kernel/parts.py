"""What has been seen of the kernels in packages or a tree, each part in its place.

Packages come in any order, and so do the files in them: what belongs together is known only
when all have been seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.errors import UnsupportedError
from rdcompose.formats.deb import Kind
from rdcompose.kernel.gate import Claim, package_release
from rdcompose.kernel.layout import IMAGE_NAMES, MODULE_ROOTS, Part, Place, place
from rdcompose.kernel.moduletree import ModuleTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rdcompose.formats.deb import Control, Member
    from rdcompose.kernel.moduletree import ModuleIntake
    from rdcompose.kernel.source import Source

_READ: Final = frozenset({Part.IMAGE, Part.CONFIG, Part.MODULE, Part.LIST, Part.INDEX})
# What tells a release without being a kernel, in the order of messages.
_CLAIMING: Final = (
    (Part.MODULE, Part.LIST, Part.INDEX, Part.BESIDE),
    (Part.CONFIG,),
    (Part.DEVICE_TREES,),
)


class PartFile(NamedTuple):
    """A kernel or a configuration, and where it lay."""

    path: str
    place: Place
    content: bytes


class Parts:
    """Sorts members into their places; with a ``release``, only those of that one are kept.

    ``device_trees`` says of a path below the directory of device trees whether it is to be kept.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        intake: ModuleIntake,
        release: str | None,
        device_trees: Callable[[str], bool] | None = None,
    ) -> None:
        self.names: Final = tuple(source.name for source in sources)
        self.controls: Final[tuple[Control, ...]] = tuple(
            source.control for source in sources if source.control is not None
        )
        self.wanted_release: Final = release
        self.configs: Final[dict[str, PartFile]] = {}
        self.timestamp = 0
        self._intake = intake
        self._wanted_trees = device_trees
        self._trees: dict[str, dict[str, bytes]] = {}
        self._images: dict[tuple[str, str], PartFile] = {}
        self._lists: dict[str, dict[str, bytes]] = {}
        self._indexes: dict[str, dict[str, bytes]] = {}
        self._claims: dict[tuple[int, str], str] = {}
        self._kernels: set[str] = set()

    def wanted(self, path: str) -> bool:
        """Whether the content of a file matters."""
        found = place(path)
        return found is not None and self._chosen(found)

    def _chosen(self, found: Place) -> bool:
        if self.wanted_release is not None and found.release not in {"", self.wanted_release}:
            return False
        if found.part is Part.DEVICE_TREES:
            wanted = self._wanted_trees
            return wanted is not None and bool(found.name) and wanted(found.name)
        return found.part in _READ

    def take(self, member: Member) -> None:
        """Sort one member into its place.

        :raises UnsupportedError: it is a link where a file must be.
        :raises FormatError: a module is there twice.
        """
        found = place(member.path)
        if found is None or found.part is not Part.INDEX:
            # Indexes are as old as the last run of depmod.
            self.timestamp = max(self.timestamp, member.mtime)
        if found is None or not _counts(found, member):
            return
        self._note(found)
        if self._chosen(found) and not _only_a_name(found, member):
            _demand_file(member)
            self._keep(found, member)

    def _note(self, found: Place) -> None:
        if found.part is Part.IMAGE and found.release:
            self._kernels.add(found.release)
        for rank, parts in enumerate(_CLAIMING):
            if found.part in parts and found.release:
                self._claims.setdefault((rank, found.release), found.where)

    def _keep(self, found: Place, member: Member) -> None:
        file = PartFile(member.path, found, member.content)
        if found.part is Part.IMAGE:
            self._images[found.release or member.path, _rank(file)] = file
        elif found.part is Part.CONFIG:
            self.configs.setdefault(found.release, file)
        elif found.part is Part.MODULE:
            self._intake.add(found.release, found.name, member.content)
        elif found.part is Part.DEVICE_TREES:
            self._trees.setdefault(found.release, {}).setdefault(found.name, member.content)
        else:
            kept = self._lists if found.part is Part.LIST else self._indexes
            kept.setdefault(found.release, {})[found.name] = member.content

    def images(self) -> list[PartFile]:
        """Return the kernels, of each release that a path names the best one."""
        best: dict[str, PartFile] = {}
        for (key, _rank), file in sorted(self._images.items()):
            best.setdefault(key, file)
        return list(best.values())

    def kernels(self) -> list[str]:
        """Return the releases that names of kernels tell, also of those that are not wanted."""
        return sorted(self._kernels)

    def claims(self) -> Iterator[Claim]:
        """Yield what everything but the kernels says of its release."""
        for (_, release), where in sorted(self._claims.items()):
            if self.wanted_release in {None, release}:
                yield Claim(where, release)

    def package_claims(self, release: str) -> Iterator[Claim]:
        """Yield what the names of the packages say, if they say anything.

        Those that are the name of ``release`` say that.
        """
        for control in self.controls:
            if (said := package_release(control.package, release)) is not None:
                yield Claim(f"the package {control.package}", said)

    def tree(self, release: str) -> ModuleTree:
        """Return the modules of a release.

        :raises FormatError: one is damaged or no module.
        """
        return ModuleTree(
            release=release,
            modules=self._intake.modules(release),
            files=self._lists.get(release, {}),
            indexes=self._indexes.get(release, {}),
        )

    def device_trees(self, release: str) -> Mapping[str, bytes]:
        """Return the device trees of a release by their paths, in the order of these.

        Those that tell no release belong to every kernel that has none of its own.
        """
        found = self._trees.get(release) or self._trees.get("", {})
        return dict(sorted(found.items()))

    @property
    def subject(self) -> str:
        """The sources as the subject of a sentence: ``linux-image-R holds``."""
        return f"{', '.join(self.names)} {'holds' if len(self.names) == 1 else 'hold'}"


def _counts(found: Place, member: Member) -> bool:
    """Whether a member is what its path looks like.

    A file beside the module directories is none, and links from there to what is in ``boot/``,
    or without a release, are only other names.
    """
    if found.part is Part.BESIDE and not found.name:
        return member.kind is Kind.DIRECTORY
    only_name = found.part in {Part.IMAGE, Part.CONFIG} and (
        not found.release or member.path.startswith(MODULE_ROOTS)
    )
    return member.kind is Kind.FILE or not only_name


def _only_a_name(found: Place, member: Member) -> bool:
    """Whether it is nothing but another way to a device tree, or a directory of them."""
    return found.part is Part.DEVICE_TREES and member.kind in {Kind.SYMLINK, Kind.DIRECTORY}


def _rank(file: PartFile) -> str:
    """Sort key of kernels of one release: packed first, ``boot/`` first."""
    return f"{IMAGE_NAMES.index(file.place.name)} {file.path}"


def _demand_file(member: Member) -> None:
    if member.kind is not Kind.FILE:
        raise UnsupportedError(
            f"{member.path} in the package is a {member.kind.value}, not a regular file"
        )
