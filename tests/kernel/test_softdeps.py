from __future__ import annotations

from rdcompose.kernel.softdeps import Softdeps


def test_all_forms() -> None:
    assert Softdeps.parse([]) == Softdeps()
    assert Softdeps.parse(["pre: a b post: c"]) == Softdeps(("a", "b"), ("c",))
    assert Softdeps.parse(["post: c pre: a", "pre: b"]) == Softdeps(("a", "b"), ("c",))
    assert Softdeps.parse(["pre:  a-b\tc ", "pre:"]) == Softdeps(("a-b", "c"))
    assert Softdeps.parse(["pre:a"]) == Softdeps(unplaced=("pre:a",))


def test_a_mark_holds_for_its_own_value_only() -> None:
    assert Softdeps.parse(["pre: a", "gcm", "ccm post: b"]) == Softdeps(
        ("a",), ("b",), ("gcm", "ccm")
    )
