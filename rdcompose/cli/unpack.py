"""``rdcompose unpack``: what is in an image of anyone's making, in a directory."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from rdcompose.cli.image_file import opened_file, unread
from rdcompose.cli.listing import shown_name
from rdcompose.cli.ls_summary import breaking
from rdcompose.cli.terminal import progress, size_text, warn
from rdcompose.errors import FormatError, SpecError
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.destination import Destination
from rdcompose.inspect.patterns import PathPatterns
from rdcompose.inspect.unpack import MAX_ENTRIES, MAX_SIZE, Wish
from rdcompose.inspect.unpack import unpack as unpack_image
from rdcompose.tree import encode_name

if TYPE_CHECKING:
    import argparse

    from rdcompose.inspect.opened import Opened
    from rdcompose.inspect.unpack import Unpacked

_SEGMENTED: Final = frozenset({Kind.INITRAMFS, Kind.UKI})
# Of what could not be unpacked, one by one.
_SHOWN: Final = 10
# What an archive may have beside the files, in bytes.
_HEADERS: Final = 1 << 30


def unpack(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status.

    :raises FormatError: the file is damaged; what could be read of it is in the directory.
    """
    if arguments.preserve and os.geteuid() != 0:
        raise SpecError(
            "only root can make device nodes and give files away, as --preserve asks for",
            hint="without it they go to template.list, which build --template reads",
        )
    wish = Wish(
        patterns=PathPatterns(arguments.pattern),
        preserve=arguments.preserve,
        segments=arguments.segments,
        size=MAX_SIZE if arguments.max_size is None else arguments.max_size,
        entries=MAX_ENTRIES if arguments.max_entries is None else arguments.max_entries,
    )
    with opened_file(arguments.file, limit=wish.size + _HEADERS) as opened:
        if opened.kind is Kind.DIRECTORY:
            raise SpecError(f"{opened.name} is a directory", hint="name a file in it")
        if wish.segments and opened.kind not in _SEGMENTED:
            raise SpecError(
                f"{opened.name} is a {opened.kind.value}, which has no segments",
                hint="leave out --segments",
            )
        with Destination(arguments.directory, force=arguments.force) as destination:
            tell = _print_path if arguments.verbose else _pass
            with progress("unpacking", shown=not (arguments.quiet or arguments.verbose)):
                done = unpack_image(opened, destination, wish, tell)
        _report(arguments, opened, done)
        _judge(opened, done, wish.patterns)
    return 0


def _print_line(line: str) -> None:
    # Paths need not be text.
    sys.stdout.buffer.write(encode_name(line) + b"\n")


def _print_path(path: str) -> None:
    # A terminal would do what is in names of strangers.
    _print_line(shown_name(path) if sys.stdout.isatty() else path)


def _pass(_path: str) -> None:
    pass


def _report(arguments: argparse.Namespace, opened: Opened, done: Unpacked) -> None:
    """Say what there is now, and warn of what there is not."""
    for damage in done.lost[:_SHOWN]:
        warn(f"warning: {damage.path!r} in {opened.name} is left out: {damage.why}")
    if arguments.quiet or arguments.verbose or not done.entries:
        return
    where = arguments.directory
    _print_line(f"{_entries(done.entries)}, {size_text(done.size)}, in {where}")
    if done.listed:
        _print_line(f"{_entries(done.listed)} in template.list, for build --template")


def _entries(number: int) -> str:
    return f"{number} {'entry' if number == 1 else 'entries'}"


def _judge(opened: Opened, done: Unpacked, patterns: PathPatterns) -> None:
    """Raise what is to be said of a file that was not unpacked as it was asked for."""
    before = f"{_entries(done.entries)} could be unpacked before that"
    problem = unread(opened, f"{breaking(opened)}; {before}")
    if problem is not None:
        raise problem
    if done.lost:
        raise FormatError(f"{_entries(len(done.lost))} of {opened.name} could not be unpacked")
    if patterns.unmatched:
        names = ", ".join(map(repr, patterns.unmatched))
        raise SpecError(f"nothing in {opened.name} matches {names}")
    if not done.entries:
        raise SpecError(f"there are no files in {opened.name}")
