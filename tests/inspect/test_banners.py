"""Versions that programs tell."""

from __future__ import annotations

import pytest

from rdcompose.inspect.banners import Version, read_version

PROGRAMS = {
    "busybox": (
        b"x\0BusyBox v1.35.0 (Debian 1:1.35.0-4+b5)\0multi-call",
        Version("busybox", "1.35.0 (Debian 1:1.35.0-4+b5)"),
    ),
    "busybox.static": (
        b"BusyBox v1.36.1 (2023-11-07)\0",
        Version("busybox", "1.36.1 (2023-11-07)"),
    ),
    "e2fsck": (b"\0001.47.2\0", Version("e2fsck", "1.47.2")),
    "fsck.ext4": (b"EXT2FS Library version 1.47.0\0", Version("e2fsck", "1.47.0")),
    "kmod": (b"\0kmod version 30\n", Version("kmod", "30")),
    "libc.so.6": (
        b"GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n",
        Version("glibc", "Debian GLIBC 2.36-9"),
    ),
    "udevadm": (
        b'\0{"type":"deb","os":"Debian","name":"systemd","version":"252.39-1","x":""}\0',
        Version("systemd", "252.39-1"),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_that_tell(name: str) -> None:
    program, version = PROGRAMS[name]
    assert read_version(name, program) == version


@pytest.mark.parametrize(
    ("name", "program"),
    [("mount", b"BusyBox v1.35.0 (Debian)"), ("busybox", b"BusyBox"), ("x", b'{"type":"deb"}')],
    ids=["other", "cut", "note"],
)
def test_programs_that_do_not(name: str, program: bytes) -> None:
    assert read_version(name, program) is None
