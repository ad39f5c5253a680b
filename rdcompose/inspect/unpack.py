"""Unpacks what is in a file to a directory, of which a template's reader makes the same entries.

A directory of an ordinary user holds neither device nodes nor owners, and is no place for
setuid programs. What it does not hold as it is stands in a list at its top, which
:mod:`rdcompose.compose.template` reads. Where root asks for it, all is made as it is instead.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.compose.template import IGNORED, LIST_NAME
from rdcompose.errors import FormatError, OutputError, SpecError, UnsupportedError
from rdcompose.formats.cpiolist import write_template_list
from rdcompose.inspect.hardlinks import HardLinks
from rdcompose.inspect.landing import Landing, NoPlaceError
from rdcompose.inspect.placing import Damage
from rdcompose.tree import Bytes, Directory, File, Node, Symlink

if TYPE_CHECKING:
    from collections.abc import Callable

    from rdcompose.inspect.destination import Destination, Owner
    from rdcompose.inspect.opened import Opened
    from rdcompose.inspect.patterns import PathPatterns
    from rdcompose.inspect.walks import Located
    from rdcompose.tree import Entry

# Of an initramfs nobody boots, and of a root that is larger than most.
MAX_SIZE: Final = 4 << 30
MAX_ENTRIES: Final = 1 << 20

_HEADER: Final = b"# of rdcompose unpack: what a directory does not hold as it is in an image\n"
_LIST_MODE: Final = 0o644
# Of a segment's directory, as the kernel's root has it.
_TOP_MODE: Final = 0o755
# Programs of strangers do not run with the rights of who unpacks them.
_SET_ID: Final = 0o6000
# Who unpacks files can read them, and clear the directories away.
_OWN_FILE: Final = 0o400
_OWN_DIRECTORY: Final = 0o700


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How to unpack.

    ``preserve``: make owners, modes and nodes as they are, instead of a list. ``segments``: each
    segment in a directory of its own. ``size`` and ``entries`` are limits, in bytes and in number.
    """

    patterns: PathPatterns
    preserve: bool = False
    segments: bool = False
    size: int = MAX_SIZE
    entries: int = MAX_ENTRIES


@dataclasses.dataclass(slots=True)
class Unpacked:
    """What was done: numbers of entries, bytes of files, entries in lists, and what was lost.

    A file with several names counts once.
    """

    entries: int = 0
    size: int = 0
    listed: int = 0
    lost: list[Damage] = dataclasses.field(default_factory=list)


def unpack(
    opened: Opened, destination: Destination, wish: Wish, tell: Callable[[str], None]
) -> Unpacked:
    """Write what is in a file to a directory; ``tell`` is given the path of each entry.

    What is damaged is passed over: see ``lost``, and ``opened.problem``.

    :raises SpecError: it is more than the limits allow.
    :raises FormatError: its names are more than can be.
    :raises OutputError: it cannot be written.
    """
    done = Unpacked()
    branches = _Branches(opened, destination, wish, done)
    try:
        _unpack(opened, branches, wish, done, tell)
    except (SpecError, FormatError):
        # What is there is to be as good as after damage.
        branches.finish()
        raise
    branches.finish()
    return done


def _unpack(
    opened: Opened,
    branches: _Branches,
    wish: Wish,
    done: Unpacked,
    tell: Callable[[str], None],
) -> None:
    for number, located in enumerate(opened.entries(), 1):
        if number > wish.entries:
            raise SpecError(
                f"{opened.name} has more than {wish.entries} entries",
                hint="--max-entries allows more, if this is to be trusted",
            )
        entry = located.entry
        wanted = wish.patterns.matches(entry.path, directory=isinstance(entry, Directory))
        try:
            branches.get(located.part).add(located, wanted=wanted)
        except NoPlaceError as error:
            done.lost.append(Damage(entry.path, str(error)))
            continue
        if wanted:
            tell(entry.path)
            done.entries += 1


class _Branches:
    """The directories that segments go to: the same for all, or one for each."""

    def __init__(
        self, opened: Opened, destination: Destination, wish: Wish, done: Unpacked
    ) -> None:
        self._opened = opened
        self._destination = destination
        self._wish = wish
        self._done = done
        self._branches: dict[int, _Branch] = {}
        self._names = {"early": 0, "main": 0}

    def get(self, part: int) -> _Branch:
        key = part if self._wish.segments else 0
        if key not in self._branches:
            # Only the last one grows any more.
            for other in self._branches.values():
                other.finish()
            self._branches.clear()
            name = self._name(part) if self._wish.segments else ""
            self._branches[key] = _Branch(self._destination, name, self._wish, self._done)
        return self._branches[key]

    def _name(self, part: int) -> str:
        """Return the name that unmkinitramfs gives a segment: plain ones in front are early."""
        plain = self._opened.parts[part].compression == "none"
        kind = "early" if plain and not self._names["main"] else "main"
        self._names[kind] += 1
        return f"{kind}{self._names[kind]}" if self._names[kind] > 1 else kind

    def finish(self) -> None:
        for branch in self._branches.values():
            branch.finish()
            is_main = self._names["main"] or not self._destination.has(branch.name)
            if self._wish.segments and not is_main:
                self._destination.move(branch.name, "main")


