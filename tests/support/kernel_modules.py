"""Modules of a made-up kernel, in a line or two each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.formats.elf import read_module
from rdcompose.kernel.module import Module
from rdcompose.tree import Bytes
from tests.support.modules import EM_X86_64, make_ko

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def module(
    path: str,
    modinfo: Iterable[str] = (),
    *,
    exports: Sequence[str] = (),
    imports: Sequence[str] = (),
    machine: int = EM_X86_64,
) -> Module:
    """Return a module; a path without a directory gets ``kernel/`` and ``.ko``."""
    if "/" not in path:
        path = f"kernel/{path}.ko"
    data = make_ko(["license=GPL", *modinfo], exports, imports, machine=machine)
    return Module(path=path, elf=read_module(data), content=Bytes(data))


def chain(name: str, *needs: str, modinfo: Iterable[str] = ()) -> Module:
    """Return a module that uses other such modules, by one symbol of each."""
    return module(
        name,
        modinfo,
        exports=[f"symbol_of_{name}"],
        imports=[f"symbol_of_{other}" for other in needs],
    )
