"""A manifest as a lock: which inputs a composition must have, by their digests."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rdcompose.compose.inputs import ArchiveOrigin, Input, read_file
from rdcompose.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
T = TypeVar("T")

_SAME: Final = (
    "give the options, files and template, and use the version of rdcompose, that the manifest "
    "was made with"
)
_HINT: Final = "give a manifest-R.json as rdcompose build writes it"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What a manifest says went into a composition; ``path`` is the manifest's."""

    path: Path
    release: str
    architecture: str
    timestamp: int
    options: dict[str, str]
    inputs: tuple[Input, ...]

    def of_role(self, role: str) -> tuple[Input, ...]:
        """Return the inputs of a role: a kernel can be of several packages."""
        return tuple(item for item in self.inputs if item.role == role)

    def check(self, inputs: Iterable[Input]) -> None:
        """Compare the inputs of a composition with those that are locked.

        :raises SpecError: one differs, is missing or is not among them.
        """
        wanted = {_name(item): item.sha256 for item in self.inputs}
        have = {_name(item): item.sha256 for item in inputs}
        for name in dict.fromkeys((*wanted, *have)):
            fault = None
            if name not in have:
                fault = f"{self.path} locks the {name}, which is not used here"
            elif name not in wanted:
                fault = f"the {name} is not among what {self.path} locks"
            elif wanted[name] != have[name]:
                fault = (
                    f"the {name} is not the one that {self.path} locks: its SHA-256 is "
                    f"{have[name]}, not {wanted[name]}"
                )
            if fault is not None:
                raise SpecError(fault, hint=_SAME)


def _name(item: Input) -> str:
    """Return what tells inputs apart."""
    if item.role == "module list":
        return f"{item.role} {item.file}"
    return f"{item.role} {item.package}".rstrip() if item.role == "kernel" else item.role


def read_lock(path: Path) -> Lock:
    """Read the manifest of an earlier composition.

    :raises SpecError: it cannot be read, or is no such manifest.
    """
    try:
        data = json.loads(read_file(path, "manifest"))
        return Lock(
            path=path,
            release=_typed(data, "release", str),
            architecture=_typed(data, "architecture", str),
            timestamp=_typed(data, "timestamp", int),
            options={str(key): str(value) for key, value in data["options"].items()},
            inputs=tuple(_input(row) for row in data["inputs"]),
        )
    except KeyError as error:
        raise SpecError(f"{path} is no manifest: it has no {error}", hint=_HINT) from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SpecError(f"{path} is no manifest: {error}", hint=_HINT) from error


def _input(row: Mapping[str, Any]) -> Input:
    sha256 = _typed(row, "sha256", str)
    if _SHA256.fullmatch(sha256) is None:
        raise ValueError(f"{sha256!r} is no SHA-256")
    archive = row.get("archive")
    return Input(
        role=_typed(row, "role", str),
        file=_typed(row, "file", str),
        sha256=sha256,
        source=_typed(row, "source", str),
        package=str(row.get("package", "")),
        version=str(row.get("version", "")),
        architecture=str(row.get("architecture", "")),
        size=_typed(row, "size", int) if "size" in row else None,
        archive=None if archive is None else _origin(archive),
    )


def _origin(row: Mapping[str, Any]) -> ArchiveOrigin:
    return ArchiveOrigin(
        label=_typed(row, "label", str),
        suite=_typed(row, "suite", str),
        path=_typed(row, "path", str),
        verified=_typed(row, "verified", bool),
    )


def _typed(row: Mapping[str, Any], key: str, kind: type[T]) -> T:
    value = row[key]
    if not isinstance(value, kind):
        raise TypeError(f"{key} is {value!r}")
    return value
