"""``rdcompose pi``: boot folders for the Raspberry Pi."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.boards.bootconfig import assign
from rdcompose.boards.configtxt import ConfigTxt
from rdcompose.boards.drivers import driver_notes
from rdcompose.boards.edit import edited_config, renewed_config
from rdcompose.boards.folder import boot_folder, place_sets
from rdcompose.boards.netboot import check_boards
from rdcompose.boards.place import check_own, directories_for, put_config, write_folder
from rdcompose.boards.present import Present, read_present
from rdcompose.boards.switch import booting, parsed_config, rolled_back, switched
from rdcompose.cli.netboot import (
    explain_log,
    finish_netboot,
    netboot_asked,
    netboot_summary,
    tell_netboot,
)
from rdcompose.cli.pi_card import Beside, card_rows, card_summary, check_card, open_card
from rdcompose.cli.pi_sets import Composed, make_sets, plan_sets
from rdcompose.cli.terminal import size_text, table
from rdcompose.errors import UsageError
from rdcompose.tree import File

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from rdcompose.boards.bootconfig import Placed
    from rdcompose.boards.netboot import Netboot
    from rdcompose.boards.sdcard import Card
    from rdcompose.tree import Tree


# Options that say how a kernel is put into the folder, and mean nothing without one.
_OF_A_KERNEL: Final = (
    *("board", "arch", "release", "root", "cmdline", "kernel_name", "device_tree"),
    *("pi_firmware", "flat", "profile"),
)


def pi(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    if arguments.explain_log is not None:
        return explain_log(arguments)
    started = time.monotonic()
    _check(arguments)
    netboot = netboot_asked(arguments)
    directory: Path | None = arguments.output if netboot is None else netboot.folder
    present = None if directory is None else read_present(directory)
    if present is not None and _changes_only(arguments):
        put_config(present, _changed(arguments, present), remove_stale=arguments.remove_stale)
        written = None
    else:
        written = _compose(arguments, present, netboot)
    _tell(arguments, directory, written, seconds=time.monotonic() - started)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Check that options go together."""
    there = [
        option
        for option in ("edit", "switch", "rollback", "remove-stale")
        if getattr(arguments, option.replace("-", "_")) not in {None, False}
    ]
    if there and arguments.output is None:
        raise UsageError(f"--{there[0]} is for a boot folder that exists", hint="name it: -o DIR")
    if arguments.output is None and arguments.card is None:
        raise UsageError(
            "it is not said where to", hint="name a directory, -o DIR, or an image, --image FILE"
        )
    if there and arguments.card is not None:
        raise UsageError(f"--{there[0]} changes a boot folder, and --image makes a new one")
    check_card(arguments)
    if arguments.edit and arguments.flat:
        raise UsageError("--edit goes without --flat: what is there stays as it is")


def _changes_only(arguments: argparse.Namespace) -> bool:
    """Whether nothing is to be made, but what is there to be changed."""
    wanted = arguments.switch is not None or arguments.rollback
    option = "--rollback" if arguments.rollback else "--switch" if wanted else "--remove-stale"
    makes = bool(arguments.kernel or arguments.locked)
    if wanted and makes:
        raise UsageError(
            f"{option} makes nothing new, and a KERNEL is given",
            hint="without it, the new kernel is switched to when it is in place",
        )
    if makes or not (wanted or arguments.remove_stale):
        return False
    for name in _OF_A_KERNEL:
        value = getattr(arguments, "words" if name == "cmdline" else name)
        if value is not None and value is not False:
            raise UsageError(
                f"{option} without a KERNEL makes nothing new, and --{name.replace('_', '-')} is "
                "for what is made"
            )
    return True


def _changed(arguments: argparse.Namespace, present: Present) -> bytes:
    if arguments.rollback:
        return rolled_back(present)
    if arguments.switch is not None:
        return switched(present, present.find(arguments.switch))
    return parsed_config(present).to_bytes()


class _Written(NamedTuple):
    """What was made: sets and where they are in the folder, their sizes, and what is beside it."""

    placed: Sequence[Placed]
    sizes: Sequence[int]
    card: Card | None
    netboot: Netboot | None
    notes: Sequence[str]


