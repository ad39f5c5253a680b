"""The sources of apt that can be Debian's own archive.

Formats: sources.list(5) for both kinds of files and for which files count,
apt-transport-mirror(1) for lists of mirrors. Where the manual leaves something open, it is
read as libapt reads it.

apt refuses to work where one line of one file is wrong. Here that line is left out, with a
note that names it, and the rest is used.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from rdcompose.archive.stanzas import Stanza, iter_stanzas
from rdcompose.archive.suites import is_debian_suite
from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_MAIN_FILE: Final = "etc/apt/sources.list"
_DIRECTORY: Final = "etc/apt/sources.list.d"
# Which names in the directory count; libapt allows colons too.
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9_:.-]*\.(?:list|sources)")
_TYPES: Final = ("deb", "deb-src")

# Spaces as the C library has them, which are fewer than Python's. A word in a one-line file
# may have spaces in quotes, or in brackets as the names of CDs have.
_SPACE: Final = " \t\n\v\f\r"
_WORD: Final = re.compile(rf"[^{_SPACE}]+")
_QUOTABLE: Final = re.compile(rf'(?:[^{_SPACE}"\[]|"[^"]*"|\[[^\]]*\])+')
_SIGNER: Final = re.compile(rf"[^,{_SPACE}]+")

_TRUE: Final = frozenset({"1", "yes", "true", "with", "on", "enable"})
_FALSE: Final = frozenset({"0", "no", "false", "without", "off", "disable"})
_FINGERPRINT: Final = re.compile(r"[0-9A-Fa-f]{40}!?")
_KEY: Final = "-----BEGIN PGP PUBLIC KEY BLOCK-----"

_HTTP: Final = re.compile(r"https?://[^/\x00-\x20\x7f][^\x00-\x20\x7f]*")
_LOCAL: Final = r"file:(?://(?:localhost)?)?(/[^\x00-\x20\x7f]*)"
_FILE: Final = re.compile(_LOCAL)
_MIRROR_LIST: Final = re.compile(r"mirror\+" + _LOCAL)
# What a mirror may be limited to: it has not all that others have.
_LIMITS: Final = ("arch:", "codename:", "component:", "lang:", "suite:", "type:")
_PRIORITY: Final = re.compile(r"priority:(\d{1,9})")
_LAST: Final = 10**9


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One suite of one archive; ``uri`` has no slash at its end.

    ``signed_by`` are files with keyrings, ``fingerprints`` the keys to choose from these, in
    upper case, with ``!`` behind one whose subkeys do not count. ``key`` is an ASCII-armoured
    key. Without any of them, whatever key apt trusts may have signed the archive. ``where``
    is for messages: the file, and the line that the source begins in.
    """

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: tuple[Path, ...] = ()
    fingerprints: tuple[str, ...] = ()
    key: bytes | None = None
    check_valid_until: bool = True
    where: str


@dataclasses.dataclass(frozen=True, slots=True)
class AptSources:
    """The sources in apt's order, and what a user should know of those left out."""

    sources: tuple[Source, ...]
    notes: tuple[str, ...]


def apt_sources(root: Path = Path("/")) -> AptSources:
    """Read the sources that apt of the system below ``root`` is configured with.

    Given are those with packages (not source code) in ``main`` of a suite of Debian's name,
    whatever architectures they are limited to. Other vendors have such suites too: that
    shows in who signed them, not here. Each suite at an address is given once.
    """
    reading = _Reading(root)
    reading.read()
    return AptSources(tuple(reading.sources.values()), tuple(reading.notes))


