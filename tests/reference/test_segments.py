"""Segments that programs of others wrote and packed, joined in any order, against GNU cpio."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.inspect.opened import open_image
from rdcompose.tree import File, read_all
from tests.support.tools import run_bytes, tool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.reference

PACKERS: Final[dict[str, Sequence[str]]] = {
    "none": ("cat",),
    "gzip": ("gzip", "-c"),
    "xz": ("xz", "-c", "--check=crc32"),
    "lzma": ("xz", "-c", "--format=lzma"),
    "bzip2": ("bzip2", "-c"),
    "zstd": ("zstd", "-c", "-19", "-T2"),
    "lz4": ("lz4", "-l", "-c"),
}


def archive(tmp_path: Path, name: str) -> bytes:
    """An archive by GNU cpio, with hard links, in a directory of its own."""
    top = tmp_path / name
    (top / name).mkdir(parents=True)
    (top / name / "first").write_bytes(name.encode() * 50_000)
    for other in ("second", "third"):
        os.link(top / name / "first", top / name / other)
    (top / name / "link").symlink_to("first")
    names = "".join(f"{path.relative_to(top)}\n" for path in sorted(top.rglob("*")))
    return run_bytes(tool("cpio"), "-o", "-H", "newc", "--quiet", stdin=names.encode(), cwd=top)


def test_joined_segments_of_every_compressor(tmp_path: Path) -> None:
    data, expected = b"", []
    for name, (program, *options) in PACKERS.items():
        plain = archive(tmp_path, name)
        packed = run_bytes(tool(program), *options, stdin=plain)
        data += bytes(-len(data) % 512)
        expected.append((len(data), name, 5))
        data += packed
    image = tmp_path / "initrd.img"
    image.write_bytes(data)
    with open_image(image) as opened:
        contents: dict[str, bytes] = {}
        links: dict[str, int] = {}
        for row in opened.entries():
            links[row.entry.path] = row.links
            if isinstance(row.entry, File):
                contents[row.entry.path] = read_all(row.entry.content)
        assert opened.problem is None
        parts = opened.parts
    assert [(part.offset, part.compression, part.entries) for part in parts] == expected
    for name in PACKERS:
        for file in ("first", "second", "third"):
            assert contents[f"{name}/{file}"] == name.encode() * 50_000
            assert links[f"{name}/{file}"] == 3
