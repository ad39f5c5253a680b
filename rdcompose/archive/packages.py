"""Reader for the index of packages: ``Packages``, uncompressed.

Format: the Debian wiki's page "DebianRepository/Format", section ""Packages" Indices". That
of Debian's main component has 50 MB: it is searched for the start of a stanza, and only what
is asked for is parsed.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

from rdcompose.archive.paths import stays_below
from rdcompose.archive.version import version_key
from rdcompose.errors import FormatError
from rdcompose.formats.deb822 import parse_stanza

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from mmap import mmap

# Every stanza begins with this field.
_FIRST: Final = b"Package: "
# Stricter than needed here: names, versions and architectures become parts of file names.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:-]*")
_ARCHITECTURE: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_SIZE: Final = re.compile(r"[0-9]{1,18}")
_SHA256: Final = re.compile(r"[0-9A-Fa-f]{64}")
_DAMAGED: Final = "the archive's index is malformed: try another mirror"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package as the index has it.

    ``filename`` is the path below the archive's base, like ``pool/main/…``, and checked to
    stay there. ``size`` is in bytes, ``sha256`` in lower-case hex digits.
    """

    name: str
    version: str
    architecture: str
    filename: str
    size: int
    sha256: str
    depends: str
    _fields: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    def get(self, field: str) -> str:
        """Return a field of the stanza, in whatever case its name is given; "" if absent."""
        return self._fields.get(field.lower(), "")


class PackageIndex:
    """The packages of one component of a suite, for one architecture."""

    def __init__(self, data: bytes | mmap) -> None:
        self._data = data

    def find(self, name: str) -> tuple[Package, ...]:
        """Return all versions of a package, newest first.

        :raises FormatError: one of them is malformed.
        """
        found = [self._package(offset) for offset in self._offsets(name, b"\n")]
        return tuple(sorted(found, key=lambda row: version_key(row.version), reverse=True))

    def matching(self, prefix: str) -> Iterator[Package]:
        """Yield the packages whose names begin so, in the order of the index.

        :raises FormatError: one of them is malformed.
        """
        return map(self._package, self._offsets(prefix))

    def providing(self, name: str) -> Iterator[Package]:
        """Yield the packages whose field Provides names another, in the order of the index.

        :raises FormatError: one of them is malformed.
        """
        if not _NAME.fullmatch(name):
            return
        word = re.compile(rb"[ ,]" + re.escape(name.encode("ascii")) + rb"[ ,(\n]")
        for found in re.finditer(rb"\nProvides:[^\n]*\n", self._data):
            if word.search(found[0]):
                yield self._package(self._start(found.start()))

    def _offsets(self, name: str, end: bytes = b"") -> Iterator[int]:
        """Yield where stanzas begin whose name begins so, or is this if ``end`` ends a line."""
        if name and not _NAME.fullmatch(name):
            # No package has such a name, and it could hold the end of a line.
            return
        line = _FIRST + name.encode("ascii") + end
        if self._data[: len(line)] == line:
            yield 0
        at = self._data.find(b"\n" + line)
        while at >= 0:
            yield at + 1
            at = self._data.find(b"\n" + line, at + 1)

    def _name(self, offset: int) -> str:
        """Return the name of the stanza that begins at an offset."""
        end = self._end(b"\n", offset)
        name = self._data[offset + len(_FIRST) : end].decode("ascii", "backslashreplace")
        if not _NAME.fullmatch(name):
            raise _malformed(f"an index of packages has a malformed name: {name[:60]!r}")
        # Just behind an empty line, or the first line of the index.
        if self._data[max(offset - 2, 0) : offset].strip(b"\n"):
            raise _malformed(f"the index entry of {name} does not begin with the field Package")
        return name

    def _package(self, offset: int) -> Package:
        """Return the package whose stanza begins at an offset."""
        name = self._name(offset)
        stanza = self._data[offset : self._end(b"\n\n", offset)]
        try:
            fields = parse_stanza(stanza, f"the index entry of {name}")
        except FormatError as error:
            raise _malformed(error.message) from error

        def checked(field: str, pattern: re.Pattern[str]) -> str:
            value = fields.get(field.lower(), "")
            if not pattern.fullmatch(value):
                raise _invalid(name, field, value)
            return value

        filename = fields.get("filename", "")
        if not stays_below(filename):
            raise _invalid(name, "Filename", filename)
        return Package(
            name=name,
            version=checked("Version", _VERSION),
            architecture=checked("Architecture", _ARCHITECTURE),
            filename=filename,
            size=int(checked("Size", _SIZE)),
            sha256=checked("SHA256", _SHA256).lower(),
            depends=fields.get("depends", ""),
            _fields=fields,
        )

    def _start(self, offset: int) -> int:
        """Return where the stanza begins that an offset is in."""
        found = self._data.rfind(b"\n\n", 0, offset + 1)
        return found + 2 if found >= 0 else 0

    def _end(self, mark: bytes, offset: int) -> int:
        found = self._data.find(mark, offset)
        return found if found >= 0 else len(self._data)


def _invalid(name: str, field: str, value: str) -> FormatError:
    return _malformed(f"the index entry of {name} has no valid field {field}: {value[:200]!r}")


def _malformed(message: str) -> FormatError:
    return FormatError(message, hint=_DAMAGED)
