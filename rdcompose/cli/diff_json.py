"""What ``rdcompose diff --json`` prints; the fields are described in ``docs/inspect.md``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from rdcompose.inspect.findings import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdcompose.inspect.compare.changes import Changed, Shifted
    from rdcompose.inspect.compare.facts import FileFacts
    from rdcompose.inspect.compare.files import EntryFacts, FilesDifference
    from rdcompose.inspect.compare.modules import (
        ModuleChange,
        ModulesDifference,
        PlacedModule,
    )
    from rdcompose.inspect.compare.results import Comparison, FileDifference, GroupDifference
    from rdcompose.inspect.compare.sides import Group
    from rdcompose.release.changes import Difference

SCHEMA: Final = 1


def as_json(
    comparison: Comparison,
    groups: Iterable[tuple[GroupDifference, Difference | None]],
    *,
    different: bool,
) -> dict[str, Any]:
    """Return all that differs as JSON-ready data."""
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "different": different,
        "before": comparison.before.name,
        "now": comparison.now.name,
        "groups": [_group(*row) for row in groups],
    }
    # Names in images may be any bytes.
    return {key: _clean(value) for key, value in data.items()}


def _clean(value: object) -> object:
    """Make all texts such as can be printed."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner) for inner in value]
    return value


def _group(group: GroupDifference, manifests: Difference | None) -> dict[str, Any]:
    before, now = group.releases
    return {
        "name": group.title,
        "before": _named(group.before),
        "now": _named(group.now),
        "releases": {"before": [*before], "now": [*now]},
        "files": [_file(row) for row in group.files],
        "modules": _modules(group.modules),
        "config": _changes(group.options),
        "programs": _changes(group.programs),
        "manifests": None if manifests is None else _manifests(manifests),
    }


def _named(group: Group | None) -> dict[str, Any] | None:
    if group is None:
        return None
    manifest = None if group.manifest is None else group.manifest.name
    return {"name": group.title, "release": group.release, "manifest": manifest}


def _changes(rows: Iterable[Changed]) -> list[dict[str, str]]:
    return [row._asdict() for row in rows]


def _file(file: FileDifference) -> dict[str, Any]:
    return {
        "before": _facts(file.before),
        "now": _facts(file.now),
        "different": file.different,
        "entries": _entries(file.entries),
        "says": _changes(file.texts),
        "symbols": None if file.symbols is None else dataclasses.asdict(file.symbols),
    }


def _facts(facts: FileFacts | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    return {
        "name": facts.name,
        "kind": facts.kind.value,
        "size": facts.size if facts.sha256 else None,
        "unpacked": facts.unpacked,
        "sha256": facts.sha256 or None,
        "segments": [
            {
                "label": part.label,
                "compression": part.compression,
                "size": part.size,
                "unpacked": part.unpacked,
            }
            for part in facts.parts
        ],
    }


def _entries(entries: FilesDifference) -> dict[str, Any]:
    return {
        "new": [_entry(row) for row in entries.new],
        "gone": [_entry(row) for row in entries.gone],
        "changed": [
            {"what": [*row.what], "before": _entry(row.before), "now": _entry(row.now)}
            for row in entries.changed
        ],
        "same": entries.same,
    }


def _entry(entry: EntryFacts) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": entry.shown,
        "kind": entry.kind,
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
    }
    if entry.sha256:
        row |= {"size": entry.size, "sha256": entry.sha256}
    extra = {"target": entry.target, "device": entry.device}
    return row | {name: text for name, text in extra.items() if text}


def _modules(modules: ModulesDifference) -> dict[str, Any]:
    before, now = modules.aliases
    return {
        "new": [_placed(row) for row in modules.new],
        "gone": [_placed(row) for row in modules.gone],
        "changed": [_change(row) for row in modules.changed],
        "same": modules.same,
        "aliases": {"before": before, "now": now},
    }


def _placed(row: PlacedModule) -> dict[str, Any]:
    facts = row.facts
    return {
        "name": facts.name,
        "path": facts.inner,
        "in": [*row.places],
        "size": facts.says.size,
        "sha256": facts.says.sha256,
        **facts.says.texts,
        "depends": sorted(facts.says.sets.get("depends", ())),
        "built_in_on_the_other_side": row.builtin,
    }


def _change(row: ModuleChange) -> dict[str, Any]:
    return {
        "name": row.name,
        "path": row.now.inner,
        "content": row.content,
        "size": {"before": row.before.says.size, "now": row.now.says.size},
        "values": _changes(row.texts),
        "lists": [_shifted(shift) for shift in row.sets],
    }


def _shifted(row: Shifted) -> dict[str, Any]:
    return {"what": row.what, "new": [*row.new], "gone": [*row.gone]}


def _manifests(found: Difference) -> dict[str, Any]:
    (new, gone), (new_all, gone_all) = found.initramfs, found.kernel
    return {
        "packages": _changes(found.versions),
        "options": _changes(found.options),
        "initramfs": {"new": [*new], "gone": [*gone]},
        "kernel": {"new": [*new_all], "gone": [*gone_all]},
        "sizes": [row._asdict() for row in found.sizes],
    }
