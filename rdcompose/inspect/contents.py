"""What is in an initramfs or on a disk: modules, indexes, programs, links.

Made for verifying, comparing and explaining alike: everything that has to be read is read
here once, in the order in which it is stored, and damage to one file ends nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.compression import decompress
from rdcompose.formats.elf import read_module
from rdcompose.formats.executable import is_elf, read_executable
from rdcompose.formats.modversions import read_versions
from rdcompose.inspect.placing import Damage, Placing
from rdcompose.kernel.module import modname
from rdcompose.kernel.moduletree import (
    INDEX_FILES,
    MAX_MODULE,
    SHIPPED_FILES,
    plain_module_path,
)
from rdcompose.kernel.release import is_release
from rdcompose.tree import Directory, File, read_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.formats.elf import ModuleElf
    from rdcompose.formats.executable import Executable
    from rdcompose.formats.modversions import ModuleVersions
    from rdcompose.tree import Entry, Tree

# Larger files are neither programs nor indexes.
MAX_PROGRAM: Final = 1 << 28
_IN_ROOT: Final = re.compile(r"(?:usr/)?lib/modules/([^/]+)/(.+)")
_ON_DISK: Final = re.compile(r"(\d[^/]*)/(.+)")
# A disk whose root is the module directory itself.
_BARE: Final = re.compile(r"(?:kernel|updates|extra|misc|weak-updates)/.+|modules\.[a-z.]+")
_LISTS: Final = SHIPPED_FILES | INDEX_FILES
# Programs of other processors, and what the kernel itself hands out.
_NO_PROGRAMS: Final = re.compile(r"(?:usr/)?lib/(?:firmware|modules)/|kernel/")
_TYPE_AT: Final = 16
# What modules in use say, by the SHA-256 of what is stored, and whether that is packed: builds of
# one kernel, beside each other, have the same modules.
_ELF: Final[WeakValueDictionary[tuple[str, bool], ModuleElf]] = WeakValueDictionary()
_VERSIONS: Final[WeakValueDictionary[tuple[str, bool], ModuleVersions]] = WeakValueDictionary()
_PROGRAM_TYPES: Final = (b"\2\0", b"\3\0", b"\0\2", b"\0\3")  # ET_EXEC, ET_DYN


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFile:
    """A module as it lies somewhere.

    ``release`` is that of its module directory, ``None`` where the path does not tell.
    ``inner`` is its path below that directory, as stored: ``kernel/net/veth.ko.xz``. ``sha256`` is
    that of what is stored.
    """

    path: str
    release: str | None
    inner: str
    sha256: str
    elf: ModuleElf
    versions: ModuleVersions

    @property
    def name(self) -> str:
        """The module name, as ``lsmod`` prints it."""
        return modname(self.path)

    @property
    def depends(self) -> tuple[str, ...]:
        """The modules whose symbols it uses, as the build of the kernel found them."""
        return tuple(name for name in (self.elf.value("depends") or "").split(",") if name)


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """A program or shared library."""

    path: str
    sha256: str
    elf: Executable


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Everything in a tree that was looked at.

    ``lists`` are the ``modules.*`` files by release of their directory and name. ``lost``
    are entries that the kernel drops without a word, ``damaged`` what cannot be read.
    """

    tree: Tree
    modules: tuple[ModuleFile, ...]
    directories: tuple[str, ...]
    lists: dict[str | None, dict[str, bytes]]
    programs: tuple[Program, ...]
    lost: tuple[Damage, ...] = ()
    damaged: tuple[Damage, ...] = ()


def examine(entries: Iterable[Entry], *, disk: bool) -> Contents:
    """Read what is to be known of a tree, given in the order in which it is stored.

    Entries are taken as the kernel unpacks an initramfs: later ones replace earlier ones.
    On a ``disk`` module directories may also lie at the top.

    :raises FormatError: what the entries come from is damaged.
    """
    return _Examination(disk=disk).run(entries)


