from __future__ import annotations

import pytest

from rdcompose.inspect.paths import follow, resolve
from rdcompose.tree import Directory, File
from tests.support.artifacts import tree_of

TREE = tree_of(
    {
        "bin": "usr/bin",
        "usr/bin/sh": "busybox",
        "usr/bin/busybox": b"program",
        "lib": "/usr/lib",
        "usr/lib/x": "../../bin/../lib/y",
        "usr/lib/y": b"y",
        "loop": "loop",
        "a": "b",
        "b": "a",
        "out": "../../../usr/lib/y",
        "nowhere": "usr/none",
        "self": ".",
        "far": "usr/../" * 340 + "usr",
        "farther": "usr/../" * 340 + "far",
        "deep": "x/" * 70 + "../" * 70 + "usr",
    }
)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/bin/sh", "usr/bin/busybox"),
        ("bin/busybox", "usr/bin/busybox"),
        # ".." is above where the link leads, not above the link.
        ("lib/x", "usr/lib/y"),
        ("lib/../lib/y", "usr/lib/y"),
        ("out", "usr/lib/y"),
        ("nowhere", "usr/none"),
        ("self/self/bin//sh", "usr/bin/busybox"),
        ("..", ""),
        ("loop", None),
        ("a/x", None),
        ("far/lib", "usr/lib"),
        ("farther/lib", None),
        ("deep/lib", None),
        ("x/" * 70, "/".join("x" * 70)),
    ],
)
def test_resolve(path: str, found: str | None) -> None:
    assert resolve(TREE, path) == found


def test_follow() -> None:
    assert isinstance(follow(TREE, "/bin/sh"), File)
    assert isinstance(follow(TREE, "lib"), Directory)
    assert follow(TREE, "/") == Directory(path="")
    for path in ("nowhere", "loop", "usr/none"):
        assert follow(TREE, path) is None
