"""Firmware files of packages and directories, and the links that lead to them.

Reference: firmware_class in the kernel (``drivers/base/firmware_loader/main.c``) for
compressed files. A driver asks for a name; where there is no such file, the kernel looks for
``NAME.zst`` and ``NAME.xz``. Here a file goes by its plain name, and what is compressed is
unpacked.

Links are followed as in a system where the files are installed, in which ``/usr/lib/firmware``
and ``/lib/firmware`` are one.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from rdcompose.compose.contents import common_path
from rdcompose.compose.filesource import FIRMWARE, name_of
from rdcompose.compose.inputs import Input, digest, read_file
from rdcompose.compose.template import tree_bytes
from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats.compression import decompress
from rdcompose.formats.deb import Deb, Kind
from rdcompose.tree import MAX_LINKS, decode_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from rdcompose.compose.filesource import Source
    from rdcompose.compose.inputs import InputFile
    from rdcompose.formats.deb import Member
    from rdcompose.tree import Tree

ROOT: Final = "lib/firmware/"
# What Debian signs for its own kernels, beside what others did.
_ALTERNATIVE: Final = "-debian"
_PACKED: Final = re.compile(r"\.(?:xz|zst)$")
# The largest real ones are below 64 MB.
_MAX_SIZE: Final = 512 << 20
# All that there is anywhere is below 10 000.
_MAX_FILES: Final = 100_000


class Trail(NamedTuple):
    """Where a path leads: the links on the way, each with where it leads, and the end."""

    links: tuple[tuple[str, str], ...]
    end: str


def follow(links: Mapping[str, str], path: str) -> Trail | None:
    """Return where a path leads by links that have a target each; ``None`` in a circle."""
    passed: list[str] = []
    end = _walk(links, path, passed)
    if end is None:
        return None
    # What is on the way to an end leads to one itself.
    ends = ((link, _walk(links, link, [])) for link in dict.fromkeys(passed))
    return Trail(tuple((link, to) for link, to in ends if to is not None), end)


def _walk(links: Mapping[str, str], path: str, passed: list[str]) -> str | None:
    found: list[str] = []
    left = path.split("/")
    while left:
        part = left.pop(0)
        if part == "..":
            del found[-1:]
        elif part not in {"", "."}:
            found.append(part)
            here = common_path("/".join(found))
            if (target := links.get(here)) is not None:
                passed.append(here)
                if len(passed) > MAX_LINKS:
                    return None
                found = [] if target.startswith("/") else here.split("/")[:-1]
                left = target.split("/") + left
    return common_path("/".join(found))


class Store(Protocol):
    """What a source has. All paths are plain, and begin with ``lib/firmware/``."""

    @property
    def label(self) -> str:
        """What the source is called in messages and in the manifest."""
        ...

    @property
    def files(self) -> Collection[str]:
        """The files."""
        ...

    @property
    def links(self) -> Mapping[str, str]:
        """The targets of links."""
        ...

    def read(self, paths: Collection[str]) -> Mapping[str, bytes]:
        """Return the content of files, unpacked."""
        ...

    def input(self, taken: Tree) -> Input:
        """Return what the manifest says of the source, of which some files were taken."""
        ...


def open_store(source: Source, likely: Callable[[str], bool]) -> Store:
    """Open a source; ``likely`` tells of paths which will probably be read.

    :raises SpecError: it cannot be read, or has no firmware.
    :raises FormatError: it is no package, or a damaged one.
    """
    path = source.file.path
    store = DirectoryStore(path) if path.is_dir() else PackageStore(source.file, likely)
    if not store.files:
        raise SpecError(
            f"{source.request}: there is no firmware in {name_of(path)}",
            hint="packages have it below /lib/firmware; a directory is one such as /lib/firmware",
        )
    return store


class PackageStore:
    """A package, read once; a second time only for files that nobody expected to be read."""

    def __init__(self, file: InputFile, likely: Callable[[str], bool]) -> None:
        self._file = file
        self._stored: dict[str, str] = {}
        self._held: dict[str, bytes] = {}
        self.links: dict[str, str] = {}
        self._input = self._read_all(likely)

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self._input.package} {self._input.version}"

    @property
    def files(self) -> Collection[str]:
        """The files."""
        return self._stored.keys()

    def _read_all(self, likely: Callable[[str], bool]) -> Input:
        path = self._file.path
        try:
            with path.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
                size = stream.tell()
                deb = Deb.open(stream)
                for member in deb.members(lambda name: likely(_plain(common_path(name)))):
                    self._take(member)
        except OSError as error:
            raise SpecError(f"cannot read the package {path}: {error.strerror}") from error
        except (FormatError, UnsupportedError) as error:
            raise type(error)(f"{path}: {error.message}", hint=error.hint) from error
        self._choose_alternatives()
        item = Input(
            role=FIRMWARE,
            file=path.name,
            sha256=sha256,
            source=self._file.source,
            size=size,
            archive=self._file.archive,
        )
        return item.of_package(deb.control)

    def _take(self, member: Member) -> None:
        path = common_path(member.path)
        if not path.startswith(ROOT):
            return
        plain = _plain(path)
        if member.kind is Kind.SYMLINK:
            self.links[plain] = _plain(member.target)
        elif member.kind in {Kind.FILE, Kind.HARDLINK} and (
            path == plain or plain not in self._stored
        ):
            # Where there are both, the kernel takes the one that is not compressed.
            self._stored[plain] = member.target if member.kind is Kind.HARDLINK else member.path
        if member.content:
            self._held[member.path] = member.content

    def _choose_alternatives(self) -> None:
        """Add the links that update-alternatives(1) makes when wireless-regdb is installed."""
        for path in self._stored:
            name = path.removesuffix(_ALTERNATIVE)
            if name != path and name not in self._stored:
                self.links.setdefault(name, path.rpartition("/")[2])

    def read(self, paths: Collection[str]) -> Mapping[str, bytes]:
        """Return the content of files, unpacked."""
        lacking = {self._stored[path] for path in paths} - self._held.keys()
        if lacking:
            with self._file.path.open("rb") as stream:
                for member in Deb.open(stream).members(lacking.__contains__):
                    if member.path in lacking:
                        self._held[member.path] = member.content
        stored = {path: self._stored[path] for path in paths}
        return {
            path: _unpacked(self._held[name], name, f"{self._file.path}: /{name}")
            for path, name in stored.items()
        }

    def input(self, taken: Tree) -> Input:  # noqa: ARG002 (all of the package counts)
        """Return what the manifest says of the package."""
        return self._input


class DirectoryStore:
    """A directory such as ``/lib/firmware``, or one that has such a directory in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        inside = (path / root for root in ("lib/firmware", "usr/lib/firmware"))
        self._root = next((each for each in inside if each.is_dir()), path)
        self._stored: dict[str, Path] = {}
        self.links: dict[str, str] = {}
        self._list()

    @property
    def label(self) -> str:
        """Its name, as a relative one."""
        return f"./{name_of(self._path)}"

    @property
    def files(self) -> Collection[str]:
        """The files."""
        return self._stored.keys()

    def _list(self) -> None:
        links: dict[str, Path] = {}
        for folder, directories, names in os.walk(self._root, onerror=_unreadable):
            for name in sorted((*directories, *names)):
                path = Path(folder, name)
                stored = ROOT + decode_name(os.fsencode(path.relative_to(self._root)))
                plain = _plain(stored)
                if path.is_symlink():
                    links[plain] = path
                    self.links[plain] = _plain(decode_name(os.fsencode(path.readlink())))
                elif path.is_file() and (stored == plain or plain not in self._stored):
                    self._stored[plain] = path
            if len(self._stored) > _MAX_FILES:
                raise SpecError(
                    f"{self._root} has over {_MAX_FILES} files, so it is no directory of firmware",
                    hint="give the directory itself, such as /lib/firmware",
                )
        outside = [plain for plain, path in links.items() if path.is_file() and self._lost(plain)]
        for plain in outside:
            del self.links[plain]
            self._stored[plain] = links[plain]

    def _lost(self, link: str) -> bool:
        """Whether a link leads to nothing in the directory."""
        trail = follow(self.links, link)
        return trail is None or trail.end not in self._stored

    def read(self, paths: Collection[str]) -> Mapping[str, bytes]:
        """Return the content of files, unpacked."""
        found: dict[str, bytes] = {}
        for path in paths:
            # A link may have another suffix than what it leads to.
            stored = self._stored[path].resolve()
            found[path] = _unpacked(read_file(stored, "firmware"), stored.name, str(stored))
        return found

    def input(self, taken: Tree) -> Input:
        """Return what the manifest says of the directory: the digest is that of what was taken."""
        return Input(
            role=FIRMWARE,
            file=name_of(self._path),
            sha256=digest(tree_bytes(taken)),
            source="local directory",
        )


def _unreadable(error: OSError) -> None:
    raise SpecError(f"cannot read the directory {error.filename}: {error.strerror}") from error


def _plain(path: str) -> str:
    return _PACKED.sub("", path)


def _unpacked(data: bytes, name: str, where: str) -> bytes:
    if not _PACKED.search(name):
        return data
    try:
        return decompress(data, limit=_MAX_SIZE)
    except (FormatError, UnsupportedError) as error:
        raise type(error)(f"{where}: {error.message}", hint=error.hint) from error
