"""What a boot folder on a disk holds already: its config.txt, the one before, and sets.

A set is known by its stamp, the manifest in it, which says what it is of and for which boards.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from rdcompose.archive.paths import stays_below
from rdcompose.boards.bootconfig import CONFIG, PREVIOUS, Placed
from rdcompose.boards.bootset import (
    BOARDS,
    DEVICE_TREE,
    KERNEL_NAME,
    SetFacts,
    has_upstream_names,
    initramfs_name,
    kernel_name,
    tree_name,
)
from rdcompose.boards.configtxt import ConfigTxt
from rdcompose.boards.models import find_models
from rdcompose.errors import OutputError, SpecError, UsageError
from rdcompose.kernel.release import architecture_by_name
from rdcompose.tree import Directory, File

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rdcompose.tree import Entry, Tree

# Far more than any config.txt has.
_MAX_CONFIG: Final = 1 << 20
_CHUNK: Final = 1 << 20
_TRYBOOT: Final = "tryboot.txt"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A boot folder as it is; ``config`` and ``previous`` are ``None`` where there is none."""

    directory: Path
    config: bytes | None
    previous: bytes | None

    def exists(self, path: str) -> bool:
        """Whether there is a file."""
        return (self.directory / path).is_file()

    def sets(self) -> Iterator[Placed]:
        """Yield the sets in the order of their directories' names, R.10 behind R.2."""
        paths = self.directory.iterdir() if self.directory.is_dir() else ()
        for path in sorted(paths, key=lambda path: (len(path.name), path.name)):
            if path.is_dir() and not path.name.startswith("."):
                facts = _facts(path)
                if facts is not None:
                    yield Placed(facts, f"{path.name}/")

    def find(self, name: str) -> Placed:
        """Return the set of a release or directory; of several, the one with the highest number.

        :raises UsageError: there is none.
        """
        found = list(self.sets())
        for row in found:
            if row.prefix == f"{name}/":
                return row
        of_release = [row for row in found if row.set.release == name]
        if not of_release:
            there = ", ".join(row.prefix.rstrip("/") for row in found) or "none"
            raise UsageError(f"{self.directory} has no set {name}", hint=f"there is {there}")
        return of_release[-1]

    def read(self, name: str) -> bytes | None:
        """Return a file beside config.txt, ``None`` where there is none.

        :raises SpecError: it cannot be read.
        """
        return _read(self.directory / name) if stays_below(name) else None

    def configs(self) -> Iterator[ConfigTxt]:
        """Yield everything that can lead to something in the folder, with what it includes.

        These are config.txt, the one before it, and the one that the firmware reads after
        ``reboot "0 tryboot"``.
        """
        for data in (self.config, self.previous, self.read(_TRYBOOT)):
            if data is not None:
                yield ConfigTxt.parse(data).expanded(self.read)

    def in_use(self) -> set[str]:
        """Return the names of directories that a config.txt leads to, whatever has to hold."""
        lines = (line for config in self.configs() for line in config.lines)
        return {line.value.strip("/") for line in lines if line.key == "os_prefix"}


def read_present(directory: Path) -> Present:
    """Read what there is; a directory that is missing is as an empty one.

    :raises SpecError: a file cannot be read.
    """
    return Present(
        directory=directory,
        config=_read(directory / CONFIG),
        previous=_read(directory / PREVIOUS),
    )


def _read(path: Path) -> bytes | None:
    try:
        # A pipe would be waited for.
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise SpecError(f"cannot read {path}: it is no file")
        with path.open("rb") as file:
            data = file.read(_MAX_CONFIG + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > _MAX_CONFIG:
        raise SpecError(f"{path} is no {CONFIG}: it is larger than {_MAX_CONFIG} bytes")
    return data


def _facts(path: Path) -> SetFacts | None:
    """Return what the stamp of a set says, ``None`` where it is none of ours."""
    for manifest in sorted(path.glob("manifest-*.json")):
        try:
            facts = _parsed(json.loads(manifest.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        except (SpecError, UsageError):
            continue  # of an architecture or board that is none
        if facts is not None and manifest.name == f"manifest-{facts.release}.json":
            return facts
    return None


def _parsed(data: dict[str, Any]) -> SetFacts | None:
    options = data["options"]
    models = find_models(options[BOARDS].split())
    architecture = architecture_by_name(data["architecture"])
    if not models or any(architecture.bits not in model.bits for model in models):
        return None
    kernel = options.get(KERNEL_NAME) or kernel_name(models, architecture.bits)
    return SetFacts(
        release=str(data["release"]),
        architecture=architecture.name,
        bits=architecture.bits,
        models=models,
        kernel=str(kernel),
        initramfs=initramfs_name(kernel),
        upstream=has_upstream_names({str(row["name"]) for row in data["outputs"]}, models),
        device_tree=None if DEVICE_TREE not in options else tree_name(options[DEVICE_TREE]),
    )


def flat_files(directory: Path) -> set[str]:
    """Return the names of files that flat sets in the folder itself consist of, by their stamps."""
    found: set[str] = set()
    for manifest in directory.glob("manifest-*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            data = json.loads(manifest.read_bytes())
            names = {row["name"] for row in data["outputs"] if "/" not in row["name"]}
            # What "build" wrote is for no boards.
            found |= {manifest.name, *names} if data["options"][BOARDS] else set()
    return found


def holds(path: Path, tree: Tree) -> bool:
    """Whether a directory has exactly the files of a tree.

    :raises OutputError: it cannot be read.
    """
    try:
        there = {found.relative_to(path).as_posix() for found in path.rglob("*")}
        wanted = {entry.path: entry for entry in tree}
        return there == wanted.keys() and all(
            same(path / name, entry) for name, entry in wanted.items()
        )
    except OSError as error:
        raise OutputError(f"cannot read {error.filename or path}: {error.strerror}") from error


def same(path: Path, entry: Entry) -> bool:
    """Whether an entry stands at a path as it is."""
    if isinstance(entry, Directory):
        return path.is_dir()
    if not isinstance(entry, File) or not path.is_file():
        return False
    if path.stat().st_size != entry.content.size:
        return False
    with path.open("rb") as file:
        return all(file.read(len(chunk)) == chunk for chunk in entry.content.chunks(_CHUNK))
