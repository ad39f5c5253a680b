"""What a file turned out to be, and what is known of it."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rdcompose.formats.devicetree import DeviceTree
    from rdcompose.formats.image import KernelImage
    from rdcompose.inspect.contents import Contents
    from rdcompose.kernel.config import KernelConfig
    from rdcompose.tree import Content


class Kind(enum.Enum):
    """What a file is, by its content."""

    KERNEL = "kernel"
    INITRAMFS = "initramfs"
    DISK = "modules disk"
    UKI = "unified kernel image"
    CONFIG = "configuration"
    DEVICE_TREE = "device tree"
    MANIFEST = "manifest"
    CHECKSUMS = "checksums"
    SYMBOLS = "symbol map"
    PACKAGE = "Debian package"
    FILESYSTEM = "filesystem"
    CARD = "partitioned disk"
    DIRECTORY = "directory"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, slots=True)
class SegmentFacts:
    """A part of an initramfs: its place in the file, and what it is packed with.

    ``refused`` says why the kernel would not unpack it, ``None`` if it would.
    """

    offset: int
    size: int
    compression: str
    unpacked: int
    refused: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Initramfs:
    """An initramfs, as the kernel unpacks it."""

    segments: tuple[SegmentFacts, ...]
    contents: Contents

    @property
    def only_microcode(self) -> bool:
        """Whether it holds nothing but what the processor is loaded with, early."""
        top = {entry.path.partition("/")[0] for entry in self.contents.tree}
        return top == {"kernel"}


@dataclasses.dataclass(frozen=True, slots=True)
class Disk:
    """A modules disk: ``container`` is ``qcow2`` or ``raw``.

    ``filesystem`` is ``squashfs`` or ``ext4``, which has no ``compressor``.
    """

    container: str
    filesystem: str
    compressor: str | None
    contents: Contents


@dataclasses.dataclass(frozen=True, slots=True)
class ChecksumLine:
    """A line of ``SHA256SUMS``: a file, and what its SHA-256 is said to be."""

    name: str
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True)
class Checksums:
    """``SHA256SUMS``; ``malformed`` are the numbers of lines that ``sha256sum`` did not write."""

    lines: tuple[ChecksumLine, ...]
    malformed: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file. ``name`` is what messages call it, ``claimed`` the release that this tells.

    ``problem`` says why it could not be read, in whole or at all; what was read of it is
    there nevertheless. At most one of the fields behind it is set, by ``kind``;
    ``filesystem`` is the name of one that is not read, empty where it is not known. Beside
    ``image`` there are ``exports``, the versions of the kernel's symbols, as far as known. A
    unified kernel image has ``parts``, kernel and initramfs, and may tell its release as ``uname``.
    Of a file in a boot folder ``path`` is where the folder is, and ``beside`` gives the content of
    a file by its path relative to the directory of this one.
    """

    path: Path
    name: str
    kind: Kind
    size: int
    claimed: str | None = None
    problem: str | None = None
    image: KernelImage | None = None
    exports: Mapping[str, int] = dataclasses.field(default_factory=dict)
    initramfs: Initramfs | None = None
    disk: Disk | None = None
    config: KernelConfig | None = None
    device_tree: DeviceTree | None = None
    manifest: Mapping[str, Any] | None = None
    checksums: Checksums | None = None
    filesystem: str = ""
    uname: str | None = None
    parts: tuple[Artifact, ...] = ()
    beside: Callable[[str], Content | None] | None = None

    @property
    def contents(self) -> Contents | None:
        """The files in an initramfs or on a disk."""
        holder = self.initramfs or self.disk
        return None if holder is None else holder.contents

    @property
    def what(self) -> str:
        """What it is, as a sentence goes on: ``it is a kernel``."""
        if self.kind is not Kind.FILESYSTEM:
            return f"it is {_article(self.kind.value)}"
        if not self.filesystem:
            return "it is a qcow2 image with an unknown content"
        return f"it holds a filesystem that is not read: {self.filesystem}"


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
