"""Modules compared by name, whatever they are packed with and wherever they lie."""

from __future__ import annotations

import lzma
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError
from rdcompose.inspect.compare.changes import Changed, Shifted
from rdcompose.inspect.compare.modules import ModuleFacts, ModuleReader, compare_modules
from rdcompose.tree import Bytes, File
from tests.support.modules import make_ko

if TYPE_CHECKING:
    from collections.abc import Mapping

VERMAGIC = "6.1.0-7-amd64 SMP mod_unload "


def module(
    inner: str = "kernel/net/veth.ko",
    *more: str,
    place: str = "initramfs",
    release: str | None = "R",
    padding: int = 0,
    **modinfo: str,
) -> ModuleFacts:
    lines = [f"{key}={value}" for key, value in ({"vermagic": VERMAGIC} | modinfo).items()]
    data = make_ko([*lines, *more], padding=padding)
    if inner.endswith(".xz"):
        data = lzma.compress(data, check=lzma.CHECK_CRC32)
    file = File(path=f"lib/modules/R/{inner}", content=Bytes(data))
    return ModuleReader().read(file, inner=inner, release=release, place=place)


def texts(before: ModuleFacts, now: ModuleFacts) -> Mapping[str, tuple[str, str]]:
    found = compare_modules([before], [now])
    return {row.what: (row.before, row.now) for row in found.changed[0].texts}


def test_what_a_module_says() -> None:
    facts = module(
        "kernel/net/veth-pair.ko.xz", "parm=a:text", "parmtype=a:int", "alias=x", "alias=y",
        depends="b,c", version="1.2",
    )  # fmt: skip
    assert (facts.name, facts.inner, facts.packed) == ("veth_pair", "kernel/net/veth-pair.ko", "xz")
    assert facts.says.texts == {"version": "1.2", "srcversion": "", "vermagic": VERMAGIC}
    assert facts.says.sets == {
        "depends": {"b", "c"},
        "parameter": {"a"},
        "alias": {"x", "y"},
    }
    assert facts.stored < facts.says.size
    assert facts.meant_for == "R"
    assert module(release=None).meant_for == "6.1.0-7-amd64"


def test_damaged_modules_are_refused() -> None:
    file = File(path="x.ko.xz", content=Bytes(b"nothing"))
    with pytest.raises(FormatError):
        ModuleReader().read(file, inner="x.ko.xz", release=None, place="initramfs")


def test_a_module_that_is_packed_has_the_same_content() -> None:
    found = compare_modules([module("kernel/net/veth.ko.xz")], [module()])
    assert [row.content for row in found.changed] == [False]
    assert found.changed[0].texts == (Changed("packed", "xz", "plain"),)
    assert compare_modules([module()], [module()]).same == 1


def test_all_that_changes_is_told() -> None:
    before = module("kernel/a/x.ko", "alias=p", "softdep=pre: u", version="1", depends="b,c")
    now = module(
        "kernel/b/x.ko", "alias=q", "alias=p", "firmware=f", version="2", depends="c,d", padding=9
    )
    ((change,), same) = (
        (found := compare_modules([before], [now])).changed,
        found.same,
    )
    assert (change.name, change.content, same) == ("x", True, 0)
    assert change.texts == (
        Changed("version", "1", "2"),
        Changed("path", "kernel/a/x.ko", "kernel/b/x.ko"),
    )
    assert change.sets == (
        Shifted("depends", ("d",), ("b",)),
        Shifted("firmware", ("f",), ()),
        Shifted("alias", ("q",), ()),
        Shifted("softdep", (), ("pre: u",)),
    )
    assert found.aliases == (1, 2)


def test_places_are_told_where_there_are_several() -> None:
    before = [module(place="initramfs")]
    now = [module(place="initramfs"), module(place="modules disk")]
    assert compare_modules(before, now).changed == ()
    (change,) = compare_modules(before, now, places=True).changed
    assert change.texts == (Changed("in", "initramfs", "initramfs and modules disk"),)


def test_new_and_gone_may_be_built_in() -> None:
    before, now = [module("kernel/a.ko"), module("kernel/c.ko")], [module("kernel/b.ko")]
    found = compare_modules(before, now, builtin=({"b"}, {"a"}))
    assert [(row.facts.name, row.builtin) for row in found.gone] == [("a", True), ("c", False)]
    assert [(row.facts.name, row.builtin, row.places) for row in found.new] == [
        ("b", True, ("initramfs",))
    ]


def test_two_modules_of_a_name() -> None:
    kernel, update = module("kernel/a.ko"), module("updates/a.ko", padding=3)
    found = compare_modules([kernel], [update, kernel])
    assert (found.same, [row.facts.inner for row in found.new]) == (1, ["updates/a.ko"])
    moved = compare_modules([kernel], [update])
    assert moved.changed[0].texts == (Changed("path", "kernel/a.ko", "updates/a.ko"),)


def test_modules_of_other_releases_are_others() -> None:
    found = compare_modules([module(release="A")], [module(release="B")])
    assert (len(found.new), len(found.gone), found.changed) == (1, 1, ())


def test_signatures_are_told() -> None:
    data = make_ko({"vermagic": VERMAGIC}, signature=b"s" * 20)
    file = File(path="veth.ko", content=Bytes(data))
    signed = ModuleReader().read(file, inner="kernel/net/veth.ko", release="R", place="initramfs")
    assert texts(module(), signed) == {"signed": ("no", "yes")}
