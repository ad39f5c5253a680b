"""kmod's binary index: what depmod writes we read, and what we write modprobe reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.formats.modindex import read_index, write_index
from tests.support.modules import make_ko
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

RELEASE: Final = "1.2.3"
# Keys that part at all places, and all kinds of patterns.
ALIASES: Final = {
    "one": ["a", "abc", "abd*", "x:[0-9]*", "pci:v1d*", "~last", "odd?ones"],
    "two": ["ab", "abcdef", "abc", "pci:v1d2*sv*", "pci:*", "x:[!0-9]y", "*:all"],
    "three": ["pci:v1d*", "pci:v1d2*", "abc", "a*c", "odd[!a-y]ones", "b", "ba"],
}
QUESTIONS: Final = (
    "a", "ab", "abc", "abcdef", "abdx", "abd", "b", "ba", "x:7", "x:7z", "x:ay", "x:7y",
    "pci:v1d2sv3", "pci:v1d3", "pci:", "pci:all", "~last", "odd-ones", "oddzones", "oddaones",
    "q:all", "axxc",
)  # fmt: skip
UNKNOWN: Final = ("abcd", "abx", "bab", "x:az", "nothing", "pci", "ODD-ones")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "lib/modules" / RELEASE
    directory.mkdir(parents=True)
    for name, aliases in ALIASES.items():
        data = make_ko([f"alias={alias}" for alias in aliases])
        (directory / f"{name}.ko").write_bytes(data)
    (directory / "modules.order").write_text("three.ko\none.ko\ntwo.ko\n")
    run(tool("depmod"), "-b", tmp_path, RELEASE)
    return directory


def asked(directory: Path) -> dict[str, list[str]]:
    """Return what modprobe finds for each question, best first."""
    base = directory.parent.parent.parent
    options = ("-q", "-C", "/dev/null", "-d", base, "-S", RELEASE)
    return {
        question: run(
            tool("modprobe"), *options, "-R", question, status=1 if question in UNKNOWN else 0
        ).split()
        for question in QUESTIONS + UNKNOWN
    }


def test_a_search_finds_what_modprobe_finds(directory: Path) -> None:
    index = read_index((directory / "modules.alias.bin").read_bytes())
    found = {
        question: [value.value for value in index.search_wild(question.replace("-", "_"))]
        for question in QUESTIONS + UNKNOWN
    }
    assert found == asked(directory)


def test_modprobe_finds_the_same_in_what_we_write(directory: Path) -> None:
    before = asked(directory)
    for name in ("modules.alias", "modules.dep", "modules.symbols"):
        (directory / name).unlink()
        path = directory / f"{name}.bin"
        items = list(read_index(path.read_bytes()).items())
        # Of values with one priority, the later entry stands first.
        entries = [(key, value.value, value.priority) for key, value in reversed(items)]
        path.write_bytes(write_index(entries))
    assert asked(directory) == before
