"""``rdcompose cat``: a file in an image of anyone's making, on standard output."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from rdcompose.cli.image_file import opened_file, unread
from rdcompose.cli.ls_summary import breaking
from rdcompose.errors import RdcomposeError
from rdcompose.formats.compression import decompress, detect
from rdcompose.inspect.lookup import look_up, stored_content
from rdcompose.tree import read_all

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from rdcompose.tree import Content

_PIECE: Final = 1 << 18
# What is unpacked is unpacked in memory; no module and no firmware comes near.
_MAX_PACKED: Final = 1 << 28
_MAX_UNPACKED: Final = 1 << 30


def cat(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status.

    :raises SpecError: a path is not there, or is no file.
    :raises FormatError: the file is damaged; what could be read is printed.
    """
    with opened_file(arguments.file) as opened:
        # All are looked up before anything is printed.
        found = [(path, look_up(opened, path)) for path in arguments.path]
        after = "what follows may replace what was printed"
        problem = unread(opened, f"{breaking(opened)}; {after}")
        for path, one in found:
            for content in stored_content(opened, one):
                try:
                    _print(_pieces(content, unpacked=arguments.decompress))
                except RdcomposeError as error:
                    where = f"{path!r} in {opened.name}"
                    raise type(error)(f"{where}: {error.message}", hint=error.hint) from error
        if problem is not None:
            raise problem
    return 0


def _pieces(content: Content, *, unpacked: bool) -> Iterator[bytes]:
    if not unpacked or content.size > _MAX_PACKED:
        yield from content.chunks(_PIECE)
        return
    data = read_all(content)
    yield data if detect(data) is None else decompress(data, limit=_MAX_UNPACKED)


def _print(pieces: Iterator[bytes]) -> None:
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
