"""The commands in README and docs/ are such as the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.cli.options import make_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP: Final = Path(__file__).parents[2]
PAGES: Final = sorted(page.relative_to(TOP).as_posix() for page in TOP.glob("docs/*.md"))
_COMMAND: Final = re.compile(r"\s*(?:- |- run: )?(?:bin/)?rdcompose (?!.*(?:…|\.\.\.|\[))(.+)")
_END: Final = re.compile(r" (?:[|<>;]|&&)")


def commands(page: str) -> Iterator[list[str]]:
    """Yield the words behind ``rdcompose`` of each command that is written out."""
    text = (TOP / page).read_text(encoding="utf-8").replace("\\\n", " ")
    for block in re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if found := _COMMAND.fullmatch(line):
                yield shlex.split(_END.split(found[1])[0], comments=True)


@pytest.mark.parametrize("page", ["README.md", *PAGES])
def test_documented_commands_are_understood(page: str) -> None:
    for words in commands(page):
        assert make_parser().parse_args(words).command == words[0]


def test_there_are_commands() -> None:
    assert ["rebuild", "release/manifest.json", "--check"] in list(commands("docs/release.md"))
