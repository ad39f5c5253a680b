"""Releases: directories in which builds of one kernel lie beside each other, under other names.

``rdcompose release`` writes a manifest that tells which file is which of which build, see
``docs/release.md``.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from rdcompose.inspect.filecontent import file_content

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rdcompose.inspect.filecontent import FileContent

_MANIFEST: Final = "manifest.json"


@dataclasses.dataclass(frozen=True, slots=True)
class ReleasedBuild:
    """A build in a release: what its files are called there, by their own names.

    ``name`` is what the release calls it; that is not ``release`` where a kernel has several.
    """

    directory: Path
    name: str
    release: str
    files: Mapping[str, str]

    def beside(self, name: str) -> FileContent | None:
        """Return the file that the manifest of the build means by a name."""
        return file_content(self.directory / self.files.get(name, name))


@dataclasses.dataclass(frozen=True, slots=True)
class ReleasedFiles:
    """What the manifest of a release tells: its builds, and what else is written there."""

    builds: tuple[ReleasedBuild, ...] = ()
    documents: frozenset[str] = frozenset()


def read_released(directory: Path) -> ReleasedFiles:
    """Return what lies in a directory if it is a release; else nothing."""
    try:
        data = json.loads((directory / _MANIFEST).read_bytes())
        if data["kind"] != "release":
            return ReleasedFiles()
        return ReleasedFiles(
            tuple(_build(directory, row) for row in data["builds"]),
            frozenset({_MANIFEST, *(str(row["name"]) for row in data["documents"])}),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ReleasedFiles()  # then it is none, and files are known by their own names


def _build(directory: Path, row: Mapping[str, Any]) -> ReleasedBuild:
    files = {str(own): _plain(name) for own, name in row["files"].items()}
    return ReleasedBuild(directory, str(row["name"]), str(row["release"]), files)


def _plain(name: str) -> str:
    if "/" in name or "\0" in name:
        raise ValueError(name)
    return name
