from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.inspect import hardlinks
from rdcompose.inspect.hardlinks import HardLinks
from rdcompose.inspect.walks import Located
from rdcompose.tree import Bytes, File

if TYPE_CHECKING:
    import pytest


def located(content: Bytes, *, mode: int = 0o644, mtime: int = 1, links: int = 2) -> Located:
    return Located(0, File(path="x", mode=mode, content=content), mtime, links)


def other_name(links: HardLinks, one: Located) -> str | None:
    assert isinstance(one.entry, File)
    return links.other_name(one.entry, one)


def note(links: HardLinks, path: str, one: Located) -> None:
    assert isinstance(one.entry, File)
    links.note(path, one.entry, one)


def test_names_of_one_file() -> None:
    links, content = HardLinks(), Bytes(b"data")
    note(links, "a", located(content))
    note(links, "b", located(content))
    assert other_name(links, located(content)) == "a"
    assert other_name(links, located(content, mode=0o755)) is None
    assert other_name(links, located(content, mtime=2)) is None
    assert other_name(links, located(Bytes(b"data"))) is None
    links.forget("gone")
    links.forget("a")
    assert other_name(links, located(content)) is None


def test_what_is_not_remembered() -> None:
    links = HardLinks()
    for one in (located(Bytes(b"data"), links=1), located(Bytes(b""))):
        note(links, "a", one)
        assert other_name(links, one) is None


def test_memory_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardlinks, "_MAX_KEPT", 10)
    links = HardLinks()
    first, second, large = (located(Bytes(bytes(size))) for size in (6, 7, 11))
    for path, one in (("a", first), ("b", second), ("c", large)):
        note(links, path, one)
    assert [other_name(links, one) for one in (first, second, large)] == [None, "b", None]
