"""The modules of an image as a table: where each is, how large, and why it is there."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.compression import decompress
from rdcompose.formats.elf import read_module
from rdcompose.inspect.compare.modules import MAX_SIZE
from rdcompose.inspect.contents import module_place
from rdcompose.inspect.holders import files_beside
from rdcompose.inspect.opened import open_image
from rdcompose.inspect.reasons import loaded_names, loads_modules, reasons, recorded_reasons
from rdcompose.kernel.indexed import INDEX_NAMES, IndexedModules
from rdcompose.kernel.module import modname
from rdcompose.kernel.moduletree import plain_module_path
from rdcompose.tree import File, read_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdcompose.formats.elf import ModuleElf
    from rdcompose.inspect.looking import Looking

_MAX_LIST: Final = 64 << 20
# No kernel has a tenth of them, and what packed ones unpack to is far more than all modules.
_MAX_MODULES: Final = 1 << 16
_MAX_UNPACKED: Final = 4 << 30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRow:
    """A module; ``path`` and ``size`` are those of the file, ``None`` of one that is built in.

    ``version`` is what the module says, empty where it says nothing; ``why`` is a sentence.
    """

    name: str
    path: str | None
    size: int | None
    version: str
    builtin: bool
    why: str


class ModuleTable:
    """The modules that a look through a file finds, with the indexes beside them.

    ``damaged`` says why indexes were passed over, ``None`` if they were not.
    """

    def __init__(self, looking: Looking) -> None:
        self._looking = looking
        # By name: the path, that below the module directory, and the size.
        self._files: dict[str, tuple[str, str, int]] = {}
        self._elf: dict[str, ModuleElf] = {}
        self._broken: dict[str, str] = {}
        self._lists: dict[str, bytes] = {}
        self._loaded: dict[str, str] = {}
        # Names of those that were asked for, in their order.
        self._meant: dict[str, None] = {}
        self._left = _MAX_UNPACKED
        self.damaged: str | None = None

    def rows(self) -> tuple[ModuleRow, ...]:
        """Walk, and return a row for each module, those that are built in behind the others.

        :raises FormatError: there are more modules than any kernel has.
        """
        disk = bool(self._looking.opened.filesystem)
        for located, meant in self._looking.all_entries():
            if isinstance(located.entry, File):
                self._take(located.entry, disk=disk, meant=meant)
        try:
            found = self._explained(self._lists)
        except (FormatError, UnsupportedError) as error:
            # Modules say themselves what they need.
            self.damaged = error.message
            found = self._explained({})
        return found

    def _explained(self, lists: Mapping[str, bytes]) -> tuple[ModuleRow, ...]:
        paths = [inner for _, inner, _ in self._files.values()]
        graph = IndexedModules(paths, lists, self._elf)
        why = reasons(graph, self._files, recorded=self._recorded(), loaded=self._loaded)
        return (
            *(self._row(name, str(why[name])) for name in self._meant if name in why),
            *(_builtin(name) for name in graph.builtin if not self._looking.limited),
        )

    def _take(self, file: File, *, disk: bool, meant: bool) -> None:
        place = module_place(file.path, disk=disk)
        if plain_module_path(file.path) is not None:
            name = modname(file.path)
            self._files[name] = file.path, place[1] if place else file.path, file.content.size
            if len(self._files) > _MAX_MODULES:
                raise FormatError(f"there are more than {_MAX_MODULES} modules")
            if meant:
                self._meant[name] = None
            self._read(name, file)
        elif place is not None and place[1] in INDEX_NAMES:
            self._lists[place[1]] = _text(file)
        elif loads_modules(file.path):
            for name in loaded_names(_text(file)):
                self._loaded.setdefault(name, file.path)

    def _read(self, name: str, file: File) -> None:
        """Read what a module says itself, as far as it can be read."""
        self._elf.pop(name, None)
        self._broken[name] = "it is too large for a module"
        if file.content.size > MAX_SIZE:
            return
        try:
            data = read_all(file.content)
            if not file.path.endswith(".ko"):
                data = decompress(data, limit=min(MAX_SIZE, self._left))
                self._left -= len(data)
            self._elf[name] = read_module(data)
        except (FormatError, UnsupportedError) as error:
            self._broken[name] = error.message
        else:
            del self._broken[name]

    def _row(self, name: str, why: str) -> ModuleRow:
        path, _, size = self._files[name]
        elf = self._elf.get(name)
        version = (elf.value("version") if elf is not None else None) or ""
        if name in self._broken:
            why = f"it cannot be read: {self._broken[name]}"
        return ModuleRow(name=name, path=path, size=size, version=version, builtin=False, why=why)

    def _recorded(self) -> Mapping[str, str]:
        """Return the reasons in the manifest that lies beside the file, if there is one."""
        for path in files_beside(self._looking.opened.path):
            with open_image(path) as beside:
                if beside.facts is not None and beside.facts.manifest is not None:
                    return recorded_reasons(beside.facts.manifest)
        return {}


def _text(file: File) -> bytes:
    """Return a list in the image; nothing of one that cannot be read, where the walk ends."""
    if file.content.size > _MAX_LIST:
        return b""
    try:
        return read_all(file.content)
    except FormatError:
        return b""


def _builtin(name: str) -> ModuleRow:
    return ModuleRow(
        name=name, path=None, size=None, version="", builtin=True, why="it is part of the kernel"
    )
