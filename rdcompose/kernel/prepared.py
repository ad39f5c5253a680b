"""Kernels that were read before, as a file that is read in a fraction of the time.

The file holds what a :class:`~rdcompose.kernel.package.KernelPackage` is. It begins with
:data:`_HEAD`, whose digest covers the parts behind it: a JSON object, the columns of
:mod:`rdcompose.kernel.prepared_table`, and where each content is. Contents follow, each with a
digest of its own, so that opening the file reads only what every build needs. What is damaged,
cut, of another version or of another kernel is as good as no file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
import sys
from typing import TYPE_CHECKING, Any, Final

from rdcompose.errors import RdcomposeError
from rdcompose.formats.deb import Control
from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.held import Held, content_digest
from rdcompose.kernel.module import Module
from rdcompose.kernel.moduletree import ModuleTree
from rdcompose.kernel.package import KernelPackage
from rdcompose.kernel.prepared_contents import (
    Again,
    Readable,
    Stored,
    StoredModule,
    read_contents,
    write_contents,
)
from rdcompose.kernel.prepared_table import Table, read_table, write_table
from rdcompose.kernel.release import architecture_by_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rdcompose.kernel.prepared_table import Row

# To be raised with every change of what is stored, or of what is read of a kernel.
FORMAT: Final = 1
# Magic with format and byte order, sizes of the five parts and of the whole, SHA-256 of all
# of this but itself, and of the parts.
_HEAD: Final = struct.Struct("<16s6Q32s")
_MAGIC: Final = f"rdcompose{FORMAT:04} {sys.byteorder[0]}".encode().ljust(16, b"\0")
_PARTS: Final = 5


@dataclasses.dataclass(slots=True)
class DeviceTrees:
    """Asks which device trees are wanted, and remembers what was answered."""

    wanted: Callable[[str], bool]
    answers: dict[str, bool] = dataclasses.field(default_factory=dict)

    def __call__(self, path: str) -> bool:
        """Return the answer."""
        answer = self.answers[path] = self.wanted(path)
        return answer


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Kernels to store, with the digests of what they were read from."""

    kernels: Sequence[KernelPackage]
    inputs: Sequence[str]
    device_trees: Mapping[str, bool] | None = None

    def parts(self) -> Iterator[bytes | memoryview]:
        """Yield the file, in pieces."""
        contents = _Contents()
        description = {
            "inputs": [*self.inputs],
            "device_trees": self.device_trees,
            "kernels": [_describe(kernel, contents) for kernel in self.kernels],
        }
        modules = [module for kernel in self.kernels for module in kernel.tree.modules]
        pieces = [
            json.dumps(description).encode(),
            *write_table(modules),
            write_contents(contents.places),
        ]
        sizes = [len(piece) for piece in pieces]
        digest = _digest(sizes, contents.size, b"".join(pieces))
        yield _HEAD.pack(_MAGIC, *sizes, contents.size, digest)
        yield from pieces
        yield from contents.pieces


class _Contents:
    """Contents in the order that they are stored in; offsets begin where the first one does."""

    def __init__(self) -> None:
        self.places: list[Stored] = []
        self.size = 0
        self.pieces: list[bytes | memoryview] = []

    def add(self, content: bytes | Held) -> int:
        """Add a content; returns its number."""
        stored: bytes | memoryview
        if isinstance(content, Held):
            # What is held plain may be packed later.
            stored, packed = content.stored()
            size, digest = content.size, content.digest
        else:
            stored, packed = content, False
            size, digest = len(content), content_digest(content)
        place = Stored(self.size, len(stored), size, packed, digest)
        self.places.append(place)
        self.pieces.append(stored)
        self.size += place.stored
        return len(self.places) - 1


def _describe(kernel: KernelPackage, contents: _Contents) -> dict[str, Any]:
    def named(files: Mapping[str, bytes]) -> dict[str, int]:
        return {name: contents.add(data) for name, data in files.items()}

    first = len(contents.places)
    for module in kernel.tree.modules:
        assert isinstance(module.content, Held)
        contents.add(module.content)
    return {
        "release": kernel.release,
        "architecture": kernel.architecture.name,
        "image_name": kernel.image_name,
        "timestamp": kernel.timestamp,
        "controls": [control.fields for control in kernel.controls],
        "modules": [first, len(contents.places)],
        "image": contents.add(kernel.image),
        "config": contents.add(kernel.config_text),
        "files": named(kernel.tree.files),
        "indexes": named(kernel.tree.indexes),
        "device_trees": named(kernel.device_trees),
    }


