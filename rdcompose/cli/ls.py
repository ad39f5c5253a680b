"""``rdcompose ls``: what a file of anyone's making is, and what is in it."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Final

from rdcompose.cli.image_file import opened_file, unread
from rdcompose.cli.listing import entry_line, shown_name, tree_lines
from rdcompose.cli.ls_json import print_json
from rdcompose.cli.ls_summary import breaking, packing, summary_lines
from rdcompose.cli.terminal import size_text, warn
from rdcompose.errors import FormatError, SpecError
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.landing import Landing, NoPlaceError
from rdcompose.inspect.looking import Looking
from rdcompose.inspect.patterns import PathPatterns
from rdcompose.tree import File, encode_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rdcompose.inspect.module_table import ModuleRow

# A distribution has fewer; each takes half a kilobyte.
_MAX_TREE: Final = 1 << 18
_UNREAD: Final = frozenset({Kind.UNKNOWN, Kind.FILESYSTEM})


def list_files(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status.

    :raises FormatError: the file is damaged, or of no known kind; what could be read of it has been
        printed.
    :raises SpecError: nothing in it is what a pattern means.
    """
    # Whatever the encoding of the terminal, names can be printed.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    with opened_file(arguments.file, single=True) as opened:
        patterns = PathPatterns(arguments.pattern)
        looking = Looking(opened, patterns)
        if arguments.json:
            print_json(looking, arguments)
        else:
            _print(looking, arguments)
        _judge(looking, patterns)
    return 0


def _print(looking: Looking, arguments: argparse.Namespace) -> None:
    if arguments.names:
        for located in looking.entries():
            sys.stdout.buffer.write(encode_name(located.entry.path) + b"\n")
        return
    if arguments.modules:
        from rdcompose.inspect.module_table import ModuleTable

        table = ModuleTable(looking)
        _print_modules(table.rows())
        if table.damaged is not None:
            warn(f"warning: indexes of modules are passed over: {shown_name(table.damaged)}")
    elif arguments.tree:
        _print_tree(looking)
    else:
        _print_entries(looking, quiet=arguments.summary)
    for line in summary_lines(looking):
        print(line)


def _print_entries(looking: Looking, *, quiet: bool) -> None:
    part = None
    for located in looking.entries():
        if quiet:
            continue
        if located.part != part:
            part = located.part
            if looking.opened.kind in {Kind.INITRAMFS, Kind.UKI}:
                row = looking.opened.parts[part]
                print(f"{row.label}, from byte {row.offset}, {packing(row)}:")
        print(entry_line(located))


def _print_tree(looking: Looking) -> None:
    landing = Landing()
    # All of it is in memory.
    sizes: dict[str, int] = {}
    for located in looking.entries():
        entry = located.entry
        try:
            path = landing.land(entry)
            if isinstance(entry, File):
                sizes[path] = entry.content.size
        except NoPlaceError as error:
            warn(f"warning: {shown_name(entry.path)}: {error}")
        if len(landing.entries) > _MAX_TREE:
            raise FormatError(
                f"a tree of more than {_MAX_TREE} entries is not drawn",
                hint="without --tree they are listed",
            )
    for line in tree_lines(landing.entries, sizes):
        print(line)


def _print_modules(rows: Sequence[ModuleRow]) -> None:
    cells = [("module", "size", "version", "why")]
    for row in rows:
        size = "built in" if row.size is None else size_text(row.size)
        cells.append((row.name, size, shown_name(row.version), shown_name(row.why)))
    widths = [max(len(cell[at]) for cell in cells) for at in range(3)]
    for name, size, version, why in cells:
        line = f"{name:<{widths[0]}}  {size:>{widths[1]}}  {version:<{widths[2]}}  {why}"
        print(line.rstrip())


def _judge(looking: Looking, patterns: PathPatterns) -> None:
    """Raise what is to be said of a file that could not be listed as it was asked for."""
    opened = looking.opened
    if opened.facts is not None and opened.facts.problem is not None:
        known = opened.kind not in _UNREAD
        what = f"{opened.facts.what}, and is damaged: " if known else ""
        raise FormatError(f"{opened.name}: {what}{opened.facts.problem}")
    if opened.facts is not None and opened.kind in _UNREAD:
        raise FormatError(f"{opened.name}: {opened.facts.what}")
    problem = unread(opened, breaking(opened))
    if problem is not None:
        raise problem
    if patterns.unmatched:
        names = ", ".join(map(repr, patterns.unmatched))
        raise SpecError(f"nothing in {opened.name} matches {names}")
