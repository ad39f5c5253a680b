from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdcompose.boards.bootconfig import CONFIG, PREVIOUS
from rdcompose.boards.folder import boot_folder
from rdcompose.boards.models import MODELS
from rdcompose.boards.place import check_own, directories_for, put_config, write_folder
from rdcompose.boards.present import read_present
from rdcompose.boards.switch import booting, parsed_config, rolled_back, switched
from rdcompose.errors import OutputError, SpecError, UsageError
from tests.support.bootsets import ARM64, OS_CONFIG, OS_FILES, RPI, make_bootset

if TYPE_CHECKING:
    from rdcompose.boards.bootset import BootSet

NEWER = "6.12.63+deb13-arm64"


def put(directory: Path, *sets: BootSet, remove_stale: bool = False) -> list[str]:
    """Write a folder as the command does; returns the directories of the sets."""
    present = read_present(directory)
    check_own(present)
    directories = directories_for(present, sets)
    models = [m for m in MODELS.values() if any(m in made.models for made in sets)]
    tree = boot_folder(
        sets, models=models, firmware={"start4.elf": b"start"}, directories=directories
    )
    write_folder(present, tree, mtime=7, remove_stale=remove_stale)
    return directories


def contents(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def boots(directory: Path) -> dict[str, str]:
    present = read_present(directory)
    return booting(present, parsed_config(present))


def test_a_new_folder(tmp_path: Path) -> None:
    assert put(tmp_path / "boot", make_bootset()) == [ARM64]
    found = contents(tmp_path / "boot")
    assert {path for path in found if "/" not in path} == {CONFIG, "start4.elf"}
    assert found[f"{ARM64}/kernel8.img"] == b"kernel"
    assert set(boots(tmp_path / "boot").values()) == {f"{ARM64}/kernel8.img"}


@pytest.mark.parametrize("first", [False, True], ids=["over another", "first"])
def test_a_folder_that_another_process_wrote_meanwhile(tmp_path: Path, first: bool) -> None:
    boot = tmp_path / "boot"
    if not first:
        put(boot, make_bootset(RPI))
    present = read_present(boot)
    made = make_bootset()
    tree = boot_folder([made], models=made.models, firmware={}, directories=[ARM64])
    put(boot, make_bootset(NEWER))
    before = contents(boot)
    with pytest.raises(OutputError, match="changed by another process meanwhile"):
        write_folder(present, tree, mtime=7)
    assert contents(boot) == before
    assert {path.name for path in boot.iterdir()} == {path.partition("/")[0] for path in before}


def test_the_same_again_touches_nothing(tmp_path: Path) -> None:
    put(tmp_path, make_bootset())
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*")}
    assert put(tmp_path, make_bootset()) == [ARM64]
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*")} == before


def test_the_set_and_the_config_of_before_stay(tmp_path: Path) -> None:
    put(tmp_path, make_bootset())
    before = contents(tmp_path)
    put(tmp_path, make_bootset(NEWER))
    after = contents(tmp_path)
    assert after[PREVIOUS] == before.pop(CONFIG)
    assert before.items() <= after.items()
    assert set(boots(tmp_path).values()) == {f"{NEWER}/kernel8.img"}


def test_a_set_is_not_written_over_another_of_its_release(tmp_path: Path) -> None:
    assert put(tmp_path, make_bootset()) == [ARM64]
    assert put(tmp_path, make_bootset(content=b"second")) == [f"{ARM64}.2"]
    assert put(tmp_path, make_bootset(content=b"third")) == [f"{ARM64}.3"]
    assert put(tmp_path, make_bootset()) == [ARM64]
    present = read_present(tmp_path)
    assert [row.prefix for row in present.sets()] == [f"{ARM64}/", f"{ARM64}.2/", f"{ARM64}.3/"]
    assert present.find(ARM64).prefix == f"{ARM64}/"
    assert present.find(f"{ARM64}.2").prefix == f"{ARM64}.2/"


def test_two_of_one_release_in_one_call(tmp_path: Path) -> None:
    found = put(tmp_path, make_bootset(), make_bootset(content=b"second"))
    assert found == [ARM64, f"{ARM64}.2"]


@pytest.mark.parametrize("what", ["file", "damaged", "more"])
def test_what_stands_in_the_way_is_left_alone(tmp_path: Path, what: str) -> None:
    put(tmp_path, make_bootset())
    place = tmp_path / ARM64
    if what == "file":
        shutil.rmtree(place)
        place.write_bytes(b"mine")
    elif what == "damaged":
        (place / "kernel8.img").write_bytes(b"kernal")
    else:
        (place / "notes").write_bytes(b"mine")
    assert put(tmp_path, make_bootset()) == [f"{ARM64}.2"]
    assert set(boots(tmp_path).values()) == {f"{ARM64}.2/kernel8.img"}


def test_a_config_of_someone_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(OS_CONFIG)
    with pytest.raises(UsageError, match="that rdcompose did not make"):
        put(tmp_path, make_bootset())


@pytest.mark.parametrize("name", ["rename", "replace"])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    put(tmp_path, make_bootset())
    before = contents(tmp_path)

    def fail(self: Path, _: Path) -> Path:
        raise OSError(28, "No space left on device", str(self))

    with monkeypatch.context() as patch:
        # The switch itself is the one call of replace().
        patch.setattr(Path, name, fail)
        with pytest.raises(OutputError, match="No space left"):
            put(tmp_path, make_bootset(NEWER))
    assert contents(tmp_path) == before


def test_config_is_switched_by_one_rename_after_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, make_bootset())
    real = Path.replace
    seen: list[tuple[str, bool, bool]] = []

    def replace(self: Path, target: Path) -> Path:
        there = (tmp_path / NEWER / "kernel8.img").is_file()
        seen.append((target.name, there, (tmp_path / PREVIOUS).is_file()))
        assert (tmp_path / CONFIG).is_file()
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    put(tmp_path, make_bootset(NEWER))
    assert seen == [(CONFIG, True, True)]


