"""Which modules the files of anyone hold, and what the indexes in them say of each other.

Initramfs, modules disks and unified kernel images are walked once. Of an initramfs the plain
modules are read, since busybox's indexes say less than they do; on a disk, where thousands
are, indexes have to do.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats.compression import decompress
from rdcompose.formats.elf import read_module
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.contents import module_place
from rdcompose.inspect.findings import printable
from rdcompose.inspect.holders import files_beside, files_in, is_module_directory, is_tree
from rdcompose.inspect.names import named_release
from rdcompose.inspect.opened import open_image
from rdcompose.inspect.reasons import loaded_names, loads_modules
from rdcompose.kernel.indexed import INDEX_NAMES, IndexedModules
from rdcompose.kernel.module import modname
from rdcompose.kernel.moduletree import MAX_MODULE, plain_module_path
from rdcompose.tree import File, read_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from rdcompose.formats.elf import ModuleElf
    from rdcompose.inspect.opened import Opened
    from rdcompose.kernel.config import KernelConfig
    from rdcompose.tree import Content

# A generic kernel's largest index has 2 MB.
_MAX_INDEX: Final = 16 << 20
_MAX_LIST: Final = 1 << 20
_SHOWN: Final = 5
_WALKED: Final = frozenset({Kind.INITRAMFS, Kind.DISK, Kind.UKI, Kind.DIRECTORY})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What some files have of one kernel.

    ``initramfs`` and ``disk`` say in which file a module is, by its name; ``loaded`` which file of
    the initramfs has it loaded at boot. ``elf`` is what modules say, as far as they were read.
    ``whole`` tells that there is a disk, whose indexes are those of all modules. ``problems`` say
    what could not be read.
    """

    release: str | None
    graph: IndexedModules
    initramfs: Mapping[str, str]
    disk: Mapping[str, str]
    elf: Mapping[str, ModuleElf]
    loaded: Mapping[str, str]
    whole: bool
    modinfo: bytes = b""
    config: KernelConfig | None = None
    manifest: Mapping[str, Any] | None = None
    problems: tuple[str, ...] = ()


def read_holdings(
    paths: Sequence[Path],
    release: str | None = None,
    *,
    wanted: Callable[[str], bool] = lambda _name: False,
) -> Holdings:
    """Read files, or those in directories, that are of one kernel.

    Beside a file that ``build`` wrote, its manifest and configuration are read, too. ``release``
    chooses a kernel where there are several. Of compressed modules and those of a disk, only
    those are read whose names are ``wanted``.

    :raises SpecError: a file cannot be read, or there are no modules, or those of several kernels.
    :raises FormatError: an index is damaged.
    """
    reading = _Reading(wanted)
    for path in paths:
        if path.is_dir() and not is_tree(path):
            for file in files_in(path):
                reading.add(file, quiet=True)
        else:
            reading.add(path, quiet=False)
            for file in files_beside(path):
                reading.add(file, quiet=True)
    return reading.holdings(release, paths)


@dataclasses.dataclass(slots=True)
class _Found:
    """What was found of one release."""

    paths: dict[str, str] = dataclasses.field(default_factory=dict)
    initramfs: dict[str, str] = dataclasses.field(default_factory=dict)
    disk: dict[str, str] = dataclasses.field(default_factory=dict)
    elf: dict[str, ModuleElf] = dataclasses.field(default_factory=dict)
    lists: dict[str, dict[str, bytes]] = dataclasses.field(default_factory=dict)
    config: KernelConfig | None = None
    manifest: Mapping[str, Any] | None = None
    # Initramfs that were not named, but found in a directory.
    beside: set[str] = dataclasses.field(default_factory=set)


