"""A look through a file: the entries that are asked for, and what all of them tell about it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rdcompose.errors import FormatError
from rdcompose.inspect.machine import Machine
from rdcompose.kernel.release import architectures_of_image
from rdcompose.tree import Directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.inspect.opened import Opened
    from rdcompose.inspect.patterns import PathPatterns
    from rdcompose.inspect.walks import Located


class Looking:
    """An opened file, and the patterns that choose among its entries."""

    def __init__(self, opened: Opened, patterns: PathPatterns) -> None:
        self.opened = opened
        self._patterns = patterns
        self._machine = Machine()

    @property
    def limited(self) -> bool:
        """Whether only some entries are meant."""
        return bool(self._patterns)

    def entries(self) -> Iterator[Located]:
        """Yield the entries that are meant, as :meth:`Opened.entries` does."""
        for located, meant in self.all_entries():
            if meant:
                yield located

    def all_entries(self) -> Iterator[tuple[Located, bool]]:
        """Yield every entry, and whether it is meant."""
        for located in self.opened.entries():
            entry = located.entry
            # Where it is damaged the walk ends, or whoever reads it will hear of it.
            with contextlib.suppress(FormatError):
                self._machine.look(entry)
            yield (
                located,
                self._patterns.matches(entry.path, directory=isinstance(entry, Directory)),
            )

    @property
    def architectures(self) -> tuple[str, ...]:
        """The architectures that it may be for; complete after a walk."""
        facts = self.opened.facts
        if facts is not None and facts.image is not None:
            return tuple(row.name for row in architectures_of_image(facts.image))
        return self.opened.architectures or tuple(row.name for row in self._machine.found)
