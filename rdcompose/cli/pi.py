"""``rdcompose pi``: boot folders for the Raspberry Pi."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rdcompose.boards.folder import boot_folder
from rdcompose.boards.netboot import check_boards
from rdcompose.boards.place import write_folder
from rdcompose.cli.netboot import explain_log, finish_netboot, netboot_asked, tell_netboot
from rdcompose.cli.pi_card import Beside, card_rows, open_card
from rdcompose.cli.pi_sets import Composed, make_sets, plan_sets
from rdcompose.cli.terminal import table
from rdcompose.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from rdcompose.boards.netboot import Netboot
    from rdcompose.tree import Tree


def pi(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    if arguments.explain_log is not None:
        return explain_log(arguments)
    started = time.monotonic()
    shown = not (arguments.quiet or arguments.no_progress)
    if arguments.output is None and arguments.card is None:
        raise UsageError(
            "it is not said where to", hint="name a directory, -o DIR, or an image, --image FILE"
        )
    netboot = netboot_asked(arguments)
    planned = plan_sets(arguments, shown=shown)
    with open_card(arguments, planned.options, planned.plans) as card:
        composed = make_sets(planned, Beside() if card is None else card.beside, shown=shown)
        tree = boot_folder(
            composed.sets,
            models=composed.models,
            firmware=composed.firmware,
            flat=arguments.flat,
        )
        notes = _write(arguments, netboot, composed, tree)
        rows = [] if card is None else card_rows(card.path, card.write(tree, shown=shown))
    if not arguments.quiet:
        _report(composed, tree, seconds=time.monotonic() - started)
        if rows:
            print(table(rows))
        if netboot is not None:
            tell_netboot(netboot, notes)
    return 0


def _write(
    arguments: argparse.Namespace, netboot: Netboot | None, composed: Composed, tree: Tree
) -> tuple[str, ...]:
    """Write the folder where it is wanted; returns what is to be noted about it."""
    if arguments.output is None:
        return ()
    timestamp = max(made.timestamp for made in composed.sets)
    if netboot is None:
        write_folder(arguments.output, tree, mtime=timestamp)
        return ()
    check_boards(composed.models)
    write_folder(netboot.folder, tree, mtime=timestamp)
    return finish_netboot(netboot, tree, composed.models)


def _report(composed: Composed, tree: Tree, *, seconds: float) -> None:
    for made in composed.sets:
        boards = ", ".join(model.name for model in made.models)
        print(f"{made.release}: {made.architecture}, boards {boards}")
    print(f"{len(tree)} entries in {seconds:.1f} s")
