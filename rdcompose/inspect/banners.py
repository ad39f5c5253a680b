"""Versions that programs hold: what a program says of itself, or whoever packaged it.

Packages of systemd and of some distributions carry an ELF note with their name and version
(https://systemd.io/PACKAGE_METADATA_FOR_EXECUTABLE_FILES/). Of others the line is known that they
print, by its constant part.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

# Larger programs are not looked into.
MAX_PROGRAM: Final = 32 << 20
_NOTE: Final = re.compile(
    rb'\{"type":"[a-z]+",(?:"[a-zA-Z]+":"[^"]*",)*?"name":"([^"]+)","version":"([^"]+)"'
)
_E2FSPROGS: Final = re.compile(rb"(?:EXT2FS Library version |\0)(1\.\d\d(?:\.\d+)?)\0")
# By the name of the file; what a name begins with stands for any end.
_LINES: Final[Mapping[str, tuple[str, re.Pattern[bytes]]]] = {
    "busybox": ("busybox", re.compile(rb"BusyBox v(\d[^\0\n]{0,80}\))")),
    "e2fsck": ("e2fsck", _E2FSPROGS),
    "fsck.ext": ("e2fsck", _E2FSPROGS),
    "kmod": ("kmod", re.compile(rb"kmod version (\d[^\0\n ]{0,40})")),
    "libc.so.6": ("glibc", re.compile(rb"GNU C Library \((.{1,80})\) \w+ release version")),
}


class Version(NamedTuple):
    """What a program is called, and its version in the words of whoever made it."""

    name: str
    version: str


def read_version(file_name: str, program: bytes) -> Version | None:
    """Return what an ELF file says of its version; ``None`` where it does not tell."""
    for start, (name, line) in _LINES.items():
        if file_name.startswith(start) and (said := line.search(program)) is not None:
            return Version(name, _text(said[1]))
    note = _NOTE.search(program) if b'{"type":"' in program else None
    return None if note is None else Version(_text(note[1]), _text(note[2]))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
