"""``rdcompose pi``: boot folders for the Raspberry Pi."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rdcompose.boards.folder import boot_folder
from rdcompose.boards.place import write_folder
from rdcompose.cli.pi_card import Beside, card_rows, open_card
from rdcompose.cli.pi_sets import Composed, make_sets, plan_sets
from rdcompose.cli.terminal import table
from rdcompose.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from rdcompose.tree import Tree


def pi(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    started = time.monotonic()
    shown = not (arguments.quiet or arguments.no_progress)
    if arguments.output is None and arguments.card is None:
        raise UsageError(
            "it is not said where to", hint="name a directory, -o DIR, or an image, --image FILE"
        )
    planned = plan_sets(arguments, shown=shown)
    with open_card(arguments, planned.options, planned.plans) as card:
        composed = make_sets(planned, Beside() if card is None else card.beside, shown=shown)
        tree = boot_folder(
            composed.sets,
            models=composed.models,
            firmware=composed.firmware,
            flat=arguments.flat,
        )
        if arguments.output is not None:
            timestamp = max(made.timestamp for made in composed.sets)
            write_folder(arguments.output, tree, mtime=timestamp)
        rows = [] if card is None else card_rows(card.path, card.write(tree, shown=shown))
    if not arguments.quiet:
        _report(composed, tree, seconds=time.monotonic() - started)
        if rows:
            print(table(rows))
    return 0


def _report(composed: Composed, tree: Tree, *, seconds: float) -> None:
    for made in composed.sets:
        boards = ", ".join(model.name for model in made.models)
        print(f"{made.release}: {made.architecture}, boards {boards}")
    print(f"{len(tree)} entries in {seconds:.1f} s")
