"""Reader for binary packages of Alpine Linux, version 2 of their format.

Format: "Apk spec" in the Alpine wiki, and abuild's ``abuild-tar``. A package is up to three
gzip streams: signature, control (``.PKGINFO``) and data. Their tars have no end mark but
the last one, so that all of them together are a single tar, which is how it is read here.
The signature is not checked: the file is used as given.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats import compression
from rdcompose.formats.tarstream import Kind, Member, iter_tar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INFO: Final = ".PKGINFO"
# apk-tools 3 writes its own container, plain or compressed.
VERSION_3_MAGICS: Final = (b"ADB.", b"ADBd", b"ADBc")


@dataclasses.dataclass(frozen=True, slots=True)
class PackageInfo:
    """The fields of ``.PKGINFO`` in their order; some, like ``depend``, may come repeatedly."""

    fields: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, data: bytes) -> PackageInfo:
        """Parse the lines ``name = value``; lines with ``#`` in front are comments.

        :raises FormatError: a line is of another form, or name, version or architecture miss.
        """
        fields: list[tuple[str, str]] = []
        for line in data.decode("utf-8", "replace").split("\n"):
            if not line.strip() or line.startswith("#"):
                continue
            name, equals, value = line.partition("=")
            if not equals or not name.strip():
                raise FormatError(f"{INFO} has the line {line[:60]!r}")
            fields.append((name.strip(), value.strip()))
        info = cls(tuple(fields))
        for name in ("pkgname", "pkgver", "arch"):
            if not info.get(name):
                raise FormatError(f"{INFO} has no field {name}")
        return info

    def get(self, name: str, default: str = "") -> str:
        """Return a field's first value, or the default."""
        return next((value for key, value in self.fields if key == name), default)

    @property
    def package(self) -> str:
        """The field ``pkgname``."""
        return self.get("pkgname")

    @property
    def version(self) -> str:
        """The field ``pkgver``."""
        return self.get("pkgver")

    @property
    def architecture(self) -> str:
        """The field ``arch``: Alpine's name for it, such as ``x86_64`` or ``aarch64``."""
        return self.get("arch")


@dataclasses.dataclass(frozen=True, slots=True)
class Apk:
    """A package, with its description read and its files not yet."""

    info: PackageInfo
    _stream: BinaryIO

    @classmethod
    def open(cls, stream: BinaryIO) -> Apk:
        """Read the description. The stream must be seekable and stay open.

        :raises FormatError: this is no package, or it is damaged or cut before its files.
        :raises UnsupportedError: a package of apk-tools 3.
        """
        stream.seek(0)
        if stream.read(4) in VERSION_3_MAGICS:
            raise UnsupportedError(
                "this is an Alpine package of version 3, which is not supported",
                hint="take the package of an Alpine release with apk-tools 2, or a .deb",
            )
        for member in _read(stream, INFO.__eq__):
            if member.path == INFO and member.kind is Kind.FILE:
                return cls(PackageInfo.parse(member.content), stream)
            if not member.path.startswith(".SIGN."):
                break
        raise FormatError(f"this is no Alpine package: {INFO} is not at its start")

    def members(self, wanted: Callable[[str], bool] | None = None) -> Iterator[Member]:
        """Yield the package's files and directories in the order they are stored.

        The package's own metadata, at its root with a dot in front, is left out. Content
        is read as in :meth:`rdcompose.formats.deb.Deb.members`.

        :raises FormatError: damaged, cut, or with hostile names.
        :raises UnsupportedError: libarchive is missing, or a wanted file exceeds 1 GiB.
        """
        for member in _read(self._stream, wanted):
            if not member.path.startswith(".") or "/" in member.path:
                yield member


def read_apk_file(stream: BinaryIO, path: str) -> bytes:
    """Return one regular file of a package, after reading and checking all of it.

    :raises FormatError: the package is damaged, or has no such file.
    :raises UnsupportedError: a package of apk-tools 3.
    """
    found: bytes | None = None
    for member in Apk.open(stream).members(path.__eq__):
        if member.path == path and member.kind is Kind.FILE:
            found = member.content
    if found is None:
        raise FormatError(f"the Alpine package has no file {path!r}")
    return found


def _read(stream: BinaryIO, wanted: Callable[[str], bool] | None) -> Iterator[Member]:
    size = stream.seek(0, 2)
    return iter_tar(compression.decode("gzip", stream, 0, size), wanted=wanted)
