from __future__ import annotations

import pytest

from rdcompose.globs import PathGlob, is_glob


@pytest.mark.parametrize(
    ("pattern", "path", "ends"),
    [
        ("a/b", "a/b", [2]),
        ("a", "a/b", [1]),
        ("a/b", "a", []),
        ("*", "a/b", [1]),
        ("a*/[bc]", "ab/c", [2]),
        ("?", ".", [1]),
        ("**/c", "a/b/c", [3]),
        ("**/a", "a/b/a", [1, 3]),
        ("a/**/c", "a/c", [2]),
        ("A", "a", []),
        ("[", "[", [1]),
        ("", "a/b", [0]),
    ],
)
def test_how_much_of_a_path_a_glob_uses_up(pattern: str, path: str, ends: list[int]) -> None:
    assert list(PathGlob(pattern).ends(path.split("/"))) == ends


def test_many_wildcards_take_no_time() -> None:
    components = ["a"] * 60
    assert not PathGlob("/".join(["**", "a"] * 30 + ["b"])).ends(components)


def test_what_is_a_glob() -> None:
    assert [text for text in ("a", "a*", "?", "[a]", "a]") if is_glob(text)] == ["a*", "?", "[a]"]
