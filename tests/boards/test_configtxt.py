from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.boards.configtxt import Applies, ConfigTxt, LineKind, filter_type
from rdcompose.boards.models import MODELS


def values(text: str, *filters: str) -> dict[str, str]:
    return {key: line.value for key, line in ConfigTxt(text).values(filters).items()}


def edited(text: str, key: str, value: str, section: str = "all") -> str:
    config = ConfigTxt(text)
    config.set(key, value, section)
    return config.to_bytes().decode()


@given(st.binary(max_size=300))
def test_what_is_not_changed_keeps_every_byte(data: bytes) -> None:
    assert ConfigTxt.parse(data).to_bytes() == data


@given(st.text("[]=#ap i34\r\n", max_size=60), st.sampled_from(["all", "pi3", "pi4"]))
def test_what_is_set_is_there_and_the_rest_stays(text: str, section: str) -> None:
    config = ConfigTxt(text)
    before = [line.text for line in config.lines]
    config.set("kernel", "x", section)
    assert config.get("kernel", section) == "x"
    left = iter(line.text for line in ConfigTxt.parse(config.to_bytes()).lines)
    assert all(line in left for line in before)


def test_lines_are_told_apart() -> None:
    config = ConfigTxt(
        "# a\n\n[pi4]\n kernel=a=b\ninitramfs\tx followkernel\ninclude y\nwhat\nx = y"
    )
    assert [line.kind for line in config.lines] == [
        LineKind.COMMENT,
        LineKind.BLANK,
        LineKind.SECTION,
        LineKind.SETTING,
        LineKind.COMMAND,
        LineKind.COMMAND,
        LineKind.OTHER,
        LineKind.OTHER,
    ]
    setting, command = config.lines[3:5]
    assert (setting.key, setting.value, setting.section) == ("kernel", "a=b", ("pi4",))
    assert (command.key, command.value) == ("initramfs", "x followkernel")


def test_initramfs_with_an_equals_sign_is_none() -> None:
    (line,) = ConfigTxt("initramfs=x\n").lines
    assert line.kind is LineKind.OTHER


def test_the_last_line_counts() -> None:
    assert values("kernel=a\nkernel=b\n") == {"kernel": "b"}


def test_models_read_their_sections() -> None:
    text = "kernel=a\n[pi3]\nkernel=b\n[pi3+]\nkernel=c\n[all]\nenable_uart=1\n"
    three, plus = MODELS["3"].variants[:2]
    assert values(text, *three.filters) == {"kernel": "b", "enable_uart": "1"}
    assert values(text, *plus.filters)["kernel"] == "c"
    assert values(text, *MODELS["4"].variants[0].filters)["kernel"] == "a"


def test_filters_of_different_types_add_up() -> None:
    text = "[EDID=VSC-TD2220]\nkernel=a\n[pi2]\nkernel=b\n[all]\nkernel=c\n"
    lines = ConfigTxt(text).lines
    assert lines[3].section == ("EDID=VSC-TD2220", "pi2")
    assert lines[5].section == ()
    found = [how for _, how in ConfigTxt(text).walk({"pi2"})]
    assert found == [Applies.DEPENDS, Applies.DEPENDS, Applies.YES]
    found = [how for _, how in ConfigTxt(text).walk({"pi3"})]
    assert found == [Applies.DEPENDS, Applies.NO, Applies.YES]


def test_none_holds_until_all() -> None:
    assert values("[none]\na=1\n[pi4]\nb=1\n[all]\nc=1\n", "pi4") == {"c": "1"}


def test_an_unknown_filter_is_true_nowhere() -> None:
    assert filter_type("Pi4") is None
    assert values("[Pi4]\na=1\n[all]\nb=1\n", "pi4") == {"b": "1"}


def test_board_types_are_models() -> None:
    assert values("[board-type=0x14]\na=1\n[pi4]\nb=1\n", "pi4") == {"b": "1"}


@pytest.mark.parametrize(
    "name", ["0x12345678", "gpio4=1", "HDMI:0", "tryboot", "partition=2", "boot_partition=2"]
)
def test_what_only_the_firmware_sees(name: str) -> None:
    ((_, how),) = ConfigTxt(f"[{name}]\na=1\n").walk({"pi4"})
    assert how is Applies.DEPENDS