def module_place(path: str, *, disk: bool) -> tuple[str | None, str] | None:
    """Return release and inner path of what lies in a module directory."""
    if (found := _IN_ROOT.fullmatch(path)) is not None:
        return found[1], found[2]
    if disk and (found := _ON_DISK.fullmatch(path)) is not None and is_release(found[1]):
        return found[1], found[2]
    if disk and _BARE.fullmatch(path) is not None:
        return None, path
    return None


@dataclasses.dataclass(frozen=True, slots=True)
class _List:
    release: str | None
    name: str
    data: bytes


class _Examination:
    def __init__(self, *, disk: bool) -> None:
        self._disk = disk
        self._placing = Placing()
        # By path, as what lies there may be replaced.
        self._facts: dict[str, ModuleFile | Program | Damage | _List] = {}

    def run(self, entries: Iterable[Entry]) -> Contents:
        for entry in entries:
            placed = self._placing.place(entry)
            if placed is not None:
                self._facts.pop(placed.path, None)
                if isinstance(placed, File):
                    self._look_at(placed)
        facts = self._facts.values()
        lists: dict[str | None, dict[str, bytes]] = {}
        for fact in facts:
            if isinstance(fact, _List):
                lists.setdefault(fact.release, {})[fact.name] = fact.data
        return Contents(
            tree=self._placing.tree,
            modules=tuple(fact for fact in facts if isinstance(fact, ModuleFile)),
            directories=tuple(dict.fromkeys(self._directories())),
            lists=lists,
            programs=tuple(fact for fact in facts if isinstance(fact, Program)),
            lost=tuple(self._placing.lost.values()),
            damaged=tuple(fact for fact in facts if isinstance(fact, Damage)),
        )

    def _directories(self) -> Iterator[str]:
        """Yield the releases of the module directories, also of empty ones."""
        for entry in self._placing.tree:
            place = module_place(f"{entry.path}/.", disk=self._disk)
            if isinstance(entry, Directory) and place is not None and place[1] == ".":
                yield place[0] or ""

    def _look_at(self, file: File) -> None:
        fact: ModuleFile | Program | Damage | _List | None
        try:
            fact = self._fact(file)
        except (FormatError, UnsupportedError) as error:
            fact = Damage(file.path, error.message)
        if fact is not None:
            self._facts[file.path] = fact

    def _fact(self, file: File) -> ModuleFile | Program | _List | None:
        place = module_place(file.path, disk=self._disk)
        if plain_module_path(file.path) is not None:
            return _module(file, *(place or (None, file.path)))
        if place is not None and place[1] in _LISTS:
            if file.content.size > MAX_PROGRAM:
                raise FormatError("it is too large for an index of modules")
            return _List(*place, read_all(file.content))
        if self._disk or _NO_PROGRAMS.match(file.path) is not None:
            return None
        return _program(file)


def _module(file: File, release: str | None, inner: str) -> ModuleFile:
    if file.content.size > MAX_MODULE:
        raise FormatError("it is too large for a module")
    data = read_all(file.content)
    sha256 = hashlib.sha256(data).hexdigest()
    packed = not file.path.endswith(".ko")
    elf, versions = _ELF.get((sha256, packed)), _VERSIONS.get((sha256, packed))
    if elf is None or versions is None:
        data = decompress(data, limit=MAX_MODULE) if packed else data
        elf = _ELF[sha256, packed] = read_module(data)
        versions = _VERSIONS[sha256, packed] = read_versions(data)
    return ModuleFile(
        path=file.path, release=release, inner=inner, sha256=sha256, elf=elf, versions=versions
    )


def _program(file: File) -> Program | None:
    size = file.content.size
    if not 64 <= size <= MAX_PROGRAM:
        return None
    if not is_elf(next(iter(file.content.chunks(64)))):
        return None
    data = read_all(file.content)
    # Objects to be linked or loaded by others (BPF) are no programs.
    if data[_TYPE_AT : _TYPE_AT + 2] not in _PROGRAM_TYPES:
        return None
    return Program(file.path, hashlib.sha256(data).hexdigest(), read_executable(data))
