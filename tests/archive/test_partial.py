from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.archive.partial import Partial
from rdcompose.errors import OutputError
from tests.support.unmeasured import run_limited

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_made_and_filled(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Partial(path) as partial:
        assert (partial.size, path.read_bytes()) == (0, b"")
        partial.write(0, b"one")
        assert (partial.size, path.read_bytes()) == (3, b"one")
        partial.write(3, b" two")
        assert path.read_bytes() == b"one two"


def test_what_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with Partial(path) as partial:
        assert partial.size == 10
        partial.write(0, b"abc")
        assert path.read_bytes() == b"abc3456789"
        partial.cut(4)
        assert (partial.size, path.read_bytes()) == (4, b"abc3")


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"
    with pytest.raises(OutputError) as caught, Partial(path):
        pass
    assert caught.value.message == f"cannot write {path}: No such file or directory"


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    path = tmp_path / "file"
    # Here the first write is cut short and the second refused, as by a full disk.
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from rdcompose.archive.partial import Partial\n"
        "from rdcompose.errors import OutputError\n"
        "try:\n"
        "    with Partial(Path(sys.argv[1])) as partial:\n"
        "        partial.write(0, bytes(100))\n"
        "except OutputError as error:\n"
        "    print(error.message)\n"
    )
    done = run_limited(["-c", script, path], 60)
    assert (done.stdout, done.stderr) == (f"cannot write {path}: File too large\n", "")
    assert path.read_bytes() == bytes(60)
