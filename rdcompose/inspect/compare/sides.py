"""What is on one side of a comparison: files and trees, put together by the kernel they are for."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.inspect.collection import release_of_name
from rdcompose.inspect.names import directory_release, is_boot_name, named_release
from rdcompose.inspect.released import read_released

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHECKSUMS: Final = "SHA256SUMS"
# As many levels of directories are looked into for what boots: boot/R/vmlinuz.
_DEPTH: Final = 2
_MAX_MANIFEST: Final = 64 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file of a group, or a tree without the paths in ``without``.

    ``label`` is its name without the release, which tells what it is among the others; that of a
    tree is empty.
    """

    path: Path
    name: str
    label: str
    without: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Files for one kernel; ``build`` is what a release calls them, empty where they are of none.

    ``manifest`` is the file that describes them, if there is one: that of a build, or of the
    release.
    """

    release: str | None
    members: tuple[Member, ...]
    manifest: Path | None = None
    build: str = ""

    @property
    def has_tree(self) -> bool:
        """Whether there is everything that lies around the files, too."""
        return any(not member.label for member in self.members)

    @property
    def title(self) -> str:
        """What to call it among others."""
        return self.build or self.release or "of no release"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side: its groups. ``single`` is a file or tree alone, ``described`` only a manifest."""

    name: str
    groups: tuple[Group, ...]
    single: bool = False
    described: bool = False


def look_at(path: Path) -> Side:
    """Say what is to be compared; nothing but manifests is read for it.

    :raises SpecError: it cannot be read.
    """
    name = str(path)
    try:
        if not path.is_dir():
            return _file(path, name)
        groups = tuple(_groups(path))
    except OSError as error:
        raise SpecError(f"cannot read {error.filename or path}: {error.strerror}") from error
    only_a_tree = len(groups) == 1 and [member.label for member in groups[0].members] == [""]
    return Side(name=name, groups=groups, single=only_a_tree)


def _file(path: Path, name: str) -> Side:
    if path.name.endswith(".json"):
        released = read_released(path.parent) if path.name == "manifest.json" else None
        if released is not None and released.builds:
            groups = tuple(
                Group(release=row.release, members=(), manifest=path, build=row.name)
                for row in released.builds
            )
            return Side(name=name, groups=groups, described=True)
        if (release := _release_of_manifest(path)) is not None:
            group = Group(release=release, members=(), manifest=path)
            return Side(name=name, groups=(group,), described=True)
    release = named_release(path.name)
    member = Member(path=path, name=name, label=_label(path.name, release))
    return Side(name=name, groups=(Group(release=release, members=(member,)),), single=True)


def _release_of_manifest(path: Path) -> str | None:
    """Return the release in the manifest of a build; ``None`` if it is none."""
    with path.open("rb") as source:
        data = source.read(_MAX_MANIFEST)
    try:
        loaded = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(loaded, dict) or not {"schema", "release", "outputs"} <= loaded.keys():
        return None
    return str(loaded["release"])


def _groups(directory: Path) -> Iterator[Group]:
    released = read_released(directory)
    if released.builds:
        for row in released.builds:
            members = tuple(
                _member(directory, name, own, row.release)
                for own, name in row.files.items()
                if not _is_manifest(own)
            )
            yield Group(
                release=row.release,
                members=members,
                manifest=directory / "manifest.json",
                build=row.name,
            )
        return
    names = sorted(_boot_files(directory, "", _DEPTH))
    manifests = [name for name in names if _is_manifest(name)]
    by_release: dict[str | None, list[Member]] = {}
    for name in names:
        if name not in manifests:
            release = release_of_name(name)
            member = _member(directory, name, name, release)
            by_release.setdefault(release, []).append(member)
    _give_to_the_only(by_release)
    taken = frozenset({*names, _CHECKSUMS})
    tree = Member(path=directory, name=str(directory), label="", without=taken)
    # A directory that rdcompose wrote to may hold anything else.
    rest = [] if any("/" not in name for name in manifests) else [tree]
    if len(by_release) != 1 and rest:
        yield Group(release=None, members=(*rest, *by_release.pop(None, [])))
        rest = []
    for release, found in by_release.items():
        named = (directory / name for name in manifests if release_of_name(name) == release)
        manifest = next((path for path in named if _release_of_manifest(path) is not None), None)
        yield Group(release=release, members=(*found, *rest), manifest=manifest)


def _give_to_the_only(by_release: dict[str | None, list[Member]]) -> None:
    """Let files without a release in their names belong to the only one there is."""
    named = [release for release in by_release if release is not None]
    if len(named) == 1 and None in by_release:
        by_release[named[0]] += by_release.pop(None)


def _member(directory: Path, name: str, own: str, release: str | None) -> Member:
    return Member(path=directory / name, name=name, label=_label(own, release))


def _label(name: str, release: str | None) -> str:
    """Return a file's name without its release, as the other side may call it."""
    if release is None:
        return name
    return name.replace(f"-{release}", "", 1).replace(release, "", 1).lstrip("./")


def _is_manifest(name: str) -> bool:
    last = name.rpartition("/")[2]
    return last.startswith("manifest-") and last.endswith(".json")


def _boot_files(directory: Path, inner: str, depth: int) -> Iterator[str]:
    """Yield the paths of files that a boot takes, or that are named like that."""
    for entry in os.scandir(directory / inner):
        path = f"{inner}/{entry.name}" if inner else entry.name
        if entry.is_file(follow_symlinks=False):
            if is_boot_name(entry.name) or named_release(entry.name) is not None:
                yield path
        elif depth and entry.is_dir(follow_symlinks=False) and _may_boot(entry.name):
            yield from _boot_files(directory, path, depth - 1)


def _may_boot(name: str) -> bool:
    return name == "boot" or directory_release(name) is not None
