"""One kernel module, and kmod's rules for module names.

The rules are those of kmod's ``modname_normalize`` and ``path_to_modname``
(``shared/util.c``): a module's name is its file name up to the first ``.``,
with ``-`` replaced by ``_``.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rdcompose.formats.elf import ModuleElf
    from rdcompose.tree import Content

_BRACKETED: Final = re.compile(r"[^\[\]]*(?:\[[^\]]*\][^\[\]]*)*")


def modname(path: str) -> str:
    """Return the module name for a name or path: ``net/8021q.ko`` is ``8021q``."""
    base = path.rpartition("/")[2]
    return base.partition(".")[0].replace("-", "_")


def normalize_alias(alias: str) -> str:
    """Return an alias with ``-`` as ``_`` outside ``[…]``, as kmod compares them."""
    if "[" not in alias:
        return alias.replace("-", "_")
    out: list[str] = []
    inside = False
    for char in alias:
        inside = char == "[" or (inside and char != "]")
        out.append("_" if char == "-" and not inside else char)
    return "".join(out)


def has_matched_brackets(alias: str) -> bool:
    """Whether every ``[`` has its ``]``; kmod leaves other aliases out of its indexes."""
    return _BRACKETED.fullmatch(alias) is not None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A module file of a kernel package.

    ``path`` is relative to the directory ``lib/modules/R`` and names the plain file:
    ``kernel/drivers/net/veth.ko`` also where the package has ``veth.ko.xz``.
    ``content`` is the plain file, with its signature.
    """

    path: str
    elf: ModuleElf
    content: Content

    @property
    def name(self) -> str:
        """The module name, as ``lsmod`` prints it."""
        return modname(self.path)
