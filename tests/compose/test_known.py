from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.inputs import InputFile
from rdcompose.compose.known import Known
from rdcompose.compose.programname import ProgramName
from rdcompose.errors import SpecError
from rdcompose.kernel.release import architecture_by_name
from tests.support.programs import APPLETS, make_busybox

if TYPE_CHECKING:
    from pathlib import Path

AMD64 = architecture_by_name("amd64")


def test_a_program_is_read_once(tmp_path: Path) -> None:
    file = InputFile(path=tmp_path / "busybox")
    file.path.write_bytes(make_busybox(dict(APPLETS)))
    known = Known()
    first = known.program(ProgramName.BUSYBOX, file, AMD64)
    file.path.unlink()
    assert known.program(ProgramName.BUSYBOX, file, AMD64) is first


def test_a_program_for_another_architecture_is_another(tmp_path: Path) -> None:
    file = InputFile(path=tmp_path / "busybox")
    file.path.write_bytes(make_busybox(dict(APPLETS)))
    known = Known()
    known.program(ProgramName.BUSYBOX, file, AMD64)
    with pytest.raises(SpecError):
        known.program(ProgramName.BUSYBOX, file, architecture_by_name("arm64"))


def test_what_is_missing_is_not_known_to_be(tmp_path: Path) -> None:
    file = InputFile(path=tmp_path / "busybox")
    known = Known()
    with pytest.raises(SpecError):
        known.program(ProgramName.BUSYBOX, file, AMD64)
    file.path.write_bytes(make_busybox(dict(APPLETS)))
    assert known.program(ProgramName.BUSYBOX, file, AMD64).program.name is ProgramName.BUSYBOX
