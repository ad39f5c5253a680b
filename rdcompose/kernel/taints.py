"""What marks a kernel as tainted when modules are loaded.

Reference: Documentation/admin-guide/tainted-kernels.rst and ``check_modinfo`` of
``kernel/module/main.c``. Bug reports and support contracts ask for it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdcompose.formats.elf import ModuleElf
    from rdcompose.kernel.config import KernelConfig
    from rdcompose.kernel.module import Module

GPL_COMPATIBLE: Final = frozenset(
    {
        "GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL",
        "Dual MPL/GPL",
    }
)  # fmt: skip
_IN_TREE: Final = ("intree", "Y")
_STAGING: Final = ("staging", "Y")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Taints:
    """Names of modules that are not as the rest, sorted.

    ``signed`` says whether the kernel's modules are signed at all; if they are, ``unsigned`` are
    those without a signature.
    """

    signed: bool = False
    out_of_tree: tuple[str, ...] = ()
    staging: tuple[str, ...] = ()
    unsigned: tuple[str, ...] = ()


def taints_of(modules: Iterable[Module]) -> Taints:
    """Tell which modules taint the kernel."""
    every = sorted(modules, key=lambda module: module.name)
    signed = any(module.elf.signed for module in every)
    return Taints(
        signed=signed,
        out_of_tree=tuple(row.name for row in every if _IN_TREE not in row.elf.modinfo),
        staging=tuple(row.name for row in every if _STAGING in row.elf.modinfo),
        unsigned=tuple(row.name for row in every if not row.elf.signed) if signed else (),
    )


def letters(elf: ModuleElf, config: KernelConfig) -> str:
    """Return the letters that a module adds to what ``/proc/sys/kernel/tainted`` stands for."""
    marks = {
        "P": (elf.value("license") or "") not in GPL_COMPATIBLE,
        "C": _STAGING in elf.modinfo,
        "O": _IN_TREE not in elf.modinfo,
        "E": config.builtin("MODULE_SIG") and not elf.signed,
    }
    return "".join(letter for letter, marked in marks.items() if marked)