class PreparedKernels:
    """A file of kernels, opened and checked, with nothing of it decided."""

    def __init__(self, file: Readable, description: dict[str, Any], pieces: list[bytes]) -> None:
        self._file = file
        self._description = description
        self._table = Table(*pieces[:3])
        self._contents = pieces[3]
        self._start = file.size

    @classmethod
    def open(cls, file: Readable) -> PreparedKernels | None:
        """Open a file; ``None`` if it is damaged, cut, or of another version."""
        head = file.read(0, _HEAD.size)
        if len(head) != _HEAD.size:
            return None
        magic, *sizes, contents, digest = _HEAD.unpack(head)
        start = _HEAD.size + sum(sizes)
        if magic != _MAGIC or start + contents != file.size:
            return None
        data = file.read(_HEAD.size, sum(sizes))
        if _digest(sizes, contents, data) != digest:
            return None
        pieces = []
        for size in sizes:
            pieces.append(data[:size])
            data = data[size:]
        opened = cls(file, json.loads(pieces[0]), pieces[1:])
        opened._start = start
        return opened

    @property
    def inputs(self) -> tuple[str, ...]:
        """SHA-256 of what the kernels were read from."""
        return tuple(self._description["inputs"])

    def has_device_trees(self, wanted: Callable[[str], bool] | None) -> bool:
        """Whether those were read that are wanted, and no others."""
        answers: dict[str, bool] | None = self._description["device_trees"]
        if wanted is None:
            return True
        return answers is not None and all(
            wanted(path) == answer for path, answer in answers.items()
        )

    def kernels(
        self,
        read: Callable[[], Sequence[KernelPackage]],
        *,
        device_trees: bool,
    ) -> tuple[KernelPackage, ...] | None:
        """Return the kernels; ``None`` if what every build needs is damaged.

        ``read`` reads the kernels anew; it is called, from any thread, if a module turns out to
        be damaged.
        """
        places = [
            place._replace(offset=place.offset + self._start)
            for place in read_contents(self._contents)
        ]
        rows = list(read_table(self._table))
        again = Again(read)
        found = []
        for description in self._description["kernels"]:
            count = description["modules"][1] - description["modules"][0]
            kernel = _Kernel(self._file, description, places, rows[:count], again)
            package = kernel.package(device_trees=device_trees)
            if package is None:
                return None
            found.append(package)
            rows = rows[count:]
        return tuple(found)


class _DamagedError(Exception):
    """A content is not what it was."""


class _Kernel:
    """One of the kernels of a file."""

    def __init__(
        self,
        file: Readable,
        description: dict[str, Any],
        places: Sequence[Stored],
        rows: Sequence[Row],
        again: Again,
    ) -> None:
        self._file = file
        self._description = description
        self._places = places
        self._rows = rows
        self._again = again

    def package(self, *, device_trees: bool) -> KernelPackage | None:
        """Return the kernel; ``None`` if something but a module is damaged."""
        description = self._description
        try:
            config = self._content(description["config"])
            return KernelPackage(
                release=description["release"],
                architecture=architecture_by_name(description["architecture"]),
                image_name=description["image_name"],
                image=self._content(description["image"]),
                config_text=config,
                config=KernelConfig.parse(config),
                tree=self._tree(),
                timestamp=description["timestamp"],
                controls=tuple(
                    Control(tuple((name, value) for name, value in fields))
                    for fields in description["controls"]
                ),
                device_trees=self._named("device_trees") if device_trees else {},
            )
        except (_DamagedError, RdcomposeError):
            return None

    def _tree(self) -> ModuleTree:
        release = self._description["release"]
        places = self._places[slice(*self._description["modules"])]
        modules = [
            Module(
                path=row.path,
                elf=row.elf,
                content=StoredModule(
                    self._file, place, release=release, path=row.path, again=self._again
                ),
            )
            for row, place in zip(self._rows, places, strict=True)
        ]
        return ModuleTree(
            release=release,
            modules=tuple(modules),
            files=self._named("files"),
            indexes=self._named("indexes"),
        )

    def _named(self, what: str) -> dict[str, bytes]:
        return {name: self._content(n) for name, n in self._description[what].items()}

    def _content(self, number: int) -> bytes:
        place = self._places[number]
        data = place.plain(self._file.read(place.offset, place.stored))
        if data is None:
            raise _DamagedError
        return data


def _digest(sizes: Sequence[int], contents: int, parts: bytes) -> bytes:
    head = struct.pack(f"<{_PARTS + 1}Q", *sizes, contents)
    return hashlib.sha256(_MAGIC + head + parts).digest()
