"""Filesystems as their own programs make them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.formats.filesystem import kinds_of_image
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (("mke2fs", "-q", "-F", "-t", "ext4"), "ext4"),
        (("mkfs.btrfs", "-q"), "btrfs"),
        (("mkfs.f2fs", "-q"), "f2fs"),
        (("mkfs.xfs", "-q"), "xfs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_of_a_size(tmp_path: Path, command: tuple[str, ...], kind: str) -> None:
    image = tmp_path / "image"
    with image.open("wb") as out:
        out.truncate(512 << 20)
    run(tool(command[0]), *command[1:], image)
    with image.open("rb") as source:
        assert kind in kinds_of_image(source)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (("mkfs.erofs", "--quiet", "image", "tree"), "erofs"),
        (("mksquashfs", "tree", "image"), "squashfs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_of_a_tree(tmp_path: Path, command: tuple[str, ...], kind: str) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_bytes(b"content")
    names = {name: tmp_path / name for name in ("image", "tree")}
    run(tool(command[0]), *(names.get(word, word) for word in command[1:]))
    with (tmp_path / "image").open("rb") as source:
        assert kinds_of_image(source) == (kind,)
