from __future__ import annotations

import io
import struct

import pytest

from rdcompose.errors import UnsupportedError
from rdcompose.formats.squashfs.inodes import NO_XATTR
from rdcompose.formats.squashfs.reader import SquashfsImage
from rdcompose.formats.squashfs.superblock import NO_TABLE, Flag, read_superblock
from rdcompose.formats.squashfs.tables import Details
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.formats.squashfs.xattrs import XattrTable
from rdcompose.tree import encode_name
from tests.support.dump import dump
from tests.support.rootfiles import TIME, root_files


def written(details: Details | None) -> bytes:
    out = io.BytesIO()
    write_squashfs(out, root_files().tree, mtime=TIME, details=details)
    return out.getvalue()


def test_without_details_nothing_changes() -> None:
    image = written(None)
    assert image == written(Details())
    assert Flag.NO_XATTRS in read_superblock(image).flags
    assert struct.unpack_from("<Q", image, 0x38) == (NO_TABLE,)


def test_attributes_of_every_kind_of_entry() -> None:
    tree = root_files().tree
    xattrs = {entry.path: [("user.path", encode_name(entry.path))] for entry in tree}
    xattrs[""] = [("user.root", b"")]
    image = written(Details(xattrs=xattrs))
    assert Flag.NO_XATTRS not in read_superblock(image).flags
    assert dump(SquashfsImage(io.BytesIO(image)).entries()) == dump(tree)
    (table,) = struct.unpack_from("<Q", image, 0x38)
    place, count = struct.unpack_from("<QI", image, table)
    assert place < table
    assert count == len(tree) + 1


def test_same_attributes_are_stored_once() -> None:
    table = XattrTable(bytes)
    first = table.index((("user.a", b"1"), ("security.b", b"2")))
    assert table.index((("security.b", b"2"), ("user.a", b"1"))) == first == 0
    assert table.index((("user.a", b"2"),)) == 1
    assert table.index(()) == NO_XATTR
    assert len(table) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("system.a", b""), ("user.", b""), ("user." + "a" * 256, b""), ("user.a", bytes(65536))],
    ids=["prefix", "no-name", "long-name", "long-value"],
)
def test_attributes_that_cannot_be_stored(name: str, value: bytes) -> None:
    with pytest.raises(UnsupportedError, match="cannot hold the extended attribute"):
        XattrTable(bytes).index(((name, value),))
