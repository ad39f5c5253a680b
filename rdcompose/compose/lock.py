"""A manifest as a lock: which inputs a composition must have, by their digests."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rdcompose.archive.addresses import printable
from rdcompose.archive.paths import stays_below
from rdcompose.compose.contents import ADDED
from rdcompose.compose.filesource import (
    FIRMWARE,
    MICROCODE,
    MODULE,
    OPTIONS,
    PI_FIRMWARE,
    STUB,
    SYMVERS,
    parse_source,
)
from rdcompose.compose.inputs import ArchiveOrigin, Input, read_file
from rdcompose.compose.spec import DiskFormat, DiskMode, EmitForm, FirmwareMode, ImageForm
from rdcompose.compose.uki import check_cmdline
from rdcompose.errors import SpecError
from rdcompose.formats.compression import parse_compression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# More than any file system holds.
_MAX_SIZE: Final = 1 << 60
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
        wanted, have = _digests(self.inputs), _digests(inputs)
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
                raise SpecError(printable(fault), hint=_SAME)


def _digests(inputs: Iterable[Input]) -> dict[str, str]:
    """Return the SHA-256 of inputs by what tells them apart; of several, all."""
    found: dict[str, str] = {}
    for item in sorted(inputs, key=lambda item: item.sha256):
        name = _name(item)
        found[name] = f"{found[name]}, {item.sha256}" if name in found else item.sha256
    return found


def _name(item: Input) -> str:
    """Return what tells inputs apart."""
    if item.role in {"module list", "feature"}:
        return f"{item.role} {item.file}"
    if item.role in {ADDED, *OPTIONS}:
        return f"{item.role} {item.package or item.file}"
    return f"{item.role} {item.package}".rstrip() if item.role == "kernel" else item.role


def read_lock(path: Path) -> Lock:
    """Read the manifest of an earlier composition.

    :raises SpecError: it cannot be read, or is no such manifest.
    """
    content = read_file(path, "manifest")
    with malformed(path):
        return parse_lock(path, json.loads(content))


def parse_lock(path: Path, data: Mapping[str, Any]) -> Lock:
    """Return what the data of a manifest say; ``path`` is where they were read.

    To be called within :func:`malformed`, which makes a :class:`SpecError` of what goes wrong.
    """
    return Lock(
        path=path,
        release=_typed(data, "release", str),
        architecture=_typed(data, "architecture", str),
        timestamp=_number(data, "timestamp", 1 << 32),
        options=_options(data["options"]),
        inputs=tuple(_input(row) for row in data["inputs"]),
    )


@contextlib.contextmanager
def malformed(path: Path, *, hint: str = _HINT) -> Iterator[None]:
    """Say of what the body finds wrong that the file is no manifest.

    :raises SpecError: something is missing, or of another kind than it should be.
    """
    try:
        yield
    except KeyError as error:
        raise SpecError(f"{path} is no manifest: it has no {error}", hint=hint) from error
    except SpecError as error:
        raise SpecError(f"{path} is no manifest: {error.message}", hint=hint) from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SpecError(f"{path} is no manifest: {error}", hint=hint) from error


def _options(row: Mapping[str, Any]) -> dict[str, str]:
    """Return options of which those that are known have values that can be."""
    options = {name: _typed(row, name, str) for name, _value in row.items()}
    for name, check in _CHECKS.items():
        if name in options:
            check(options[name])
    return options


def _check_profile(name: str) -> None:
    # A folder is named without where it lies.
    if "/" in name:
        raise ValueError(f"profile is {name!r}")


def _check_sources(role: str, text: str) -> None:
    for word in text.split():
        parse_source(role, word)


_CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    "profile": _check_profile,
    "cmdline": check_cmdline,
    "image": ImageForm,
    "emit": lambda text: [EmitForm(word) for word in text.split()],
    "compress": parse_compression,
    "disk": DiskMode,
    "disk-format": DiskFormat,
    "disk-compress": parse_compression,
    **{
        role: functools.partial(_check_sources, role)
        for role in (MICROCODE, MODULE, SYMVERS, STUB, PI_FIRMWARE)
    },
    "firmware": FirmwareMode,
    "firmware-from": functools.partial(_check_sources, FIRMWARE),
}


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
        package=_typed(row, "package", str) if "package" in row else "",
        version=_typed(row, "version", str) if "version" in row else "",
        architecture=_typed(row, "architecture", str) if "architecture" in row else "",
        size=_number(row, "size", _MAX_SIZE) if "size" in row else None,
        archive=None if archive is None else _origin(archive),
    )


def _origin(row: Mapping[str, Any]) -> ArchiveOrigin:
    path = _typed(row, "path", str)
    # It becomes part of addresses.
    if not stays_below(path):
        raise ValueError(f"path is {path!r}")
    return ArchiveOrigin(
        label=_typed(row, "label", str),
        suite=_typed(row, "suite", str),
        path=path,
        verified=_typed(row, "verified", bool),
    )


def _number(row: Mapping[str, Any], key: str, end: int) -> int:
    value = _typed(row, key, int)
    if isinstance(value, bool) or not 0 <= value < end:
        raise ValueError(f"{key} is {value!r}")
    return value


def _typed(row: Mapping[str, Any], key: str, kind: type[T]) -> T:
    value = row[key]
    if not isinstance(value, kind):
        raise TypeError(f"{key} is {value!r}")
    return value
