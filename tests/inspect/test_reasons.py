from __future__ import annotations

import pytest

from rdcompose.inspect.reasons import (
    Reason,
    loaded_names,
    loads_modules,
    reasons,
    recorded_reasons,
)
from rdcompose.kernel.needs import Need, NeedKind
from tests.support.graphs import FakeGraph

KERNEL = FakeGraph.parse("""
module kernel/a.ko needs=z
module kernel/b.ko needs=z,y
module kernel/c.ko pre=z
module kernel/d.ko weak=z
module kernel/e.ko needs=z
module kernel/y.ko
module kernel/z.ko
""")


def test_what_is_said() -> None:
    found = reasons(
        KERNEL,
        ["e", "a", "z", "b", "y", "c", "d", "gone"],
        recorded={"a": "listed: 'a' in x:1"},
        loaded={"b": "conf/modules", "a": "conf/modules"},
    )
    assert {name: str(reason) for name, reason in found.items()} == {
        "e": "no other module there needs it",
        "a": "listed: 'a' in x:1",
        "z": "needed by a, b, e and 2 more",
        "b": "loaded by conf/modules",
        "y": "needed by b",
        "c": "no other module there needs it",
        "d": "no other module there needs it",
    }


def test_only_what_is_there_counts() -> None:
    need = Need(by="b", name="z", kind=NeedKind.HARD)
    assert reasons(KERNEL, ["b", "z"]) == {
        "b": Reason(name="b", needs=(need,)),
        "z": Reason(name="z", needed_by=(need,)),
    }


@pytest.mark.parametrize(
    ("manifest", "found"),
    [
        ({"initramfs": {"modules": [{"name": "a", "path": "k/a.ko", "why": "w"}]}}, {"a": "w"}),
        ({"initramfs": {"modules": [{"name": 1, "why": "w"}, "x", {"name": "b"}]}}, {}),
        ({"initramfs": {"modules": "abc"}}, {}),
        ({"initramfs": []}, {}),
        ({}, {}),
    ],
)
def test_manifest(manifest: dict[str, object], found: dict[str, str]) -> None:
    assert recorded_reasons(manifest) == found


@pytest.mark.parametrize(
    ("path", "loads"),
    [
        ("etc/modules.autoload", True),
        ("conf/modules", True),
        ("etc/modules-load.d/x.conf", True),
        ("usr/lib/modules-load.d/x.conf", True),
        ("lib/modules-load.d/x.conf", True),
        ("etc/modules-load.d/x.conf.old", False),
        ("etc/modprobe.d/x.conf", False),
        ("lib/modules/6.1/modules.dep", False),
    ],
)
def test_files_that_load_modules(path: str, loads: bool) -> None:
    assert loads_modules(path) is loads


def test_names_in_such_a_file() -> None:
    assert loaded_names(b"# x\n;y\n\nnet-top a=1\nz\xff\n") == ("net_top", "z\udcff")
