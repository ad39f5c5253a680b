"""The early segment: processor microcode, which the kernel reads before it unpacks anything.

Reference: Documentation/arch/x86/microcode.rst of the kernel. The files are
``kernel/x86/microcode/GenuineIntel.bin`` and ``AuthenticAMD.bin``, each all updates one after the
other, in a newc archive that is not compressed and stands first.

What is joined, and in which order: files by their names, as the hooks of Debian's packages do it;
of Intel's updates each once, without those that a newer one for the same processors replaces
(``iucode_tool``); of AMD's all.
"""

from __future__ import annotations

import dataclasses
import io
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.compose.filesource import MICROCODE
from rdcompose.compose.inputs import Input, file_input, read_file
from rdcompose.errors import CapabilityError, FormatError, SpecError, UnsupportedError
from rdcompose.formats import ar, cpio
from rdcompose.formats.compression import BY_NAME, decompress
from rdcompose.formats.deb import Deb
from rdcompose.formats.microcode import Vendor, join_intel, read_amd, read_intel, vendor_of
from rdcompose.formats.newc import MAGICS
from rdcompose.tree import Bytes, Directory, File, Tree, encode_name, read_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rdcompose.compose.filesource import Source
    from rdcompose.formats.microcode import Update
    from rdcompose.kernel.config import KernelConfig
    from rdcompose.kernel.release import Architecture

DIRECTORY: Final = "kernel/x86/microcode"
ARCHITECTURES: Final = frozenset({"amd64", "i386"})
# Several kernels load from where the file lies in memory, and the processors of Intel want
# it at such a multiple there.
_ALIGNMENT: Final = 16
_PACKAGED: Final = re.compile(r"(?:usr/)?lib/firmware/(?:intel|amd)-ucode/([^/]+)")
_NO_MICROCODE: Final = re.compile(r"README.*|LICEN[CS]E.*|.*\.asc|.*\.txt")
_MAX_SIZE: Final = 256 << 20


class _File(NamedTuple):
    """A file with microcode: its name, and where it is, for messages."""

    name: str
    where: str
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Blob:
    """One file of the early segment; ``count`` is the number of updates or containers in it."""

    vendor: Vendor
    data: bytes
    count: int

    @property
    def path(self) -> str:
        """Where the kernel looks for it."""
        return f"{DIRECTORY}/{self.vendor}.bin"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Microcode:
    """The early segment, what is in it, and what it was made from."""

    tree: Tree = dataclasses.field(default_factory=Tree)
    blobs: tuple[Blob, ...] = ()
    inputs: tuple[Input, ...] = ()


def check_architecture(architecture: Architecture) -> None:
    """Check that kernels of an architecture load microcode.

    :raises CapabilityError: they do not.
    """
    if architecture.name not in ARCHITECTURES:
        raise CapabilityError(
            f"--microcode is for amd64 and i386, and the kernel is for {architecture.name}"
        )


def load_microcode(
    sources: Sequence[Source], architecture: Architecture, config: KernelConfig
) -> Microcode:
    """Read microcode, and make the early segment of it; an empty one of no sources.

    :raises SpecError: a source cannot be read, or has no microcode.
    :raises FormatError: it is damaged.
    :raises CapabilityError: this kernel does not load it.
    """
    if not sources:
        return Microcode()
    check_architecture(architecture)
    files: dict[Vendor, list[_File]] = {vendor: [] for vendor in Vendor}
    inputs: list[Input] = []
    for source in sources:
        found, item = _read(source)
        inputs.append(item)
        for file in sorted(found, key=lambda file: encode_name(file.name)):
            files[_vendor(file)].append(file)
    blobs = tuple(_blob(vendor, rows) for vendor, rows in files.items() if rows)
    _check_kernel(blobs, config)
    return Microcode(tree=_tree(blobs), blobs=blobs, inputs=tuple(inputs))


