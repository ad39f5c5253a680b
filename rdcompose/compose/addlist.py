"""What is to be added to an initramfs, as options and the ``add`` files of profiles say it.

``PACKAGE[:/PATH]`` is a package of the archive, ``FILE[:/PATH]`` a local ``.deb`` or a
local ELF file. What holds a slash or ends in ``.deb`` is a file. The path chooses from a
package, and says where in the initramfs an ELF file goes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

from rdcompose.errors import SpecError

MAX_LIST_SIZE: Final = 1 << 20
_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_HINT: Final = (
    "give PACKAGE, PACKAGE:/PATH or FILE:/PATH, such as e2fsprogs:/sbin/e2fsck or ./program"
)


class Request(NamedTuple):
    """One thing to add: a ``package`` or else a ``file``, and perhaps a path.

    ``path`` begins with a slash and may hold the wildcards of glob(7) if it is one in a package.
    ``text`` is the request without directories of this machine, as messages and the
    manifest have it; ``where`` says in which line of a list it stands, or is empty.
    """

    text: str
    package: str
    file: Path | None
    path: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" if self.where else f"--add {self.text}"


def parse_request(text: str, *, base: Path | None = None, where: str = "") -> Request:
    """Parse one request; relative names of files start at ``base``.

    :raises SpecError: it is malformed.
    """
    source, colon, rest = text.partition(":/")
    rest = rest.removesuffix("/")
    path = "/" + rest if colon else ""
    start = f"{where}: " if where else ""
    if text.split() != [text]:
        raise SpecError(f"{start}{text!r} has blanks in it", hint=_HINT)
    if colon and any(part in {"", ".", ".."} for part in rest.split("/")):
        raise SpecError(f"{start}{path!r} is no absolute path of a file", hint=_HINT)
    if "/" in source or source.endswith(".deb"):
        file = Path(source) if base is None else base / source
        return Request(f"./{file.name}{':' if path else ''}{path}", "", file, path, where)
    if _PACKAGE.fullmatch(source) is None:
        raise SpecError(f"{start}{source!r} is no name of a package", hint=_HINT)
    return Request(text, source, None, path, where)


def parse_add_list(data: bytes, *, file: str, folder: Path) -> tuple[Request, ...]:
    """Parse an ``add`` file: one request a line; ``#`` begins a comment.

    :raises SpecError: a line is malformed, or the file is no text.
    """
    if len(data) > MAX_LIST_SIZE:
        raise SpecError(f"{file} has over {MAX_LIST_SIZE} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"{file} is not UTF-8 at byte {error.start}") from error
    return tuple(
        parse_request(wanted, base=folder, where=f"{file}:{number}")
        for number, line in enumerate(text.split("\n"), start=1)
        if (wanted := re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip())
    )
