"""What a Raspberry Pi boots from, wherever it lies: a directory, an SD image, a TFTP directory.

Sources: Raspberry Pi's documentation, "config.txt" and "Network booting": a Pi asks a TFTP server
for files below a directory that is called by its serial number (or, if its EEPROM says so, its
MAC address); ``bootcode.bin`` of the models before the fourth lies beside these directories.
"""

from __future__ import annotations

import dataclasses
import enum
import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.boards.configtxt import ConfigTxt
from rdcompose.boards.netboot import FOLDER, TREE
from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats.fat.bootsector import is_fat
from rdcompose.formats.fat.reader import read_fat
from rdcompose.formats.filesystem import kinds_of_image
from rdcompose.formats.mbr import SECTOR, is_mbr, read_mbr
from rdcompose.formats.window import Window
from rdcompose.inspect.filecontent import FileContent, check_ends, file_content
from rdcompose.tree import Directory, File, Tree, read_all

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from contextlib import ExitStack

    from rdcompose.tree import Content

CONFIG: Final = "config.txt"
# Beside config.txt, or without it, nobody but a Raspberry Pi has these.
_FIRMWARE: Final = ("bootcode.bin", "start.elf", "start4.elf")
# Words of config.txt that lead to what is verified, or that almost everybody has.
_WORDS: Final = frozenset(
    {
        *("kernel", "initramfs", "auto_initramfs", "os_prefix", "device_tree", "cmdline"),
        *("arm_64bit", "upstream_kernel", "enable_uart", "dtoverlay", "dtparam", "gpu_mem"),
    }
)
_SERIAL: Final = re.compile(r"[0-9a-f]{8}|[0-9a-f]{2}(?:-[0-9a-f]{2}){5}")
_MAX_DEPTH: Final = 4
_MAX_CONFIG: Final = 1 << 20


class FolderKind(enum.Enum):
    """Where a boot folder lies."""

    DIRECTORY = "boot folder"
    IMAGE = "boot partition"
    NETWORK = "TFTP directory"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A partition of an image: what ``root=`` calls it, and what it holds.

    ``kinds`` are the types of file system as which it can be mounted, empty if that is not known.
    ``missing`` is how many bytes of it are behind the end of the image.
    """

    number: int
    part_uuid: str
    kinds: tuple[str, ...]
    source: BinaryIO
    missing: int = 0


class BootFolder:
    """The files that a board's firmware sees.

    ``name`` is what messages call it, ``path`` the directory or image. ``shared`` is what lies
    beside the directories of a TFTP server; ``volumes`` are the partitions of an image.
    """

    def __init__(
        self,
        name: str,
        kind: FolderKind,
        path: Path,
        tree: Tree,
        *,
        shared: Tree | None = None,
        volumes: tuple[Volume, ...] = (),
    ) -> None:
        self.name = name
        self.kind = kind
        self.path = path
        self.tree = tree
        self.shared = shared
        self.volumes = volumes
        # FAT finds names in any case, a TFTP server does not.
        self._fold = kind is FolderKind.IMAGE
        self._files = {self._key(entry.path): entry for entry in tree if isinstance(entry, File)}

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of all files, in order."""
        return tuple(entry.path for entry in self._files.values())

    def find(self, path: str) -> File | None:
        """Return the file that the firmware finds at a path."""
        return self._files.get(self._key(os.path.normpath(path)))

    def file(self, path: str) -> File:
        """Return a file that is there."""
        return self._files[self._key(os.path.normpath(path))]

    def exists(self, path: str) -> bool:
        """Whether the firmware finds a file at a path."""
        return self.find(path) is not None

    def content(self, path: str) -> Content | None:
        """Return the content of the file at a path."""
        found = self.find(path)
        return None if found is None else found.content

    def text(self, path: str) -> bytes | None:
        """Return a file that is read as a whole, no more of it than a text file has."""
        content = self.content(path)
        if content is None:
            return None
        return next(iter(content.chunks(_MAX_CONFIG)), b"")

    def _key(self, path: str) -> str:
        return path.lower() if self._fold else path


def open_boot_folders(path: Path, stack: ExitStack) -> tuple[BootFolder, ...]:
    """Return the boot folders at a path: none, if it is nothing that a Raspberry Pi boots.

    ``stack`` closes the image that they are read from.

    :raises SpecError: it cannot be read.
    :raises FormatError: an image is damaged.
    :raises UnsupportedError: an image has a partition table that is not read.
    """
    try:
        if path.is_dir():
            return _below(path)
        return tuple(_image(path, stack))
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error


def _below(path: Path) -> tuple[BootFolder, ...]:
    """Return the boot folders of a directory, else of what ``pi --netboot`` put into it."""
    places = [path, path / TREE, path / TREE / FOLDER]
    if path.name == TREE:
        places.insert(1, path / FOLDER)
    found = (
        tuple(_directories(place, network=place != path)) for place in places if place.is_dir()
    )
    return next(filter(None, found), ())


