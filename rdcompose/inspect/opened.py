"""A file of anyone's making, opened to be walked: what it is, and everything that lies in it.

:func:`open_image` takes an initramfs, a modules disk, a unified kernel image, a Debian package, a
directory, or a single file (a kernel, a configuration, a device tree), of which there are facts
and no entries. Entries come as a stream, in the order in which they are stored; what lies behind
damage is not there, and :attr:`Opened.problem` says so once the walk has ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.filecontent import check_ends
from rdcompose.inspect.names import named_release
from rdcompose.inspect.opening import choose_walk
from rdcompose.inspect.walk_disks import DirectoryWalk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rdcompose.inspect.artifact import Artifact
    from rdcompose.inspect.walks import Located, Part, Walk

# What all parts of a file may unpack to; a listing of more is of no use to anyone.
MAX_UNPACKED: Final = 4 << 30


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """Why the reading ended before the end, and where.

    ``part`` is the index of the part that breaks, ``last`` the path of the last entry before; both
    are ``None`` if there is none. ``offset`` is how far the file was read: to the part if it is
    compressed; then ``inner`` is the offset in what it unpacks to.
    """

    message: str
    offset: int
    inner: int | None = None
    part: int | None = None
    last: str | None = None


class Opened:
    """A file or directory that is open; leave it as a context manager.

    ``kind`` says what it is by its content. A directory is :attr:`Kind.DIRECTORY`, an image of a
    filesystem without modules :attr:`Kind.FILESYSTEM`. ``size`` is that of the file, in bytes, 0
    of a directory. ``facts`` are those of a single file that has no entries (a kernel, a
    configuration, a device tree, a manifest, whatever is not known); ``None`` of all others.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        kind: Kind,
        size: int,
        *,
        walk: Walk | None = None,
        facts: Artifact | None = None,
        closing: contextlib.ExitStack | None = None,
    ) -> None:
        self.path = path
        self.name = name
        self.kind = kind
        self.size = size
        self.problem: Problem | None = None
        self._walk = walk
        self.facts = facts
        self._stack = closing or contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def container(self) -> str:
        """What a disk is packed in: ``qcow2`` or ``raw``; empty where it is no disk."""
        return self._walk.container if self._walk is not None else ""

    @property
    def filesystem(self) -> str:
        """The type of filesystem of a disk: ``squashfs``, ``ext4``, ``vfat``; else empty."""
        return self._walk.filesystem if self._walk is not None else ""

    @property
    def architectures(self) -> tuple[str, ...]:
        """The architecture that a package says it is for; else empty."""
        return () if self._walk is None else self._walk.architectures

    @property
    def lasting(self) -> bool:
        """Whether contents can be read until this is closed, and not only until the next entry."""
        return self._walk is None or self._walk.lasting

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts as far as the walk has come: all, with all that is known, once it ended."""
        return () if self._walk is None else self._walk.parts

    @property
    def releases(self) -> tuple[str, ...]:
        """The releases of module directories met on the walk, in the order of their names."""
        return () if self._walk is None else tuple(sorted(self._walk.releases))

    @property
    def release(self) -> str | None:
        """The kernel release that it is of: by its content, else by its name.

        ``None`` if it is of none or of several; complete after a walk.
        """
        if len(self.releases) > 1:
            return None
        facts = self.facts
        told = facts.image.release if facts is not None and facts.image is not None else None
        if self._walk is not None:
            told = self._walk.told
        return told or next(iter(self.releases), None) or named_release(self.path.name)

    def entries(self) -> Iterator[Located]:
        """Yield all entries in stored order; each call walks anew.

        The content of a file can be read until the next entry is asked for (see ``lasting``), and
        raises :class:`FormatError` where it is damaged; then the walk ends there, too. What ends it
        early is no error here: see ``problem``.
        """
        self.problem = None
        if self._walk is None:
            return
        try:
            yield from self._walk.run()
        except (FormatError, UnsupportedError) as error:
            offset, inner = self._walk.place
            count = len(self._walk.parts)
            self.problem = Problem(
                error.message, offset, inner, count - 1 if count else None, self._walk.last
            )
        except OSError as error:
            raise SpecError(f"cannot read {self.path}: {error.strerror}") from error


def open_image(path: Path, name: str | None = None, *, limit: int = MAX_UNPACKED) -> Opened:
    """Open a file or directory to be walked; ``name`` is what messages call it.

    A walk through an initramfs ends where it has unpacked to more than ``limit`` bytes.

    :raises SpecError: it is not there, or cannot be read.
    """
    shown = name or str(path)
    try:
        check_ends(path)
        if path.is_dir():
            return Opened(path, shown, Kind.DIRECTORY, 0, walk=DirectoryWalk(path))
        with contextlib.ExitStack() as stack:
            source: BinaryIO = stack.enter_context(path.open("rb"))
            size = source.seek(0, io.SEEK_END)
            found = choose_walk(source, size, limit=limit)
            closing = stack.pop_all()
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    if found is None:
        closing.close()
        # Loads much that no other file takes.
        from rdcompose.inspect.identify import identify

        facts = identify(path, shown)
        return Opened(path, shown, facts.kind, size, facts=facts)
    return Opened(path, shown, found[0], size, walk=found[1], closing=closing)
