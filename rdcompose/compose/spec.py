"""What a user asks for: one frozen record from the command line."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, NamedTuple

from rdcompose.compose.added import Additions

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.compose.filesource import Source
    from rdcompose.compose.inputs import InputFile
    from rdcompose.compose.uki import UkiSpec


class Codec(NamedTuple):
    """A compressor and its level; ``None`` is the compressor's own default."""

    name: str
    level: int | None = None

    def __str__(self) -> str:
        return self.name if self.level is None else f"{self.name}:{self.level}"


class Preset(enum.StrEnum):
    """What a compression that is not asked for is chosen for."""

    BALANCED = "balanced"
    FAST = "fast"
    SMALL = "small"


class DiskMode(enum.StrEnum):
    """Which modules the modules disk holds."""

    REMAINING = "remaining"
    ALL = "all"
    NONE = "none"


class DiskFormat(enum.StrEnum):
    """What the disk's squashfs is wrapped in."""

    QCOW2 = "qcow2"
    SQUASHFS = "squashfs"


class ImageForm(enum.StrEnum):
    """How the kernel is written."""

    PACKAGE = "package"
    VMLINUX = "vmlinux"


class FirmwareMode(enum.StrEnum):
    """Which firmware the initramfs holds."""

    NONE = "none"
    LISTED = "listed"
    AUTO = "auto"


class EmitForm(enum.StrEnum):
    """In what other forms the initramfs is written, for a kernel's build to embed."""

    CPIO = "cpio"
    CPIO_LIST = "cpio-list"
    DIRECTORY = "directory"
    TREE = "tree"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComposeSpec:
    """One composition of one kernel.

    ``profile`` is a name or a directory; ``features`` are those of the init script that the
    profile does not name; ``template`` is ``None`` for the built-in one;
    ``busybox`` and ``e2fsck`` are ``None`` for none; ``additions`` are what else is to go in, with
    all that it needs; ``microcode`` is for the early segment; ``firmware`` is ``None`` for
    automatic where there is a source; ``modules`` are the user's own, and ``symvers`` at most one
    file to check them by; ``emit`` are more forms of the initramfs; a compression is ``None``
    for the best by the ``preset`` that the kernel takes. ``epoch`` is the time of everything
    written, in seconds since 1970, or ``None`` for the newest time in the kernel package.
    """

    profile: str
    template: Path | None = None
    busybox: InputFile | None = None
    e2fsck: InputFile | None = None
    features: tuple[str, ...] = ()
    additions: Additions = dataclasses.field(default_factory=Additions)
    microcode: tuple[Source, ...] = ()
    modules: tuple[Source, ...] = ()
    symvers: tuple[Source, ...] = ()
    firmware: FirmwareMode | None = None
    firmware_sources: tuple[Source, ...] = ()
    compress: Codec | None = None
    preset: Preset = Preset.BALANCED
    disk: DiskMode = DiskMode.REMAINING
    disk_format: DiskFormat = DiskFormat.QCOW2
    disk_compress: Codec | None = None
    image: ImageForm = ImageForm.PACKAGE
    emit: tuple[EmitForm, ...] = ()
    uki: UkiSpec | None = None
    epoch: int | None = None
