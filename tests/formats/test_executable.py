"""rdcompose.formats.executable"""

from __future__ import annotations

import struct

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.executable import Executable, is_elf, read_executable
from tests.support.programs import make_library, make_program

LOADER = "/lib64/ld-linux-x86-64.so.2"


def judged(**more: object) -> Executable:
    fields: dict[str, object] = {
        "machine": 62,
        "bits": 64,
        "byteorder": "little",
        "runnable": True,
        "interpreter": None,
        "needed": (),
        **more,
    }
    return Executable(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(make_program(), judged(), id="static"),
        pytest.param(make_program(kind=3, needed=[]), judged(), id="static-pie"),
        pytest.param(
            make_program(kind=3, interpreter=LOADER, needed=["libc.so.6", "libm.so.6"]),
            judged(interpreter=LOADER, needed=("libc.so.6", "libm.so.6")),
            id="dynamic",
        ),
        pytest.param(
            make_program(machine=40, bits=32, needed=["libc.musl-armhf.so.1"]),
            judged(machine=40, bits=32, needed=("libc.musl-armhf.so.1",)),
            id="32 bits",
        ),
        pytest.param(
            make_program(machine=22, byteorder="big", needed=["libc.so.6"]),
            judged(machine=22, byteorder="big", needed=("libc.so.6",)),
            id="big-endian",
        ),
        pytest.param(
            make_program(machine=40000), judged(machine=40000), id="a machine nobody knows"
        ),
        pytest.param(make_program(kind=1), judged(runnable=False), id="object"),
        pytest.param(make_program(kind=4), judged(runnable=False), id="core"),
        pytest.param(make_program(loadable=False), judged(runnable=False), id="no segments"),
        pytest.param(make_program(kind=3, entry=0), judged(runnable=False), id="library"),
        pytest.param(
            make_library("libx.so.1", ["libc.so.6"], runpath="$ORIGIN/x:/opt::"),
            judged(
                runnable=False,
                needed=("libc.so.6",),
                soname="libx.so.1",
                runpath=("$ORIGIN/x", "/opt"),
            ),
            id="library with a name",
        ),
        pytest.param(
            make_program(kind=3, needed=[], rpath="/a:/b"),
            judged(rpath=("/a", "/b")),
            id="old path of libraries",
        ),
        pytest.param(
            make_program(loadable=False, needed=["libc.so.6"]),
            judged(runnable=False, needed=("",)),
            id="library names outside of every segment",
        ),
    ],
)
def test_programs(data: bytes, expected: Executable) -> None:
    assert read_executable(data) == expected


def test_static() -> None:
    assert judged().static
    assert not judged(interpreter=LOADER).static
    assert not judged(needed=("libc.so.6",)).static


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


PROGRAM = make_program(kind=3, needed=["libc.so.6"])
SECOND_ROW = 64 + 56


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "starts with nothing", id="empty"),
        pytest.param(b"#!/bin/sh", "23 21 2f 62", id="script"),
        pytest.param(b"\x7fELF", "damaged", id="magic alone"),
        pytest.param(patched(PROGRAM, 4, b"\3"), "damaged", id="class"),
        pytest.param(patched(PROGRAM, 5, b"\3"), "damaged", id="byte order"),
        pytest.param(PROGRAM[:40], "damaged", id="header cut"),
        pytest.param(PROGRAM[:130], "damaged", id="program headers cut"),
        pytest.param(patched(PROGRAM, 32, b"\xff" * 8), "damaged", id="offset beyond a seek"),
        pytest.param(patched(PROGRAM, 54, b"\0\0"), "unknown size", id="rows of no size"),
        pytest.param(patched(PROGRAM, 56, b"\xff\xff"), "65535 segments", id="65535 rows"),
        pytest.param(patched(PROGRAM, 56, b"\1\1"), "257 segments", id="257 rows"),
        pytest.param(
            patched(PROGRAM, SECOND_ROW + 8, b"\xff" * 8), "damaged", id="dynamic table beyond"
        ),
    ],
)
def test_hostile(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_executable(data)


def test_endless_dynamic_table() -> None:
    tags = struct.pack("<QQ", 30, 0) * 5000
    data = bytearray(make_program(tags, needed=[]))
    start = len(data) - len(tags)
    data[SECOND_ROW + 8 : SECOND_ROW + 16] = struct.pack("<Q", start)
    data[SECOND_ROW + 32 : SECOND_ROW + 40] = struct.pack("<Q", len(tags))
    with pytest.raises(FormatError, match="over 4096 dynamic tags"):
        read_executable(bytes(data))


def test_dynamic_table_without_an_end() -> None:
    data = bytearray(PROGRAM)
    # The table ends where its segment ends; the end mark is cut off.
    data[SECOND_ROW + 32 : SECOND_ROW + 40] = struct.pack("<Q", 32)
    assert read_executable(bytes(data)).needed == ("libc.so.6",)


def test_section_headers_do_not_matter() -> None:
    # They are for linkers and debuggers; here they would make a walk endless.
    data = patched(PROGRAM, 40, struct.pack("<Q", 64))
    data = patched(data, 58, struct.pack("<HHH", 0, 0xFFFF, 7))
    assert read_executable(data) == read_executable(PROGRAM)


def test_long_names_are_cut() -> None:
    long = read_executable(make_program(interpreter="/" * 5000))
    assert long.interpreter == "/" * 4096


def test_is_elf() -> None:
    assert is_elf(PROGRAM)
    assert not is_elf(b"!<arch>\n")