class _Reading:
    def __init__(self, wanted: Callable[[str], bool]) -> None:
        self._wanted = wanted
        self._found: dict[str | None, _Found] = {}
        self._loaded: dict[str, dict[str, str]] = {}
        self._problems: list[str] = []

    def add(self, path: Path, *, quiet: bool) -> None:
        """Read a file; ``quiet`` passes over what is none of those with modules."""
        with open_image(path, path.name or str(path)) as opened:
            facts = opened.facts
            if facts is not None and facts.config is not None:
                self._of(named_release(path.name)).config = facts.config
            elif facts is not None and facts.manifest is not None:
                self._of(_release_of(facts.manifest)).manifest = facts.manifest
            elif opened.kind in _WALKED or (opened.kind is Kind.FILESYSTEM and not quiet):
                self._walk(opened)
                for found in self._found.values() if quiet else ():
                    found.beside |= {opened.name} & {*found.initramfs.values()}
            elif not quiet:
                damage = facts.problem if facts is not None else None
                raise SpecError(
                    f"{path} holds no modules" + (f": {damage}" if damage else ""),
                    hint="name an initramfs, a modules disk, or a directory with both",
                )

    def _of(self, release: str | None) -> _Found:
        return self._found.setdefault(release, _Found())

    def _walk(self, opened: Opened) -> None:
        bare = is_module_directory(opened.path)
        disk = bool(opened.filesystem) or bare
        for located in opened.entries():
            entry = located.entry
            if not isinstance(entry, File):
                continue
            place = module_place(entry.path, disk=disk)
            try:
                if place is not None:
                    release = place[0] or named_release(opened.path.name)
                    if bare:
                        release = opened.path.resolve().name
                    self._take(opened.name, self._of(release), place[1], entry.content, disk=disk)
                elif loads_modules(entry.path) and entry.content.size <= _MAX_LIST and not disk:
                    names = loaded_names(read_all(entry.content))
                    earlier = self._loaded.get(opened.name, {})
                    self._loaded[opened.name] = dict.fromkeys(names, entry.path) | earlier
            except (FormatError, UnsupportedError) as error:
                self._problems.append(f"{opened.name}: {entry.path}: {error.message}")
        if opened.problem is not None:
            self._problems.append(f"{opened.name}: {opened.problem.message}")

    def _take(self, file: str, found: _Found, inner: str, content: Content, *, disk: bool) -> None:
        if plain_module_path(inner) is None:
            if inner in INDEX_NAMES and content.size <= _MAX_INDEX:
                found.lists.setdefault(file, {})[inner] = read_all(content)
            return
        name = modname(inner)
        held = found.disk if disk else found.initramfs
        held[name] = file
        found.paths[name] = inner
        plain = inner.endswith(".ko")
        if content.size <= MAX_MODULE and ((plain and not disk) or self._wanted(name)):
            data = read_all(content)
            found.elf[name] = read_module(data if plain else decompress(data, limit=MAX_MODULE))

    def holdings(self, release: str | None, paths: Sequence[Path]) -> Holdings:
        """Put together what is of one kernel."""
        chosen = self._chosen(release, paths)
        found = self._found[chosen]
        self._check_alone(found, ", ".join(map(str, paths)))
        # What has no release in its name or its path is of the only kernel.
        spare = self._found.get(None, _Found()) if chosen is not None else _Found()
        lists = _merged(found)
        names = {*found.initramfs.values()}
        loaded: dict[str, str] = {}
        for name in sorted(names):
            loaded = self._loaded.get(name, {}) | loaded
        graph = self._graph(found, lists)
        return Holdings(
            release=chosen,
            graph=graph,
            initramfs=found.initramfs,
            disk=found.disk,
            elf=found.elf,
            loaded=loaded,
            whole=bool(found.disk),
            modinfo=lists.get("modules.builtin.modinfo", b""),
            config=found.config or spare.config,
            manifest=found.manifest or spare.manifest,
            problems=self._told(),
        )

    def _told(self) -> tuple[str, ...]:
        """Return the first problems, and how many more there are; names may be hostile."""
        rest = len(self._problems) - _SHOWN
        more = (f"{rest} more modules or indexes cannot be read",) if rest > 0 else ()
        return (*map(printable, self._problems[:_SHOWN]), *more)

    def _graph(self, found: _Found, lists: Mapping[str, bytes]) -> IndexedModules:
        paths = found.paths.values()
        try:
            return IndexedModules(paths, lists, found.elf)
        except (FormatError, UnsupportedError) as error:
            self._problems.append(f"an index of modules cannot be read: {error.message}")
        texts = {name: data for name, data in lists.items() if not name.endswith(".bin")}
        return IndexedModules(paths, texts, found.elf)

    def _chosen(self, release: str | None, paths: Iterable[Path]) -> str | None:
        having = [name for name, found in self._found.items() if found.paths or found.lists]
        where = ", ".join(map(str, paths))
        if release is not None:
            if release in having:
                return release
            known = printable(", ".join(sorted(name for name in having if name is not None)))
            raise SpecError(
                f"{where}: there are no modules of {release}",
                hint=f"there are those of {known}" if known else None,
            )
        if not having:
            raise SpecError(
                f"{where}: there are no modules" + "".join(f"; {row}" for row in self._told()),
                hint="name an initramfs, a modules disk, or a directory with both",
            )
        if len(having) > 1:
            known = printable(", ".join(sorted(name or "unknown" for name in having)))
            raise SpecError(
                f"{where}: there are modules of several kernels: {known}",
                hint="choose one with --release",
            )
        return having[0]

    def _check_alone(self, found: _Found, where: str) -> None:
        """Of several builds of one kernel, it has to be said which one is meant."""
        if len(found.beside) > 1:
            names = printable(", ".join(sorted(found.beside)))
            raise SpecError(
                f"{where}: there are several initramfs of one kernel: {names}",
                hint="name one of them, and its modules disk",
            )


def _merged(found: _Found) -> dict[str, bytes]:
    """Return the indexes of the file that knows most, and what only others have."""

    def size(lists: Mapping[str, bytes]) -> int:
        return max(len(lists.get(name, b"")) for name in ("modules.dep", "modules.dep.bin"))

    rows = sorted(found.lists.values(), key=size, reverse=True)
    merged: dict[str, bytes] = {}
    for lists in rows:
        # Text and binary form of one index are about the same modules, or they contradict.
        have = {name.removesuffix(".bin") for name in merged}
        merged |= {
            name: data for name, data in lists.items() if name.removesuffix(".bin") not in have
        }
    return merged


def _release_of(manifest: Mapping[str, Any]) -> str | None:
    release = manifest.get("release")
    return release if isinstance(release, str) else None
