"""Module files that a user names: as they are, in a package, or in a directory.

What is in packages and directories is sorted by releases: DKMS and ``make modules_install`` leave
the modules of all kernels of a machine below ``lib/modules/R`` each. Those of other releases are
left out; where a path tells no release, the vermagic does.
"""

from __future__ import annotations

import dataclasses
import io
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdcompose.compose.filesource import MODULE, name_of
from rdcompose.compose.inputs import Input, digest, file_input, read_file
from rdcompose.compose.template import tree_bytes
from rdcompose.errors import RdcomposeError, SpecError
from rdcompose.formats import ar
from rdcompose.formats.deb import Deb, Kind
from rdcompose.kernel.moduletree import parse_module, plain_module_path
from rdcompose.tree import File, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.compose.filesource import Source
    from rdcompose.kernel.module import Module

# Where kmod looks first: what is there comes before the kernel's own.
UPDATES: Final = "updates/"
_OWN: Final = "kernel/"
_INSTALLED: Final = re.compile(r"(?:.*/)?lib/modules/([^/]+)/(.+)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFiles:
    """The modules of one source, and what is said of it.

    ``notes`` are about what was left out.
    """

    modules: tuple[Module, ...]
    item: Input
    notes: tuple[str, ...]


def read_module_files(source: Source, release: str) -> ModuleFiles:
    """Read the modules that a source has for a kernel's release, below ``updates/``.

    :raises SpecError: it cannot be read, or has none for this release.
    :raises FormatError: it is damaged, or a file is no module.
    """
    path = source.file.path
    try:
        if path.is_dir():
            found, notes = _for_release(_in_directory(path), release, source.request.text)
            return ModuleFiles(modules=found, item=_directory_item(path, found), notes=notes)
        data = read_file(path, "module")
        if data.startswith(ar.MAGIC):
            return _packaged(source, data, release)
        return _single(source, data)
    except SpecError:
        raise
    except RdcomposeError as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error


def _single(source: Source, data: bytes) -> ModuleFiles:
    name = source.file.path.name
    plain = plain_module_path(name)
    if plain is None:
        raise SpecError(
            f"{source.file.path} is no module",
            hint="a module is FILE.ko, FILE.ko.xz, FILE.ko.zst or FILE.ko.gz; or give a .deb or a "
            "directory that holds modules",
        )
    module = parse_module(name, UPDATES + plain, data)
    return ModuleFiles(
        modules=(module,), item=file_input(source.request.role, source.file, data), notes=()
    )


def _packaged(source: Source, data: bytes, release: str) -> ModuleFiles:
    deb = Deb.open(io.BytesIO(data))
    control = deb.control
    files = (
        (member.path, member.content)
        for member in deb.members(wanted=_is_module)
        if member.kind is Kind.FILE and _is_module(member.path)
    )
    found, notes = _for_release(files, release, control.package)
    item = file_input(source.request.role, source.file, data).of_package(control)
    return ModuleFiles(modules=found, item=item, notes=notes)


def _is_module(path: str) -> bool:
    return plain_module_path(path) is not None


def _in_directory(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the module files below a directory; links are not followed."""

    def refuse(error: OSError) -> None:
        raise SpecError(f"cannot read {error.filename}: {error.strerror}") from error

    for base, names, files in os.walk(directory, onerror=refuse):
        names.sort()
        for name in sorted(files):
            path = Path(base, name)
            if _is_module(name) and stat.S_ISREG(path.lstat().st_mode):
                # The directory itself may be the lib/modules/R.
                yield path.resolve().as_posix(), read_file(path, "module")


def _directory_item(path: Path, modules: Iterable[Module]) -> Input:
    tree = Tree()
    for module in modules:
        tree.add(File(path=module.path, content=module.content))
    return Input(
        role=MODULE,
        file=name_of(path),
        sha256=digest(tree_bytes(tree)),
        source="local directory",
    )


def _for_release(
    files: Iterable[tuple[str, bytes]], release: str, where: str
) -> tuple[tuple[Module, ...], tuple[str, ...]]:
    """Return the modules for a release, and a note on the others."""
    taken: list[Module] = []
    others: dict[str, int] = {}
    own = 0
    for path, data in files:
        installed = _INSTALLED.fullmatch(path)
        if installed is not None and installed[1] != release:
            others[installed[1]] = others.get(installed[1], 0) + 1
            continue
        inner = path.rpartition("/")[2] if installed is None else installed[2]
        plain = plain_module_path(inner)
        assert plain is not None
        module = parse_module(path, plain if plain.startswith(UPDATES) else UPDATES + plain, data)
        theirs = (module.elf.vermagic or "").partition(" ")[0]
        if installed is None and theirs != release:
            others[theirs] = others.get(theirs, 0) + 1
        elif plain.startswith(_OWN) and module.elf.value("intree"):
            own += 1
        else:
            taken.append(module)
    if taken:
        notes = [
            f"left out of {where}: {count} modules for {other or 'no release at all'}"
            for other, count in sorted(others.items())
        ]
        return tuple(taken), tuple(notes)
    if others:
        names = ", ".join(sorted(name or "no release at all" for name in others))
        raise SpecError(
            f"{where} has no modules for {release}, but for {names}",
            hint=f"build them for this kernel: dkms build -k {release} …",
        )
    raise SpecError(
        f"{where} holds no modules" + (" but the kernel's own" if own else ""),
        hint="packages named …-dkms hold the source of modules: give what DKMS made of it",
    )
