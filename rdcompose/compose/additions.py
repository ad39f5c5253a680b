"""Programs that are not static: with what they need, found without running anything.

Reference: ld.so(8), and the gABI's chapter "Dynamic Linking". Of each program asked for, and of
each library, the libraries are looked for as the dynamic linker of the initramfs will:
DT_RPATH or DT_RUNPATH, then the directories that Debian's linker knows; there is no
``ld.so.cache``. Where a library is missing, more packages are asked for, nearest dependencies
first. What a program opens by itself (dlopen(3)) cannot be seen.

Debian ships files below ``/lib`` or ``/usr/lib``, which are one directory there and need
not be in an initramfs. Both spellings find a file here, and a link is added where somebody
asks for the other one.
"""

from __future__ import annotations

import collections
import re
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from rdcompose.compose.added import Added, Additions, Script
from rdcompose.compose.contents import TRIPLETS, Contents, common_path, path_matcher
from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.executable import Executable, is_elf, read_executable
from rdcompose.kernel.release import machine_name
from rdcompose.tree import MAX_LINKS, File, Symlink, Tree, read_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rdcompose.compose.addlist import Request
    from rdcompose.compose.inputs import Input
    from rdcompose.kernel.release import Architecture

_PROGRAM_DIRECTORIES: Final = ("bin", "sbin")
# A template's links to this are its stand-ins for programs that it has not got.
BUSYBOX: Final = "busybox"
_SUGGESTIONS: Final = 4
_SCRIPT: Final = re.compile(rb"#![ \t]*([^\s\0]+)")
_TOKEN: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class Supplier(Protocol):
    """Where packages come from."""

    def requested(self, request: Request) -> Contents:
        """Return what a request names.

        :raises NotFoundError: there is none.
        """
        ...

    def more(self, users: Sequence[Contents]) -> Sequence[Contents]:
        """Return packages not given yet that those depend on; the next nearest ones, or none."""
        ...


class _Place(NamedTuple):
    """A file of a package; of what is in the template, ``contents`` is ``None``."""

    contents: Contents | None
    entry: File | Symlink

    @property
    def label(self) -> str:
        return "the template" if self.contents is None else self.contents.label


class _Root(NamedTuple):
    place: _Place
    why: str
    request: Request


class _Missing(NamedTuple):
    """What an object asks for and is not there; more packages may have a library."""

    what: str
    user: _Place
    hint: str
    library: bool


class _Object(NamedTuple):
    """A program or library as it is loaded: ``rpath`` is what those that need it search in."""

    place: _Place
    elf: Executable
    rpath: tuple[str, ...]


def resolve_additions(
    requests: Iterable[Request],
    supplier: Supplier,
    architecture: Architecture,
    template: Tree | None = None,
) -> Additions:
    """Choose files for requests, and what these need.

    What the ``template`` has is not taken from a package.

    :raises SpecError: a path is in no package, a library is missing, or something is for
        another architecture.
    :raises NotFoundError: there is no such package.
    :raises FormatError: a file that is needed is a damaged ELF file.
    """
    pool = _Pool(architecture, template)
    roots: list[_Root] = []
    notes: list[str] = []
    asked = tuple(requests)
    for request in asked:
        contents = supplier.requested(request)
        pool.add(contents)
        roots += _roots(request, contents)
    while True:
        walk = _Walk(pool)
        for root in roots:
            walk.root(root)
        if not walk.missing:
            break
        batch = supplier.more(_users(walk.missing))
        for contents in batch:
            pool.add(contents)
        if not batch:
            roots = _without_dangling(roots, walk.missing, notes)
    return Additions(
        files=walk.files(),
        inputs=walk.inputs(),
        scripts=tuple(walk.scripts),
        asked=tuple(request.text for request in asked if not request.where),
        notes=tuple(notes),
    )


def _users(missing: Iterable[_Missing]) -> list[Contents]:
    """Return the packages with what misses a library, each once."""
    users: list[Contents] = []
    for item in missing:
        contents = item.user.contents
        if item.library and contents is not None and all(contents is not user for user in users):
            users.append(contents)
    return users


def _without_dangling(
    roots: list[_Root], missing: Iterable[_Missing], notes: list[str]
) -> list[_Root]:
    """Leave out links that lead nowhere, where all programs of a package are wanted.

    :raises SpecError: anything else is missing.
    """
    optional = [root.place.entry for root in roots if not root.request.path]
    lost: list[File | Symlink] = []
    for item in missing:
        if item.library or all(item.user.entry is not entry for entry in optional):
            raise SpecError(item.what, hint=item.hint)
        notes.append(f"left out: {item.what}")
        lost.append(item.user.entry)
    return [root for root in roots if all(root.place.entry is not entry for entry in lost)]


