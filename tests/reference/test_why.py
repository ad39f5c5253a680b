"""What ``rdcompose why`` says of images that initramfs-tools and dracut made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from rdcompose.inspect.holdings import read_holdings
from rdcompose.inspect.opened import open_image
from rdcompose.kernel.module import modname
from rdcompose.kernel.needs import NeedKind, Needs
from rdcompose.tree import File, read_all
from tests.support.foreign import BUILDERS, foreign_initramfs

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference


@pytest.fixture(params=BUILDERS)
def image(request: pytest.FixtureRequest) -> Path:
    return foreign_initramfs(request.param)


def dependencies(image: Path) -> dict[str, set[str]]:
    """What kmod's ``modules.dep`` in an image says: all that each module needs."""
    with open_image(image) as opened:
        (text,) = (
            read_all(found.entry.content).decode()
            for found in opened.entries()
            if found.entry.path.endswith("/modules.dep") and isinstance(found.entry, File)
        )
    rows = (line.split(":") for line in text.splitlines())
    return {modname(path): set(map(modname, needed.split())) for path, needed in rows}


def test_needs_of_all_modules(image: Path) -> None:
    held = read_holdings([image])
    told = dependencies(image)
    assert {"virtio_pci", "virtio_ring"} <= told.keys()
    needs = Needs(held.graph, held.graph.modules)
    for name, theirs in told.items():
        found: set[str] = set()
        todo = [name]
        while todo:
            steps = (need for need in needs.of(todo.pop()) if need.kind is NeedKind.HARD)
            fresh = {need.name for need in steps} - found
            found |= fresh
            todo += fresh
        assert found == theirs, name


def test_chains_begin_at_what_nothing_needs(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = dependencies(image)
    users = {name for name, needed in told.items() if "virtio_ring" in needed}
    top = {name for name in users if not any(name in needed for needed in told.values())}
    assert main(["why", str(image), "virtio_ring", "--all", "--json"]) == 0
    (ring,) = json.loads(capsys.readouterr().out)["modules"]
    assert ring["state"] == "initramfs"
    assert {chain["module"] for chain in ring["chains"]} >= top
    for chain in ring["chains"]:
        way = [step["by"] for step in chain["steps"]]
        assert (way[0], chain["steps"][-1]["name"]) == (chain["module"], "virtio_ring")
        assert users.issuperset(way)
