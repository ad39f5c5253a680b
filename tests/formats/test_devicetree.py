from __future__ import annotations

import struct

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.devicetree import DeviceTree, read_device_tree
from tests.support.devicetrees import make_dtb


def test_root_node() -> None:
    data = make_dtb({"model": b"A board\0", "compatible": b"maker,board\0maker,chip\0"})
    assert read_device_tree(data) == DeviceTree(
        model="A board", compatible=("maker,board", "maker,chip")
    )
    # What follows it is none of its business.
    assert read_device_tree(data + b"rest").model == "A board"


def test_overlay() -> None:
    assert read_device_tree(make_dtb({})) == DeviceTree(model=None, compatible=())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "starts with nothing"),
        (b"text", "starts with 74 65 78 74"),
        (make_dtb({})[:30], "cut off in its header"),
        (make_dtb({})[:-1], "is cut: 76 bytes announced, 75 there"),
        (make_dtb({}, version=16), "version 16"),
        (make_dtb({}, oldest=18), "not 17"),
        (make_dtb({}, nodes=0x1000), "outside of it"),
        (make_dtb({}, body=struct.pack(">2I", 2, 0)), "does not start with its root"),
        (make_dtb({}, body=struct.pack(">3I", 1, 0, 7)), "token 0x7"),
        (make_dtb({}, body=struct.pack(">3I", 1, 0, 4)), "ends within its root"),
        (make_dtb({}, body=b""), "ends within its root"),
        (make_dtb({f"p{n}": b"" for n in range(256)}), "over 256 properties"),
    ],
)
def test_what_is_none(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_device_tree(data)
