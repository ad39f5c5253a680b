"""What a file is, by its content alone, and everything that is to be known of it."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from rdcompose.errors import FormatError, RdcomposeError, SpecError, UnsupportedError
from rdcompose.formats import devicetree
from rdcompose.formats.ext4.reader import Ext4Image
from rdcompose.formats.filesystem import kinds_of_image
from rdcompose.formats.image import read_image
from rdcompose.formats.pe import Pe, content_of, is_pe, read_pe
from rdcompose.formats.qcow2_reader import is_qcow2, open_qcow2
from rdcompose.formats.squashfs.reader import SquashfsImage
from rdcompose.inspect.artifact import Artifact, ChecksumLine, Checksums, Disk, Kind
from rdcompose.inspect.contents import examine, module_place
from rdcompose.inspect.filecontent import check_ends
from rdcompose.inspect.initramfs import is_initramfs, read_initramfs
from rdcompose.inspect.kernel import exported_versions
from rdcompose.kernel.config import KernelConfig
from rdcompose.tree import read_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from rdcompose.tree import Content, Entry

# Larger ones are no kernel and no initramfs that anybody boots.
MAX_FILE: Final = 1 << 30
_MAX_TEXT: Final = 64 << 20
_START: Final = 4096
_TOO_LARGE: Final = "it is larger than any kernel or initramfs"

# Of a unified kernel image: what holds the kernel, and what is looked into.
_KERNEL: Final = ".linux"
_SECTIONS: Final = (_KERNEL, ".initrd", ".ucode", ".dtb")

_DEB: Final = b"!<arch>\ndebian-binary"
# sha256sum(1): a line with a name that it had to escape starts with a backslash.
_CHECKSUM: Final = re.compile(r"\\?([0-9a-fA-F]{64}) [ *](.+)")
_CONFIG: Final = re.compile(rb"^(?:# )?CONFIG_[A-Z0-9_]+(?:=| is not set)", re.MULTILINE)
_SYMBOL: Final = re.compile(rb"[0-9a-f]{8,16} [A-Za-z] [^\n]+\n")


def identify(path: Path, name: str) -> Artifact:
    """Read a file and say what it is.

    A file that is damaged, or of no known kind, is no error: its ``problem`` says so. Files on a
    disk are listed, and their contents cannot be read any more: the disk is closed.

    :raises SpecError: it cannot be opened or read.
    """
    try:
        check_ends(path)
        with path.open("rb") as source:
            size = source.seek(0, io.SEEK_END)
            source.seek(0)
            kind, facts = _read(source, size)
            parts = _parts(source, path, name) if kind is Kind.UKI else ()
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    return Artifact(path=path, name=name, kind=kind, size=size, parts=parts, **facts)


def identify_content(content: Content, path: Path, name: str) -> Artifact:
    """Say what a file in an image or a boot folder is; ``path`` is what it comes from.

    :raises SpecError: it cannot be read.
    """
    if content.size > MAX_FILE:
        return Artifact(
            path=path, name=name, kind=Kind.UNKNOWN, size=content.size, problem=_TOO_LARGE
        )
    data = read_all(content)
    kind, facts = _read(io.BytesIO(data), len(data))
    return Artifact(path=path, name=name, kind=kind, size=content.size, **facts)


def identify_volume(source: BinaryIO, path: Path, name: str) -> Artifact:
    """Say what a partition is: a modules disk, or another filesystem if it is a known one."""
    kind, facts = _volume(source, "raw") or (Kind.FILESYSTEM, {})
    size = source.seek(0, io.SEEK_END)
    return Artifact(path=path, name=name, kind=kind, size=size, **facts)


def _parts(source: BinaryIO, path: Path, name: str) -> tuple[Artifact, ...]:
    """Return what is in a unified kernel image."""
    source.seek(0)
    data = source.read()
    found = []
    for section in read_pe(data).sections:
        if section.name in _SECTIONS:
            content = content_of(data, section)
            kind, facts = _whole(content)
            part = f"{section.name} of {name}"
            found.append(Artifact(path=path, name=part, kind=kind, size=len(content), **facts))
    return tuple(found)


_Facts = tuple[Kind, dict[str, Any]]


def _read(source: BinaryIO, size: int) -> _Facts:
    start = source.read(_START)
    if not start:
        return Kind.UNKNOWN, {"problem": "it is empty"}
    if start.startswith(_DEB):
        return Kind.PACKAGE, {}
    if is_qcow2(start):
        return _qcow2(source)
    if (found := _volume(source, "raw")) is not None:
        return found
    if size > MAX_FILE:
        return Kind.UNKNOWN, {"problem": _TOO_LARGE}
    source.seek(0)
    return _whole(source.read())


def _qcow2(source: BinaryIO) -> _Facts:
    try:
        found = _volume(open_qcow2(source), "qcow2")
    except (FormatError, UnsupportedError) as error:
        return Kind.DISK, {"problem": error.message}
    return found or (Kind.FILESYSTEM, {})


def _volume(volume: BinaryIO, container: str) -> _Facts | None:
    """Read what holds a filesystem; ``None`` if it is none that is known."""
    kinds = kinds_of_image(volume)
    try:
        if "squashfs" in kinds:
            image = SquashfsImage(volume)
            return _disk(image.entries(), container, "squashfs", image.compressor)
        if "ext4" in kinds and _has_modules((old := Ext4Image(volume)).top()):
            return _disk(old.entries(), container, "ext4", None)
    except (FormatError, UnsupportedError) as error:
        return Kind.DISK, {"problem": error.message}
    name = max(kinds, default=None)
    return None if name is None else (Kind.FILESYSTEM, {"filesystem": name})


def _has_modules(names: Iterable[str]) -> bool:
    """Whether it is a disk of modules, and not a root with modules of its own among others."""
    return any(module_place(f"{name}/x.ko", disk=True) is not None for name in names)


def _disk(
    entries: Iterable[Entry], container: str, filesystem: str, compressor: str | None
) -> _Facts:
    problem: list[str] = []
    contents = examine(_until_damage(entries, problem), disk=True)
    disk = Disk(container, filesystem, compressor, contents)
    return Kind.DISK, {"disk": disk, "problem": next(iter(problem), None)}


def _until_damage(entries: Iterable[Entry], problem: list[str]) -> Iterator[Entry]:
    try:
        yield from entries
    except FormatError as error:
        problem.append(error.message)


def _whole(data: bytes) -> _Facts:
    """Judge a file that is read as a whole."""
    if data.startswith(devicetree.MAGIC):
        return _device_tree(data)
    if (found := _text(data)) is not None:
        return found
    packed: str | None = None
    try:
        if is_pe(data) and (image := read_pe(data)).section(_KERNEL) is not None:
            return Kind.UKI, {"uname": _uname(data, image)}
        if is_initramfs(data):
            initramfs, problem = read_initramfs(data)
            return Kind.INITRAMFS, {"initramfs": initramfs, "problem": problem}
    except (FormatError, UnsupportedError) as error:
        packed = error.message
    try:
        kernel = read_image(data)
        return Kind.KERNEL, {"image": kernel, "exports": exported_versions(data, kernel)}
    except (FormatError, UnsupportedError) as error:
        return Kind.UNKNOWN, {"problem": packed or error.message}


def _uname(data: bytes, image: Pe) -> str | None:
    section = image.section(".uname")
    if section is None:
        return None
    return content_of(data, section).rstrip(b"\0\n").decode("utf-8", "replace")


def _device_tree(data: bytes) -> _Facts:
    try:
        return Kind.DEVICE_TREE, {"device_tree": devicetree.read_device_tree(data)}
    except FormatError as error:
        return Kind.DEVICE_TREE, {"problem": error.message}


def _text(data: bytes) -> _Facts | None:
    if len(data) > _MAX_TEXT or b"\0" in data[:_START]:
        return None
    for read in _TEXTS:
        if (found := read(data)) is not None:
            return found
    try:
        data.decode()
    except UnicodeDecodeError:
        return None
    return Kind.UNKNOWN, {"problem": "it is a text of no known kind"}


def _manifest(data: bytes) -> _Facts | None:
    if not data.lstrip().startswith(b"{"):
        return None
    try:
        loaded = json.loads(data)
    except (ValueError, RecursionError) as error:
        return Kind.UNKNOWN, {"problem": f"it is no JSON: {error}"}
    if not {"schema", "release", "outputs"} <= loaded.keys():
        return None
    return Kind.MANIFEST, {"manifest": loaded}


def _checksums(data: bytes) -> _Facts | None:
    text = data.decode("utf-8", "surrogateescape")
    lines: list[ChecksumLine] = []
    malformed: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        found = _CHECKSUM.fullmatch(line)
        if found is None:
            if line.strip():
                malformed.append(number)
            continue
        lines.append(ChecksumLine(_unescaped(found[2], line), found[1].lower()))
    if not lines:
        return None
    return Kind.CHECKSUMS, {"checksums": Checksums(tuple(lines), tuple(malformed))}


def _unescaped(name: str, line: str) -> str:
    if not line.startswith("\\"):
        return name
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), name)


def _config(data: bytes) -> _Facts | None:
    if _CONFIG.search(data[:_START]) is None:
        return None
    try:
        return Kind.CONFIG, {"config": KernelConfig.parse(data)}
    except RdcomposeError as error:
        return Kind.CONFIG, {"problem": error.message}


def _symbols(data: bytes) -> _Facts | None:
    return (Kind.SYMBOLS, {}) if _SYMBOL.match(data) is not None else None


_TEXTS: Final[tuple[Callable[[bytes], _Facts | None], ...]] = (
    _manifest,
    _checksums,
    _config,
    _symbols,
)
