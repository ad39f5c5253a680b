"""The container recipe, followed by hand in a Debian userland instead of by a builder.

All stages are done in one userland, which is what takes time: what a stage copies from the one
before is there already, and it cannot be told what only the one before has installed.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.tools import run, tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.userland import Userland

TOP: Final = Path(__file__).parents[2]


def instructions() -> Iterator[tuple[str, str]]:
    """The instructions of the recipe, each with what follows it."""
    text = (TOP / "Containerfile").read_text(encoding="utf-8").replace("\\\n", "")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


def base() -> set[str]:
    """The images that the recipe begins with."""
    return {rest.partition(" ")[0] for word, rest in instructions() if word == "FROM"}


def follow(machine: Userland) -> list[str]:
    """Do what the recipe says; returns the entry point."""
    entry: list[str] = []
    for word, rest in instructions():
        match word:
            case "COPY" if rest.startswith("--from="):
                source, target = shlex.split(rest)[1:]
                assert source == target
                assert (machine.root / target.lstrip("/")).exists()
            case "COPY":
                source, target = shlex.split(rest)
                assert source == "."
                place = machine.root / target.lstrip("/")
                run(tool("git"), "clone", "--quiet", "--depth=1", TOP.as_uri(), place)
            case "RUN":
                done = machine.run(rest, cwd="/")
                assert done.returncode == 0, done.stdout
            case "ENTRYPOINT":
                entry = json.loads(rest)
            case "WORKDIR":
                (machine.root / rest.lstrip("/")).mkdir()
            case _:
                assert word in {"FROM", "CMD"}
    return entry