def test_a_file_system_without_modes_and_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    put(tmp_path, make_bootset())
    with monkeypatch.context() as patch:
        patch.setattr("os.chmod", refuse)
        patch.setattr(Path, "hardlink_to", refuse)
        put(tmp_path, make_bootset(NEWER))
        put(tmp_path, make_bootset(NEWER, content=b"again"), remove_stale=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [CONFIG, PREVIOUS, NEWER, f"{NEWER}.2", "start4.elf"]
    )


def test_switch_and_roll_back(tmp_path: Path) -> None:
    put(tmp_path, make_bootset())
    put(tmp_path, make_bootset(NEWER))
    newest = contents(tmp_path)

    present = read_present(tmp_path)
    put_config(present, switched(present, present.find(ARM64)))
    assert set(boots(tmp_path).values()) == {f"{ARM64}/kernel8.img"}
    assert contents(tmp_path)[PREVIOUS] == newest[CONFIG]

    for kernel in (f"{NEWER}/kernel8.img", f"{ARM64}/kernel8.img"):
        present = read_present(tmp_path)
        put_config(present, rolled_back(present))
        assert set(boots(tmp_path).values()) == {kernel}


def test_a_switch_is_for_boards_of_the_same_architecture(tmp_path: Path) -> None:
    armmp, newer = ("6.12.57+deb13-armmp", "6.12.63+deb13-armmp")
    wide = make_bootset(armmp, "zero2 2 3 4", bits=32)
    put(tmp_path, make_bootset(RPI, "zero 1", bits=32, architecture="armel"), wide, make_bootset())
    before = boots(tmp_path)
    assert before["2"] == f"{armmp}/kernel7.img"
    # A second one is there, and nothing leads to it yet.
    other = make_bootset(newer, "zero2 2 3 4", bits=32)
    for entry in other.tree:
        target = tmp_path / newer / entry.path
        target.parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / armmp / entry.path.replace(newer, armmp), target)
    stamp = tmp_path / newer / f"manifest-{newer}.json"
    stamp.write_text(stamp.read_text().replace(armmp, newer))
    present = read_present(tmp_path)
    put_config(present, switched(present, present.find(newer)))
    assert boots(tmp_path) == before | {"2": f"{newer}/kernel7.img"}


def test_stale_sets_go_when_asked(tmp_path: Path) -> None:
    for content in (b"1", b"2", b"3"):
        put(tmp_path, make_bootset(content=content))
    (tmp_path / "mine").mkdir()
    put(tmp_path, make_bootset(content=b"4"), remove_stale=True)
    names = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert names == {f"{ARM64}.3", f"{ARM64}.4", "mine"}


def test_stale_kernels_of_others_go_when_no_board_loads_them(tmp_path: Path) -> None:
    for name in (*OS_FILES, "vmlinuz-3.12-1-rpi", "initrd.img-3.12-1-rpi", "kernel_emergency.img"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / CONFIG).write_text(OS_CONFIG)
    put_config(read_present(tmp_path), OS_CONFIG.encode(), remove_stale=True)
    assert {path.name for path in tmp_path.iterdir()} == {*OS_FILES, CONFIG} - {
        *("kernel7.img", "kernel7l.img", "initramfs7l")
    } | {"kernel7.img"}


