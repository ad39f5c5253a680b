from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.boards.bootconfig import Placed
from rdcompose.boards.configtxt import ConfigTxt
from rdcompose.boards.firmware_view import view
from rdcompose.boards.lead import booted, lead
from rdcompose.boards.models import MODELS
from rdcompose.errors import SpecError
from tests.support.bootsets import ARM64, OS_CONFIG, OS_FILES, make_bootset

NEW = Placed(make_bootset(), f"{ARM64}/")
IN_SET = {f"{ARM64}/{entry.path}" for entry in make_bootset().tree}
OTHERS = ("zero", "1", "2")


def led(text: str, boards: str = "zero2 3 4 5", files: tuple[str, ...] = ()) -> str:
    config = ConfigTxt(text)
    lead(config, dict.fromkeys(boards.split(), NEW), set(files).__contains__)
    for name in boards.split():
        for variant in MODELS[name].variants:
            seen = view(config, MODELS[name], {*files, *IN_SET}.__contains__, variant=variant)
            assert seen.kernel == f"{ARM64}/kernel8.img"
            assert seen.initramfs == (f"{ARM64}/initramfs8",)
    return config.to_bytes().decode()


def test_lines_are_added_and_comments_stay() -> None:
    assert led("# mine\ndtparam=audio=on\n") == (
        "# mine\ndtparam=audio=on\n"
        f"os_prefix={ARM64}/\narm_64bit=1\nkernel=kernel8.img\n"
        "initramfs initramfs8 followkernel\nupstream_kernel=1\n"
    )


def test_lines_that_are_right_stay_where_they_are() -> None:
    text = led("# mine\r\nkernel=old.img # note\r\narm_64bit=1\r\ninitramfs old 0x1000\r\n")
    assert text == (
        "# mine\r\nkernel=kernel8.img\r\narm_64bit=1\r\ninitramfs initramfs8 followkernel\r\n"
        f"os_prefix={ARM64}/\r\nupstream_kernel=1\r\n"
    )
    assert led(text) == text


def test_what_would_lead_elsewhere_goes() -> None:
    text = led("auto_initramfs=1\ncmdline=own.txt\ndevice_tree=own.dtb\nramfsfile=x\n")
    for key in ("auto_initramfs", "cmdline", "device_tree=", "ramfsfile"):
        assert key not in text


@pytest.mark.parametrize("section", ["pi4", "pi3+", "cm3", "board-type=0x8"])
def test_a_section_of_boards_does_not_lead_them_elsewhere(section: str) -> None:
    text = led(f"dtparam=spi=on\n[{section}]\nkernel=other.img\nmax_framebuffers=2\n")
    assert "other.img" not in text
    assert f"[{section}]\nmax_framebuffers=2\n" in text


def test_boards_that_boot_something_else_go_on() -> None:
    before = ConfigTxt(OS_CONFIG)
    old = {name: view(before, MODELS[name], set(OS_FILES).__contains__) for name in OTHERS}
    text = led(OS_CONFIG, files=OS_FILES)
    after = ConfigTxt(text)
    for name, seen in old.items():
        now = view(after, MODELS[name], {*OS_FILES, *IN_SET}.__contains__)
        assert (now.kernel, now.initramfs) == (seen.kernel, seen.initramfs)
    assert text.startswith(OS_CONFIG)
    assert "[pi02]\n" in text
    assert "auto_initramfs=0" in text


@pytest.mark.parametrize(
    ("config", "files", "kernel"),
    [
        ("", ("kernel7.img",), None),
        ("", ("kernel7.img", "bcm2710-rpi-3-b.dtb"), "kernel7.img"),
        ("device_tree=", ("kernel7.img",), "kernel7.img"),
        ("", ("bcm2710-rpi-3-b.dtb",), None),
        # Of a Compute Module alone.
        ("", ("kernel7.img", "bcm2710-rpi-cm3.dtb"), "kernel7.img"),
    ],
)
def test_what_a_board_boots(config: str, files: tuple[str, ...], kernel: str | None) -> None:
    assert booted(ConfigTxt(config), MODELS["3"], set(files).__contains__) == kernel


def test_a_line_that_others_need_is_not_taken_from_them() -> None:
    text = "kernel=kernel7.img\n[all]\ndevice_tree=own.dtb\n"
    with pytest.raises(SpecError, match=r"device_tree under \[all\] counts for other boards"):
        led(text, "3", files=("kernel7.img", "own.dtb"))


def test_what_holds_only_now_and_then_stays() -> None:
    config = ConfigTxt("[gpio4=1]\nkernel=rescue.img\n")
    lead(config, {"3": NEW}, set[str]().__contains__)
    assert "rescue.img" in config.to_bytes().decode()


LINES = st.sampled_from(
    [
        *("kernel=a.img", "os_prefix=old/", "initramfs a followkernel", "initramfs=a"),
        *("arm_64bit=0", "upstream_kernel=1", "auto_initramfs=1", "cmdline=c.txt"),
        *("[all]", "[pi3]", "[pi4]", "[pi0]", "[pi02]", "[cm4]", "[none]", "[gpio4=1]", ""),
        *("dtoverlay=x", "# note", "include more.txt"),
    ]
)


def test_what_is_included_is_looked_at() -> None:
    files = {"more.txt": b"kernel=other.img\n", "rest.txt": b"dtparam=i2c=on\n"}
    config = ConfigTxt("include rest.txt\n")
    lead(config, {"3": NEW}, set[str]().__contains__, files.get)
    config = ConfigTxt("kernel=old.img\n[pi3]\ninclude more.txt\n")
    with pytest.raises(SpecError, match=r"leads a Raspberry Pi 3 to 6\.12\.57\+deb13-arm64/other"):
        lead(config, {"3": NEW}, set[str]().__contains__, files.get)


@given(st.lists(LINES, max_size=12))
def test_any_config_leads_there_or_says_why_not(lines: list[str]) -> None:
    kept = [line for line in lines if line.startswith(("dtoverlay", "#", "include"))]
    try:
        text = led("".join(f"{line}\n" for line in lines), files=("a.img", "kernel7.img"))
    except SpecError:
        return
    found = text.splitlines()
    assert [line for line in found if line in {"dtoverlay=x", "# note", "include more.txt"}] == kept
