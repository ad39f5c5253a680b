"""What ``rdcompose ls --json`` prints: one object, whose entries come as they are read."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from rdcompose.cli.listing import entry_row

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from rdcompose.inspect.artifact import Artifact
    from rdcompose.inspect.looking import Looking


def print_json(looking: Looking, arguments: argparse.Namespace) -> None:
    """Walk through a file and print all that is known of it.

    Names that are no UTF-8 have lone surrogates, as Python's ``surrogateescape`` makes them.
    """
    opened = looking.opened
    print("{")
    if arguments.modules:
        from rdcompose.inspect.module_table import ModuleTable

        table = ModuleTable(looking)
        _print_list("modules", map(dataclasses.asdict, table.rows()))
        print(f'  "damaged_indexes": {json.dumps(table.damaged)},')
    elif arguments.summary:
        for _ in looking.entries():
            pass
    else:
        _print_list("entries", map(entry_row, looking.entries()))
    problem = opened.problem
    rest = {
        "name": opened.name,
        "kind": opened.kind.value,
        "release": opened.release,
        "releases": opened.releases,
        "architectures": looking.architectures,
        "size": opened.size,
        "container": opened.container or None,
        "filesystem": opened.filesystem or None,
        "parts": [dataclasses.asdict(part) for part in opened.parts],
        "facts": None if opened.facts is None else _facts(opened.facts),
        "problem": None if problem is None else dataclasses.asdict(problem),
    }
    print(json.dumps(rest, indent=2)[2:])


def _print_list(key: str, rows: Iterable[dict[str, Any]]) -> None:
    print(f'  "{key}": [', end="")
    comma = ""
    for row in rows:
        print(f"{comma}\n    {json.dumps(row)}", end="")
        comma = ","
    print("\n  ]," if comma else "],")


def _facts(facts: Artifact) -> dict[str, Any]:
    found: dict[str, Any] = {"problem": facts.problem}
    if facts.image is not None:
        image = dataclasses.asdict(facts.image)
        found["image"] = {**image, "kind": facts.image.kind.value}
    if facts.config is not None:
        found["config"] = {"version": facts.config.version, "options": len(facts.config.options)}
    if facts.device_tree is not None:
        found["device_tree"] = dataclasses.asdict(facts.device_tree)
    if facts.manifest is not None:
        found["manifest"] = dict(facts.manifest)
    if facts.checksums is not None:
        found["checksums"] = [line.name for line in facts.checksums.lines]
    return found