def test_a_line_is_changed_where_it_stands() -> None:
    text = "# mine\r\nkernel=a\r\n[pi4]\r\nkernel=b\r\n"
    assert edited(text, "kernel", "c") == text.replace("=a", "=c")
    assert edited(text, "kernel", "c", "pi4") == text.replace("=b", "=c")
    assert edited(text, "kernel", "a") == text


def test_the_last_of_several_is_changed() -> None:
    assert edited("kernel=a\n  kernel=b\n", "kernel", "c") == "kernel=a\n  kernel=c\n"


def test_a_line_is_added_to_its_section() -> None:
    assert edited("a=1\n\n[pi4]\nb=2\n", "kernel", "x") == "a=1\nkernel=x\n\n[pi4]\nb=2\n"
    assert edited("[pi4]\nb=2\n# c\n\n[all]\n", "kernel", "x", "pi4").startswith(
        "[pi4]\nb=2\nkernel=x\n# c\n"
    )


def test_a_section_is_added() -> None:
    assert edited("a=1\n", "kernel", "x", "pi4") == "a=1\n[pi4]\nkernel=x\n"
    assert edited("[pi3]\na=1", "kernel", "x", "pi4") == "[pi3]\na=1\n[pi4]\nkernel=x\n"
    assert edited("[gpio4=1]\na=1\n", "kernel", "x", "pi4") == (
        "[gpio4=1]\na=1\n[all]\n[pi4]\nkernel=x\n"
    )
    assert edited("[pi3]\na=1\n", "kernel", "x") == "[pi3]\na=1\n[all]\nkernel=x\n"
    assert edited("", "kernel", "x") == "kernel=x\n"
    assert edited("# only this\n", "kernel", "x") == "# only this\nkernel=x\n"


def test_the_ends_of_lines_stay_what_they_are() -> None:
    assert edited("a=1\r\nb=2", "c", "3") == "a=1\r\nb=2\r\nc=3\r\n"
    assert edited("a=1\r\n", "kernel", "x", "pi4") == "a=1\r\n[pi4]\r\nkernel=x\r\n"


def test_initramfs_is_written_without_an_equals_sign() -> None:
    assert edited("", "initramfs", "x followkernel") == "initramfs x followkernel\n"


def test_lines_are_taken_out() -> None:
    config = ConfigTxt("kernel=a\n#kernel=b\n[pi4]\nkernel=c\n[all]\nkernel=d\n")
    config.remove("kernel")
    assert config.to_bytes() == b"#kernel=b\n[pi4]\nkernel=c\n[all]\n"
    assert config.get("kernel") is None
    assert config.get("kernel", "pi4") == "c"


def test_includes_are_put_in_their_place() -> None:
    files = {"more.txt": b"[pi4]\nkernel=x", "round.txt": b"include round.txt\n"}
    config = ConfigTxt("a=1\ninclude more.txt\nb=2\ninclude none.txt\n").expanded(files.get)
    assert config.to_bytes() == b"a=1\n[pi4]\nkernel=x\nb=2\ninclude none.txt\n"
    assert [line.where for line in config.lines] == [
        *("line 1", "line 1 of more.txt", "line 2 of more.txt", "line 3", "line 4"),
    ]
    rounds = ConfigTxt("include round.txt\n").expanded(files.get)
    assert rounds.lines[0].text == "include round.txt"


def test_a_file_that_includes_many_is_not_followed_without_end() -> None:
    many = b"".join(b"include %d.txt\n" % number for number in range(1000))
    config = ConfigTxt.parse(many).expanded(lambda _: many)
    assert len(config.lines) < 100_000


def test_what_was_expanded_can_be_changed() -> None:
    config = ConfigTxt("include a.txt\nkernel=x\n").expanded({"a.txt": b"a=1\nb=1\n"}.get)
    config.set("kernel", "y")
    assert config.to_bytes() == b"a=1\nb=1\nkernel=y\n"
