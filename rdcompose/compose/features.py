"""Features of the built-in init script: parts that cost bytes only where they are asked for.

A feature is a folder below ``features`` of the built-in template. Its files come into the
image as those of a template do, but for these, which say what else it needs:

``README``
    its first line says what the feature is for
``features``
    other features, one a line
``modules.ramfs``
    modules, as in a profile; the profile's own lines come after these and can take them away
``programs``
    names of programs that have to be in the image, one a line: applets or others;
    ``PROGRAM:PACKAGE`` names a package that has it, for a busybox without that applet

The shell part is ``etc/rdcompose/features/NAME.sh``; docs/boot.md has what init calls in it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.compose.inputs import Input, digest
from rdcompose.compose.template import builtin_template_path, read_template, tree_bytes
from rdcompose.errors import SpecError
from rdcompose.kernel.modlist import Include, ListEntry, parse_modules
from rdcompose.tree import File, Tree, read_all

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from pathlib import Path

FOLDER: Final = "features"
ROLE: Final = "feature"
_README: Final = "README"
_REQUIRES: Final = "features"
_RAMFS: Final = "modules.ramfs"
_PROGRAMS: Final = "programs"
# Where init's PATH looks.
_PROGRAM_PLACES: Final = ("sbin", "bin", "usr/sbin", "usr/bin")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A feature as it was read; ``tree`` is what comes into the image.

    ``packages`` are those that have some of the ``programs``, by these.
    """

    name: str
    tree: Tree
    requires: tuple[str, ...]
    entries: tuple[ListEntry, ...]
    programs: tuple[str, ...]
    packages: Mapping[str, str]
    sha256: str


def parse_names(data: bytes) -> tuple[str, ...]:
    """Return the words of a list, one or more a line; ``#`` begins a comment."""
    lines = data.decode("utf-8", "replace").splitlines()
    return tuple(word for line in lines for word in line.partition("#")[0].split())


def feature_names(folder: Path | None = None) -> tuple[str, ...]:
    """Names of all features, sorted."""
    found = folder or builtin_template_path() / FOLDER
    return tuple(sorted(path.parent.name for path in found.glob(f"*/{_README}")))


def load_features(wanted: Iterable[str], folder: Path | None = None) -> tuple[Feature, ...]:
    """Read features and those that they require, which come first.

    :raises SpecError: there is no feature of that name, it cannot be read, or features
        require each other.
    """
    place = folder or builtin_template_path() / FOLDER
    found: dict[str, Feature] = {}
    for name in wanted:
        _load(name, place, found)
    return tuple(found.values())


def _load(name: str, place: Path, found: dict[str, Feature], above: tuple[str, ...] = ()) -> None:
    if name in found:
        return
    if name in above:
        circle = " -> ".join((*above, name))
        raise SpecError(f"the features require each other: {circle}")
    names = feature_names(place)
    if name not in names:
        import difflib

        near = difflib.get_close_matches(name, names, 1)
        raise SpecError(
            f"there is no feature {name!r}",
            hint=f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}",
        )
    feature = _read(place / name)
    for other in feature.requires:
        _load(other, place, found, (*above, name))
    found[name] = feature


def _read(folder: Path) -> Feature:
    tree = read_template(folder, exact=False)
    sha256 = digest(tree_bytes(tree))
    _take(tree, _README)
    entries = parse_modules(_take(tree, _RAMFS), file=f"{folder.name}/{_RAMFS}")
    for entry in entries:
        if isinstance(entry, Include):
            raise SpecError(f"{entry.line}: a feature includes no profile")
    programs = [word.partition(":") for word in parse_names(_take(tree, _PROGRAMS))]
    return Feature(
        name=folder.name,
        requires=parse_names(_take(tree, _REQUIRES)),
        entries=tuple(entry for entry in entries if isinstance(entry, ListEntry)),
        programs=tuple(program for program, _, _ in programs),
        packages={program: package for program, _, package in programs if package},
        tree=tree,
        sha256=sha256,
    )


def _take(tree: Tree, path: str) -> bytes:
    """Remove a file and return its content; nothing where there is none."""
    found = tree.get(path)
    if not isinstance(found, File):
        return b""
    tree.remove(path)
    return read_all(found.content)


def missing_packages(features: Iterable[Feature], present: Container[str]) -> tuple[str, ...]:
    """Return the packages with the programs of features that are not among ``present``."""
    return tuple(
        dict.fromkeys(
            package
            for feature in features
            for program, package in feature.packages.items()
            if program not in present
        )
    )


def add_features(tree: Tree, features: Iterable[Feature], *, builtin_init: bool) -> None:
    """Put features into an initramfs; what is there already, from a template, stays.

    :raises SpecError: a program that a feature needs is missing, or the init script is
        not the built-in one.
    """
    for feature in features:
        if not builtin_init:
            raise SpecError(
                f"the feature {feature.name} is one of the built-in init script, "
                "and the template has its own"
            )
        for program in feature.programs:
            places = (tree.resolved(f"{place}/{program}") for place in _PROGRAM_PLACES)
            if not any(place in tree for place in places):
                raise SpecError(
                    f"the feature {feature.name} needs {program}, which the busybox here lacks",
                    hint=f"take another busybox, or --add {program}",
                )
        for entry in feature.tree:
            if entry.path not in tree:
                tree.add(entry)


def feature_inputs(features: Iterable[Feature]) -> tuple[Input, ...]:
    """Return what the manifest says of features."""
    return tuple(
        Input(role=ROLE, file=feature.name, sha256=feature.sha256, source="built in")
        for feature in features
    )
