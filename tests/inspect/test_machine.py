from __future__ import annotations

import lzma

import pytest

from rdcompose.inspect.machine import Machine
from rdcompose.tree import Bytes, Directory, Entry, File
from tests.support.artifacts import module
from tests.support.programs import make_program


def told(*entries: Entry) -> tuple[str, ...]:
    machine = Machine()
    for entry in entries:
        machine.look(entry)
    return tuple(row.name for row in machine.found)


SCRIPT = File(path="init", mode=0o755, content=Bytes(b"#!/bin/sh\n" + b"#" * 99))


def test_the_first_that_tells() -> None:
    program = File(path="bin/x", mode=0o755, content=Bytes(make_program()))
    assert told(Directory(path="bin"), SCRIPT, program) == ("amd64",)
    arm = File(path="x.ko", content=Bytes(module(machine=183)))
    assert told(SCRIPT, arm, program) == ("arm64",)


def test_packed_modules() -> None:
    packed = File(path="x.ko.xz", content=Bytes(lzma.compress(module(machine=243))))
    assert told(packed) == ("riscv64",)


@pytest.mark.parametrize(
    "entry",
    [
        SCRIPT,
        File(path="data", content=Bytes(make_program())),
        File(path="x.ko.xz", content=Bytes(lzma.compress(b"text" * 99)[:-20])),
        File(path="x.ko.xz", content=Bytes(b"\xfd7zXZ\0" + bytes(99))),
        File(path="x", mode=0o755, content=Bytes(b"\x7fELF" + b"\x09" * 99)),
        File(path="x", mode=0o755, content=Bytes(b"\x7fELF")),
    ],
    ids=["script", "data", "text", "damaged", "strange", "short"],
)
def test_what_tells_nothing(entry: Entry) -> None:
    assert told(entry) == ()