def _compose(
    arguments: argparse.Namespace, present: Present | None, netboot: Netboot | None
) -> _Written:
    """Make sets, and write the folder and the image that are asked for."""
    shown = not (arguments.quiet or arguments.no_progress)
    if present is not None:
        if arguments.edit:
            parsed_config(present)
        else:
            check_own(present)
    planned = plan_sets(arguments, shown=shown)
    notes: Sequence[str] = ()
    written = None
    configs = {plan.release: plan.config for plan in planned.plans}
    with open_card(arguments, planned.options, planned.plans) as card:
        beside = Beside() if card is None else card.beside
        composed = make_sets(planned, beside, present if arguments.edit else None, shown=shown)
        if netboot is not None:
            check_boards(composed.models)
        placed: Sequence[Placed] = place_sets(composed.sets, flat=arguments.flat)
        # A folder that boots is changed when nothing else can fail.
        if card is not None:
            written = card.write(_folder(arguments, composed), shown=shown)
        if present is not None:
            placed, tree = _write(arguments, present, composed)
            if netboot is not None:
                notes = finish_netboot(netboot, tree, composed.models)
    sizes = [_size(made.tree) for made in composed.sets]
    assigned = assign(placed, composed.models)
    notes = [*driver_notes(assigned, composed.models, configs), *notes]
    return _Written(placed, sizes, written, netboot, notes)


def _write(
    arguments: argparse.Namespace, present: Present, composed: Composed
) -> tuple[Sequence[Placed], Tree]:
    """Write the folder; returns where in it the sets are, and all of what was made."""
    directories = None if arguments.flat else directories_for(present, composed.sets)
    placed = place_sets(composed.sets, flat=arguments.flat, directories=directories)
    renew = edited_config if arguments.edit else renewed_config
    config = renew(present, placed, composed.models)
    tree = _folder(arguments, composed, directories=directories, config=config)
    mtime = max(made.timestamp for made in composed.sets)
    write_folder(present, tree, mtime=mtime, remove_stale=arguments.remove_stale)
    return placed, tree


def _folder(
    arguments: argparse.Namespace,
    composed: Composed,
    *,
    directories: Sequence[str] | None = None,
    config: bytes | None = None,
) -> Tree:
    return boot_folder(
        composed.sets,
        models=composed.models,
        firmware=composed.firmware,
        flat=arguments.flat,
        directories=directories,
        config=config,
    )


def _size(tree: Tree) -> int:
    return sum(entry.content.size for entry in tree if isinstance(entry, File))


def _tell(
    arguments: argparse.Namespace,
    directory: Path | None,
    written: _Written | None,
    *,
    seconds: float,
) -> None:
    boots: dict[str, str] = {}
    present = None
    if directory is not None:
        present = read_present(directory)
        boots = booting(present, ConfigTxt.parse(present.config or b""))
    if arguments.json:
        data = _summary(present, written, boots)
        card = None if written is None else written.card
        data["image"] = None if card is None else card_summary(arguments.card, card)
        netboot = None if written is None else written.netboot
        data["netboot"] = None if netboot is None else netboot_summary(netboot)
        print(json.dumps(data, indent=2, ensure_ascii=False))
    elif not arguments.quiet:
        _report(arguments, written, boots)
        print(f"{directory or arguments.card} in {seconds:.1f} s")
        if written is not None and written.netboot is not None:
            tell_netboot(written.netboot)
        for note in () if written is None else written.notes:
            print(f"note: {note}", file=sys.stderr)


def _summary(
    present: Present | None, written: _Written | None, boots: dict[str, str]
) -> dict[str, object]:
    return {
        "directory": None if present is None else str(present.directory),
        "written": [
            {
                "release": row.set.release,
                "architecture": row.set.architecture,
                "directory": row.prefix,
                "boards": [model.name for model in row.set.models],
            }
            for row in (() if written is None else written.placed)
        ],
        "sets": [] if present is None else [row.prefix for row in present.sets()],
        "boots": boots,
        "notes": [] if written is None else [*written.notes],
    }


def _report(arguments: argparse.Namespace, written: _Written | None, boots: dict[str, str]) -> None:
    rows: list[tuple[str, str, str]] = []
    if written is not None:
        for row, size in zip(written.placed, written.sizes, strict=False):
            boards = ", ".join(model.name for model in row.set.models)
            remark = f"{row.set.architecture} kernel {row.set.release} for boards {boards}"
            rows.append((row.prefix or "./", size_text(size), remark))
        if written.card is not None:
            rows += card_rows(arguments.card, written.card)
    if rows:
        print(table(rows))
    for kernel in dict.fromkeys(boots.values()):
        boards = ", ".join(name for name, boot in boots.items() if boot == kernel)
        print(f"Raspberry Pi {boards}: {kernel}")
