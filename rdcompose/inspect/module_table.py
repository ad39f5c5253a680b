"""The modules of an image as a table: where each is, how large, and why it is there."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.compression import decompress
from rdcompose.formats.elf import read_module
from rdcompose.inspect.contents import module_place
from rdcompose.inspect.reasons import loaded_names, loads_modules, reasons, recorded_reasons
from rdcompose.kernel.indexed import INDEX_NAMES, IndexedModules
from rdcompose.kernel.module import modname
from rdcompose.kernel.moduletree import MAX_MODULE, plain_module_path
from rdcompose.tree import File, read_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdcompose.formats.elf import ModuleElf
    from rdcompose.inspect.looking import Looking

_MAX_LIST: Final = 64 << 20
_MAX_MANIFEST: Final = 64 << 20


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
    """The modules that a look through a file finds, with the indexes beside them."""

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

    def rows(self) -> tuple[ModuleRow, ...]:
        """Walk, and return a row for each module, those that are built in behind the others.

        :raises FormatError: a binary index is damaged.
        :raises UnsupportedError: a binary index is of another version.
        """
        disk = bool(self._looking.opened.filesystem)
        for located, meant in self._looking.all_entries():
            if isinstance(located.entry, File):
                self._take(located.entry, disk=disk, meant=meant)
        graph = IndexedModules(
            [inner for _, inner, _ in self._files.values()], self._lists, self._elf
        )
        why = reasons(graph, self._files, recorded=self._recorded(), loaded=self._loaded)
        return (
            *(self._row(name, str(why[name])) for name in self._meant if name in why),
            *(_builtin(name) for name in graph.builtin if not self._looking.limited),
        )

    def _take(self, file: File, *, disk: bool, meant: bool) -> None:
        place = module_place(file.path, disk=disk)
        if plain_module_path(file.path) is not None:
            name = modname(file.path)
            inner = place[1] if place is not None else file.path
            self._files[name] = file.path, inner, file.content.size
            if meant:
                self._meant[name] = None
            self._read(name, file)
        elif place is not None and place[1] in INDEX_NAMES and file.content.size <= _MAX_LIST:
            self._lists[place[1]] = read_all(file.content)
        elif loads_modules(file.path) and file.content.size <= _MAX_LIST:
            for name in loaded_names(read_all(file.content)):
                self._loaded.setdefault(name, file.path)

    def _read(self, name: str, file: File) -> None:
        """Read what a module says itself, as far as it can be read."""
        if file.content.size > MAX_MODULE:
            self._broken[name] = "it is too large for a module"
            return
        try:
            data = read_all(file.content)
            packed = not file.path.endswith(".ko")
            self._elf[name] = read_module(decompress(data, limit=MAX_MODULE) if packed else data)
        except (FormatError, UnsupportedError) as error:
            self._broken[name] = error.message
        else:
            self._broken.pop(name, None)

    def _row(self, name: str, why: str) -> ModuleRow:
        path, _, size = self._files[name]
        elf = self._elf.get(name)
        version = (elf.value("version") if elf is not None else None) or ""
        if name in self._broken:
            why = f"it cannot be read: {self._broken[name]}"
        return ModuleRow(name=name, path=path, size=size, version=version, builtin=False, why=why)

    def _recorded(self) -> Mapping[str, str]:
        """Return the reasons in the manifest that lies beside the file, if there is one."""
        opened = self._looking.opened
        if opened.release is None:
            return {}
        try:
            with (opened.path.parent / f"manifest-{opened.release}.json").open("rb") as source:
                found: Any = json.loads(source.read(_MAX_MANIFEST))
        except (OSError, ValueError, RecursionError):
            return {}  # none lies there, or something else of that name
        return recorded_reasons(found) if isinstance(found, dict) else {}


def _builtin(name: str) -> ModuleRow:
    return ModuleRow(
        name=name, path=None, size=None, version="", builtin=True, why="it is part of the kernel"
    )
