"""The file that a command looks into: of a name, or what comes from standard input."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, OutputError, SpecError
from rdcompose.inspect.opened import MAX_UNPACKED, open_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.inspect.opened import Opened

STANDARD_INPUT: Final = "-"
_PIECE: Final = 1 << 20


@contextlib.contextmanager
def opened_file(name: str, *, limit: int = MAX_UNPACKED, single: bool = False) -> Iterator[Opened]:
    """Open what holds files; ``-`` is standard input, which is kept in a temporary file.

    ``limit`` is for what an initramfs may unpack to, in bytes. ``single``: a file that holds none
    will do as well.

    :raises SpecError: it is not there, cannot be read, or is a file that holds none.
    :raises OutputError: there is no room for the temporary file.
    """
    if name != STANDARD_INPUT:
        with open_image(Path(name), limit=limit) as opened:
            yield opened if single else _checked(opened)
        return
    with tempfile.NamedTemporaryFile(prefix="rdcompose-") as copy:
        try:
            shutil.copyfileobj(sys.stdin.buffer, copy, _PIECE)
            copy.flush()
        except OSError as error:
            raise OutputError(f"cannot keep standard input: {error.strerror}") from error
        with open_image(Path(copy.name), "standard input", limit=limit) as opened:
            yield opened if single else _checked(opened)


def _checked(opened: Opened) -> Opened:
    if opened.facts is not None:
        what = opened.facts.problem or opened.facts.what
        raise SpecError(f"there are no files in {opened.name}: {what}")
    return opened


def unread(opened: Opened, hint: str) -> FormatError | None:
    """Return the error to end with if a file could not be read to its end."""
    if opened.problem is None:
        return None
    return FormatError(
        f"{opened.name} cannot be read to its end: {opened.problem.message}", hint=hint
    )
