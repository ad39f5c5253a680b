from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdcompose.boards.root_tar import tar_files
from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.tree import File, read_all
from tests.support.dump import digest, dump
from tests.support.tars import TIME, directory, hardlink, member, symlink, tar_bytes, write_tar

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.formats.ext4.contents import Files

CAPABILITY = bytes.fromhex("010000020020000000000000ff000000000000fe")
FORMATS = {
    "ustar": tarfile.USTAR_FORMAT,
    "gnu": tarfile.GNU_FORMAT,
    "pax": tarfile.PAX_FORMAT,
}


def read(path: Path) -> tuple[Files, dict[str, str]]:
    with path.open("rb") as source:
        files = tar_files(source)
        return files, dump(files.tree)


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_everything(tmp_path: Path, form: int) -> None:
    path = write_tar(
        tmp_path / "root.tar",
        directory("./", mode=0o711, uid=5, gid=6, mtime=7),
        directory("./etc", mode=0o1777),
        member("./etc/hostname", b"pi\n", mode=0o4750, uid=1000, gid=2000),
        member("./etc/empty"),
        symlink("./bin", "usr/bin"),
        hardlink("./etc/same", "./etc/hostname"),
        hardlink("./etc/again", "./etc/same"),
        member("./dev/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        member("./dev/sda", type=tarfile.BLKTYPE, devmajor=8, devminor=16, mode=0o660),
        member("./run/fifo", type=tarfile.FIFOTYPE, devmajor=9, mode=0o600),
        member("./\udcff", b"x", mode=0o644),
        form=form,
    )
    files, found = read(path)
    assert found == {
        "etc": "dir 1777",
        "etc/hostname": f"file 4750 {digest(b'pi' + bytes([10]))} 1000:2000",
        "etc/empty": "file 0644 empty",
        "bin": "symlink usr/bin",
        "dev": "dir 0755",
        "dev/null": "char 0666 1:3",
        "dev/sda": "block 0660 8:16",
        "run": "dir 0755",
        "run/fifo": "fifo 0600",
        "\udcff": f"file 0644 {digest(b'x')}",
    }
    assert files.links == {"etc/same": "etc/hostname", "etc/again": "etc/hostname"}
    assert (files.root.mode, files.root.uid, files.root.gid, files.times[""]) == (0o711, 5, 6, 7)
    assert files.times["etc/hostname"] == TIME


def test_it_is_read_from_its_start(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "root.tar", member("a"), member("b"))
    with path.open("rb") as source:
        source.seek(512)
        assert len(tar_files(source).tree) == 2


def test_contents_in_pieces(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    path = write_tar(tmp_path / "root.tar", member("a", b"first"), member("b", content))
    with path.open("rb") as source:
        entry = tar_files(source).tree.get("b")
        assert isinstance(entry, File)
        assert b"".join(entry.content.chunks(1000)) == content
        assert read_all(entry.content) == content


def sparse(pieces: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    """Return a file with holes, in the form that GNU tar calls 0.1."""
    headers = {"GNU.sparse.map": pieces, "GNU.sparse.size": "1000", "GNU.sparse.numblocks": "3"}
    return member("holes", content, pax_headers=headers)


def test_sparse_file(tmp_path: Path) -> None:
    row = sparse("10,3,0,0,500,4,1000,0", b"abcdefg")
    path = write_tar(tmp_path / "root.tar", row, member("b", b"b"))
    with path.open("rb") as source:
        tree = tar_files(source).tree
        entry, other = tree.get("holes"), tree.get("b")
        assert isinstance(entry, File)
        assert isinstance(other, File)
        assert read_all(entry.content) == (
            bytes(10) + b"abc" + bytes(487) + b"defg" + bytes(1000 - 504)
        )
        assert read_all(other.content) == b"b"


@pytest.mark.parametrize("pieces", ["10,3,5,4", "10,3,12,4", "998,7", "10,-3"])
def test_damaged_sparse_file(tmp_path: Path, pieces: str) -> None:
    path = write_tar(tmp_path / "root.tar", sparse(pieces, b"abcdefg"))
    with pytest.raises(FormatError, match="the sparse file 'holes' of the tar archive is damaged"):
        read(path)


def test_extended_attributes(tmp_path: Path) -> None:
    value = CAPABILITY.decode("utf-8", "surrogateescape")
    headers = {
        "SCHILY.xattr.security.capability": value,
        "SCHILY.xattr.user.note": "text",
        "comment": "other",
    }
    path = write_tar(tmp_path / "root.tar", member("ping", b"x", pax_headers=headers))
    files, _ = read(path)
    assert files.xattrs == {"ping": (("security.capability", CAPABILITY), ("user.note", b"text"))}


def test_below_a_link_is_where_it_leads(tmp_path: Path) -> None:
    path = write_tar(
        tmp_path / "root.tar",
        directory("usr/bin"),
        symlink("bin", "usr/bin"),
        member("bin/sh", b"x"),
        hardlink("sbin/sh", "bin/sh"),
    )
    files, found = read(path)
    assert "usr/bin/sh" in found
    assert files.links == {"sbin/sh": "usr/bin/sh"}


def test_later_entries_take_the_place_of_earlier_ones(tmp_path: Path) -> None:
    headers = {"SCHILY.xattr.user.a": "1"}
    path = write_tar(
        tmp_path / "root.tar",
        member("a", b"old", pax_headers=headers, mtime=1),
        hardlink("b", "a"),
        hardlink("c", "a"),
        member("a", b"new", mtime=2),
        symlink("link", "x"),
        hardlink("link", "a"),
        hardlink("self", "a"),
        hardlink("self", "self"),
        member("c", b"own", mtime=3),
        directory("d", mode=0o700),
        member("d/x"),
        directory("d", mode=0o750),
    )
    files, found = read(path)
    assert found == {
        "a": f"file 0644 {digest(b'new')}",
        "b": f"file 0644 {digest(b'old')}",
        "c": f"file 0644 {digest(b'own')}",
        "d": "dir 0750",
        "d/x": "file 0644 empty",
    }
    assert files.links == {"link": "a", "self": "a"}
    assert {path: files.times[path] for path in "abc"} == {"a": 2, "b": 1, "c": 3}
    assert files.xattrs == {"b": (("user.a", b"1"),)}


def test_other_names_keep_what_is_replaced(tmp_path: Path) -> None:
    path = write_tar(
        tmp_path / "root.tar",
        member("a", b"old"),
        hardlink("b", "a"),
        hardlink("c", "a"),
        symlink("a", "b"),
    )
    files, found = read(path)
    assert found == {"a": "symlink b", "b": f"file 0644 {digest(b'old')}"}
    assert files.links == {"c": "b"}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([member("../x")], "hostile name"),
        ([member("/etc/x")], "hostile name"),
        ([member("./")], "no directory for its root"),
        ([hardlink("a", "b")], "the hard link 'a' of the tar archive leads to 'b'"),
        ([directory("b"), hardlink("a", "b")], "leads to 'b'"),
        ([member("b"), directory("a"), hardlink("a", "b")], "a directory and a hard link"),
        ([directory("a"), member("a/b"), member("a")], "cannot be unpacked: 'a' cannot replace"),
        ([member("a"), member("a/b")], "cannot be unpacked: 'a' is not a directory"),
        ([symlink("a", "b"), symlink("b", "a"), member("a/c")], "in a circle"),
        ([member("a", uid=1 << 32)], "'a' has the owner 4294967296:0"),
        ([member("a", gid=-1)], "'a' has the owner 0:-1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_archives_that_cannot_be(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], message: str
) -> None:
    path = write_tar(tmp_path / "root.tar", *members, form=tarfile.GNU_FORMAT)
    with pytest.raises(FormatError, match=message):
        read(path)


def test_types_of_no_root(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "root.tar", member("a", type=b"M"))
    with pytest.raises(UnsupportedError, match="'a' of the tar archive has the type b'M'"):
        read(path)


ARCHIVE = tar_bytes(
    [
        directory("d"),
        member("d/a", b"content" * 100),
        hardlink("d/b", "d/a"),
        member("ping", b"x", pax_headers={"SCHILY.xattr.user.a": "1"}),
        symlink("s", "d"),
    ]
)


@pytest.mark.parametrize(
    "length",
    [0, 100, 512, 1024, 1500, 2048, len(ARCHIVE.rstrip(b"\0")) // 512 * 512 + 512],
)
def test_cut_archives(tmp_path: Path, length: int) -> None:
    path = tmp_path / "root.tar"
    path.write_bytes(ARCHIVE[:length])
    with pytest.raises(FormatError, match="damaged"):
        read(path)


def test_damaged_header(tmp_path: Path) -> None:
    path = tmp_path / "root.tar"
    path.write_bytes(ARCHIVE[:512] + b"x" + ARCHIVE[513:])
    with pytest.raises(FormatError, match="damaged or cut short at offset 512"):
        read(path)


def test_file_that_shrinks(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "root.tar", member("a", bytes(5000)))
    with path.open("rb") as source:
        entry = tar_files(source).tree.get("a")
        assert isinstance(entry, File)
        path.write_bytes(ARCHIVE[:600])
        with pytest.raises(FormatError, match="too early"):
            read_all(entry.content)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(ARCHIVE) - 1), st.integers(0, 255)), max_size=4))
def test_damage_is_told_or_harmless(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    data = bytearray(ARCHIVE)
    for at, value in changes:
        data[at] = value
    path = tmp_path / "root.tar"
    path.write_bytes(data)
    try:
        read(path)
    except (FormatError, UnsupportedError) as error:
        assert error.message  # noqa: PT017
