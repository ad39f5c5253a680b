from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.boards.models import MODELS, find_models
from rdcompose.boards.pifirmware import LICENCE, PiFirmware, read_pi_firmware
from rdcompose.compose.filesource import PI_FIRMWARE, Source, parse_source
from rdcompose.compose.inputs import InputFile
from rdcompose.errors import FormatError, SpecError
from tests.support.archive_packages import package

if TYPE_CHECKING:
    from pathlib import Path

OLD = ("bootcode.bin", "start.elf", "fixup.dat")
FOUR = ("start4.elf", "fixup4.dat")
LIB = "usr/lib/raspi-firmware"


def read(path: Path, boards: str) -> PiFirmware:
    request = parse_source(PI_FIRMWARE, str(path))
    return read_pi_firmware(Source(request, InputFile(path=path)), find_models(boards.split()))


def deb(path: Path, *names: str, directory: str = LIB) -> Path:
    files = {f"{directory}/{name}": name.encode() for name in names}
    files["usr/share/doc/raspi-firmware/copyright"] = b"licence"
    path.write_bytes(package("raspi-firmware", "1.2", "all", {**files}))
    return path


@pytest.mark.parametrize(
    ("boards", "names"),
    [("zero 1", OLD), ("3", OLD), ("4", FOUR), ("2 4", (*OLD, *FOUR)), ("5", ())],
)
def test_what_the_boards_need_and_no_more(
    tmp_path: Path, boards: str, names: tuple[str, ...]
) -> None:
    found = read(deb(tmp_path / "f.deb", *OLD, *FOUR, "start_x.elf"), boards)
    assert found.files == {name: name.encode() for name in names} | {LICENCE: b"licence"}
    assert (found.input.role, found.input.package, found.input.version) == (
        PI_FIRMWARE,
        "raspi-firmware",
        "1.2",
    )


@pytest.mark.parametrize("directory", ["boot", "boot/firmware"])
def test_a_package_of_raspberry_pi_os(tmp_path: Path, directory: str) -> None:
    found = read(deb(tmp_path / "f.deb", *FOUR, directory=directory), "4")
    assert set(found.files) == {*FOUR, LICENCE}


@pytest.mark.parametrize("inner", ["", "boot"])
def test_a_directory(tmp_path: Path, inner: str) -> None:
    place = tmp_path / "firmware" / inner
    place.mkdir(parents=True)
    for name in (*OLD, LICENCE, "start_x.elf"):
        (place / name).write_bytes(name.encode())
    found = read(tmp_path / "firmware", "3")
    assert set(found.files) == {*OLD, LICENCE}
    assert (found.input.file, found.input.source) == ("firmware", "local directory")
    (place / "start_x.elf").write_bytes(b"other")
    assert read(tmp_path / "firmware", "3").input == found.input
    (place / "start.elf").write_bytes(b"other")
    assert read(tmp_path / "firmware", "3").input != found.input


def test_a_pair_without_its_other_half(tmp_path: Path) -> None:
    path = deb(tmp_path / "f.deb", "bootcode.bin", "start.elf")
    with pytest.raises(SpecError, match=r"--pi-firmware \./f\.deb: there is no fixup\.dat in"):
        read(path, "3")


def test_what_is_no_package(tmp_path: Path) -> None:
    path = tmp_path / "f.deb"
    path.write_bytes(b"no package")
    with pytest.raises(FormatError, match=r"f\.deb: "):
        read(path, "3")
    with pytest.raises(SpecError, match="cannot read the firmware"):
        read(tmp_path / "none.deb", "3")


def test_every_model_names_a_pair_or_nothing() -> None:
    for model in MODELS.values():
        assert len([name for name in model.firmware if name.startswith("start")]) == len(
            [name for name in model.firmware if name.startswith("fixup")]
        )
