"""Reader for binary packages of Debian.

Formats: deb(5) for the members and their order, deb-control(5) for the control stanza. Of the
control archive only the file ``control`` is read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import re
from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats import ar, compression
from rdcompose.formats.deb822 import parse_fields
from rdcompose.formats.tarstream import Kind, Member, iter_tar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["Control", "Deb", "Kind", "Member"]

FORMAT_MEMBER: Final = "debian-binary"
# What follows "control.tar" or "data.tar" in a member's name, and what it means. deb(5) has
# bzip2 and lzma for the data member only.
COMPRESSIONS: Final[Mapping[str, str]] = {
    "": "none",
    ".gz": "gzip",
    ".xz": "xz",
    ".zst": "zstd",
    ".bz2": "bzip2",
    ".lzma": "lzma",
}
_MAX_MEMBERS: Final = 64
_MAX_CONTROL: Final = 64 << 20
_VERSION: Final = re.compile(rb"(\d{1,9})\.\d{1,9}(?:\n|$)")
_DAMAGED: Final = "the package is damaged or incomplete: fetch it again"


@dataclasses.dataclass(frozen=True, slots=True)
class Control:
    """The fields of a control stanza, in its order; look-ups ignore the case of names.

    The lines of a value are joined by newlines, without the space in front of each.
    """

    fields: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, data: bytes) -> Control:
        """Parse the only stanza of a ``control`` file.

        :raises FormatError: it is malformed, or a field that every package has is missing.
        """
        control = cls(parse_fields(data, "the control file"))
        for name in ("Package", "Version", "Architecture"):
            value = control.get(name)
            if not value or len(value.split()) != 1:
                raise FormatError(f"the control file has no valid field {name}")
        return control

    def get(self, name: str, default: str = "") -> str:
        """Return a field's value, or the default."""
        wanted = name.lower()
        return next((value for key, value in self.fields if key.lower() == wanted), default)

    @property
    def package(self) -> str:
        """The field Package."""
        return self.get("Package")

    @property
    def version(self) -> str:
        """The field Version."""
        return self.get("Version")

    @property
    def architecture(self) -> str:
        """The field Architecture: Debian's name for it, or ``all``."""
        return self.get("Architecture")


@dataclasses.dataclass(frozen=True, slots=True)
class Deb:
    """A package, opened: its control stanza read, its files not yet."""

    control: Control
    data_member: ar.Member
    _stream: BinaryIO
    _threads: int

    @classmethod
    def open(cls, stream: BinaryIO, *, threads: int = 1) -> Deb:
        """Read the members' headers and the control stanza.

        The stream must be seekable and stay open as long as files are read.

        :raises FormatError: this is no package, or it is damaged or cut.
        :raises UnsupportedError: of another format version or compression.
        """
        with _inside(""):
            members = list(itertools.islice(ar.iter_members(stream), _MAX_MEMBERS + 1))
            if len(members) > _MAX_MEMBERS:
                raise FormatError(f"this is no package: it has over {_MAX_MEMBERS} members")
            control, data = _choose(stream, members)
        with _inside(control.name):
            chunks = _limited(_decode(stream, control, "control.tar", 1))
            files = [f for f in iter_tar(chunks, wanted="control".__eq__) if f.path == "control"]
            if len(files) != 1 or files[0].kind is not Kind.FILE:
                raise FormatError("the control file is missing")
            stanza = Control.parse(files[0].content)
        with _inside(data.name):
            # Only creates the generator: says now what compression it is and is not.
            _decode(stream, data, "data.tar", threads)
        return cls(stanza, data, stream, threads)

    def members(self, wanted: Callable[[str], bool] | None = None) -> Iterator[Member]:
        """Yield the package's files and directories in the order they are stored.

        The content of files is read where ``wanted`` says so of the path, by default for
        all. Each call reads the package anew; all of it is read and checked once the
        iterator is exhausted, not before.

        :raises FormatError: damaged, cut, or with hostile names.
        :raises UnsupportedError: libarchive is missing, or a wanted file exceeds 1 GiB.
        """
        with _inside(self.data_member.name):
            chunks = _decode(self._stream, self.data_member, "data.tar", self._threads)
            yield from iter_tar(chunks, wanted=wanted)


@contextlib.contextmanager
def _inside(member: str) -> Iterator[None]:
    """Name the member in the errors of the formats inside it."""
    try:
        yield
    except FormatError as error:
        where = f"in {member}: " if member else ""
        raise FormatError(where + error.message, hint=error.hint or _DAMAGED) from error
    except UnsupportedError as error:
        where = f"in {member}: " if member and error.hint is None else ""
        raise UnsupportedError(where + error.message, hint=error.hint) from error


def _choose(stream: BinaryIO, members: list[ar.Member]) -> tuple[ar.Member, ar.Member]:
    """Return the control and the data member, after checking what deb(5) says of all."""
    if not members or members[0].name != FORMAT_MEMBER:
        raise FormatError(f"this is no Debian package: its first member is not {FORMAT_MEMBER}")
    stream.seek(members[0].offset)
    found = _VERSION.match(stream.read(min(members[0].size, 32)))
    if found is None:
        raise FormatError("the package does not state its format version")
    if found[1] != b"2":
        raise UnsupportedError(f"the package has the format version {int(found[1])}, not 2")
    # Older programs are to pass over members with an underscore, and all behind data.tar.
    named = [member for member in members[1:] if not member.name.startswith("_")]
    for position, stem in enumerate(("control.tar", "data.tar")):
        if position >= len(named) or not named[position].name.startswith(stem):
            raise FormatError(f"the package has no {stem} where it belongs")
    return named[0], named[1]


def _decode(stream: BinaryIO, member: ar.Member, stem: str, threads: int) -> Iterator[bytes]:
    name = COMPRESSIONS.get(member.name.removeprefix(stem))
    if name is None:
        raise UnsupportedError(f"no known compression has the suffix of {member.name}")
    return compression.decode(name, stream, member.offset, member.size, threads=threads)


def _limited(chunks: Iterable[bytes]) -> Iterator[bytes]:
    left = _MAX_CONTROL
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise FormatError(f"it unpacks to more than {_MAX_CONTROL} bytes")
        yield chunk