# Choosing from a package -----------------------------------------------------------------------


def _roots(request: Request, contents: Contents) -> list[_Root]:
    chosen = _chosen(request, contents)
    why = f"asked for: {request}"
    return [_Root(_Place(contents, contents.files[path]), why, request) for path in chosen]


def _chosen(request: Request, contents: Contents) -> list[str]:
    """Return the paths in a package that a request asks for."""
    if request.path and contents.package:
        wanted = path_matcher(common_path(request.path.removeprefix("/")))
        if found := [path for path in contents.files if wanted(common_path(path))]:
            return sorted(found)
        raise SpecError(
            f"{request}: there is no {request.path} in {contents.label}",
            hint=_near(request.path, contents),
        )
    if not contents.package:
        return list(contents.files)
    found = [
        path
        for path in contents.files
        if common_path(path).rpartition("/")[0] in _PROGRAM_DIRECTORIES
    ]
    if not found:
        raise SpecError(
            f"{request}: {contents.label} has no programs in /bin, /sbin, /usr/bin or /usr/sbin",
            hint=f"name a file of it: {request.text}:/PATH",
        )
    return sorted(found)


def _near(path: str, contents: Contents) -> str:
    name = path.rpartition("/")[2]
    paths = sorted(f"/{each}" for each in contents.files)
    near = [each for each in paths if each.rpartition("/")[2] == name]
    if not near:
        import difflib

        near = difflib.get_close_matches(path, paths, _SUGGESTIONS, 0.6)
    if near:
        return f"there is {', '.join(near[:_SUGGESTIONS])}"
    return f"dpkg-deb --contents lists what is in {contents.input.file}"


# Finding what is needed ------------------------------------------------------------------------


class _Pool:
    """Files of all packages at hand by their common paths, and of the template."""

    def __init__(self, architecture: Architecture, template: Tree | None) -> None:
        self.architecture = architecture
        triplet = TRIPLETS[architecture.name]
        self.triplet = triplet
        self.directories = (f"lib/{triplet}", f"usr/lib/{triplet}", "lib", "usr/lib")
        self._template = template
        self._places: dict[str, list[_Place]] = {}
        self._directories: set[str] = set()
        self._elves: dict[int, Executable | None] = {}

    def add(self, contents: Contents) -> None:
        """Add a package; one that is there already is passed over."""
        for path, entry in contents.files.items():
            common = common_path(path)
            parts = common.split("/")
            self._directories |= {"/".join(parts[:end]) for end in range(1, len(parts))}
            places = self._places.setdefault(common, [])
            if all(place.contents is not contents for place in places):
                places.append(_Place(contents, entry))

    def find(self, path: str) -> _Place | None:
        """Return what stands at a path.

        :raises SpecError: several packages have a file there, and these differ.
        """
        if self._template is not None:
            entry = self._template.get(self._template.resolved(path))
            if isinstance(entry, File | Symlink):
                return _Place(None, entry)
        places = self._places.get(common_path(path), [])
        for other in places[1:]:
            if not same(places[0].entry, other.entry):
                raise SpecError(
                    f"{places[0].label} and {other.label} have different files at /{path}",
                    hint="add only one of them, or name the files wanted: PACKAGE:/PATH",
                )
        return places[0] if places else None

    def has_directory(self, path: str) -> bool:
        """Whether a package has files below a path."""
        return common_path(path) in self._directories

    def elf(self, place: _Place) -> Executable | None:
        """Return the headers of a file, ``None`` of what is no ELF file."""
        entry = place.entry
        if isinstance(entry, Symlink):
            return None
        if id(entry) not in self._elves:
            data = read_all(entry.content)
            try:
                self._elves[id(entry)] = read_executable(data) if is_elf(data) else None
            except FormatError as error:
                raise FormatError(
                    f"/{entry.path} of {place.label}: {error.message}", hint=error.hint
                ) from error
        return self._elves[id(entry)]

    def fits(self, elf: Executable) -> bool:
        """Whether an ELF file is for the architecture."""
        own = self.architecture
        machine = (elf.machine, elf.bits, elf.byteorder)
        return machine == (own.elf_machine, own.bits, own.byteorder)


