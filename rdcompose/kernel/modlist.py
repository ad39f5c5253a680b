"""Syntax of the module lists ``modules.ramfs`` and ``modules.autoload``.

The form is MiniVM's, and every list of MiniVM is a valid one here: entries separated
by white space, usually one a line; ``#`` at the start of a line or after white space
begins a comment; blank lines do not count. Beyond MiniVM, see ``docs/module-lists.md``:
``!`` in front of an entry takes modules away, ``?`` after it allows that it is missing,
and the line ``@include PROFILE`` brings another profile in. ``@`` begins no module path,
so the directive cannot be taken for an entry.

Lists come from many editors: a byte order mark, any line ends and comments that are no
UTF-8 are accepted. Here is syntax only; what the entries match is said by
:mod:`rdcompose.kernel.modmatch`, and which files are read by the profile.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.kernel.module import modname

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MAX_LIST_SIZE: Final = 1 << 20
_MAX_ENTRY: Final = 4096
_SHOWN: Final = 5
_COMMENT: Final = re.compile(r"(?:^|(?<=\s))#.*")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_INCLUDE: Final = "@include"
_FROM: Final = "@from"
_GLOB: Final = re.compile(r"[*?\[\]]")


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """Where an entry stands, and what it says there; ``str()`` is ``file:number``."""

    file: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ListEntry:
    """One entry of a list.

    ``pattern`` is the entry without its marks and without ``./``: a path below
    ``kernel/``, a module name, or a glob in ``modules.ramfs``; a module name in
    ``modules.autoload``.
    """

    line: Line
    pattern: str
    exclude: bool = False
    optional: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Include:
    """The line ``@include PROFILE``; a profile with a slash is a path."""

    line: Line
    profile: str


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """The line ``@from SOURCE`` of a list of firmware: a package, or the path of a source."""

    line: Line
    source: str


def parse_modules(data: bytes, *, file: str) -> tuple[ListEntry | Include, ...]:
    """Parse a ``modules.ramfs``; ``file`` is its name in messages.

    :raises SpecError: it is no text, or entries are malformed; one error for all.
    """
    problems: list[str] = []
    found: list[ListEntry | Include] = []
    for number, text in _lines(data, file):
        if text.startswith("@"):
            found.extend(_directive(Line(file, number, text), problems))
        else:
            found.extend(_entries(text, file, number, _module_pattern, problems))
    raise_problems(problems)
    return tuple(found)


def parse_autoload(data: bytes, *, file: str) -> tuple[ListEntry, ...]:
    """Parse a ``modules.autoload``; the patterns are normalised module names.

    :raises SpecError: as for :func:`parse_modules`.
    """
    problems: list[str] = []
    found: list[ListEntry] = []
    for number, text in _lines(data, file):
        if text.startswith("@"):
            problems.append(
                f"{file}:{number}: {text!r} is for modules.ramfs only"
                " (there @include brings the modules.autoload along)"
            )
        else:
            found.extend(_entries(text, file, number, _autoload_name, problems))
    raise_problems(problems)
    return tuple(found)


def parse_firmware(data: bytes, *, file: str) -> tuple[ListEntry | Origin, ...]:
    """Parse a list of firmware; the patterns are paths or globs below ``/lib/firmware``.

    :raises SpecError: as for :func:`parse_modules`.
    """
    problems: list[str] = []
    found: list[ListEntry | Origin] = []
    for number, text in _lines(data, file):
        if text.startswith("@"):
            word, *rest = text.split(maxsplit=1)
            if word == _FROM and rest:
                found.append(Origin(Line(file, number, text), rest[0]))
            else:
                problems.append(f"{file}:{number}: {text!r} is no directive ({_FROM} PACKAGE is)")
        else:
            found.extend(_entries(text, file, number, _firmware_pattern, problems))
    raise_problems(problems)
    return tuple(found)


def raise_problems(problems: Sequence[str], *, hint: str | None = None) -> None:
    """Raise one SpecError for all problems of the lists; none is no error.

    The first few are told, the others counted.
    """
    if not problems:
        return
    if len(problems) == 1:
        raise SpecError(problems[0], hint=hint)
    told = "; ".join(problems[:_SHOWN])
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    raise SpecError(f"{len(problems)} errors in the module lists: {told}{more}", hint=hint)


def _lines(data: bytes, file: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of every line that is not blank, without its comment."""
    if len(data) > MAX_LIST_SIZE:
        raise SpecError(f"{file} is over {MAX_LIST_SIZE} bytes, so it is no module list")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpecError(f"{file} is UTF-16", hint="save it as UTF-8")
    if b"\0" in data:
        raise SpecError(f"{file} holds NUL bytes, so it is no module list")
    # Comments may be in any encoding. Bytes of an entry that are no UTF-8 become visible
    # escapes, which no module name has, so that the message shows them.
    content = data.decode("utf-8-sig", "backslashreplace")
    for number, line in enumerate(_LINE_END.split(content), start=1):
        text = _COMMENT.sub("", line).strip()
        if text:
            yield number, text


