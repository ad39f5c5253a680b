from __future__ import annotations

import pytest

from rdcompose.inspect.patterns import PathPatterns

FILES = ("init", "bin/busybox", "scripts/init", "lib/modules/6.1/kernel/fs/ext4/ext4.ko")
DIRECTORIES = ("bin", "scripts", "lib", "lib/modules", "init.d")


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("init", "init scripts/init"),
        ("/init", "init"),
        ("./init", "init"),
        ("scripts/init", "scripts/init"),
        ("/scripts/", "scripts scripts/init"),
        ("init/", ""),
        ("*.ko", FILES[3]),
        ("lib/*.ko", ""),
        ("lib/**/*.ko", FILES[3]),
        ("ext4", FILES[3]),
        ("bin", "bin bin/busybox"),
        ("./lib//modules/.", "lib/modules lib/modules/6.1/kernel/fs/ext4/ext4.ko"),
        ("in*", "init scripts/init init.d"),
        ("nothing", ""),
    ],
)
def test_what_a_pattern_means(pattern: str, meant: str) -> None:
    patterns = PathPatterns([pattern])
    found = {path for path in FILES if patterns.matches(path)}
    found |= {path for path in DIRECTORIES if patterns.matches(path, directory=True)}
    assert found == set(meant.split())
    assert patterns.unmatched == (() if meant else (pattern,))


@pytest.mark.parametrize("patterns", [[], ["/"], ["."], ["**"]], ids=repr)
def test_everything(patterns: list[str]) -> None:
    assert all(PathPatterns(patterns).matches(path) for path in FILES)


def test_each_of_several_knows_whether_it_matched() -> None:
    patterns = PathPatterns(["init", "gone", "scripts/*"])
    assert patterns
    assert [path for path in FILES if patterns.matches(path)] == ["init", "scripts/init"]
    assert patterns.unmatched == ("gone",)
    assert not PathPatterns([])
