"""A kernel's modules as text, for tests of lists: no files, no ELF.

.. code-block:: text

    module kernel/fs/fat/vfat.ko needs=fat pre=nls_cp437 post=a weak=b alias=fs-vfat
    builtin kernel/fs/ext4/ext4.ko alias=fs-ext4

Several values are separated by commas; lines that start with ``#`` do not count.
"""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import Self

from rdcompose.kernel.module import modname, normalize_alias


@dataclasses.dataclass(frozen=True, slots=True)
class FakeModule:
    """A module that has nothing but a path."""

    path: str


@dataclasses.dataclass(frozen=True, slots=True)
class FakeSoftdeps:
    """Soft dependencies as the graph gives them."""

    pre: tuple[str, ...] = ()
    post: tuple[str, ...] = ()


@dataclasses.dataclass
class FakeGraph:
    """What a selection asks of a kernel, from a description."""

    modules: dict[str, FakeModule] = dataclasses.field(default_factory=dict)
    builtin: dict[str, str] = dataclasses.field(default_factory=dict)
    hidden: tuple[tuple[str, str], ...] = ()
    facts: dict[str, dict[str, tuple[str, ...]]] = dataclasses.field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a description."""
        graph = cls()
        for line in text.splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            kind, path, *facts = line.split()
            name = modname(path)
            if kind == "module":
                graph.modules[name] = FakeModule(path)
            else:
                assert kind == "builtin"
                graph.builtin[name] = path
            pairs = (fact.split("=") for fact in facts)
            graph.facts[name] = {key: tuple(values.split(",")) for key, values in pairs}
        return graph

    def _get(self, name: str, key: str) -> tuple[str, ...]:
        return self.facts[name].get(key, ())

    def direct(self, name: str) -> tuple[str, ...]:
        return self._get(name, "needs")

    def softdeps(self, name: str) -> FakeSoftdeps:
        return FakeSoftdeps(self._get(name, "pre"), self._get(name, "post"))

    def weakdeps(self, name: str) -> tuple[str, ...]:
        return self._get(name, "weak")

    def resolve(self, name: str) -> tuple[str, ...]:
        if normalize_alias(name) in self.modules:
            return (normalize_alias(name),)
        return tuple(module for module in self.modules if self._serves(module, name))

    def is_builtin(self, name: str) -> bool:
        return bool(self.resolve_builtin(name))

    def resolve_builtin(self, name: str) -> tuple[str, ...]:
        if normalize_alias(name) in self.builtin:
            return (normalize_alias(name),)
        return tuple(found for found in self.builtin if self._serves(found, name))

    def _serves(self, name: str, wanted: str) -> bool:
        aliases = map(normalize_alias, self._get(name, "alias"))
        return any(fnmatch.fnmatchcase(normalize_alias(wanted), alias) for alias in aliases)