def _directive(line: Line, problems: list[str]) -> Iterator[Include]:
    word, *rest = line.text.split(maxsplit=1)
    if word != _INCLUDE:
        problems.append(f"{line}: unknown directive {word!r} (there is {_INCLUDE} PROFILE)")
    elif not rest:
        problems.append(f"{line}: {_INCLUDE} names no profile")
    else:
        yield Include(line, rest[0])


def _entries(
    text: str,
    file: str,
    number: int,
    checked: Callable[[str], str],
    problems: list[str],
) -> Iterator[ListEntry]:
    """Entries of one line; what is wrong with them goes to ``problems``."""
    for written in _words(text):
        if len(written) > _MAX_ENTRY:
            problems.append(f"{file}:{number}: {written[:60]!r}… is longer than any path")
            continue
        bare = written.replace(" ", "")
        optional = bare.endswith("?")
        exclude = bare.startswith("!")
        try:
            pattern = checked(bare.removeprefix("!").removesuffix("?"))
        except SpecError as error:
            problems.append(f"{file}:{number}: {written!r} {error.message}")
            continue
        yield ListEntry(
            line=Line(file, number, written), pattern=pattern, exclude=exclude, optional=optional
        )


def _words(text: str) -> list[str]:
    """Split at white space; a ``?`` that stands alone belongs to the word before it."""
    words: list[str] = []
    for word in text.split():
        if word == "?" and words:
            words[-1] += " ?"
        else:
            words.append(word)
    return words


def _module_pattern(text: str) -> str:
    """Check a path, name or glob; raised messages continue ``'ENTRY' …``."""
    if not text:
        raise SpecError("names no module")
    if text.startswith("/"):
        raise SpecError("is absolute; paths are relative to the kernel's module directory kernel/")
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if not parts:
        raise SpecError("names no module; all of them are '*'")
    if ".." in parts:
        raise SpecError("holds '..'")
    if any("[" in part and "]" not in part[part.index("[") + 2 :] for part in parts):
        raise SpecError("has a '[' without its ']'")
    # The slash at the end tells a directory from a module of the same name.
    return "/".join(parts) + ("/" if text.endswith("/") else "")


def _firmware_pattern(text: str) -> str:
    """Check a path or glob; raised messages continue ``'ENTRY' …``."""
    if not text:
        raise SpecError("names no firmware")
    if text.startswith("/"):
        raise SpecError("is absolute; paths are relative to /lib/firmware")
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if not parts or ".." in parts:
        raise SpecError("is no path below /lib/firmware")
    return "/".join(parts)


def _autoload_name(text: str) -> str:
    if not text:
        raise SpecError("names no module")
    if "=" in text:
        raise SpecError(
            "looks like a module option; options go on the kernel command line,"
            " as in loop.max_loop=8"
        )
    if "/" in text:
        raise SpecError(f"is a path; modules are loaded by their name, {modname(text)!r}")
    if _GLOB.search(text):
        raise SpecError("is a pattern; what is loaded, and in which order, is named one by one")
    return modname(text)
