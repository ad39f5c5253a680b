"""What was seen of a machine: modules that are loaded there, and devices that it has.

``lsmod`` and ``/proc/modules`` name modules, the newest first. The kernel tells of each device a
``modalias``, a line of a file of that name in sysfs, or ``MODALIAS=`` in its ``uevent``
(Documentation/ABI/testing/sysfs-uevent). Both come as somebody saved them: as text, as a copy of
``/sys``, or in a tar archive, where a file of sysfs is filled up with NUL bytes to the page that
its size claims.
"""

from __future__ import annotations

import dataclasses
import io
import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.compression import decompress, detect
from rdcompose.formats.tarstream import iter_tar
from rdcompose.kernel.module import modname

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sized

# Far above what a machine has, far below what a hostile file may claim.
_LARGEST: Final = 64 << 20
_MOST: Final = 100_000
_PAGE: Final = 4096
_SHOWN: Final = 60
_MAGIC: Final = b"ustar"
_MAGIC_AT: Final = 257

_HEADER: Final = re.compile(r"Module\s+Size\s+Used by\b")
# Name and size; then how often it is used, where the kernel can unload modules, and by whom.
_ROW: Final = re.compile(r"([A-Za-z0-9_-]{1,128})\s+\d+(?:\s+(?:-?\d+|-)(?:\s.*)?)?")
_ALIAS: Final = re.compile(r"[A-Za-z0-9_-]+\*?:\S.*")
_UEVENT: Final = "MODALIAS="
# As grep shows which file a line is from.
_FILE: Final = re.compile(r"\S*/(?:modalias|uevent):(?=[A-Za-z])")

