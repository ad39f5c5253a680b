from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError
from rdcompose.inspect.lookup import look_up, stored_content
from rdcompose.tree import Bytes, Directory, File, Node, NodeKind, Symlink, read_all
from tests.support.walked import walked

if TYPE_CHECKING:
    from rdcompose.inspect.opened import Opened


def image() -> Opened:
    return walked(
        File(path="etc/conf", content=Bytes(b"old")),
        Symlink(path="lib", target="usr/lib"),
        Directory(path="usr/lib"),
        File(path="lib/x", content=Bytes(b"x")),
        Symlink(path="out", target="../../etc/conf"),
        Symlink(path="usr/lib/up", target="../../out"),
        Symlink(path="gone", target="/nowhere"),
        Symlink(path="round", target="round"),
        Symlink(path="top", target="/"),
        Node(path="null", kind=NodeKind.CHARACTER, major=1, minor=3),
        File(path="lib", content=Bytes(b"")),
        File(path="null/x", content=Bytes(b"")),
        File(path="etc/conf", content=Bytes(b"new")),
    )


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("etc/conf", b"new"),
        ("/etc/conf", b"new"),
        ("./etc//conf", b"new"),
        ("../../etc/conf", b"new"),
        ("usr/lib/x", b"x"),
        ("out", b"new"),
        ("usr/lib/up", b"new"),
        ("top/top/etc/conf", b"new"),
    ],
)
def test_found(path: str, content: bytes) -> None:
    opened = image()
    assert [read_all(one) for one in stored_content(opened, look_up(opened, path))] == [content]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("etc", "'etc' in image is a directory, and has no content"),
        ("/", "'/' in image is a directory"),
        ("null", "'null' in image is a special file"),
        ("round", "the links at 'round' in image lead in a circle, or too far"),
        ("gone", "there is no 'nowhere' in image, where 'gone' leads to"),
        ("null/x", "there is no 'null/x' in image"),
    ],
)
def test_no_file(path: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        look_up(image(), path)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("conf", "there is etc/conf"),
        ("etc/cnf", "there is etc/conf"),
        ("something else", None),
    ],
)
def test_advice(path: str, near: str | None) -> None:
    with pytest.raises(SpecError) as caught:
        look_up(image(), path)
    assert caught.value.hint == near
