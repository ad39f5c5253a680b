from __future__ import annotations

import os
from pathlib import Path

import pytest

from rdcompose.archive.localfile import read_blocks, read_file
from rdcompose.errors import FetchError, NotFoundError

DATA = os.urandom(3_000_000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a mirror+1" / "linux 6.1%2B~1.deb"
    path.parent.mkdir()
    path.write_bytes(DATA)
    return path


def test_whole_files(file: Path) -> None:
    assert read_file(file.as_uri(), len(DATA)) == DATA
    assert read_file(f"file:{file}".replace("%", "%25"), len(DATA)) == DATA
    assert b"".join(read_blocks(file.as_uri(), 0, len(DATA))) == DATA


@pytest.mark.parametrize("start", [1, 1 << 20, len(DATA) - 1, len(DATA)])
def test_the_rest_of_a_file(file: Path, start: int) -> None:
    assert b"".join(read_blocks(file.as_uri(), start, len(DATA))) == DATA[start:]


def test_a_file_that_is_too_large(file: Path) -> None:
    with pytest.raises(FetchError) as caught:
        read_file(file.as_uri(), len(DATA) - 1)
    assert caught.value.message == (
        f"{file.as_uri()} has more than the 2999999 bytes that are allowed"
    )


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1])
def test_a_file_of_another_size(file: Path, size: int) -> None:
    with pytest.raises(FetchError) as caught:
        next(read_blocks(file.as_uri(), 0, size))
    assert caught.value.message == (f"{file.as_uri()} has 3000000 bytes, where {size} are expected")


def test_a_file_that_shrinks(file: Path) -> None:
    blocks = read_blocks(file.as_uri(), 0, len(DATA))
    next(blocks)
    os.truncate(file, 1 << 20)
    with pytest.raises(FetchError, match="became shorter while it was read"):
        list(blocks)


@pytest.mark.parametrize("name", ["none", "none/below", "linux 6.1%2B~1.deb/below"])
def test_what_is_not_there(file: Path, name: str) -> None:
    address = (file.parent / name).as_uri()
    with pytest.raises(NotFoundError) as caught:
        read_file(address, 10)
    assert caught.value.message == f"{address} is not there"
    with pytest.raises(NotFoundError):
        next(read_blocks(address, 0, 10))


def test_what_is_no_file(file: Path) -> None:
    os.mkfifo(file.parent / "pipe")
    for path in (file.parent, file.parent / "pipe", Path("/dev/null")):
        with pytest.raises(FetchError) as caught:
            read_file(path.as_uri(), 10)
        assert caught.value.message == f"cannot read {path.as_uri()}: it is no regular file"


def test_a_file_that_may_not_be_read(file: Path) -> None:
    # Root may read everything, but not what is a loop.
    if os.geteuid():
        file.chmod(0)
    else:
        file.unlink()
        file.symlink_to(file.name)
    expected = "Permission denied" if os.geteuid() else "Too many levels of symbolic links"
    with pytest.raises(FetchError) as caught:
        read_file(file.as_uri(), 10)
    assert caught.value.message == f"cannot read {file.as_uri()}: {expected}"
    assert not isinstance(caught.value, NotFoundError)
