"""The manifest of a composition: every input, every choice and its reason, every output.

It is as deterministic as the outputs that it describes: no clock, no directory, no
host. The fields are described in ``docs/manifest.md``.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from rdcompose import __version__
from rdcompose.compose.inputs import digest
from rdcompose.compose.spec import DiskMode
from rdcompose.compose.template import tree_bytes
from rdcompose.emit import directory_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rdcompose.compose.images import BootImage
    from rdcompose.compose.inputs import Input
    from rdcompose.compose.own_modules import OwnModule
    from rdcompose.compose.plan import Plan
    from rdcompose.compose.uki import UkiPlan

SCHEMA: Final = 1


def manifest(
    plan: Plan, outputs: Sequence[Mapping[str, Any]], sizes: Mapping[str, int]
) -> dict[str, Any]:
    """Return the manifest as JSON-ready data.

    ``outputs`` are name, size and SHA-256; ``sizes`` are those of the initramfs's segments, in
    bytes.
    """
    selection = plan.selection
    return {
        "schema": SCHEMA,
        "tool": {"name": "rdcompose", "version": __version__},
        "release": plan.release,
        "architecture": plan.architecture.name,
        "timestamp": plan.timestamp,
        "options": dict(plan.options),
        "image": _image(plan.image),
        "uki": _uki(plan.uki),
        "inputs": [_input(item) for item in plan.inputs],
        "initramfs": {
            "compression": str(plan.compression),
            "segments": [
                {
                    "name": segment.name,
                    "compression": str(segment.compression),
                    "size": sizes[segment.name],
                }
                for segment in plan.segments
            ],
            "modules": [
                {"name": name, "path": plan.module_paths[name], "why": str(reason)}
                for name, reason in ((n, selection.reasons[n]) for n in selection.ramdisk)
            ],
            "autoload": list(selection.autoload),
            "directory": _directory(plan),
            "microcode": [
                {"path": blob.path, "size": len(blob.data), "updates": blob.count}
                for blob in plan.microcode
            ],
            "firmware": [
                {"path": f"/{piece.entry.path}", "source": piece.source, "why": piece.why}
                for piece in plan.firmware
            ],
            "added": [
                {"path": f"/{row.entry.path}", "package": row.package, "why": row.why}
                for row in plan.added
            ],
        },
        "taints": dataclasses.asdict(plan.taints),
        "own_modules": [_own_module(plan, row) for row in plan.own_modules],
        "disk": _disk(plan),
        "notes": list(plan.notes),
        "outputs": [dict(item) for item in outputs],
    }


def _directory(plan: Plan) -> dict[str, str] | None:
    name = directory_name(plan.release, plan.emit)
    return None if name is None else {"name": name, "sha256": digest(tree_bytes(plan.initramfs))}


def _own_module(plan: Plan, row: OwnModule) -> dict[str, Any]:
    in_ramdisk = row.name in plan.selection.ramdisk
    on_disk = plan.disk is not None and not (in_ramdisk and plan.disk.mode is DiskMode.REMAINING)
    places = {"initramfs": in_ramdisk, "disk": on_disk}
    return {
        "name": row.name,
        "path": row.path,
        "in": [place for place, there in places.items() if there],
        "replaces": row.replaces or None,
        "taints": row.taints,
    }


def _input(item: Input) -> dict[str, Any]:
    row: dict[str, Any] = {"role": item.role, "file": item.file, "sha256": item.sha256}
    if item.size is not None:
        row["size"] = item.size
    row["source"] = item.source
    if item.package:
        row |= {
            "package": item.package,
            "version": item.version,
            "architecture": item.architecture,
        }
    if item.archive is not None:
        row["archive"] = dataclasses.asdict(item.archive)
    return row


def _image(image: BootImage) -> dict[str, Any] | None:
    """Return what an unpacked kernel says about itself; of one as in the package nothing."""
    found = image.unpacked
    if found is None:
        return None
    return {
        "format": found.image.kind.value,
        "packed": found.packed,
        "entry": None if found.entry is None else f"{found.entry:#x}",
        "pvh_entry": None if found.pvh is None else f"{found.pvh:#x}",
    }


def _uki(uki: UkiPlan | None) -> dict[str, Any] | None:
    if uki is None:
        return None
    line = uki.parts.cmdline
    return {"stub": uki.stub, "cmdline": None if line is None else line.decode("ascii")}


def _disk(plan: Plan) -> dict[str, Any] | None:
    disk = plan.disk
    if disk is None:
        return None
    return {
        "format": disk.format.value,
        "compression": str(disk.compression),
        "holds": disk.mode.value,
        "modules": disk.modules,
    }


def to_json(data: Mapping[str, Any]) -> bytes:
    """Return a manifest as the bytes of its file."""
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def checksum_line(name: str, sha256: str) -> bytes:
    """Return a line as ``sha256sum`` writes and checks it."""
    return f"{sha256}  {name}\n".encode()
