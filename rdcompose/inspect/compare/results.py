"""What a comparison finds: for each group of files, and for each file in it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rdcompose.inspect.compare.files import FilesDifference
from rdcompose.inspect.compare.modules import ModulesDifference

if TYPE_CHECKING:
    from rdcompose.inspect.compare.changes import Changed
    from rdcompose.inspect.compare.facts import FileFacts
    from rdcompose.inspect.compare.sides import Group, Side


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SymbolsDifference:
    """The symbols that a kernel has for modules: how many are new, gone, and of other versions."""

    new: int
    gone: int
    changed: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileDifference:
    """A file or tree on both sides; ``None`` where it is not.

    ``entries`` are the files in it without its modules.
    """

    before: FileFacts | None
    now: FileFacts | None
    entries: FilesDifference = dataclasses.field(default_factory=FilesDifference)
    texts: tuple[Changed, ...] = ()
    symbols: SymbolsDifference | None = None

    @property
    def facts(self) -> FileFacts:
        """The facts of the side that has it, of both the later."""
        found = self.now or self.before
        assert found is not None
        return found

    @property
    def packed_differently(self) -> bool:
        """Whether the bytes of two files are not the same; of a tree there are none."""
        if self.before is None or self.now is None:
            return False
        digests = {self.before.sha256, self.now.sha256}
        return len(digests) == 2 and "" not in digests

    @property
    def different(self) -> bool:
        """Whether anything is not the same; trees may differ in their modules only."""
        if self.before is None or self.now is None:
            return True
        entries = self.entries
        if entries.new or entries.gone or entries.changed:
            return True
        return self.packed_differently


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GroupDifference:
    """Files for one kernel on both sides; ``None`` where they are not."""

    before: Group | None
    now: Group | None
    releases: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    files: tuple[FileDifference, ...] = ()
    modules: ModulesDifference = dataclasses.field(default_factory=ModulesDifference)
    options: tuple[Changed, ...] = ()
    programs: tuple[Changed, ...] = ()

    @property
    def title(self) -> str:
        """What to call it among others."""
        found = self.now or self.before
        assert found is not None
        return found.title

    @property
    def different(self) -> bool:
        """Whether anything is not the same."""
        if self.before is None or self.now is None:
            return True
        modules = self.modules
        return bool(
            modules.new
            or modules.gone
            or modules.changed
            or self.options
            or any(file.different for file in self.files)
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sides, and what differs in each group of files."""

    before: Side
    now: Side
    groups: tuple[GroupDifference, ...]
