from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from rdcompose.cli.named_file import write_named
from rdcompose.errors import OutputError

TEXT = b"a report\n"


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report"
    write_named(path, b"earlier, and longer")
    before = path.stat().st_ino
    with path.open("rb") as earlier:
        write_named(path, TEXT)
        assert earlier.read() == b"earlier, and longer"
    assert path.read_bytes() == TEXT
    assert path.stat().st_ino != before
    assert [each.name for each in path.parent.iterdir()] == ["report"]


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_named(pipe, TEXT)
    reader.join()
    assert read == [TEXT]
    assert pipe.is_fifo()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """As /dev/stdout is one, to a file or to anything else."""
    link = tmp_path / "stdout"
    for target in (tmp_path / "file", Path(os.devnull)):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        write_named(link, TEXT)
        assert link.is_symlink()
    assert (tmp_path / "file").read_bytes() == TEXT


@pytest.mark.parametrize("name", ["directory", "gone", "file/below"])
def test_what_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "gone").symlink_to(tmp_path / "none" / "none")
    with pytest.raises(OutputError, match=rf"^cannot write .*{name.split('/', maxsplit=1)[0]}"):
        write_named(tmp_path / name, TEXT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory", "file", "gone"]
