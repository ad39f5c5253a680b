"""Each lint on config.txt and cmdline.txt: a folder that triggers it, and one that does not."""

from __future__ import annotations

import pytest

from rdcompose.boards.tftp_limits import LIMITS
from rdcompose.inspect.bootfolder import FolderKind
from rdcompose.inspect.boots import BootFacts
from rdcompose.inspect.checks.bootconfig import check_command_line, check_config_txt, check_tftp
from rdcompose.tree import File, Pieces
from tests.support.artifacts import contradictions, remarks
from tests.support.pifolders import CONFIG_TXT, dtb, facts, flat, folder, sound, with_config


def config_faults(text: str) -> list[str]:
    return contradictions(check_config_txt(facts(with_config(text))))


def config_remarks(text: str) -> list[str]:
    return remarks(check_config_txt(facts(with_config(text))))


def test_a_sound_folder() -> None:
    done = check_config_txt(facts(sound()))
    assert (done.findings, done.summary) == ((), "5 settings that count")
    # The prefix that upstream_kernel=1 implies may be none.
    assert check_config_txt(facts(flat())).findings == ()
    assert check_command_line(facts(sound())).findings == ()
    assert check_tftp(facts(sound())).done is False


@pytest.mark.parametrize(
    "line",
    [
        "initramfs=initramfs8",
        "initramfs initramfs8 follow",
        "initramfs a, b followkernel",
        "initramfs",
        "kernel = kernel8.img",
        "os_prefix R/",
        "[pi4] # mine",
    ],
)
def test_lines_that_are_passed_over(line: str) -> None:
    [message] = config_faults(f"{CONFIG_TXT}{line}\n")
    assert message.startswith(f"line 8 is passed over: {line!r}: ")


@pytest.mark.parametrize(
    "line",
    [
        "initramfs initramfs8 followkernel",
        "initramfs initramfs8",
        "initramfs initramfs8 0x00a00000",
        "initramfs initramfs8,initramfs8 followkernel",
        "kernel=kernel8.img",
    ],
)
def test_lines_that_count(line: str) -> None:
    assert config_faults(f"{CONFIG_TXT}{line}\n") == []


def test_a_blank_behind_the_equals_sign() -> None:
    message = config_faults(f"{CONFIG_TXT}kernel= kernel8.img\n")[0]
    assert message.startswith("line 8 is passed over: 'kernel= kernel8.img': the blank")


def test_what_decides_nothing_is_only_remarked() -> None:
    for line in ("gpu_mem = 16", "?what", "=x"):
        text = f"{CONFIG_TXT}{line}\n"
        assert config_faults(text) == []
        assert len(config_remarks(text)) == 1


def test_a_line_for_other_boards_is_looked_at_too() -> None:
    [message] = config_faults(f"{CONFIG_TXT}[pi2]\ninitramfs=x\n")
    assert message.startswith("line 9 is passed over")


def test_a_line_that_depends_on_what_is_connected() -> None:
    text = f"{CONFIG_TXT}[gpio4=1]\nkernel=other.img\nhdmi_mode=1\n"
    assert config_faults(text) == []
    [message] = config_remarks(text)
    assert "it counts only where [gpio4=1] holds" in message


def test_a_width_against_the_name_of_the_kernel() -> None:
    text = CONFIG_TXT.replace("arm_64bit=1", "arm_64bit=0")
    assert config_remarks(text) == []
    [message] = config_remarks(text + "kernel=kernel8.img\n")
    assert message.startswith("arm_64bit=0 does not count: kernel=kernel8.img makes it 64 bits")


def test_an_included_file_is_named() -> None:
    files = with_config(CONFIG_TXT + "include mine.txt\n[pi5]\nkernel=kernel8.img\n")
    check = check_config_txt(facts(files | {"mine.txt": b"\ninitramfs=x\n"}))
    message = contradictions(check)[0]
    assert message.startswith("line 2 of mine.txt is passed over")
    assert any("this board reads no includes" in text for text in remarks(check))


def test_a_filter_that_is_none() -> None:
    [message] = config_faults(f"{CONFIG_TXT}[Pi4]\nkernel=kernel8.img\n")
    assert message == (
        "line 8: [Pi4] is no filter that is known, and nothing counts of the 1 line behind it"
    )
    assert config_faults(f"{CONFIG_TXT}[pi4]\nkernel=kernel8.img\n") == []
    text = f"{CONFIG_TXT}[Pi4]\nhdmi_mode=1\n"
    assert (config_faults(text), len(config_remarks(text))) == ([], 1)


