"""What ``--microcode`` and ``--firmware-from`` name."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdcompose.compose.filesource import (
    FIRMWARE,
    MICROCODE,
    SourceRequest,
    locked_source,
    parse_source,
)
from rdcompose.compose.inputs import Input
from rdcompose.errors import SpecError


@pytest.mark.parametrize(
    ("text", "name", "package"),
    [
        ("intel-microcode", "intel-microcode", "intel-microcode"),
        ("dir/x.deb", "./x.deb", ""),
        ("x.deb", "./x.deb", ""),
        ("./ucode.bin", "./ucode.bin", ""),
        ("/lib/firmware/", "./firmware", ""),
        ("ucode.bin", "./ucode.bin", ""),
        (".", "./work", ""),
    ],
)
def test_requests(
    text: str, name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    Path("ucode.bin").touch()
    found = parse_source(MICROCODE, text)
    assert found == SourceRequest(MICROCODE, name, package, None if package else Path(text))
    assert str(found) == f"--microcode {name}"


@pytest.mark.parametrize("text", ["", "Intel", "a b", " x", "x_y", "-x"])
def test_malformed_requests(text: str) -> None:
    with pytest.raises(SpecError, match="--firmware-from"):
        parse_source(FIRMWARE, text)


def test_locked() -> None:
    deb = Input(role=MICROCODE, file="x.deb", sha256="0", source="archive", package="xx", size=1)
    file = Input(role=MICROCODE, file="y.bin", sha256="1", source="local file", size=1)
    folder = Input(role=MICROCODE, file="z", sha256="2", source="local directory")
    locked = (deb, file, folder)
    assert locked_source(parse_source(MICROCODE, "xx"), locked, "lock") is deb
    assert locked_source(parse_source(MICROCODE, "./x.deb"), locked, "lock") is deb
    assert locked_source(parse_source(MICROCODE, "gone/y.bin"), locked, "lock") is file
    for text in ("other", "./z"):
        with pytest.raises(SpecError, match="is not among what lock locks"):
            locked_source(parse_source(MICROCODE, text), locked, "lock")