_HINT: Final = "find /sys -name modalias -exec cat {} + prints those of a machine"
_DEVICE_FILES: Final = frozenset({"modalias", "uevent"})
_STATE: Final = "initstate"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Modules by their names, in the order that they were loaded in; modaliases of devices.

    ``asked`` are names and aliases that the kernel itself asked for.
    """

    loaded: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()

    def and_also(self, other: Observed) -> Observed:
        """Return what was seen here or there."""
        return Observed(
            loaded=_each(self.loaded + other.loaded),
            devices=_each(self.devices + other.devices),
            asked=_each(self.asked + other.asked),
        )


def parse_lsmod(data: bytes, *, name: str) -> tuple[str, ...]:
    """Return the modules of ``lsmod``, kmod's or busybox's, or of ``/proc/modules``, oldest first.

    :raises SpecError: it is something else; ``name`` is the file in the message.
    """
    found: list[str] = []
    for number, line in _lines(data):
        if not line or _HEADER.match(line):
            continue
        row = _ROW.fullmatch(line)
        if row is None:
            raise SpecError(
                f"{name}:{number}: {_shown(line)} is no line of lsmod",
                hint="give what lsmod prints, or /proc/modules, as it is",
            )
        found.append(modname(row[1]))
        _check_number(found, name)
    if not found:
        raise SpecError(f"{name} names no module", hint="give what lsmod prints, as it is")
    return _each(reversed(found))


def parse_modaliases(data: bytes, *, name: str) -> tuple[str, ...]:
    """Return the modaliases of a text: one a line, or what ``uevent`` files and udev have.

    :raises SpecError: it is something else; ``name`` is the file in the message.
    """
    found: list[str] = []
    with_words = _UEVENT.encode() in data
    for number, line in _lines(data):
        where = _FILE.match(line)
        text = line if where is None else line[where.end() :]
        if with_words:
            # Beside them stand other properties of the devices.
            _, mark, text = text.partition(_UEVENT)
            if not mark:
                continue
        if not text:
            continue
        if not _is_modalias(text):
            raise SpecError(f"{name}:{number}: {_shown(text)} is no modalias", hint=_HINT)
        found.append(text)
        _check_number(found, name)
    if not found:
        raise SpecError(f"{name} has no modalias", hint=_HINT)
    return _each(found)


def read_machine(path: Path) -> Observed:
    """Read ``/sys``, a copy of it, a tar archive of it, or a text of modaliases.

    Modules that are loaded are told by a whole ``/sys`` only.

    :raises SpecError: it is none of these, or cannot be read.
    """
    try:
        if path.is_dir():
            return _of_files(_directory(path), str(path))
        with path.open("rb") as source:
            data = source.read(_LARGEST + 1)
    except OSError as error:
        raise SpecError(f"cannot read {error.filename or path}: {error.strerror}") from error
    return read_saved(data, name=str(path))


def read_saved(data: bytes, *, name: str) -> Observed:
    """Read an archive or a text as :func:`read_machine` does.

    :raises SpecError: it is neither.
    """
    if len(data) > _LARGEST:
        raise SpecError(f"{name} is over {_LARGEST >> 20} MiB, so it is no copy of /sys")
    try:
        if detect(data) is not None:
            data = decompress(data, limit=_LARGEST)
        if data[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] == _MAGIC:
            return _of_files(_archive(data), name)
    except FormatError as error:
        raise SpecError(f"{name}: {error.message}", hint=error.hint) from error
    return Observed(devices=parse_modaliases(data, name=name))


def _of_files(files: Iterable[tuple[PurePosixPath, bytes]], name: str) -> Observed:
    devices: list[str] = []
    loaded: list[str] = []
    for path, data in files:
        if path.name == _STATE:
            loaded.append(modname(path.parent.name))
            continue
        for _, line in _lines(data.rstrip(b"\0")):
            text = line if path.name == "modalias" else _after(line)
            if _is_modalias(text):
                devices.append(text)
        _check_number(devices, name)
    if not devices:
        raise SpecError(
            f"{name} holds no modalias of a device, so it is no /sys",
            hint="give /sys itself, a copy or a tar archive of it, or a text of modaliases",
        )
    # In whatever order a directory lists them.
    return Observed(loaded=_each(sorted(loaded)), devices=_each(sorted(devices)))


def _is_modalias(text: str) -> bool:
    # A file of sysfs has no more.
    return len(text) <= _PAGE and _ALIAS.fullmatch(text) is not None


def _check_number(found: Sized, name: str) -> None:
    if len(found) > _MOST:
        raise SpecError(f"{name} names more than {_MOST}, as no machine has them")


def _after(line: str) -> str:
    return line.removeprefix(_UEVENT) if line.startswith(_UEVENT) else ""


def _is_wanted(path: PurePosixPath) -> bool:
    """Whether a file tells of a device, or of a module: what is built in has no state."""
    if path.name == _STATE:
        return path.parent.parent.name == "module"
    return path.name in _DEVICE_FILES


def _directory(top: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the files that matter; links, which lead in circles there, are not followed."""
    # All devices are below one directory of a whole sysfs; drivers have files, too.
    parts = [part for part in ("devices", "module") if (top / part).is_dir()]
    for start in [top / part for part in parts] if "devices" in parts else [top]:
        for folder, _, names in os.walk(start):
            for name in names:
                path = Path(folder, name)
                if not _is_wanted(PurePosixPath(path)) or path.is_symlink():
                    continue
                try:
                    with path.open("rb") as source:
                        yield PurePosixPath(path), source.read(_PAGE)
                except OSError:
                    # Devices come and go, and some files are root's.
                    continue


def _archive(data: bytes) -> Iterator[tuple[PurePosixPath, bytes]]:
    for member in iter_tar([data], wanted=lambda path: _is_wanted(PurePosixPath(path))):
        path = PurePosixPath(member.path)
        if _is_wanted(path) and member.content:
            yield path, member.content[:_PAGE]


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(io.BytesIO(data), start=1):
        yield number, line.decode("utf-8", "backslashreplace").strip()


def _shown(line: str) -> str:
    return repr(line[:_SHOWN]) + ("…" if len(line) > _SHOWN else "")


def _each(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
