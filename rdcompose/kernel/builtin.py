"""What is built into a kernel: ``modules.builtin`` and ``modules.builtin.modinfo``.

The first lists the paths that the parts would have as modules. The second, which
kernels since 5.2 have, holds ``name.key=value`` texts, each ended by NUL
(Documentation/kbuild/kbuild.rst).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Self

from rdcompose.kernel.module import has_matched_brackets, modname, normalize_alias

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclasses.dataclass(frozen=True, slots=True)
class Builtin:
    """Paths as listed, and ``(pattern, name)`` of the aliases, normalised.

    ``firmware`` has each name of firmware, or pattern, with who asks for it.
    """

    paths: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...]
    firmware: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, lines: Iterable[str], modinfo: bytes) -> Self:
        """Read both files; what kmod passes over in them is passed over here."""
        paths = [line.strip() for line in lines]
        records = [*_records(modinfo)]
        return cls(
            tuple([path for path in paths if path[:1].isascii() and path[:1].isalpha()]),
            tuple(
                (normalize_alias(value), name)
                for name, key, value in records
                if key == "alias" and has_matched_brackets(value)
            ),
            tuple((value, name) for name, key, value in records if key == "firmware"),
        )

    def names(self) -> dict[str, str]:
        """Return the path of each by module name."""
        return {modname(path): path for path in self.paths}


def read_modinfo(data: bytes) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return keys and values of ``modules.builtin.modinfo``, by module name, in its order."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, key, value in _records(data):
        found.setdefault(name, []).append((key, value))
    return {name: tuple(pairs) for name, pairs in found.items()}


def _records(modinfo: bytes) -> Iterable[tuple[str, str, str]]:
    # What comes after the last NUL is cut off.
    for text in modinfo.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        name, _, rest = text.partition(".")
        key, _, value = rest.partition("=")
        if name and value:
            yield name, key, value
