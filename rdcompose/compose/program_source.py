"""Where a program is in what it comes in: a bare file, a Debian package or an Alpine one."""

from __future__ import annotations

import dataclasses
import enum
import io
from typing import TYPE_CHECKING, Final

from rdcompose.compose.programname import ProgramName
from rdcompose.errors import SpecError
from rdcompose.formats.apk import VERSION_3_MAGICS, Apk
from rdcompose.formats.deb import Deb
from rdcompose.formats.executable import is_elf
from rdcompose.formats.tarstream import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdcompose.formats.tarstream import Member


class SourceKind(enum.StrEnum):
    """What a program was taken from."""

    PROGRAM = "program"
    DEB = "deb"
    APK = "apk"


# Where packages have them, the static ones first.
_PATHS: Final = {
    ProgramName.BUSYBOX: (
        "bin/busybox.static",
        "usr/bin/busybox.static",
        "sbin/busybox.static",
        "usr/sbin/busybox.static",
        "bin/busybox",
        "usr/bin/busybox",
        "sbin/busybox",
        "usr/sbin/busybox",
    ),
    ProgramName.E2FSCK: (
        "sbin/e2fsck.static",
        "usr/sbin/e2fsck.static",
        "bin/e2fsck.static",
        "usr/bin/e2fsck.static",
        "sbin/e2fsck",
        "usr/sbin/e2fsck",
        "bin/e2fsck",
        "usr/bin/e2fsck",
    ),
}
PACKAGES: Final = {
    ProgramName.BUSYBOX: "busybox-static of Debian or Alpine",
    ProgramName.E2FSCK: "e2fsck-static of Debian",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a program is from, for the manifest.

    ``name`` is the name that the input was given under, ``sha256`` the input's hash and
    ``size`` its length in bytes.
    ``path`` is the file in a package; it and the fields of the package are ``None``
    for a bare program.
    """

    name: str
    kind: SourceKind
    sha256: str
    size: int
    path: str | None = None
    package: str | None = None
    version: str | None = None
    architecture: str | None = None


def find_program(name: ProgramName, data: bytes, source: str, digest: str) -> tuple[bytes, Origin]:
    """Return a program and where it is from; ``digest`` is the SHA-256 of the bytes.

    :raises SpecError: this is nothing that has one, or a package without it.
    :raises FormatError: the package is damaged.
    """
    if is_elf(data):
        return data, Origin(name=source, kind=SourceKind.PROGRAM, sha256=digest, size=len(data))
    if data.startswith(b"!<arch>\n"):
        return _from_deb(name, data, source, digest)
    if data.startswith((b"\x1f\x8b", *VERSION_3_MAGICS)):
        return _from_apk(name, data, source, digest)
    raise SpecError(
        f"{source} is neither a program (ELF) nor a .deb nor an .apk",
        hint=f"{name} comes from one of these, for example of the package {PACKAGES[name]}",
    )


def _from_deb(name: ProgramName, data: bytes, source: str, digest: str) -> tuple[bytes, Origin]:
    deb = Deb.open(io.BytesIO(data))
    path, content = _best(name, deb.members(_PATHS[name].__contains__), source)
    control = deb.control
    return content, Origin(
        name=source,
        kind=SourceKind.DEB,
        sha256=digest,
        size=len(data),
        path=path,
        package=control.package,
        version=control.version,
        architecture=control.architecture,
    )


def _from_apk(name: ProgramName, data: bytes, source: str, digest: str) -> tuple[bytes, Origin]:
    apk = Apk.open(io.BytesIO(data))
    path, content = _best(name, apk.members(_PATHS[name].__contains__), source)
    return content, Origin(
        name=source,
        kind=SourceKind.APK,
        sha256=digest,
        size=len(data),
        path=path,
        package=apk.info.package,
        version=apk.info.version,
        architecture=apk.info.architecture,
    )


def _best(name: ProgramName, members: Iterable[Member], source: str) -> tuple[str, bytes]:
    """Return the path and content of the program among a package's files.

    All of the package is read, and so checked, whatever comes first.
    """
    paths = _PATHS[name]
    files = {m.path: m.content for m in members if m.kind is Kind.FILE and m.path in paths}
    for path in paths:
        if path in files:
            return path, files[path]
    raise SpecError(
        f"{source} is a package without {name}",
        hint=f"a package that has it is {PACKAGES[name]}",
    )