def test_what_something_else_leads_to_is_not_stale(tmp_path: Path) -> None:
    for content in (b"1", b"2", b"3", b"4"):
        put(tmp_path, make_bootset(content=content))
    (tmp_path / "tryboot.txt").write_text(f"include more.txt\nos_prefix={ARM64}/\n")
    (tmp_path / "more.txt").write_text("[gpio4=1]\nkernel=kernel-rescue.img\n")
    for name in ("kernel-rescue.img", "kernel-old.img"):
        (tmp_path / name).write_bytes(b"x")
    present = read_present(tmp_path)
    assert present.config is not None
    put_config(present, present.config, remove_stale=True)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        *(ARM64, f"{ARM64}.3", f"{ARM64}.4", CONFIG, PREVIOUS, "start4.elf"),
        *("tryboot.txt", "more.txt", "kernel-rescue.img"),
    }


def test_of_several_sets_of_a_release_the_last_is_found(tmp_path: Path) -> None:
    for content in (b"1", b"2"):
        put(tmp_path, make_bootset(content=content))
    shutil.rmtree(tmp_path / ARM64)
    assert read_present(tmp_path).find(ARM64).prefix == f"{ARM64}.2/"


def test_what_cannot_be_rolled_back(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no boot folder: it has no config\.txt"):
        rolled_back(read_present(tmp_path))
    put(tmp_path, make_bootset())
    with pytest.raises(UsageError, match="nothing was switched yet"):
        rolled_back(read_present(tmp_path))
    put(tmp_path, make_bootset(NEWER))
    shutil.rmtree(tmp_path / ARM64)
    with pytest.raises(SpecError, match=r"config\.previous\.txt leads to no kernel"):
        rolled_back(read_present(tmp_path))


def test_a_damaged_set_is_not_switched_to(tmp_path: Path) -> None:
    put(tmp_path, make_bootset())
    put(tmp_path, make_bootset(NEWER))
    for tree in (tmp_path / ARM64).glob("bcm2711*.dtb"):
        tree.unlink()
    present = read_present(tmp_path)
    with pytest.raises(SpecError, match=rf"/{re.escape(ARM64)} does not start on a Raspberry Pi 4"):
        switched(present, present.find(ARM64))


def test_a_set_that_is_not_there(tmp_path: Path) -> None:
    put(tmp_path, make_bootset())
    with pytest.raises(UsageError, match=r"has no set 6\.1") as caught:
        read_present(tmp_path).find("6.1")
    assert caught.value.hint == f"there is {ARM64}"


@pytest.mark.parametrize(
    "stamp",
    [
        b"",
        b"[]",
        b"{}",
        b'{"release": "x", "architecture": "arm64", "options": {}, "outputs": []}',
        b'{"release": "x", "architecture": "z", "options": {"board": "3"}, "outputs": []}',
        b'{"release": "x", "architecture": "arm64", "options": {"board": "9"}, "outputs": []}',
        b'{"release": "x", "architecture": "arm64", "options": {"board": ""}, "outputs": []}',
        b'{"release": "x", "architecture": "arm64", "options": {"board": "2"}, "outputs": []}',
        b'{"release": "y", "architecture": "arm64", "options": {"board": "3"}, "outputs": []}',
        b'{"release": "x", "architecture": "arm64", "options": {"board": 3}, "outputs": []}',
        b"[" * 100_000,
    ],
    ids=range(11),
)
def test_a_damaged_stamp_is_none(tmp_path: Path, stamp: bytes) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "manifest-x.json").write_bytes(stamp)
    assert list(read_present(tmp_path).sets()) == []


def test_a_config_that_is_none(tmp_path: Path) -> None:
    (tmp_path / CONFIG).mkdir()
    with pytest.raises(SpecError, match=r"cannot read .*config\.txt: Is a directory"):
        read_present(tmp_path)
    (tmp_path / CONFIG).rmdir()
    (tmp_path / CONFIG).write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(SpecError, match="it is larger than"):
        read_present(tmp_path)


@pytest.mark.parametrize("name", [CONFIG, PREVIOUS])
def test_a_pipe_is_no_config(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(SpecError, match=rf"cannot read .*{name}: it is no file"):
        read_present(tmp_path)


@pytest.mark.parametrize("name", ["initramfs8", "cmdline.txt"])
def test_no_switch_to_a_set_that_has_lost_a_file(tmp_path: Path, name: str) -> None:
    put(tmp_path, make_bootset())
    put(tmp_path, make_bootset(release=NEWER))
    (tmp_path / ARM64 / name).unlink()
    present = read_present(tmp_path)
    with pytest.raises(SpecError, match=rf"{re.escape(ARM64)} has no {re.escape(name)}"):
        switched(present, present.find(ARM64))
