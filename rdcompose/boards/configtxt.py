"""config.txt of a Raspberry Pi: read, ask, change a line, write; every other byte stays.

Source: Raspberry Pi's documentation, "config.txt": File format, Conditional filters. A line is
``key=value``, or ``initramfs FILE ADDRESS`` or ``include FILE`` without ``=``; ``[name]`` starts
a section. Filters of one type replace each other, those of different types add up, ``[all]`` ends
all of them, and ``[none]`` holds until then.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

# What the firmware reads of a line; before 2022 it was 78.
MAX_LINE: Final = 98
# Neither firmware nor people have more; without an end no chain of includes is followed.
_MAX_INCLUDES: Final = 8
_MAX_INCLUDED: Final = 20_000

_SECTION: Final = re.compile(r"\[(.*)\]")
_SETTING: Final = re.compile(r"([^=\s\[#]+)=(.*)")
_COMMANDS: Final = ("initramfs", "include")
_MODEL: Final = re.compile(r"(?:pi|cm)\d\S*|board-type=\S+")
_TYPES: Final = (
    ("model", _MODEL),
    ("EDID", re.compile(r"EDID=.*")),
    ("serial", re.compile(r"0x[0-9A-Fa-f]+")),
    ("gpio", re.compile(r"gpio\d+=[01]")),
    ("HDMI", re.compile(r"HDMI:\d")),
    ("tryboot", re.compile(r"tryboot")),
    ("partition", re.compile(r"(?:boot_)?partition=.*")),
    ("none", re.compile(r"none")),
)


class LineKind(enum.Enum):
    """What a line is."""

    BLANK = "blank"
    COMMENT = "comment"
    SECTION = "section"
    SETTING = "setting"
    COMMAND = "command"
    OTHER = "other"


class Applies(enum.Enum):
    """Whether a line counts on a board; ``DEPENDS``: on what only the firmware sees there."""

    YES = "yes"
    NO = "no"
    DEPENDS = "depends"


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A line: its number from 1, its text and its end as they stand in the file.

    ``file`` is the name of the file if it is one that was included.
    ``section`` are the filters that hold for it, in the order of their headers; empty in
    ``[all]``. A setting and a command have ``key`` and ``value``.
    """

    number: int
    text: str
    end: str
    kind: LineKind
    section: tuple[str, ...] = ()
    key: str = ""
    value: str = ""
    file: str = ""

    @property
    def where(self) -> str:
        """Where it stands, for messages: ``line 3``."""
        return f"line {self.number} of {self.file}" if self.file else f"line {self.number}"


def filter_type(name: str) -> str | None:
    """Return the type of a filter, ``None`` for one that is not known."""
    return next((kind for kind, pattern in _TYPES if pattern.fullmatch(name)), None)


