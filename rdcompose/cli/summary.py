"""What ``rdcompose build --json`` says of a composition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.outputs import Result


def summary(result: Result, directory: Path) -> dict[str, Any]:
    """Return the facts of one kernel's files, which stand in ``directory``."""
    files = [
        {
            "name": output.name,
            "path": str(directory / output.name),
            "size": output.size,
            "sha256": output.sha256,
        }
        for output in result.outputs
    ]
    manifest = result.manifest
    disk = manifest["disk"]
    return {
        "release": manifest["release"],
        "architecture": manifest["architecture"],
        "initramfs_modules": len(manifest["initramfs"]["modules"]),
        "disk_modules": disk["modules"] if disk else 0,
        "own_modules": manifest["own_modules"],
        "notes": manifest["notes"],
        "files": files,
    }
