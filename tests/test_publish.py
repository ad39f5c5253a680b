from __future__ import annotations

import errno
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rdcompose.errors import OutputError
from rdcompose.publish import Publication, sweep


def put(publication: Publication, name: str, data: bytes) -> None:
    with publication.file(name) as out:
        out.write(data)


def listing(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def test_files_appear_together_at_the_end(tmp_path: Path) -> None:
    with Publication(tmp_path) as publication:
        put(publication, "a", b"1")
        put(publication, "b", b"2")
        assert not {"a", "b"} & {path.name for path in tmp_path.iterdir()}
        publication.publish()
    assert listing(tmp_path) == {"a": b"1", "b": b"2"}


def test_old_files_are_replaced_and_removed_ones_go(tmp_path: Path) -> None:
    for name in ("a", "stale", "kept"):
        (tmp_path / name).write_bytes(b"old")
    with Publication(tmp_path) as publication:
        put(publication, "a", b"new")
        publication.publish(remove=["stale", "never-there"])
    assert listing(tmp_path) == {"a": b"new", "kept": b"old"}


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with Publication(tmp_path) as publication:
            put(publication, "a", b"1")
            publication.publish()
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o644


def test_an_error_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def fail() -> None:
        with Publication(tmp_path) as publication:
            put(publication, "a", b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert listing(tmp_path) == {"a": b"old"}


def test_an_unfinished_file_is_removed(tmp_path: Path) -> None:
    def fail() -> None:
        with Publication(tmp_path) as publication, publication.file("a") as out:
            out.write(b"half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert listing(tmp_path) == {}


def test_a_made_directory_goes_again(tmp_path: Path) -> None:
    def fail() -> None:
        with Publication(tmp_path / "x" / "y"):
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert listing(tmp_path) == {}


def test_a_made_directory_stays_with_its_files(tmp_path: Path) -> None:
    with Publication(tmp_path / "x" / "y") as publication:
        put(publication, "a", b"1")
        publication.publish()
    assert listing(tmp_path / "x" / "y") == {"a": b"1"}


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(OutputError, match=r"cannot write .*/file/out: Not a directory"),
        Publication(tmp_path / "file" / "out"),
    ):
        pytest.fail("a file was taken for a directory")
    assert listing(tmp_path) == {"file": b""}


def test_a_directory_in_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with (
        Publication(tmp_path) as publication,
        pytest.raises(OutputError, match=r"cannot write .*/a: it is a directory"),
        publication.file("a"),
    ):
        pytest.fail("a directory was taken for a file")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("/dev/full")

    def fill() -> None:
        with Publication(tmp_path) as publication, publication.file("b") as out:
            os.write(os.open("/dev/full", os.O_WRONLY), b"x")
            out.write(b"never")

    with pytest.raises(OutputError, match=r"cannot write .*/b: No space left on device"):
        fill()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_failing_rename_undoes_those_before_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old a")
    (tmp_path / "gone").write_bytes(b"old gone")

    def fail() -> None:
        with Publication(tmp_path) as publication:
            for name in ("a", "b", "c"):
                put(publication, name, b"new")
            # A directory that appears after the file was written cannot be replaced.
            (tmp_path / "c").mkdir()
            publication.publish(remove=["gone"])

    with pytest.raises(OutputError, match="cannot write"):
        fail()
    (tmp_path / "c").rmdir()
    assert listing(tmp_path) == {"a": b"old a", "gone": b"old gone"}


def test_a_signal_waits_until_all_are_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"old")
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        return real(self, target)

    def interrupted() -> None:
        with Publication(tmp_path) as publication:
            put(publication, "a", b"new")
            put(publication, "b", b"new")
            monkeypatch.setattr(Path, "rename", rename)
            publication.publish()

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert listing(tmp_path) == {"a": b"new", "b": b"new"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_that_another_thread_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A display has a thread of its own, for which no signal is blocked."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"old")
    real = Path.rename
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    taken, noted = os.pipe()
    os.set_blocking(noted, False)

    def rename(self: Path, target: Path) -> Path:
        assert other.ident is not None
        signal.pthread_kill(other.ident, number)
        # One that is still on its way when the test is over would hit whoever comes next.
        assert os.read(taken, 1) == bytes([number])
        return real(self, target)

    def interrupted() -> None:
        with Publication(tmp_path) as publication:
            put(publication, "a", b"new")
            put(publication, "b", b"new")
            monkeypatch.setattr(Path, "rename", rename)
            publication.publish()

    before = signal.signal(number, signal.default_int_handler)
    wakeup = signal.set_wakeup_fd(noted)
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        over.set()
        other.join()
        signal.set_wakeup_fd(wakeup)
        signal.signal(number, before)
        os.close(taken)
        os.close(noted)
    assert listing(tmp_path) == {"a": b"new", "b": b"new"}


def test_what_is_ignored_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        signal.raise_signal(signal.SIGHUP)
        return real(self, target)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Publication(tmp_path) as publication:
            put(publication, "a", b"new")
            monkeypatch.setattr(Path, "rename", rename)
            publication.publish()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert listing(tmp_path) == {"a": b"new"}


def test_any_thread_can_publish(tmp_path: Path) -> None:
    def publish() -> None:
        with Publication(tmp_path) as publication:
            put(publication, "a", b"new")
            publication.publish()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(publish).result()
    assert listing(tmp_path) == {"a": b"new"}


def test_file_systems_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Path, _target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    for name in ("a", "stale"):
        (tmp_path / name).write_bytes(b"old")
    with Publication(tmp_path) as publication:
        put(publication, "a", b"new")
        publication.publish(remove=["stale", "never-there"])
    assert listing(tmp_path) == {"a": b"new"}


def test_an_interrupt_while_a_file_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def interrupted(self: Path, mode: str) -> None:
        real(self, mode).close()
        raise KeyboardInterrupt

    def fail() -> None:
        with Publication(tmp_path / "made") as publication:
            monkeypatch.setattr(Path, "open", interrupted)
            put(publication, "a", b"never")

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert listing(tmp_path) == {}


def test_an_interrupt_while_the_directory_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.mkdir

    def interrupted(self: Path) -> None:
        real(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), Publication(tmp_path / "made"):
        pytest.fail("the interrupt was swallowed")
    assert listing(tmp_path) == {}


def fill(publication: Publication, name: str, files: dict[str, bytes], mode: int = 0o755) -> None:
    directory = publication.subdirectory(name)
    for path, data in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
    for path in files:
        (directory / path).parent.chmod(mode)


def tree(directory: Path) -> dict[str, bytes]:
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_a_directory_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    for files in ({"a/b": b"1", "gone": b""}, {"a/b": b"2", "c": b"3"}):
        with Publication(tmp_path) as publication:
            fill(publication, "d", files, mode=0o555)
            put(publication, "file", files["a/b"])
            assert tree(tmp_path).get("d/a/b") != files["a/b"]
            publication.publish()
        assert tree(tmp_path) == {
            "file": files["a/b"], **{f"d/{path}": data for path, data in files.items()}
        }  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "file"]


def test_a_directory_is_removed(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "f").write_bytes(b"")
    (tmp_path / "d" / "e").chmod(0o500)
    with Publication(tmp_path) as publication:
        publication.publish(remove_directories=["d", "never-there"])
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_directory_goes_again(tmp_path: Path) -> None:
    def fail() -> None:
        with Publication(tmp_path) as publication:
            fill(publication, "d", {"a/b": b"new"}, mode=0o500)
            raise KeyboardInterrupt

    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert tree(tmp_path) == {"d/old": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_a_failing_rename_brings_directories_back(tmp_path: Path) -> None:
    old = {"d/old": b"old", "stale/old": b"old"}
    for path, data in old.items():
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_bytes(data)

    def fail() -> None:
        with Publication(tmp_path) as publication:
            fill(publication, "d", {"new": b"new"})
            fill(publication, "fresh", {"new": b"new"})
            put(publication, "z", b"new")
            (tmp_path / "z").mkdir()
            publication.publish(remove_directories=["stale"])

    with pytest.raises(OutputError, match="Is a directory"):
        fail()
    assert tree(tmp_path) == old
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "stale", "z"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_no_directory_in_the_place_of_something_else(tmp_path: Path, kind: str) -> None:
    if kind == "file":
        (tmp_path / "d").write_bytes(b"mine")
    else:
        (tmp_path / "d").symlink_to(tmp_path)

    def fail() -> None:
        with Publication(tmp_path) as publication:
            fill(publication, "d", {"a": b""})
            publication.publish()

    with pytest.raises(OutputError, match="Not a directory"):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_the_last_file_takes_its_place_in_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "z"):
        (tmp_path / name).write_bytes(b"old")
    real = Path.replace
    seen: list[dict[str, bytes]] = []

    def replace(self: Path, target: Path) -> Path:
        seen.append({name: (tmp_path / name).read_bytes() for name in ("a", "z")})
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with Publication(tmp_path) as publication:
        put(publication, "a", b"new")
        put(publication, "z", b"new")
        publication.publish(last="a")
    assert seen == [{"a": b"old", "z": b"new"}]
    assert listing(tmp_path) == {"a": b"new", "z": b"new"}


def test_nothing_is_changed_if_the_last_file_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "z"):
        (tmp_path / name).write_bytes(b"old")

    def refuse(self: Path, _: Path) -> Path:
        raise OSError(5, "Input/output error", str(self))

    def fail() -> None:
        with Publication(tmp_path) as publication:
            put(publication, "a", b"new")
            put(publication, "z", b"new")
            monkeypatch.setattr(Path, "replace", refuse)
            publication.publish(last="a")

    with pytest.raises(OutputError, match="Input/output error"):
        fail()
    monkeypatch.undo()
    assert listing(tmp_path) == {"a": b"old", "z": b"old"}