def _directories(path: Path, *, network: bool) -> Iterator[BootFolder]:
    names = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
    serials = [name for name in names if _SERIAL.fullmatch(name) and _boots(path / name)]
    # With a directory for each Pi, bootcode.bin alone makes no folder: Pi 2 and 3 ask for it there.
    whole = not serials or any((path / name).is_file() for name in (CONFIG, *_FIRMWARE[1:]))
    top = _tree_of(path, without=serials) if whole and _boots(path) else None
    kind = FolderKind.NETWORK if serials or network else FolderKind.DIRECTORY
    if top is not None:
        yield BootFolder(str(path), kind, path, top)
    # Directories that are links to one another, or hold the same files, are looked at once.
    alike: dict[object, list[str]] = {}
    for serial in serials:
        alike.setdefault(_identity(_tree_of(path / serial)), []).append(serial)
    if top is not None:
        alike.pop(_identity(top), None)
    shared = _firmware(path)
    for names in alike.values():
        tree = _tree_of(path / names[0])
        shown = str(path / ", ".join(names))
        yield BootFolder(shown, kind, path / names[0], tree, shared=shared)


def _firmware(directory: Path) -> Tree:
    """Return what of the firmware lies in a directory itself."""
    tree = Tree()
    for name in _FIRMWARE:
        if (content := file_content(directory / name)) is not None:
            tree.add(File(path=name, content=content))
    return tree


def _identity(tree: Tree) -> object:
    return frozenset(
        (entry.path, entry.content.identity)
        for entry in tree
        if isinstance(entry, File) and isinstance(entry.content, FileContent)
    )


def _tree_of(directory: Path, without: Collection[str] = ()) -> Tree:
    """Return the files below a directory, wherever links lead; what is nowhere is left out."""
    tree = Tree()
    _fill(tree, directory, "", (directory.resolve(),), without)
    return tree


def _fill(
    tree: Tree, directory: Path, prefix: str, chain: tuple[Path, ...], without: Collection[str]
) -> None:
    """Add what is in a directory; ``chain`` are those on the way to it, where links lead."""
    for entry in os.scandir(directory):
        if entry.name.startswith(".") or entry.name in without:
            continue
        path = Path(entry.path)
        if path.is_file():
            if (content := file_content(path)) is not None:
                tree.add(File(path=prefix + entry.name, content=content))
        elif path.is_dir() and len(chain) <= _MAX_DEPTH and (real := path.resolve()) not in chain:
            tree.add(Directory(path=prefix + entry.name))
            _fill(tree, path, f"{prefix}{entry.name}/", (*chain, real), ())


def _boots(directory: Path) -> bool:
    """Whether a Raspberry Pi's firmware would take a directory for a boot folder."""
    tree = _firmware(directory)
    if (content := file_content(directory / CONFIG)) is not None:
        tree.add(File(path=CONFIG, content=content))
    return _is_for_pi(BootFolder("", FolderKind.DIRECTORY, directory, tree))


def _is_for_pi(folder: BootFolder) -> bool:
    if any(map(folder.exists, _FIRMWARE)):
        return True
    found = folder.find(CONFIG)
    if found is None or found.content.size > _MAX_CONFIG:
        return False
    keys = {line.key for line in ConfigTxt.parse(read_all(found.content)).lines}
    return not keys.isdisjoint(_WORDS)


def _image(path: Path, stack: ExitStack) -> Iterator[BootFolder]:
    check_ends(path)
    source = stack.enter_context(path.open("rb"))
    start = source.read(SECTOR)
    if is_fat(start):
        yield from _volume(path, source, str(path), ())
        return
    if not is_mbr(start):
        return
    table = read_mbr(start)
    if table.is_gpt:
        raise UnsupportedError(
            f"{path} has a GUID partition table, which is not read",
            hint="an SD card of a Raspberry Pi usually has a master boot record",
        )
    end = source.seek(0, io.SEEK_END)
    for row in table.partitions:
        if row.offset >= end:
            raise FormatError(f"{path} is cut: its partition {row.number} is behind its end")
    volumes = tuple(
        Volume(
            number=row.number,
            part_uuid=table.part_uuid(row.number),
            kinds=_kinds(_window(source, row.offset, row.size)),
            source=_window(source, row.offset, row.size),
            missing=max(row.offset + row.size - end, 0),
        )
        for row in table.partitions
    )
    for volume in volumes:
        if volume.kinds == ("vfat",):
            yield from _volume(path, volume.source, f"{path}, partition {volume.number}", volumes)


def _volume(
    path: Path, source: BinaryIO, name: str, volumes: tuple[Volume, ...]
) -> Iterator[BootFolder]:
    try:
        found = BootFolder(name, FolderKind.IMAGE, path, read_fat(source), volumes=volumes)
        if _is_for_pi(found):
            yield found
    except FormatError as error:
        raise FormatError(f"{name}: {error.message}") from error


def _kinds(source: BinaryIO) -> tuple[str, ...]:
    if is_fat(source.read(SECTOR)):
        return ("vfat",)
    return tuple(kinds_of_image(source))


def _window(source: BinaryIO, start: int, size: int) -> BinaryIO:
    return io.BufferedReader(Window(source, start, size))
