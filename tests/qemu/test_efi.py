"""rdcompose.qemu.efi"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError, SpecError, UnsupportedError, UsageError
from rdcompose.formats.pe import content_of, read_pe
from rdcompose.formats.uki import UkiParts, make_uki
from rdcompose.qemu import efi
from rdcompose.qemu.boards import BOARDS, Board, find_board
from tests.support.efi import make_efi_kernel, make_pe

if TYPE_CHECKING:
    from pathlib import Path

PC = BOARDS["amd64"][0]
IMAGE = make_uki(
    UkiParts(
        stub=make_pe(),
        os_release=b"ID=x",
        cmdline=b"root=/dev/sda",
        release="6.1-x",
        linux=make_efi_kernel(),
    ),
    b"initramfs",
)


@pytest.mark.parametrize(
    ("board", "name"), [(PC, "BOOTX64.EFI"), (BOARDS["arm64"][0], "BOOTAA64.EFI")]
)
def test_the_partition(board: Board, name: str, tmp_path: Path) -> None:
    image = tmp_path / "R.efi"
    image.write_bytes(IMAGE)
    efi.make_partition(tmp_path / "efi", board, image, "console=ttyS0 root=/dev/vda")
    [made] = [path for path in (tmp_path / "efi").rglob("*") if path.is_file()]
    assert made == tmp_path / "efi" / "EFI" / "BOOT" / name
    data = made.read_bytes()
    found = {row.name: content_of(data, row) for row in read_pe(data).sections}
    assert found[".cmdline"] == b"console=ttyS0 root=/dev/vda"
    assert (found[".initrd"], found[".linux"]) == (b"initramfs", make_efi_kernel())
    assert image.read_bytes() == IMAGE


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (None, SpecError, "cannot read .*R.efi: No such file"),
        (b"", FormatError, "R.efi: no EFI program"),
        (make_pe(), FormatError, "R.efi: the EFI program holds no kernel"),
        (make_pe({".linux": b"x"}, signature=b"x"), UnsupportedError, "R.efi: .* is signed"),
    ],
)
def test_no_image(data: bytes | None, error: type[Exception], message: str, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / "R.efi").write_bytes(data)
    with pytest.raises(error, match=message):
        efi.make_partition(tmp_path / "efi", PC, tmp_path / "R.efi", "x")
    assert not (tmp_path / "efi").exists()


@pytest.mark.parametrize(
    ("architecture", "machine"),
    [("amd64", "microvm"), ("i386", "pc"), ("arm64", "raspi3b"), ("s390x", None)],
)
def test_machines_without_firmware(architecture: str, machine: str | None) -> None:
    with pytest.raises(UsageError, match="starts no EFI programs here"):
        efi.find_firmware(find_board(architecture, machine), architecture)


def test_the_firmware(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = tmp_path / "OVMF.fd"
    firmware = efi._FIRMWARE[PC.program]._replace(path=place)
    monkeypatch.setitem(efi._FIRMWARE, PC.program, firmware)
    with pytest.raises(SpecError, match="is not there, the firmware") as caught:
        efi.find_firmware(PC, "amd64")
    assert caught.value.hint == "on Debian: apt-get install ovmf"
    place.touch()
    assert efi.find_firmware(PC, "amd64") == place