class _Branch:
    """A directory that is filled; ``name`` is its path in the destination, empty for all of it."""

    def __init__(self, destination: Destination, name: str, wish: Wish, done: Unpacked) -> None:
        self.name = name
        self._destination = destination
        self._wish = wish
        self._preserve = wish.preserve
        self._done = done
        self._links = HardLinks()
        self._landing = Landing()
        self._times: dict[str, int | None] = {}
        self._listed: dict[str, Entry] = {}
        self._checked = False

    def add(self, located: Located, *, wanted: bool) -> None:
        path = self._landing.land(located.entry)
        if isinstance(located.entry, Directory):
            self._times[path] = located.mtime
        if not wanted:
            return
        if path == LIST_NAME and not self._preserve:
            raise NoPlaceError("its name is that of the list of what a directory does not hold")
        self._check_list()
        self._listed.pop(path, None)
        self._links.forget(path)
        self._write(path, located)
        if not isinstance(located.entry, Directory):
            self._note(path)

    def _write(self, path: str, located: Located) -> None:
        entry, mtime = located.entry, located.mtime
        full, owner = self._full(path), self._owner(entry)
        if isinstance(entry, Directory):
            self._destination.directory(full)
        elif isinstance(entry, Symlink):
            self._destination.symlink(full, entry.target, mtime=mtime, owner=owner)
        elif isinstance(entry, Node):
            if self._preserve:
                self._destination.node(full, entry, mtime=mtime)
            else:
                self._destination.remove(full)
        elif isinstance(entry, File):
            other = self._links.other_name(entry, located)
            if other is None or not self._destination.link(full, self._full(other)):
                self._write_file(full, entry, mtime)
            self._links.note(path, entry, located)

    def _write_file(self, full: str, file: File, mtime: int | None) -> None:
        size = file.content.size
        if self._done.size + size > self._wish.size:
            raise SpecError(
                f"there are more than {self._wish.size} bytes of files to unpack",
                hint="--max-size allows more, if this is to be trusted",
            )
        try:
            self._destination.file(
                full, file.content, mode=self._mode(file), mtime=mtime, owner=self._owner(file)
            )
        except (FormatError, UnsupportedError) as error:
            self._destination.remove(full)
            raise NoPlaceError(error.message) from error
        self._done.size += size

    def finish(self) -> None:
        """Give directories what would have been in the way before, and write the list."""
        for path, entry in sorted(self._landing.entries.items(), reverse=True):
            if isinstance(entry, Directory) and self._destination.has(self._full(path)):
                mode, mtime = self._mode(entry), self._times.get(path)
                owner = self._owner(entry)
                self._destination.settle(self._full(path), mode=mode, mtime=mtime, owner=owner)
                self._note(path)
        if self.name and self._destination.has(self.name):
            self._destination.settle(self.name, mode=_TOP_MODE)
        self._done.listed += len(self._listed)
        if self._listed:
            lines = write_template_list(entry for _, entry in sorted(self._listed.items()))
            content = Bytes(_HEADER + lines)
            self._destination.file(self._full(LIST_NAME), content, mode=_LIST_MODE)
        elif self._checked and not self._preserve:
            self._destination.remove(self._full(LIST_NAME))

    def _check_list(self) -> None:
        """Check that a list that is there is none of the user's."""
        if self._checked or self._preserve:
            return
        found = self._destination.read(self._full(LIST_NAME), len(_HEADER))
        if found not in {None, _HEADER}:
            raise OutputError(
                f"{self._destination.path / self._full(LIST_NAME)} was not written by rdcompose "
                "unpack, which would replace it",
                hint="unpack to another directory",
            )
        self._checked = True

    def _note(self, path: str) -> None:
        """Put an entry on the list if a directory does not hold it as it is."""
        entry = self._landing.entries[path]
        if self._preserve:
            return
        special = isinstance(entry, Node) or (entry.uid, entry.gid) != (0, 0)
        special = special or self._mode(entry) != entry.mode
        if special or not IGNORED.isdisjoint(path.split("/")):
            self._listed[path] = entry

    def _mode(self, entry: Entry) -> int:
        if self._preserve or not isinstance(entry, File | Directory):
            return entry.mode
        own = _OWN_FILE if isinstance(entry, File) else _OWN_DIRECTORY
        return entry.mode & ~_SET_ID | own

    def _owner(self, entry: Entry) -> Owner | None:
        return (entry.uid, entry.gid) if self._preserve else None

    def _full(self, path: str) -> str:
        return f"{self.name}/{path}" if self.name else path
