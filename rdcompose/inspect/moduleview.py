"""Modules as a report shows them: how heavy, why they are there, what needs what."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.inspect.contents import module_place
from rdcompose.inspect.filekinds import Kind
from rdcompose.inspect.reasons import loaded_names, loads_modules, reasons, recorded_reasons
from rdcompose.kernel.indexed import IndexedModules
from rdcompose.kernel.module import modname
from rdcompose.tree import File, read_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rdcompose.inspect.contents import Contents, ModuleFile
    from rdcompose.inspect.reasons import Reason
    from rdcompose.inspect.weight import Weight

# Larger files are no lists of modules.
_MAX_LIST: Final = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModuleView:
    """A module in an image; ``size`` and ``share`` are in bytes, ``None`` where not weighed.

    ``path`` is below the module directory, where it lies in one. ``why`` is in words, empty where
    neither a manifest nor a file of the image tells; ``needs`` and ``needed_by`` are names of
    modules of the same image.
    """

    name: str
    path: str
    size: int | None = None
    share: int | None = None
    why: str = ""
    needs: tuple[str, ...] = ()
    needed_by: tuple[str, ...] = ()
    version: str = ""
    description: str = ""


def view_modules(
    contents: Contents, weight: Weight | None, manifest: Mapping[str, Any], *, disk: bool
) -> Iterator[ModuleView]:
    """Yield the modules of an image, with what is known of them; in the order of their paths."""
    weights = _weights(weight, disk=disk)
    # A manifest says of the initramfs alone why a module is there.
    recorded = {} if disk else recorded_reasons(manifest)
    loaded = {} if disk else _loaded(contents)
    for release in dict.fromkeys(module.release for module in contents.modules):
        own = [module for module in contents.modules if module.release == release]
        why = _reasons(own, contents.lists.get(release, {}), recorded, loaded)
        for module in sorted(own, key=lambda module: module.path):
            size, share = weights.get((release, module.inner), (None, None))
            yield _view(module, size, share, why.get(module.name))


def weighed_modules(weight: Weight | None) -> tuple[ModuleView, ...]:
    """Return the modules of what was only weighed, in the order of their paths."""
    parts = () if weight is None else weight.parts
    found = []
    for part in parts:
        if part.kind is Kind.MODULES:
            place = module_place(part.name, disk=True)
            path = part.name if place is None else place[1]
            found.append(
                ModuleView(name=modname(path), path=path, size=part.size, share=part.share)
            )
    return tuple(sorted(found, key=lambda view: view.path))


def _view(
    module: ModuleFile, size: int | None, share: int | None, reason: Reason | None
) -> ModuleView:
    needs = () if reason is None else reason.needs
    users = () if reason is None else reason.needed_by
    return ModuleView(
        name=module.name,
        path=module.inner,
        size=size,
        share=share,
        why=str(reason) if reason is not None and (reason.recorded or reason.loaded) else "",
        needs=tuple(dict.fromkeys(need.name for need in needs)),
        needed_by=tuple(dict.fromkeys(need.by for need in users)),
        version=module.elf.value("version") or "",
        description=module.elf.value("description") or "",
    )


def _weights(weight: Weight | None, *, disk: bool) -> dict[tuple[str | None, str], tuple[int, int]]:
    """Return size and share of modules by release and path below the module directory."""
    found = {}
    for part in weight.parts if weight is not None else ():
        if part.kind is Kind.MODULES:
            place = module_place(part.name, disk=disk)
            found[place or (None, part.name)] = (part.size, part.share)
    return found


def _reasons(
    modules: Sequence[ModuleFile],
    lists: Mapping[str, bytes],
    recorded: Mapping[str, str],
    loaded: Mapping[str, str],
) -> dict[str, Reason]:
    paths = [module.inner for module in modules]
    elf = {module.name: module.elf for module in modules}
    try:
        graph = IndexedModules(paths, lists, elf)
    except (FormatError, UnsupportedError):
        # Indexes that are damaged; what modules say themselves is enough.
        graph = IndexedModules(paths, {}, elf)
    return reasons(graph, elf, recorded=recorded, loaded=loaded)


def _loaded(contents: Contents) -> dict[str, str]:
    """Return the file that has a module loaded at boot, by the name of the module."""
    found: dict[str, str] = {}
    for entry in contents.tree:
        if not isinstance(entry, File) or not loads_modules(entry.path):
            continue
        if entry.content.size <= _MAX_LIST:
            for name in loaded_names(read_all(entry.content)):
                found.setdefault(name, entry.path)
    return found