def test_a_last_file_that_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with Publication(tmp_path) as publication:
        put(publication, "z", b"new")
        publication.publish(last="a")
    assert listing(tmp_path) == {"a": b"old", "z": b"new"}


def test_a_file_system_without_modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", refuse)
    with Publication(tmp_path) as publication:
        put(publication, "a", b"1")
        (publication.subdirectory("d") / "b").write_bytes(b"2")
        publication.publish()
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "d" / "b").read_bytes() == b"2"


def test_a_file_system_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with (
        pytest.raises(OutputError, match=r"cannot write .*/a: Read-only file system"),
        Publication(tmp_path) as publication,
        publication.file("a"),
    ):
        pass


def test_what_a_killed_process_left_is_found_by_its_mark(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"earlier")
    publication = Publication(tmp_path, "0123abcd").__enter__()
    with publication.file("a") as out:
        out.write(b"new")
    (publication.subdirectory("d") / "file").write_bytes(b"new")
    other = Publication(tmp_path, "4567cdef").__enter__()
    with other.file("a") as out:
        out.write(b"other")
    (tmp_path / ".b.0123abcd-00000000.old").write_bytes(b"earlier")
    sweep(tmp_path, "0123abcd", published=False)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left[0].startswith(".a.4567cdef-")
    assert left[1:] == [".b.0123abcd-00000000.old", "a", "b"]
    sweep(tmp_path, "0123abcd", published=True)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".b")] == []
    other.publish()
    other.__exit__(None, None, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    assert (tmp_path / "a").read_bytes() == b"other"


def test_nothing_to_sweep(tmp_path: Path) -> None:
    sweep(tmp_path / "none", "0123abcd", published=True)
    assert not (tmp_path / "none").exists()