def test_a_line_that_is_too_long() -> None:
    name = "x" * 90
    text = f"{CONFIG_TXT}initramfs initramfs8,{name} followkernel\n"
    [message] = config_faults(text)
    assert "of which the firmware reads 98" in message
    assert config_faults(f"{CONFIG_TXT}# {name}{name}\n") == []


def test_a_comment_behind_a_value() -> None:
    [message] = config_faults(f"{CONFIG_TXT}cmdline=cmdline.txt # mine\n")
    assert "a comment stands on a line of its own" in message


def test_a_prefix_without_its_files() -> None:
    files = sound()
    files["config.txt"] = files["config.txt"].replace(b"os_prefix=R/", b"os_prefix=Q/")
    files |= {name.partition("/")[2]: data for name, data in files.items() if "/" in name}
    [message] = contradictions(check_config_txt(facts(files)))
    assert message.startswith("os_prefix=Q/ is passed over, because Q/kernel8.img is not there")
    files["Q/kernel8.img"] = b""
    [message] = contradictions(check_config_txt(facts(files)))
    assert "because no device tree of this board is below it" in message


def test_a_prefix_without_its_slash() -> None:
    files = sound()
    files["config.txt"] = files["config.txt"].replace(b"os_prefix=R/", b"os_prefix=R")
    files |= {name.partition("/")[2]: data for name, data in files.items() if "/" in name}
    [message] = contradictions(check_config_txt(facts(files)))
    assert "that of a directory ends with a slash: R/" in message


def test_no_config_txt() -> None:
    files = flat()
    del files["config.txt"]
    check = check_config_txt(facts(files))
    assert (contradictions(check), len(remarks(check))) == ([], 1)
    files["bcm2712-rpi-5-b.dtb"] = dtb("bcm2712")
    [message] = contradictions(check_config_txt(facts(files)))
    assert "a Raspberry Pi 5 does not boot" in message


def line_faults(data: bytes) -> list[str]:
    return contradictions(check_command_line(facts(flat(cmdline__txt=data))))


def test_a_command_line_of_several_lines() -> None:
    [message] = line_faults(b"console=tty0\nroot=/dev/mmcblk0p2\n")
    assert "cmdline.txt has several lines" in message
    assert "without 'root=/dev/mmcblk0p2'" in message
    assert line_faults(b"console=tty0 root=/dev/mmcblk0p2\r\n\n") == []


def test_a_command_line_that_is_missing_or_empty() -> None:
    files = flat()
    del files["cmdline.txt"]
    [message] = contradictions(check_command_line(facts(files)))
    assert "cmdline.txt is not there" in message
    [message] = line_faults(b"\n")
    assert "cmdline.txt is empty" in message


def test_a_command_line_that_is_too_long() -> None:
    words = b"root=/dev/sda2 " + b"a=" + b"b" * 2040
    [message] = line_faults(words)
    assert "a kernel of 64 bits takes 2047" in message
    assert line_faults(words[:2047]) == []


def test_a_command_line_without_a_root() -> None:
    check = check_command_line(facts(flat(cmdline__txt=b"console=tty0\n")))
    [message] = remarks(check)
    assert message.startswith("cmdline.txt names no root=")


@pytest.mark.parametrize(
    ("size", "contradicts", "remarked"),
    [(LIMITS[0].size, 0, 0), (LIMITS[0].size + 1, 0, 1), (LIMITS[1].size + 1, 1, 0)],
    ids=["small", "old", "too big"],
)
def test_a_file_that_tftp_does_not_bring(size: int, contradicts: int, remarked: int) -> None:
    where = folder(sound(), FolderKind.NETWORK)
    where.tree.add(File(path="R/initramfs8", content=Pieces(size, lambda: iter(()))))
    known = BootFacts(folder(sound(), FolderKind.NETWORK))
    known.folder = type(where)("boot", where.kind, where.path, where.tree)
    check = check_tftp(known)
    assert (len(contradictions(check)), len(remarks(check))) == (contradicts, remarked)


def test_a_config_txt_that_tftp_cuts() -> None:
    text = CONFIG_TXT + "# filler\n" * 500
    check = check_tftp(facts(with_config(text), FolderKind.NETWORK))
    [message] = contradictions(check)
    assert "config.txt has" in message
    assert check_tftp(facts(sound(), FolderKind.NETWORK)).findings == ()
