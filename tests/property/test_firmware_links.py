"""Links among firmware lead where the filesystem says that they lead."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.compose.firmware_source import follow

NAME = st.sampled_from(["a", "b", "c", "d"])
PLACE = st.lists(NAME, min_size=1, max_size=3).map("/".join)
# Never above the root of the firmware, where the real filesystem goes on.
TARGET = st.one_of(PLACE, PLACE.map("./{}".format), st.tuples(NAME, PLACE).map("/../".join))


def make(root: Path, files: list[str], links: dict[str, str]) -> dict[str, str]:
    """Make what can be made; returns the links that are there."""
    made = {}
    for place in files:
        path = root / place
        if _free(root, path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    for place, target in links.items():
        path = root / place
        if _free(root, path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)
            made[f"lib/firmware/{place}"] = target
    return made


def _free(root: Path, path: Path) -> bool:
    """Whether nothing is there, and all above it is, or can be, a directory."""
    above = [each for each in path.parents if each.is_relative_to(root)]
    plain = all(
        not os.path.lexists(each) or (each.is_dir() and not each.is_symlink()) for each in above
    )
    return plain and not os.path.lexists(path)


@given(st.lists(PLACE, max_size=4), st.dictionaries(PLACE, TARGET, max_size=5), st.lists(PLACE))
@settings(max_examples=60, deadline=None)
def test_as_the_filesystem(files: list[str], links: dict[str, str], asked: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch).resolve() / "lib/firmware"
        root.mkdir(parents=True)
        made = make(root, files, links)
        for place in {*asked, *(link.removeprefix("lib/firmware/") for link in made)}:
            trail = follow(made, f"lib/firmware/{place}")
            real = root / place
            if not real.exists():
                continue
            assert trail is not None
            assert root.parents[1] / trail.end == real.resolve()
            for link, end in trail.links:
                assert root.parents[1] / end == (root.parents[1] / link).resolve()
