from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from rdcompose.boards.root_directory import digest_of, directory_files
from rdcompose.errors import SpecError
from rdcompose.tree import Directory, File, Node, NodeKind, read_all
from tests.support.dump import dump

if TYPE_CHECKING:
    from pathlib import Path

ROOT = os.geteuid() == 0


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc").chmod(0o750)
    (root / "etc" / "hostname").write_bytes(b"pi\n")
    (root / "etc" / "hostname").chmod(0o4755)
    os.utime(root / "etc" / "hostname", ns=(0, 1_700_000_000_999_999_999))
    (root / "link").symlink_to("etc/none")
    (root / "same").hardlink_to(root / "etc" / "hostname")
    os.mkfifo(root / "fifo", 0o600)
    os.chmod(os.fsencode(root), 0o711)  # noqa: PTH101
    (root / os.fsdecode(b"\xff")).write_bytes(b"")
    return root


def test_everything(tree: Path) -> None:
    files = directory_files(tree)
    found = dump(files.tree)
    hostname = found.pop("etc/hostname")
    assert hostname.startswith("file 4755 ")
    assert found == {
        "etc": "dir 0750",
        "link": "symlink etc/none",
        "fifo": "fifo 0600",
        "\udcff": "file 0644 empty",
    }
    assert files.links == {"same": "etc/hostname"}
    assert files.root.mode == 0o711
    assert files.times["etc/hostname"] == 1_700_000_000
    assert files.times[""] == int(tree.stat().st_mtime)


def test_contents_are_read_when_asked_for(tree: Path) -> None:
    entry = directory_files(tree).tree.get("etc/hostname")
    assert isinstance(entry, File)
    (tree / "etc" / "hostname").write_bytes(b"\n\n\n")
    assert read_all(entry.content) == b"\n\n\n"


def test_own_files_become_roots(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = tree.stat()
    monkeypatch.setattr(os, "geteuid", lambda: status.st_uid)
    monkeypatch.setattr(os, "getegid", lambda: status.st_gid)
    assert {(entry.uid, entry.gid) for entry in directory_files(tree).tree} == {(0, 0)}


def test_owners_of_others_are_kept(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = tree.stat()
    monkeypatch.setattr(os, "geteuid", lambda: status.st_uid + 1)
    monkeypatch.setattr(os, "getegid", lambda: status.st_gid + 1)
    files = directory_files(tree)
    assert {(row.uid, row.gid) for row in files.tree} == {(status.st_uid, status.st_gid)}
    assert (files.root.uid, files.root.gid) == (status.st_uid, status.st_gid)


def test_what_cannot_be_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object, mode: int) -> bool:
        assert mode == os.R_OK
        return "hostname" not in str(path)

    # For root, everything can be.
    monkeypatch.setattr(os, "access", refuse)
    with pytest.raises(SpecError, match=r"cannot read .*hostname: Permission denied") as caught:
        directory_files(tree)
    assert "tar archive" in str(caught.value.hint)


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="No such file"):
        directory_files(tmp_path / "none")


def test_extended_attributes(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"user.a": b"1", "security.capability": b"2", "btrfs.compression": b"zstd"}

    def names(path: object, *, follow_symlinks: bool) -> list[str]:
        assert not follow_symlinks
        if str(path).endswith("fifo"):
            raise OSError(95, os.strerror(95), str(path))
        return list(values) if str(path).endswith("hostname") else []

    monkeypatch.setattr(os, "listxattr", names)
    monkeypatch.setattr(os, "getxattr", lambda _path, name, **_: values[name])
    files = directory_files(tree)
    assert files.xattrs == {"etc/hostname": (("security.capability", b"2"), ("user.a", b"1"))}


def test_attributes_that_cannot_be_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def names(path: object, *, follow_symlinks: bool) -> list[str]:
        del follow_symlinks
        raise OSError(5, os.strerror(5), str(path))

    monkeypatch.setattr(os, "listxattr", names)
    with pytest.raises(SpecError, match="Input/output error"):
        directory_files(tree)


def test_other_filesystems_are_left_out(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path as RealPath

    lstat = RealPath.lstat

    def elsewhere(path: RealPath) -> os.stat_result:
        found = lstat(path)
        if path.name != "etc":
            return found
        times = {"st_mtime_ns": found.st_mtime_ns}
        return os.stat_result([*found[:2], found.st_dev + 1, *found[3:10]], times)

    monkeypatch.setattr(RealPath, "lstat", elsewhere)
    files = directory_files(tree)
    assert isinstance(files.tree.get("etc"), Directory)
    assert "etc/hostname" not in files.tree


def test_nodes(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path as RealPath

    lstat = RealPath.lstat

    def device(path: RealPath) -> os.stat_result:
        found = lstat(path)
        if path.name != "fifo":
            return found
        keys = {"st_rdev": os.makedev(1, 3), "st_mtime_ns": found.st_mtime_ns}
        return os.stat_result([stat.S_IFCHR | 0o666, *found[1:10]], keys)

    monkeypatch.setattr(RealPath, "lstat", device)
    found = directory_files(tree).tree.get("fifo")
    assert isinstance(found, Node)
    assert (found.kind, found.major, found.minor) == (NodeKind.CHARACTER, 1, 3)


def test_digest_tells_everything_apart(tree: Path) -> None:
    digests = [digest_of(directory_files(tree))]
    assert digest_of(directory_files(tree)) == digests[0]
    hostname = tree / "etc" / "hostname"
    for change in (
        lambda: hostname.chmod(0o644),
        lambda: os.utime(hostname, (1, 1)),
        lambda: hostname.write_bytes(b"other"),
        (tree / "same").unlink,
        lambda: (tree / "etc").rename(tree / "usr"),
        (tree / "link").unlink,
        lambda: (tree / "link").symlink_to("usr/none"),
    ):
        change()
        digests.append(digest_of(directory_files(tree)))
    assert len(set(digests)) == len(digests)


def test_digest_of_what_has_gone(tree: Path) -> None:
    files = directory_files(tree)
    (tree / "etc" / "hostname").unlink()
    with pytest.raises(SpecError, match=r"cannot read .*hostname"):
        digest_of(files)
