"""Packages by their names, and what they depend on, from the suites of an archive.

Reference: deb-control(5) and Debian Policy, chapter 7, for the fields Depends, Pre-Depends
and Provides.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.archive.search import Found
from rdcompose.archive.version import version_key
from rdcompose.compose.contents import Contents, is_package, read_package, read_program
from rdcompose.compose.inputs import InputFile, digest, read_file
from rdcompose.errors import NotFoundError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rdcompose.archive.repository import Suite
    from rdcompose.compose.addlist import Request
    from rdcompose.compose.inputs import Input
    from rdcompose.kernel.release import Architecture

_RELATION: Final = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9+._-]*)(?::[a-z0-9-]+)?"
    r"\s*(?:\(\s*(?P<relation><<|<=|=|>=|>>)\s*(?P<version>[^\s)]+)\s*\))?"
)


class Relation(NamedTuple):
    """A name in a field like Depends, with the versions that are meant, if not all."""

    name: str
    relation: str = ""
    version: str = ""

    def allows(self, version: str) -> bool:
        """Whether a version is one of those."""
        have, limit = version_key(version), version_key(self.version)
        match self.relation:
            case "<<":
                return have < limit
            case "<=":
                return have <= limit
            case "=":
                return have == limit
            case ">=":
                return have >= limit
            case ">>":
                return have > limit
            case _:
                return True


def parse_relations(text: str) -> list[list[Relation]]:
    """Return the dependencies of a field, each by its alternatives, without malformed ones."""
    groups = []
    for group in text.split(","):
        found = (_RELATION.match(one.strip()) for one in group.split("|"))
        alternatives = [
            Relation(one["name"], one["relation"] or "", one["version"] or "")
            for one in found
            if one is not None
        ]
        if alternatives:
            groups.append(alternatives)
    return groups


class Dependencies:
    """What packages of some suites depend on, the newest version of each."""

    def __init__(self, suites: Iterable[Suite], architecture: str) -> None:
        self._suites = tuple(suites)
        self._architecture = architecture
        self._known: dict[Relation, Found | None] = {}

    def find(self, name: str) -> Found | None:
        """Return a package by its name."""
        return self._meant(Relation(name))

    def direct(self, depends: str) -> Iterator[Found]:
        """Yield what a field names: of alternatives the first that there is."""
        for alternatives in parse_relations(depends):
            for relation in alternatives:
                if (found := self._meant(relation) or self._provider(relation)) is not None:
                    yield found
                    break

    def _meant(self, relation: Relation) -> Found | None:
        if relation not in self._known:
            rows = [
                Found(package=package, suite=suite)
                for suite in self._suites
                for package in suite.find(relation.name, self._architecture)
                if relation.allows(package.version)
            ]
            self._known[relation] = max(
                rows, key=lambda row: version_key(row.package.version), default=None
            )
        return self._known[relation]

    def _provider(self, wanted: Relation) -> Found | None:
        """Return the first package by name that provides another."""
        rows = [
            Found(package=package, suite=suite)
            for suite in self._suites
            for index in suite.load(self._architecture)
            for package in index.providing(wanted.name)
            if _provides(package.get("Provides"), wanted)
        ]
        rows.sort(key=lambda row: version_key(row.package.version), reverse=True)
        rows.sort(key=lambda row: row.package.name)
        return next(iter(rows), None)


def _provides(field: str, wanted: Relation) -> bool:
    # Without a version of its own, what is provided meets no dependency with one.
    return any(
        one.name == wanted.name
        and (not wanted.relation or (bool(one.version) and wanted.allows(one.version)))
        for group in parse_relations(field)
        for one in group
    )


def depends_of(found: Found) -> str:
    """Return what a package of an index depends on."""
    package = found.package
    return ", ".join(filter(None, (package.get("Pre-Depends"), package.depends)))


class ArchiveSupplier:
    """Packages of an archive and local files, fetched when they are asked for.

    ``fetch`` gives the files of packages. ``dependencies`` are opened when a name has to be
    looked up, and not before.
    """

    def __init__(
        self,
        dependencies: Callable[[], Dependencies],
        fetch: Callable[[Sequence[Found]], Sequence[InputFile]],
        architecture: Architecture,
    ) -> None:
        self._open = dependencies
        self._fetch = fetch
        self._architecture = architecture
        self._given: dict[str, Contents] = {}

    def requested(self, request: Request) -> Contents:
        """Return what a request names.

        :raises NotFoundError: the archive has no such package.
        """
        if request.file is not None:
            contents = read_local(InputFile(path=request.file), request, self._architecture)
            return self._given.setdefault(contents.package or request.text, contents)
        if request.package not in self._given:
            found = self._open().find(request.package)
            if found is None:
                raise NotFoundError(
                    f"{request}: there is no package {request.package} for "
                    f"{self._architecture.name}",
                    hint="a file in the current directory is named ./FILE",
                )
            self._give([found], libraries=False)
        return self._given[request.package]

    def more(self, users: Sequence[Contents]) -> Sequence[Contents]:
        """Return the nearest packages not given yet that others depend on."""
        wanted: dict[str, Found] = {}
        for user in users:
            wanted |= {found.package.name: found for found in self._next(user)}
        return self._give(list(wanted.values()), libraries=True)

    def _next(self, user: Contents) -> list[Found]:
        """Return what is left of the nearest level of dependencies that has something left."""
        dependencies = self._open()
        level = list(dependencies.direct(user.depends))
        seen = {user.package}
        while level := [found for found in level if found.package.name not in seen]:
            seen |= {found.package.name for found in level}
            left = [
                found
                for found in level
                # What is for all architectures has no libraries of one.
                if found.package.name not in self._given and found.package.architecture != "all"
            ]
            # Nearly all that has libraries is named so, and what is not may be big.
            likely = [found for found in left if found.package.name.startswith("lib")]
            if likely or left:
                return likely or left
            level = [other for found in level for other in dependencies.direct(depends_of(found))]
        return []

    def _give(self, rows: Sequence[Found], *, libraries: bool) -> list[Contents]:
        given = []
        for found, file in zip(rows, self._fetch(rows), strict=True):
            contents = read_package(file, self._architecture, libraries=libraries)
            self._given[found.package.name] = contents
            given.append(contents)
        return given


class FixedSupplier:
    """The packages that a lock names, and no others.

    ``files`` gives each locked input of the role as a file; ``name`` is the lock's.
    """

    def __init__(
        self,
        files: Sequence[tuple[Input, InputFile]],
        architecture: Architecture,
        name: str,
    ) -> None:
        self._files = files
        self._architecture = architecture
        self._name = name
        self._given: dict[str, Contents] = {}

    def requested(self, request: Request) -> Contents:
        """Return what a request names.

        :raises SpecError: the lock has no such package.
        """
        item, file = self._locked(request)
        if item.sha256 not in self._given:
            self._given[item.sha256] = read_local(file, request, self._architecture)
        return self._given[item.sha256]

    def _locked(self, request: Request) -> tuple[Input, InputFile]:
        sha256 = ""
        if request.file is not None and request.file.is_file():
            sha256 = digest(read_file(request.file, "file"))
        for item, file in self._files:
            if sha256:
                found = item.sha256 == sha256
            elif request.file is not None:
                found = item.file == request.file.name
            else:
                found = item.package == request.package
            if found:
                return item, file
        what = f"the package {request.package}" if request.package else f"the file {request.file}"
        raise SpecError(
            f"{request}: {what} is not among what {self._name} locks",
            hint="give what the manifest was made with, or leave --locked out",
        )

    def more(self, users: Sequence[Contents]) -> Sequence[Contents]:
        """Return all other packages, once."""
        rest = [
            (item, file)
            for item, file in self._files
            if users and item.package and item.sha256 not in self._given
        ]
        for item, file in rest:
            self._given[item.sha256] = read_package(file, self._architecture, libraries=True)
        return [self._given[item.sha256] for item, _ in rest]


def read_local(file: InputFile, request: Request, architecture: Architecture) -> Contents:
    """Read a package, or an ELF file that is in none."""
    if is_package(read_file(file.path, "file")):
        return read_package(file, architecture, libraries=False)
    return read_program(file, request.path, architecture)