def _check_kernel(blobs: Iterable[Blob], config: KernelConfig) -> None:
    for blob in blobs:
        missing = config.missing_for_microcode(blob.vendor)
        if missing:
            raise CapabilityError(
                f"this kernel does not load the microcode of {blob.vendor} from an initramfs: "
                f"it lacks {', '.join(missing)}",
                hint="take another kernel, or leave --microcode out",
            )


def _read(source: Source) -> tuple[list[_File], Input]:
    path = source.file.path
    data = read_file(path, "microcode")
    item = file_input(MICROCODE, source.file, data)
    try:
        if data.startswith(ar.MAGIC):
            deb = Deb.open(io.BytesIO(data))
            files = list(_packaged(deb, str(path)))
            item = item.of_package(deb.control)
        elif data.startswith(MAGICS):
            files = list(_archived(data, str(path)))
        else:
            files = [_File(path.name, str(path), data)]
    except (FormatError, UnsupportedError) as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error
    if not files:
        raise SpecError(f"{source.request}: there is no microcode in {path.name}")
    return files, item


def _packaged(deb: Deb, where: str) -> Iterator[_File]:
    """Yield the files of a package that the kernel's microcode driver looks for."""
    for member in deb.members(lambda path: _PACKAGED.fullmatch(path) is not None):
        found = _PACKAGED.fullmatch(member.path)
        if found is None or not member.content or _NO_MICROCODE.fullmatch(found[1]):
            continue
        name, data = found[1], member.content
        for compressor in ("xz", "zstd"):
            suffix = BY_NAME[compressor].suffix
            if name.endswith(suffix):
                name, data = name.removesuffix(suffix), decompress(data, limit=_MAX_SIZE)
        yield _File(name, f"{where}: /{member.path}", data)


def _archived(data: bytes, where: str) -> Iterator[_File]:
    """Yield what an early segment has; the rest of an initramfs is passed over."""
    for entry in cpio.read_newc(data):
        directory, _, name = entry.path.rpartition("/")
        if directory == DIRECTORY and isinstance(entry, File):
            yield _File(name, f"{where}: {entry.path}", read_all(entry.content))


def _vendor(file: _File) -> Vendor:
    vendor = vendor_of(file.data)
    if vendor is None:
        raise FormatError(
            f"{file.where} is no microcode of Intel or AMD",
            hint="give a package, an early cpio archive or the file GenuineIntel.bin or "
            "AuthenticAMD.bin",
        )
    return vendor


def _blob(vendor: Vendor, files: Iterable[_File]) -> Blob:
    updates: list[Update] = []
    containers: dict[bytes, None] = {}
    for file in files:
        try:
            if vendor is Vendor.INTEL:
                updates += read_intel(file.data)
            else:
                containers |= dict.fromkeys(read_amd(file.data))
        except FormatError as error:
            raise FormatError(f"{file.where}: {error.message}", hint=error.hint) from error
    parts = [update.data for update in join_intel(updates)] + list(containers)
    return Blob(vendor, b"".join(parts), len(parts))


def _tree(blobs: Iterable[Blob]) -> Tree:
    tree = Tree()
    for blob in blobs:
        tree.add(File(path=blob.path, content=Bytes(blob.data)))
    _align(tree)
    return tree


def _align(tree: Tree) -> None:
    """Add a directory whose name is as long as needed to move Intel's file to its place.

    ``iucode_tool`` does so, too: of all ways to do it, it is the one that every reader of
    newc takes.
    """
    wanted = f"{DIRECTORY}/{Vendor.INTEL}.bin"
    if wanted not in tree:
        return
    offset = cpio.record_size(wanted)
    for entry in tree:
        if entry.path < wanted:
            size = entry.content.size if isinstance(entry, File) else 0
            offset += cpio.record_size(entry.path, size)
    for name in (f".align{'-' * length}" for length in range(0, _ALIGNMENT, 4)):
        path = f"{DIRECTORY}/{name}"
        if (offset + cpio.record_size(path)) % _ALIGNMENT == 0:
            tree.add(Directory(path=path))
