"""Where microcode, firmware and the like come from: packages of the archive, and local files.

Debian has most of it in the component ``non-free-firmware``, up to Debian 11 in ``non-free``. Both
are searched whatever components are configured: who names such a package wants it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.errors import NotFoundError, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdcompose.archive.search import Archive, Found
    from rdcompose.compose.inputs import Input, InputFile
    from rdcompose.kernel.release import Architecture

MICROCODE: Final = "microcode"
FIRMWARE: Final = "firmware"
MODULE: Final = "module"
SYMVERS: Final = "symvers"
STUB: Final = "uki-stub"
PI_FIRMWARE: Final = "pi-firmware"
# Roles of inputs, and the options that name them.
OPTIONS: Final = {
    MICROCODE: "--microcode",
    FIRMWARE: "--firmware-from",
    MODULE: "--module",
    SYMVERS: "--symvers",
    STUB: "--uki-stub",
    PI_FIRMWARE: "--pi-firmware",
}
_SUFFIXES: Final = (".deb", ".stub", ".efi", ".ko", ".ko.xz", ".ko.zst", ".ko.gz")
_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]+")
# The second where the first has not got it: then two more indexes are fetched.
_COMPONENTS: Final = (
    ("main", "non-free-firmware"),
    ("main", "non-free-firmware", "contrib", "non-free"),
)


class SourceRequest(NamedTuple):
    """One source: a ``package``, or else the ``path`` of a file or directory.

    ``text`` is what was asked for without directories of this machine, as messages and the
    manifest have it; ``where`` says in which line of a list it stands, or is empty.
    """

    role: str
    text: str
    package: str
    path: Path | None
    where: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" if self.where else f"{OPTIONS[self.role]} {self.text}"


class Source(NamedTuple):
    """What was asked for, and where it is: a package, a file or a directory."""

    request: SourceRequest
    file: InputFile


def parse_source(
    role: str, text: str, *, base: Path | None = None, where: str = ""
) -> SourceRequest:
    """Parse the value of an option: what holds a slash, ends as a file does or is one is a file.

    In a list, whose line is ``where``, relative paths start at ``base``.

    :raises SpecError: it is neither a path nor the name of a package.
    """
    start = f"{where}:" if where else OPTIONS[role]
    if text.split() != [text]:
        raise SpecError(f"{start} {text!r} has blanks in it")
    path = Path(text) if base is None else base / text
    if (
        "/" in text
        or text in {".", ".."}
        or text.endswith(_SUFFIXES)
        or (base is None and path.is_file())
    ):
        return SourceRequest(role, f"./{name_of(path)}", "", path, where)
    if _PACKAGE.fullmatch(text) is None:
        raise SpecError(
            f"{start} {text!r} is no name of a package",
            hint="a file or directory is named by its path: ./FILE",
        )
    return SourceRequest(role, text, text, None, where)


def name_of(path: Path) -> str:
    """Return the last component of a path, that of the directory meant for ``.`` and ``..``."""
    return path.name if path.name not in {"", ".."} else path.resolve().name


def resolve_source(
    request: SourceRequest, kernel_suite: str, architecture: Architecture, archive: Archive
) -> Found:
    """Find the package of a request in the release of Debian that a kernel is of.

    Where the archive has that release no more, in the suite asked for.

    :raises NotFoundError: there is none.
    """
    # Only what is in no local file takes an archive.
    from rdcompose.archive.search import newest
    from rdcompose.archive.suites import base_suite

    tried = []
    for suite in dict.fromkeys((base_suite(kernel_suite), base_suite(archive.suite))):
        for components in _COMPONENTS:
            try:
                suites = archive.family(suite, architecture.name, components)
            except NotFoundError as error:
                tried.append(error.message)
                break
            found = newest(request.package, architecture.name, suites, components)
            if found is not None:
                return found
        else:
            tried.append(f"{suite} has none")
    raise NotFoundError(
        f"{request}: no package {request.package} for {architecture.name} in "
        f"{archive.place.description}: {'; '.join(tried)}",
        hint="a file or directory is named by its path: ./FILE",
    )


def locked_source(request: SourceRequest, locked: Sequence[Input], name: str) -> Input:
    """Return the input of a lock that a request is of; ``name`` is the lock's.

    :raises SpecError: the lock has none.
    """
    # Directories have no size: they are not fetched from anywhere.
    for item in (item for item in locked if item.size is not None):
        if request.package and item.package == request.package:
            return item
        if request.path is not None and item.file == name_of(request.path):
            return item
    raise SpecError(
        f"{request} is not among what {name} locks",
        hint="give what the manifest was made with, or leave --locked out",
    )
