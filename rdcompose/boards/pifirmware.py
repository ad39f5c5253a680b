"""The firmware files that a Raspberry Pi loads before the kernel, from a package or a directory.

Debian's ``raspi-firmware`` has them in ``/usr/lib/raspi-firmware``; Raspberry Pi's own repository
and its older packages in ``boot``. The files of one source go together: a ``start*.elf`` takes
only the ``fixup*.dat`` of its own build.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.compose.filesource import PI_FIRMWARE, name_of
from rdcompose.compose.inputs import LOCAL_DIRECTORY, Input, digest, file_input, read_file
from rdcompose.compose.template import tree_bytes
from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats.deb import Deb
from rdcompose.tree import Bytes, File, Tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from rdcompose.boards.models import Model
    from rdcompose.compose.filesource import Source

PACKAGE: Final = "raspi-firmware"
# What whoever passes the files on has to pass on with them.
LICENCE: Final = "LICENCE.broadcom"

_DIRECTORIES: Final = ("usr/lib/raspi-firmware/", "boot/firmware/", "boot/")
_COPYRIGHT: Final = "usr/share/doc/raspi-firmware/copyright"


class PiFirmware(NamedTuple):
    """The files by name, and what the manifest says of where they are from."""

    files: Mapping[str, bytes]
    input: Input


def read_pi_firmware(source: Source, models: Iterable[Model]) -> PiFirmware:
    """Read the files that these boards need.

    :raises SpecError: one is missing, or the source cannot be read.
    :raises FormatError: it is a damaged package, or none.
    """
    wanted = dict.fromkeys(name for model in models for name in model.firmware)
    path = source.file.path
    if path.is_dir():
        files = _of_directory(path, [*wanted, LICENCE])
        found = Input(
            role=PI_FIRMWARE,
            file=name_of(path),
            sha256=digest(tree_bytes(_tree(files))),
            source=LOCAL_DIRECTORY,
        )
    else:
        files, found = _of_package(source, wanted)
    missing = [name for name in wanted if name not in files]
    if missing:
        raise SpecError(
            f"{source.request}: there is no {missing[0]} in {name_of(path)}",
            hint="give raspi-firmware of Debian, or the directory boot of Raspberry Pi's firmware",
        )
    return PiFirmware(files, found)


def _of_directory(path: Path, names: Iterable[str]) -> dict[str, bytes]:
    files = {}
    for name in names:
        for place in (path / name, path / "boot" / name):
            if place.is_file():
                files[name] = read_file(place, "firmware")
                break
    return files


def _of_package(source: Source, names: Collection[str]) -> tuple[dict[str, bytes], Input]:
    path = source.file.path
    data = read_file(path, "firmware")
    wanted = {base + name: name for base in _DIRECTORIES for name in (*names, LICENCE)}
    wanted[_COPYRIGHT] = LICENCE
    try:
        deb = Deb.open(io.BytesIO(data))
        files = {
            wanted[member.path]: member.content
            for member in deb.members(wanted.__contains__)
            if member.path in wanted and member.content
        }
    except (FormatError, UnsupportedError) as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error
    return files, file_input(PI_FIRMWARE, source.file, data).of_package(deb.control)


def _tree(files: Mapping[str, bytes]) -> Tree:
    tree = Tree()
    for name, data in files.items():
        tree.add(File(path=name, content=Bytes(data)))
    return tree