@dataclasses.dataclass(frozen=True, slots=True)
class _Entry:
    """A line or a stanza, with its options by the names of the one-line format."""

    types: tuple[str, ...]
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: Mapping[str, str]

    def check(self) -> None:
        """Refuse what apt refuses.

        :raises FormatError: something is missing or contradicts itself.
        """
        for name, values in (("type", self.types), ("address", self.uris), ("suite", self.suites)):
            if not values:
                raise FormatError(f"it has no {name}")
        for name in self.types:
            if name not in _TYPES:
                raise FormatError(f"{name!r} is no type of source")
        if not all(":" in uri for uri in self.uris):
            raise FormatError("its address is no URI")
        for suite in self.suites:
            # A suite with a slash is a directory, which has no components.
            if suite.endswith("/") == bool(self.components):
                surplus = "components, though" if self.components else "no components of"
                raise FormatError(f"it has {surplus} {suite!r}")

    def flag(self, name: str) -> bool:
        """Return an option that is on unless it is set to anything but yes."""
        return self.options.get(name, "yes").lower() in _TRUE


class _Signers(NamedTuple):
    """Who must have signed a source."""

    paths: tuple[Path, ...]
    fingerprints: tuple[str, ...]
    key: bytes | None


class _Reading:
    """Reads all files: sources by address and suite, and notes."""

    def __init__(self, root: Path) -> None:
        self.sources: dict[tuple[str, str], Source] = {}
        self.notes: list[str] = []
        self._root = root

    def read(self) -> None:
        for path in (self._root / _MAIN_FILE, *self._parts()):
            for number, parse in _parsers(path, self._lines(path)):
                where = f"{path}:{number}"
                try:
                    entry = parse()
                    if entry is not None:
                        self._add(entry, where)
                except FormatError as error:
                    self._leave_out(where, error.message)

    def _parts(self) -> list[Path]:
        directory = self._root / _DIRECTORY
        try:
            names = sorted(path.name for path in directory.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            self._leave_out(str(directory), f"it cannot be read: {error.strerror}")
            return []
        return [directory / name for name in names if _FILE_NAME.fullmatch(name)]

    def _lines(self, path: Path) -> list[str]:
        """Return a file's lines; none if it is missing, or no file, as apt does."""
        try:
            if not path.is_file():
                return []
            # Comments may be in any encoding.
            return path.read_bytes().decode("utf-8", "replace").split("\n")
        except OSError as error:
            self._leave_out(str(path), f"it cannot be read: {error.strerror}")
            return []

    def _leave_out(self, where: str, reason: str) -> None:
        self.notes.append(f"{where}: left out: {reason}")

    def _add(self, entry: _Entry, where: str) -> None:
        entry.check()
        suites = [suite for suite in entry.suites if is_debian_suite(suite)]
        if "deb" not in entry.types or "main" not in entry.components or not suites:
            return
        signers = _signers(entry.options.get("signed-by", ""), self._root)
        snapshot = entry.options.get("snapshot", "")
        if snapshot and snapshot.lower() not in _TRUE | _FALSE:
            self.notes.append(f"{where}: used as it is today: its snapshot is for apt only")
        # Both compare with the machine's time.
        check = entry.flag("check-valid-until") and entry.flag("check-date")
        bases = [base for uri in entry.uris for base in self._bases(uri, where)]
        for base, suite in itertools.product(bases, suites):
            source = Source(
                uri=base,
                suite=suite,
                components=entry.components,
                signed_by=signers.paths,
                fingerprints=signers.fingerprints,
                key=signers.key,
                check_valid_until=check,
                where=where,
            )
            self.sources.setdefault((base, suite), source)

    def _bases(self, uri: str, where: str) -> list[str]:
        """Return the addresses that a URI stands for; none, and a note, if it is of no use."""
        if (found := _MIRROR_LIST.fullmatch(uri)) is not None:
            return self._mirrors(self._root / unquote(found[1]).strip("/"), where)
        try:
            return [_base(uri)]
        except FormatError as error:
            self._leave_out(where, error.message)
            return []

    def _mirrors(self, path: Path, where: str) -> list[str]:
        """Return the mirrors of a list, those with everything first, then by priority."""
        found: list[tuple[bool, int, str]] = []
        for number, line in enumerate(self._lines(path), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            uri, _, metadata = line.partition("\t")
            tags = metadata.split()
            limited = any(tag.startswith(_LIMITS) for tag in tags)
            numbers = [int(tag[1]) for tag in map(_PRIORITY.fullmatch, tags) if tag is not None]
            try:
                found.append((limited, min(numbers, default=_LAST), _base(uri.strip())))
            except FormatError as error:
                self._leave_out(f"{path}:{number}", error.message)
        if not found:
            self._leave_out(where, f"{path} names no mirror that can be used")
        # Of equal ones apt takes any: here, the first.
        return [base for *_, base in sorted(found, key=lambda row: row[:2])]


def _base(uri: str) -> str:
    """Return an address as it is used.

    :raises FormatError: it is of a kind that is not.
    """
    if "$(" in uri:
        raise FormatError("its address is another for each architecture")
    if _HTTP.fullmatch(uri) is not None:
        return uri.rstrip("/")
    if (found := _FILE.fullmatch(uri)) is not None:
        return f"file://{found[1].rstrip('/')}"
    raise FormatError(f"nothing is fetched from addresses with {uri.partition(':')[0]!r}")


def _signers(text: str, root: Path) -> _Signers:
    """Read an option Signed-By.

    :raises FormatError: a part of it is neither a path nor a fingerprint.
    """
    if _KEY in text:
        lines = ("" if line == "." else line for line in text.split("\n"))
        return _Signers((), (), ("\n".join(lines) + "\n").encode())
    words = _SIGNER.findall(text)
    paths = tuple(root / word.lstrip("/") for word in words if word.startswith("/"))
    others = [word for word in words if not word.startswith("/")]
    for word in others:
        if _FINGERPRINT.fullmatch(word) is None:
            raise FormatError(f"Signed-By has {word[:60]!r}, no path and no fingerprint")
    return _Signers(paths, tuple(word.upper() for word in others), None)


def _parsers(path: Path, lines: list[str]) -> Iterator[tuple[int, Callable[[], _Entry | None]]]:
    """Yield what reads each line or stanza, with its number."""
    if path.suffix == ".sources":
        for stanza in iter_stanzas(lines):
            yield stanza.line, functools.partial(_parse_stanza, stanza)
        return
    for number, line in enumerate(lines, start=1):
        if text := _without_comment(line).strip(_SPACE):
            yield number, functools.partial(_parse_line, text)


def _parse_stanza(stanza: Stanza) -> _Entry | None:
    """Parse a stanza; ``None`` if it is disabled."""
    fields = stanza.fields()
    if fields.get("enabled", "").lower() in _FALSE:
        return None
    types, uris, suites, components = (
        tuple(_WORD.findall(fields.get(name, "")))
        for name in ("types", "uris", "suites", "components")
    )
    return _Entry(types, uris, suites, components, fields)


def _without_comment(line: str) -> str:
    """Cut a line at the first ``#`` that is not in brackets."""
    depth = 0
    for position, character in enumerate(line):
        if character == "#" and depth <= 0:
            return line[:position]
        depth += (character == "[") - (character == "]")
    return line


def _parse_line(text: str) -> _Entry:
    kind, *_ = _WORD.findall(text)
    rest = text.removeprefix(kind).lstrip(_SPACE)
    options: dict[str, str] = {}
    if rest.startswith("["):
        inside, bracket, rest = rest[1:].partition("]")
        if not bracket or rest.lstrip(_SPACE) == rest:
            raise FormatError("its options do not end with a bracket and a space")
        options = _parse_options(inside)
    words = [word.replace('"', "") for word in _QUOTABLE.findall(rest)]
    if _QUOTABLE.sub("", rest).strip(_SPACE):
        raise FormatError("it has a quote or bracket without its end")
    return _Entry((kind,), tuple(words[:1]), tuple(words[1:2]), tuple(words[2:]), options)


def _parse_options(text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for word in _WORD.findall(text):
        name, _, value = word.partition("=")
        if not name or not value:
            raise FormatError(f"its option {word!r} is no assignment")
        options[name] = value
    return options