class ConfigTxt:
    """The lines of a config.txt.

    Nothing in a file is an error: what the firmware would pass over is a line of the kind
    ``OTHER``. A section is named by its filter; ``all`` is what stands under no filter.
    """

    def __init__(self, text: str = "") -> None:
        self._lines = _parsed(re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text))

    @classmethod
    def parse(cls, data: bytes) -> ConfigTxt:
        """Read a file; bytes that are no UTF-8 are kept as they are."""
        return cls(data.decode("utf-8", "surrogateescape"))

    def to_bytes(self) -> bytes:
        """Return the file; of an unchanged one the very bytes that were parsed."""
        text = "".join(line.text + line.end for line in self._lines)
        return text.encode("utf-8", "surrogateescape")

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines, in order."""
        return tuple(self._lines)

    def get(self, key: str, section: str = "all") -> str | None:
        """Return the value that a section itself gives a key last; ``None`` if it does not."""
        line = self._last(key, _conditions(section))
        return None if line is None else line.value

    def set(self, key: str, value: str, section: str = "all") -> None:
        """Give a key its value in a section: change one line, or add one.

        The last line that sets it there is changed; without one, it is added behind the last
        line of the section, which is added at the end of the file if need be.
        """
        conditions = _conditions(section)
        text = f"{key} {value}" if key in _COMMANDS else f"{key}={value}"
        line = self._last(key, conditions)
        if line is None:
            self._insert(text, section, conditions)
        elif line.value != value:
            indent = line.text[: len(line.text) - len(line.text.lstrip())]
            self._replace(line, indent + text + line.end)

    def remove(self, key: str, section: str = "all") -> None:
        """Take out every line that sets a key in a section."""
        conditions = _conditions(section)
        kept = [
            row.text + row.end
            for row in self._lines
            if not (row.key == key and row.section == conditions)
        ]
        self._lines = _parsed(kept)

    def walk(self, filters: Collection[str]) -> Iterator[tuple[Line, Applies]]:
        """Yield each setting, command and unknown line, and whether it applies on a board.

        ``filters`` are those that are true on the board, as :class:`.models.Variant` has them.
        """
        for line in self._lines:
            if line.kind in {LineKind.SETTING, LineKind.COMMAND, LineKind.OTHER}:
                yield line, _applies(line.section, filters)

    def values(self, filters: Collection[str]) -> dict[str, Line]:
        """Return the line that counts for each key on a board: the last that applies.

        Lines that apply only where a monitor, a pin or the like says so are left out.
        """
        return {
            line.key: line for line, how in self.walk(filters) if how is Applies.YES and line.key
        }

    def expanded(self, read: Callable[[str], bytes | None]) -> ConfigTxt:
        """Return the file with what its ``include`` lines name in their place.

        ``read`` gives a file beside this one, or ``None``. As the first loaders read no
        includes, this is what the later ones see.
        """
        found: list[Line] = []
        _include(self, read, (), found)
        whole = ConfigTxt("".join(line.text + (line.end or "\n") for line in found))
        whole._lines = [
            dataclasses.replace(line, number=origin.number, file=origin.file)
            for line, origin in zip(whole._lines, found, strict=True)
        ]
        return whole

    def _last(self, key: str, conditions: tuple[str, ...]) -> Line | None:
        found = [row for row in self._lines if row.key == key and row.section == conditions]
        return found[-1] if found else None

    def _replace(self, line: Line, new: str) -> None:
        self._lines = _parsed([new if row is line else row.text + row.end for row in self._lines])

    def _insert(self, text: str, section: str, conditions: tuple[str, ...]) -> None:
        texts = [row.text + row.end for row in self._lines]
        end = next((row.end for row in self._lines if row.end), "\n")
        held = [
            place
            for place, row in enumerate(self._lines, 1)
            if row.section == conditions and row.kind not in {LineKind.BLANK, LineKind.COMMENT}
        ]
        at = held[-1] if held else len(texts)
        if not held and (conditions or (self._lines and self._lines[-1].section)):
            text = self._headers(section, end) + text
        if at and not texts[at - 1].endswith(("\r", "\n")):
            texts[at - 1] += end
        self._lines = _parsed([*texts[:at], *(text + end).splitlines(keepends=True), *texts[at:]])

    def _headers(self, section: str, end: str) -> str:
        """Return the headers that a new section at the end of the file needs."""
        last = self._lines[-1].section if self._lines else ()
        kind = filter_type(section)
        clear = section == "all" or all(filter_type(name) == kind for name in last)
        return ("" if clear else f"[all]{end}") + f"[{section}]{end}"


def _conditions(section: str) -> tuple[str, ...]:
    return () if section == "all" else (section,)


def _parsed(texts: list[str]) -> list[Line]:
    lines: list[Line] = []
    section: tuple[str, ...] = ()
    for number, raw in enumerate(texts, 1):
        text = raw.rstrip("\r\n")
        kind, key, value = _read(text)
        if kind is LineKind.SECTION:
            section = _entered(section, value)
        lines.append(Line(number, text, raw[len(text) :], kind, section, key, value))
    return lines


def _read(text: str) -> tuple[LineKind, str, str]:
    """Return kind, key and value of a line; of a section its filter as the value."""
    bare = text.strip()
    if not bare:
        return LineKind.BLANK, "", ""
    if bare.startswith("#"):
        return LineKind.COMMENT, "", ""
    if (found := _SECTION.fullmatch(bare)) is not None:
        return LineKind.SECTION, "", found[1]
    word, *rest = bare.split(maxsplit=1)
    if word in _COMMANDS:
        return LineKind.COMMAND, word, "".join(rest)
    if (found := _SETTING.fullmatch(bare)) is not None and found[1] not in _COMMANDS:
        return LineKind.SETTING, found[1], found[2]
    return LineKind.OTHER, "", ""


def _entered(section: tuple[str, ...], name: str) -> tuple[str, ...]:
    if name == "all":
        return ()
    kind = filter_type(name)
    # One that is not known replaces no other, and is ended by [all] only.
    return (*(row for row in section if kind is None or filter_type(row) != kind), name)


def _applies(section: tuple[str, ...], filters: Collection[str]) -> Applies:
    depends = False
    for name in section:
        kind = filter_type(name)
        if kind in {"none", None}:
            return Applies.NO
        if kind == "model":
            if name not in filters:
                return Applies.NO
        else:
            depends = True
    return Applies.DEPENDS if depends else Applies.YES


def _include(
    config: ConfigTxt,
    read: Callable[[str], bytes | None],
    chain: tuple[str, ...],
    found: list[Line],
) -> None:
    """Collect the lines of a file and of those that it includes, as they stand there."""
    file = chain[-1] if chain else ""
    for line in config.lines:
        data = None
        follow = line.key == "include" and line.value not in chain
        if follow and len(chain) < _MAX_INCLUDES and len(found) < _MAX_INCLUDED:
            data = read(line.value)
        if data is None:
            found.append(dataclasses.replace(line, file=file))
        else:
            _include(ConfigTxt.parse(data), read, (*chain, line.value), found)
