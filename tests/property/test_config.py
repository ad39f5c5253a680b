"""Kernel configurations: what is written is read, and nothing crashes."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError
from rdcompose.kernel.config import KernelConfig

NAMES = st.from_regex(r"[A-Z0-9_]{1,20}", fullmatch=True)
TEXTS = st.text(st.characters(blacklist_characters="\n\r\0", blacklist_categories=["Cs"]))
VALUES = st.one_of(st.sampled_from("ymn"), st.integers().map(str), TEXTS.map(lambda t: f"={t}"))


def line(name: str, value: str) -> str:
    if value == "n":
        return f"# CONFIG_{name} is not set"
    if value.startswith("="):
        escaped = value[1:].replace("\\", "\\\\").replace('"', '\\"')
        return f'CONFIG_{name}="{escaped}"'
    return f"CONFIG_{name}={value}"


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(NAMES, VALUES, min_size=1))
def test_round_trip(options: dict[str, str]) -> None:
    text = "\n".join(line(name, value) for name, value in options.items())
    read = KernelConfig.parse(text.encode())
    assert read.options == {name: value.removeprefix("=") for name, value in options.items()}


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        KernelConfig.parse(b"CONFIG_A=y\n" + data)
