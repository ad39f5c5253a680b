"""Puts modules of the user's own among a kernel's, if they fit it."""

from __future__ import annotations

import dataclasses
import io
import re
from typing import TYPE_CHECKING, Final

from rdcompose.compose.filesource import SYMVERS
from rdcompose.compose.inputs import Input, file_input, read_file
from rdcompose.compose.modulefiles import read_module_files
from rdcompose.compose.own_modules import OwnModule, OwnModules, from_outside
from rdcompose.errors import CapabilityError, RdcomposeError, ReleaseError, SpecError
from rdcompose.formats import ar
from rdcompose.formats.compression import decompress, detect
from rdcompose.formats.deb import Deb
from rdcompose.formats.symvers import parse_symvers
from rdcompose.kernel.outoftree import check_out_of_tree
from rdcompose.kernel.symbols import kernel_symbols
from rdcompose.kernel.taints import letters
from rdcompose.tree import encode_name

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from rdcompose.compose.filesource import Source
    from rdcompose.formats.symvers import SymbolVersion
    from rdcompose.kernel.module import Module
    from rdcompose.kernel.package import KernelPackage

_SYMVERS: Final = "Module.symvers"
_HEADERS: Final = re.compile(r"usr/src/linux-headers-([^/]+)/Module\.symvers")
# Those of distributions with everything built as modules are 3 MB.
_MAX_SYMVERS: Final = 64 << 20


def add_own_modules(
    package: KernelPackage, sources: Sequence[Source], symvers: Sequence[Source]
) -> OwnModules:
    """Read modules, check that they fit the kernel, and put them among its modules.

    Modules that came with the kernel and are not of its tree are checked, too.

    :raises SpecError: a source cannot be read, or has no modules for this kernel.
    :raises FormatError: it is damaged.
    :raises ReleaseError: a module does not fit this kernel, or it cannot be proved.
    :raises CapabilityError: the kernel loads no modules.
    """
    if not sources:
        _check_inside(package, frozenset())
        return OwnModules(package=package)
    if not package.config.builtin("MODULES"):
        raise CapabilityError(f"the kernel {package.release} loads no modules: no CONFIG_MODULES")
    files = [read_module_files(source, package.release) for source in sources]
    modules = [module for found in files for module in found.modules]
    _check_names(modules)
    _check_inside(package, frozenset(module.name for module in modules))
    versions: Mapping[str, SymbolVersion] | None = None
    inputs = [found.item for found in files]
    for source in symvers:
        versions, item = _read_symvers(source, package.release)
        inputs.append(item)
    check_out_of_tree(package, modules, kernel_symbols(package, versions))
    own = {module.name: module.path for module in package.tree.modules}
    rows = tuple(
        OwnModule(
            name=module.name,
            path=module.path,
            replaces=own.get(module.name, ""),
            taints=letters(module.elf, package.config),
        )
        for module in sorted(modules, key=lambda module: module.name)
    )
    replaced = [
        f"{row.path} takes the place of the kernel's own {row.replaces}"
        for row in rows
        if row.replaces
    ]
    return OwnModules(
        package=_with(package, modules),
        modules=rows,
        inputs=tuple(inputs),
        notes=(*(note for found in files for note in found.notes), *replaced),
    )


def _check_inside(package: KernelPackage, replaced: Container[str]) -> None:
    tree = package.tree
    inside = [row for row in from_outside(tree.modules) if row.name not in replaced]
    if inside:
        paths = {module.path for module in inside}
        kept = tuple(module for module in tree.modules if module.path not in paths)
        bare = dataclasses.replace(package, tree=dataclasses.replace(tree, modules=kept))
        check_out_of_tree(bare, inside, kernel_symbols(bare, None), proof=False)


def _check_names(modules: Sequence[Module]) -> None:
    seen: dict[str, str] = {}
    for module in modules:
        if module.name in seen:
            raise SpecError(
                f"the module {module.name} is given twice: {seen[module.name]} and {module.path}"
            )
        seen[module.name] = module.path


def _with(package: KernelPackage, modules: Sequence[Module]) -> KernelPackage:
    tree = package.tree
    paths = {module.path for module in modules}
    kept = [module for module in tree.modules if module.path not in paths]
    every = sorted((*kept, *modules), key=lambda module: encode_name(module.path))
    return dataclasses.replace(package, tree=dataclasses.replace(tree, modules=tuple(every)))


def _read_symvers(source: Source, release: str) -> tuple[Mapping[str, SymbolVersion], Input]:
    path = source.file.path
    if path.is_dir():
        path /= _SYMVERS
    data = read_file(path, "versions of symbols")
    item = file_input(SYMVERS, dataclasses.replace(source.file, path=path), data)
    try:
        if data.startswith(ar.MAGIC):
            deb = Deb.open(io.BytesIO(data))
            return parse_symvers(_packaged(deb, release)), item.of_package(deb.control)
        return parse_symvers(_plain(data)), item
    except RdcomposeError as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error


def _plain(data: bytes) -> bytes:
    # Fedora and others have it as /boot/symvers-R.xz.
    return data if detect(data) is None else decompress(data, limit=_MAX_SYMVERS)


def _packaged(deb: Deb, release: str) -> bytes:
    hint = f"the package linux-headers-{release} has it"
    found = {
        match[1]: member.content
        for member in deb.members(wanted=lambda path: _HEADERS.fullmatch(path) is not None)
        if (match := _HEADERS.fullmatch(member.path)) is not None
    }
    if not found:
        raise SpecError(f"{deb.control.package} holds no {_SYMVERS}", hint=hint)
    if release not in found:
        raise ReleaseError(
            f"{deb.control.package} has the {_SYMVERS} of {', '.join(sorted(found))}, not of "
            f"{release}",
            hint=hint,
        )
    return found[release]
