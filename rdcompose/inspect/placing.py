"""Where the entries of an initramfs come to lie when the kernel unpacks them.

Reference: ``init/initramfs.c`` of Linux: links on the way to an entry are followed, later entries
replace earlier ones, and what has no directory to lie in is dropped without a word.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.inspect.paths import resolve
from rdcompose.tree import Directory, Tree

if TYPE_CHECKING:
    from rdcompose.tree import Entry

# What a processor is loaded with before anything is unpacked, by its whole path alone.
_MICROCODE: Final = "kernel/"
# The kernel has these before it unpacks anything (usr/default_cpio_list).
_ALWAYS_THERE: Final = frozenset({"", "dev", "root"})


@dataclasses.dataclass(frozen=True, slots=True)
class Damage:
    """A path, and why it is not what it should be."""

    path: str
    why: str


class Placing:
    """A tree that entries are put into in the order in which they are stored.

    ``lost`` are those that the kernel drops, by their paths.
    """

    def __init__(self) -> None:
        self.tree = Tree()
        self.lost: dict[str, Damage] = {}

    def place(self, entry: Entry) -> Entry | None:
        """Put an entry where the kernel puts it, and return it with that path, if it does."""
        parent, _, name = entry.path.rpartition("/")
        real = resolve(self.tree, parent)
        if real is None or not self._may_hold(real):
            self.lost[entry.path] = Damage(entry.path, f"its directory {parent!r} is not there")
            return None
        moved = dataclasses.replace(entry, path=f"{real}/{name}" if real else name)
        try:
            self.tree.add(moved)
        except SpecError as error:
            self.lost[entry.path] = Damage(entry.path, error.message)
            return None
        self.lost.pop(moved.path, None)
        return moved

    def _may_hold(self, parent: str) -> bool:
        if parent in _ALWAYS_THERE or f"{parent}/".startswith(_MICROCODE):
            return True
        return isinstance(self.tree.get(parent), Directory)
