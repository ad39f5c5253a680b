"""Links and configuration, written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.boards import netboot_place
from rdcompose.boards.netboot_place import check_place, place, unreadable_parent
from rdcompose.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out/tftp/boot"
    folder.mkdir(parents=True)
    (folder / "config.txt").write_text("[all]\n")
    return tmp_path / "out"


def test_links_lead_to_the_folder(out: Path) -> None:
    place(out, {"1234abcd": "boot", "bootcode.bin": "boot/config.txt"}, "port=0\n")
    assert (out / "tftp/1234abcd/config.txt").read_text() == "[all]\n"
    assert (out / "tftp/bootcode.bin").read_text() == "[all]\n"
    assert (out / "dnsmasq.conf").read_text() == "port=0\n"
    assert {path.name for path in (out / "tftp").iterdir()} == {"1234abcd", "boot", "bootcode.bin"}


def test_again_with_another_one(out: Path) -> None:
    place(out, {"1234abcd": "elsewhere"}, "old\n")
    place(out, {"1234abcd": "boot", "5678abcd": "boot"}, "new\n")
    assert (out / "tftp/1234abcd").readlink().name == "boot"
    assert (out / "tftp/5678abcd/config.txt").exists()
    assert (out / "dnsmasq.conf").read_text() == "new\n"


def test_what_is_no_link_stays(out: Path) -> None:
    own = out / "tftp/1234abcd"
    own.mkdir()
    with pytest.raises(OutputError, match="it is there, and no link") as caught:
        place(out, {"1234abcd": "boot"}, "port=0\n")
    assert "serial number" in str(caught.value.hint)
    assert own.is_dir()
    assert not (out / "dnsmasq.conf").exists()


def test_nothing_is_there_yet(tmp_path: Path) -> None:
    check_place(tmp_path / "out", {"1234abcd": "boot"})


def test_a_place_that_takes_no_links(tmp_path: Path) -> None:
    (tmp_path / "tftp").write_text("a file")
    with pytest.raises(OutputError, match="cannot write"):
        place(tmp_path, {"1234abcd": "boot"}, "port=0\n")


def test_a_link_that_cannot_take_its_name_leaves_no_litter(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What another process put there after the check.
    monkeypatch.setattr(netboot_place, "check_place", lambda *_: None)
    (out / "tftp/1234abcd").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        place(out, {"1234abcd": "boot"}, "port=0\n")
    assert {path.name for path in (out / "tftp").iterdir()} == {"1234abcd", "boot"}


def test_a_directory_that_keeps_others_out(out: Path) -> None:
    out.chmod(0o700)
    assert unreadable_parent(out / "tftp/boot") == out
    out.chmod(0o755)
    found = unreadable_parent(out / "tftp/boot")
    assert found is None or found in out.parents
