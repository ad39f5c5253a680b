"""The parts that ext4 is written from."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.errors import UnsupportedError
from rdcompose.formats.ext4.blocks import Run, extents
from rdcompose.formats.ext4.checksum import START, crc32c
from rdcompose.formats.ext4.extent_tree import extent_tree
from rdcompose.formats.ext4.folders import Name, _indexed, _packed, make_folder
from rdcompose.formats.ext4.geometry import BLOCK, BLOCKS_PER_GROUP, arrange, has_copy
from rdcompose.formats.ext4.hashes import NameHash, name_hash
from rdcompose.formats.ext4.inodes import Inode, pack_inode
from rdcompose.formats.ext4.space import Space, Stretch
from rdcompose.formats.ext4.xattrs import attribute_block, in_inode, stored_attributes
from tests.support.rootfiles import ACL, CAPABILITY

SEED = (0x0C0D0E0F, 0x08090A0B, 0x04050607, 0x00010203)


# RFC 3720, appendix B.4, before the inversion at its end.
@pytest.mark.parametrize(
    ("data", "value"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
    ids=["zeros", "ones", "ascending", "odd", "empty"],
)
def test_crc32c(data: bytes, value: int) -> None:
    assert crc32c(START, data) ^ START == value


def bitwise(crc: int, data: bytes) -> int:
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc


@given(st.integers(0, START), st.binary(max_size=20), st.integers(0, 300))
def test_crc32c_over_zeros(start: int, data: bytes, zeros: int) -> None:
    assert crc32c(start, data + bytes(zeros)) == bitwise(start, data + bytes(zeros))


@given(st.binary(max_size=40), st.integers(0, 40))
def test_crc32c_goes_on(data: bytes, at: int) -> None:
    assert crc32c(crc32c(START, data[:at]), data[at:]) == crc32c(START, data)


# As debugfs says with dx_hash, of names of less than, just and more than 32 bytes.
@pytest.mark.parametrize(
    ("name", "major", "minor"),
    [
        (b"a", 0xFEEC311E, 0xC7D3123F),
        (b"lost+found", 0x8E1B72BA, 0xADAA80F0),
        (b"x" * 32, 0x8F374556, 0xAF2BF181),
        (b"x" * 33, 0x4FA20C44, 0x90FF2836),
    ],
    ids=["one", "ten", "thirty-two", "thirty-three"],
)
def test_name_hash(name: bytes, major: int, minor: int) -> None:
    assert name_hash(name, SEED) == NameHash(major, minor)


def names(count: int, length: int) -> list[Name]:
    return [Name(b"%0*d" % (length, number), 12 + number, 1) for number in range(count)]


def test_small_folder_is_a_list() -> None:
    folder = make_folder(11, 2, names(3, 10), SEED, least=4)
    assert len(folder.blocks) == 4
    assert folder.indexes == frozenset()


def test_folder_of_one_full_block() -> None:
    # 12 bytes for each of both dots and for the checksum, 16 for each name.
    room = (BLOCK - 3 * 12) // 16
    assert len(make_folder(11, 2, names(room, 8), SEED).blocks) == 1
    assert make_folder(11, 2, names(room + 1, 8), SEED).indexes == {0}


def test_same_hashes_in_two_blocks() -> None:
    hashed = [(NameHash(8, minor), name) for minor, name in enumerate(names(20, 250))]
    starts = [start for start, _ in _packed(hashed)]
    # An odd one says: look at the block before, too.
    assert starts == [0, 9]


def test_too_many_names_for_an_index() -> None:
    leaves = [b""] * (507 * 510 + 1)
    dots = (Name(b".", 2, 2), Name(b"..", 2, 2))
    with pytest.raises(UnsupportedError, match="too many names"):
        _indexed(dots, range(len(leaves)), leaves)


def read_extents(stretches: list[Stretch]) -> list[Run]:
    places = iter(range(1 << 33, 1 << 34))
    found = extent_tree(stretches, lambda: next(places), 0)
    # Four in the inode, else 340 in each block.
    count = sum(-(-stretch.length // 0x8000) for stretch in stretches)
    assert len(found.blocks) == (-(-count // 340) if count > 4 else 0)
    assert len(found.root) == 60
    return list(extents(found.root, found.blocks.__getitem__))


@pytest.mark.parametrize("count", [0, 1, 4, 5, 340, 341, 1360])
def test_extents(count: int) -> None:
    stretches = [Stretch((1 << 33) + n * 10, 3) for n in range(count)]
    assert read_extents(stretches) == [
        Run(n * 3, 3, stretch.start) for n, stretch in enumerate(stretches)
    ]


def test_long_extents_are_divided() -> None:
    assert read_extents([Stretch(7, 32768 * 2 + 1)]) == [
        Run(0, 32768, 7),
        Run(32768, 32768, 32775),
        Run(65536, 1, 65543),
    ]


def test_more_extents_than_a_tree_of_two_levels_has() -> None:
    with pytest.raises(UnsupportedError, match="too large"):
        read_extents([Stretch(n * 2, 1) for n in range(1361)])


def test_space_joins_what_touches() -> None:
    space = Space(100)
    for start in (10, 30, 20):
        space.occupy(start, 10)
    assert list(space.taken()) == [Stretch(10, 30)]
    assert space.free == 70


@pytest.mark.parametrize(("start", "length"), [(5, 6), (15, 1), (19, 2), (95, 6), (0, 100)])
def test_space_is_not_taken_twice(start: int, length: int) -> None:
    space = Space(100)
    space.occupy(10, 10)
    with pytest.raises(ValueError, match="no room"):
        space.occupy(start, length)


def test_space_goes_around_what_is_taken() -> None:
    space = Space(100)
    space.occupy(10, 10)
    assert space.take_together(0, 11) == 20
    assert space.take(12) == (Stretch(0, 10), Stretch(31, 2))
    assert space.take(0) == ()
    assert space.take(67) == (Stretch(33, 67),)
    with pytest.raises(ValueError, match="no room"):
        space.take(1)
    with pytest.raises(ValueError, match="no room"):
        space.take_together(0, 1)


def test_groups_with_copies() -> None:
    found = [group for group in range(130) if has_copy(group)]
    assert found == [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]


def test_last_group_that_is_too_small_is_left_out() -> None:
    geometry = arrange(BLOCKS_PER_GROUP + 60, 2000)
    assert geometry.blocks == BLOCKS_PER_GROUP
    assert len(arrange(BLOCKS_PER_GROUP + 600, 2000).groups) == 2


@pytest.mark.parametrize(
    ("blocks", "inodes"), [(0, 16), (1 << 32, 16), (100, 1 << 20), (200, 3200), (330, 4800)]
)
def test_filesystems_that_cannot_be(blocks: int, inodes: int) -> None:
    with pytest.raises(ValueError, match="no room"):
        arrange(blocks, inodes)


@pytest.mark.parametrize(
    ("seconds", "low", "extra"),
    [
        (0, 0, 0),
        (-1, 0xFFFFFFFF, 0),
        (0x7FFFFFFF, 0x7FFFFFFF, 0),
        # Documentation/filesystems/ext4/inodes.rst: 2038-01-19 and 2446-05-10
        (0x80000000, 0x80000000, 1),
        (0x37FFFFFFF, 0x7FFFFFFF, 3),
        (1 << 40, 0x7FFFFFFF, 3),
        (-(1 << 40), 0x80000000, 0),
    ],
    ids=["1970", "1969", "2038", "later", "2446", "beyond", "before-1901"],
)
def test_times(seconds: int, low: int, extra: int) -> None:
    data = pack_inode(Inode(mode=0o100644, mtime=seconds), 0)
    assert struct.unpack_from("<I", data, 0x10) == (low,)
    assert struct.unpack_from("<I", data, 0x88) == (extra,)


def test_directory_with_more_subdirectories_than_can_be_counted() -> None:
    data = pack_inode(Inode(mode=0o040755, links=65_000), 0)
    assert struct.unpack_from("<H", data, 0x1A) == (1,)


def test_attributes_in_the_inode_or_in_a_block() -> None:
    small = stored_attributes([("user.a", b"1"), ("security.capability", CAPABILITY)])
    assert [item.prefix for item in small] == [1, 6]
    inline = in_inode(small, 96)
    assert inline is not None
    assert len(inline) == 96
    large = stored_attributes([("user.a", bytes(100))])
    assert in_inode(large, 96) is None
    assert len(attribute_block(large, 77, 0)) == BLOCK


def test_attributes_are_too_large() -> None:
    with pytest.raises(UnsupportedError, match="too large"):
        attribute_block(stored_attributes([("user.a", bytes(4096))]), 77, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("other.a", b""),
        ("user.", b""),
        ("user." + "a" * 256, b""),
        ("system.posix_acl_accessory", ACL),
        ("system.posix_acl_access", ACL[:-1]),
        ("system.posix_acl_access", b""),
        ("system.posix_acl_default", b"\x03" + ACL[1:]),
    ],
    ids=["prefix", "no-name", "long-name", "acl-name", "cut-acl", "empty-acl", "acl-version"],
)
def test_attributes_that_cannot_be_stored(name: str, value: bytes) -> None:
    with pytest.raises(UnsupportedError, match=r"attribute|access list"):
        stored_attributes([(name, value)])
