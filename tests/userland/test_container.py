"""The container recipe, step by step in Debian userlands, by hand instead of by a builder."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.tools import run, tool
from tests.support.userland import userland

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.userland import Userland

pytestmark = pytest.mark.userland

TOP: Final = Path(__file__).parents[2]


def instructions() -> Iterator[tuple[str, str]]:
    text = (TOP / "Containerfile").read_text(encoding="utf-8").replace("\\\n", "")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


def follow(machine: Userland, steps: list[tuple[str, str]], before: Path | None) -> list[str]:
    """Do what a stage says; returns its entry point."""
    entry: list[str] = []
    for word, rest in steps:
        match word:
            case "COPY":
                *options, source, target = shlex.split(rest)
                place = machine.root / target.lstrip("/")
                place.parent.mkdir(parents=True, exist_ok=True)
                if options:
                    assert before is not None
                    run("cp", "-a", before / source.lstrip("/"), place)
                else:
                    run(tool("git"), "clone", "--quiet", "--depth=1", TOP.as_uri(), place)
            case "RUN":
                done = machine.run(rest, cwd="/")
                assert done.returncode == 0, done.stdout
            case "ENTRYPOINT":
                entry = json.loads(rest)
            case "WORKDIR":
                (machine.root / rest.lstrip("/")).mkdir()
            case _:
                assert word == "CMD"
    return entry


def test_the_image_runs() -> None:
    steps = list(instructions())
    starts = [number for number, (word, _) in enumerate(steps) if word == "FROM"]
    assert [steps[n][1] for n in starts] == [
        "debian:trixie-slim AS environment",
        "debian:trixie-slim",
    ]
    with userland("trixie") as first, userland("trixie") as second:
        follow(first, steps[1 : starts[1]], None)
        entry = follow(second, steps[starts[1] + 1 :], first.root)
        # Without the network, whose settings stand in the environment.
        done = second.run(
            shlex.join([*entry, "kernels", "--offline", "--cache", "/none"]), cwd="/work"
        )
        assert "--offline forbids to fetch it" in done.stdout
        assert "making its Python environment" not in done.stdout
        assert second.run(shlex.join([*entry, "--version"])).stdout.startswith("rdcompose ")
