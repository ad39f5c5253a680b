"""cmdline.txt of a Raspberry Pi: one line, the kernel's command line.

Source: Raspberry Pi's documentation, "Kernel command line": all parameters stand on one line, and
the firmware passes on no other. A parameter with blanks in its value has it in double quotes
(the kernel's ``lib/cmdline.c``).
"""

from __future__ import annotations

import re
from typing import Final

# A word: anything but blanks, in which quotes hold blanks together.
_WORD: Final = re.compile(r'(?:"[^"]*"?|[^\s"])+')


class CommandLine:
    """The parameters of a command line, in order; repeated ones stay.

    ``extra`` are the lines behind the first that hold anything: the firmware passes over them.
    """

    def __init__(self, text: str = "") -> None:
        first, *rest = text.splitlines() or [""]
        self._words = _WORD.findall(first)
        self.extra = tuple(line for line in rest if line.strip())

    @classmethod
    def parse(cls, data: bytes) -> CommandLine:
        """Read a file; bytes that are no UTF-8 are kept as they are."""
        return cls(data.decode("utf-8", "surrogateescape"))

    def to_bytes(self) -> bytes:
        """Return the file: one line and its end."""
        return f"{self}\n".encode("utf-8", "surrogateescape")

    def __str__(self) -> str:
        return " ".join(self._words)

    @property
    def words(self) -> tuple[str, ...]:
        """The parameters as they stand there: ``root=/dev/sda2``, ``quiet``."""
        return tuple(self._words)

    def __contains__(self, key: object) -> bool:
        return any(_key(word) == key for word in self._words)

    def get(self, key: str) -> str | None:
        """Return the value that a parameter has last; ``""`` for one without a value."""
        values = self.all(key)
        return values[-1] if values else None

    def all(self, key: str) -> tuple[str, ...]:
        """Return all values of a parameter, as ``console`` has several."""
        return tuple(word.partition("=")[2].strip('"') for word in self._words if _key(word) == key)

    def set(self, key: str, value: str | None = None) -> None:
        """Give a parameter one value, where it first stands or at the end; ``None`` for none."""
        word = key if value is None else f"{key}={_quoted(value)}"
        places = [number for number, row in enumerate(self._words) if _key(row) == key]
        if not places:
            self._words.append(word)
            return
        self._words[places[0]] = word
        for number in reversed(places[1:]):
            del self._words[number]

    def remove(self, key: str) -> None:
        """Take out a parameter, wherever it stands."""
        self._words = [word for word in self._words if _key(word) != key]


def _key(word: str) -> str:
    return word.partition("=")[0]


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search(r"\s", value) else value