def same(one: File | Symlink, other: File | Symlink) -> bool:
    """Whether two files or links hold the same, wherever they are."""
    if isinstance(one, File) and isinstance(other, File):
        return read_all(one.content) == read_all(other.content)
    if isinstance(one, Symlink) and isinstance(other, Symlink):
        return one.target == other.target
    return False


class _Walk:
    """One pass over everything that is asked for, as far as the packages at hand go."""

    def __init__(self, pool: _Pool) -> None:
        self._pool = pool
        self._added: dict[str, Added] = {}
        self._used: dict[int, Contents] = {}
        self.missing: list[_Missing] = []
        self.scripts: list[Script] = []

    def files(self) -> tuple[Added, ...]:
        """Return what is added, by path."""
        return tuple(self._added[path] for path in sorted(self._added))

    def inputs(self) -> tuple[Input, ...]:
        """Return the packages that something was taken of."""
        rows = [contents.input for contents in self._used.values()]
        return tuple(sorted(rows, key=lambda row: (row.package, row.file, row.sha256)))

    def root(self, root: _Root) -> None:
        """Add what was asked for, and what it needs."""
        start = self._start(root)
        place = None if start is None else self._reach(start.entry.path, root.why, start)
        if place is None:
            return
        elf = self._pool.elf(place)
        if elf is not None:
            if not self._pool.fits(elf):
                raise SpecError(
                    f"{root.request}: /{place.entry.path} is for "
                    f"{machine_name(elf.machine, elf.bits, elf.byteorder)}, but the kernel is "
                    f"{self._pool.architecture.description}"
                )
            self._load(place, elf)
        elif (interpreter := _interpreter(place.entry)) is not None:
            self.scripts.append(Script(root.place.entry.path, interpreter, root.request))

    def _start(self, root: _Root) -> _Place | None:
        """Return what was asked for, ``None`` if the template has just that."""
        wanted = root.place.entry
        found = self._pool.find(wanted.path)
        if found is None or found.contents is not None:
            return found
        if same(found.entry, wanted):
            return None
        if isinstance(found.entry, Symlink) and found.entry.target.endswith(BUSYBOX):
            return root.place
        raise SpecError(
            f"{root.request}: the template has another file at /{found.entry.path}",
            hint="take it out of the template, or name only the files wanted: PACKAGE:/PATH",
        )

    def _reach(self, path: str, why: str, place: _Place) -> _Place | None:
        """Add what stands at a path, and where its links lead; returns the file at their end."""
        self._alias(path, place)
        for _ in range(MAX_LINKS):
            link = place.entry
            if not isinstance(link, Symlink):
                self._add(place, why)
                return place
            path = target_of(link)
            following = self._pool.find(path)
            if following is None:
                if self._pool.has_directory(path):
                    self._add(place, why)
                else:
                    self._miss_target(place, path)
                return None
            self._add(place, why, following.entry.path)
            why, place = f"where /{link.path} leads to", following
        raise SpecError(f"the links at /{path} of {place.label} lead in a circle")

    def _add(self, place: _Place, why: str, leads_to: str = "") -> None:
        if place.contents is None:
            return
        own = place.entry.path
        package = place.contents.package or place.contents.label
        self._used[id(place.contents)] = place.contents
        self._added.setdefault(own, Added(place.entry, package, why, leads_to))
        short = common_path(own)
        # Where /bin is no link to /usr/bin, what searches PATH finds a program here first.
        if short.rpartition("/")[0] in _PROGRAM_DIRECTORIES:
            self._alias(short, place)

    def _alias(self, path: str, place: _Place) -> None:
        """Add a link where something is asked for by another path than its own."""
        own = place.entry.path
        if path == own or place.contents is None:
            return
        link = Symlink(path=path, target=relative(path, own))
        package = place.contents.package or place.contents.label
        self._added.setdefault(path, Added(link, package, f"another name of /{own}", own))

    def _miss_target(self, place: _Place, path: str) -> None:
        what = f"/{place.entry.path} of {place.label} is a link to /{path}, which no package has"
        hint = "add the package that has it with another --add"
        # Of packages that others depend on, only libraries are known.
        self.missing.append(_Missing(what, place, hint, library=".so" in path.rpartition("/")[2]))

    def _load(self, program: _Place, elf: Executable) -> None:
        """Load a program as ld.so does: breadth first, each name once."""
        queue = collections.deque([_Object(program, elf, ())])
        loaded: set[str] = set()
        while queue:
            user = queue.popleft()
            if user.elf.interpreter is not None:
                loaded.add(self._linker(user))
            rpath = user.rpath
            if not user.elf.runpath:
                rpath = (*self._expanded(user, user.elf.rpath), *rpath)
            for name in user.elf.needed:
                if name in loaded:
                    continue
                loaded.add(name)
                found = self._library(name, user, rpath)
                if found is None:
                    continue
                place, library = found
                if library.soname is not None:
                    loaded.add(library.soname)
                queue.append(_Object(place, library, rpath))

    def _linker(self, user: _Object) -> str:
        """Add the dynamic linker; returns its name."""
        interpreter = str(user.elf.interpreter)
        path = _normal(interpreter)
        place = self._pool.find(path) if path else None
        if place is None:
            self._miss(user, f"the dynamic linker {interpreter}")
        else:
            self._reach(path, f"the dynamic linker of /{user.place.entry.path}", place)
        return path.rpartition("/")[2]

    def _library(
        self, name: str, user: _Object, rpath: tuple[str, ...]
    ) -> tuple[_Place, Executable] | None:
        """Find a library, and add it."""
        wrong: _Place | None = None
        for path in self._candidates(name, user, rpath):
            place = self._pool.find(path)
            if place is None:
                continue
            # Added only once it is known to fit: what does not, ld.so passes over.
            end = self._end(place)
            elf = None if end is None else self._pool.elf(end)
            if elf is not None and not self._pool.fits(elf):
                wrong = end
                continue
            # In the linker's own directories either spelling is found.
            own = path.rpartition("/")[0] in self._pool.directories
            asked = place.entry.path if own else path
            reached = self._reach(asked, f"needed by /{user.place.entry.path}", place)
            if reached is None or elf is None:
                return None
            return reached, elf
        more = f": /{wrong.entry.path} of {wrong.label} is for another" if wrong else ""
        self._miss(user, f"the library {name}", more)
        return None

    def _end(self, place: _Place) -> _Place | None:
        """Return the file that links lead to, without adding any."""
        for _ in range(MAX_LINKS):
            if not isinstance(place.entry, Symlink):
                return place
            following = self._pool.find(target_of(place.entry))
            if following is None:
                return None
            place = following
        return None

    def _candidates(self, name: str, user: _Object, rpath: tuple[str, ...]) -> Iterator[str]:
        if "/" in name:
            yield from self._expanded(user, (name,))
            return
        runpath = self._expanded(user, user.elf.runpath)
        for directory in (*(() if runpath else rpath), *runpath, *self._pool.directories):
            yield f"{directory}/{name}" if directory else name

    def _expanded(self, user: _Object, paths: Iterable[str]) -> tuple[str, ...]:
        """Return paths with the tokens of ld.so replaced; relative ones lead nowhere."""
        origin = user.place.entry.path.rpartition("/")[0]
        values = {"ORIGIN": f"/{origin}", "LIB": f"lib/{self._pool.triplet}"}
        found = []
        for path in paths:
            known = all((m[1] or m[2]) in values for m in _TOKEN.finditer(path))
            text = _TOKEN.sub(lambda m: values.get(m[1] or m[2], ""), path)
            if known and text.startswith("/"):
                found.append(_normal(text))
        return tuple(found)

    def _miss(self, user: _Object, what: str, more: str = "") -> None:
        place = user.place
        self.missing.append(
            _Missing(
                f"{what}, which /{place.entry.path} of {place.label} needs, is in no package that "
                f"it depends on{more}",
                place,
                "add the package or file that has it, with another --add",
                library=True,
            )
        )


def _interpreter(entry: File | Symlink) -> str | None:
    if isinstance(entry, Symlink) or not entry.mode & 0o111:
        return None
    found = _SCRIPT.match(next(entry.content.chunks(256), b""))
    return None if found is None else found[1].decode("utf-8", "replace")


def target_of(link: Symlink) -> str:
    """Return the path that a link leads to."""
    directory = link.path.rpartition("/")[0]
    return _normal(link.target if link.target.startswith("/") else f"{directory}/{link.target}")


def _normal(path: str) -> str:
    """Return a path without ``.``, ``..`` and slashes too many, relative to the root."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def relative(link: str, target: str) -> str:
    """Return a target as seen from the directory of a link."""
    start = link.split("/")[:-1]
    parts = target.split("/")
    while start and len(parts) > 1 and start[0] == parts[0]:
        del start[0], parts[0]
    return "../" * len(start) + "/".join(parts)
