from __future__ import annotations

import pytest

from rdcompose.errors import FormatError
from rdcompose.kernel.depgraph import EM_PPC64, DepGraph
from tests.support.kernel_modules import chain, module


def test_a_module_needs_the_owners_of_its_symbols() -> None:
    graph = DepGraph(
        [
            module("user", imports=["printk", "two_a", "one", "two_b", "two_a"]),
            module("first", exports=["one"]),
            module("second", exports=["two_a", "two_b"]),
        ]
    )
    assert sorted(graph.direct["user"]) == ["first", "second"]
    assert graph.direct["first"] == ()
    assert graph.symbols == {"one": "first", "two_a": "second", "two_b": "second"}


def test_users_stand_before_what_they_need() -> None:
    graph = DepGraph(
        [
            chain("top", "left", "right"),
            chain("left", "base"),
            chain("right", "left", "base"),
            chain("base"),
        ]
    )
    assert graph.direct["top"] == ("right", "left")
    assert graph.needs("top") == ("right", "left", "base")
    assert graph.needs("left") == ("base",)
    assert graph.needs("base") == ()
    assert graph.is_needed("base", by="top")
    assert not graph.is_needed("top", by="base")
    assert not graph.is_needed("top", by="top")


def test_a_long_chain() -> None:
    names = [f"m{number}" for number in range(3000)]
    graph = DepGraph(
        [chain(name, *names[number + 1 : number + 2]) for number, name in enumerate(names)]
    )
    assert graph.needs("m0") == tuple(names[1:])


def test_order_is_that_of_modules_order() -> None:
    order = ["kernel/c.ko", "kernel/gone.ko", "kernel/a.ko", "kernel/b.ko", "kernel/c.ko"]
    graph = DepGraph([module("a"), module("b"), module("c")], order)
    # A path that is listed twice counts where it stands last.
    assert list(graph.modules) == ["a", "b", "c"]
    assert list(DepGraph(graph.modules.values(), order[:3]).modules)[:2] == ["c", "a"]


def test_order_of_the_modules_given_does_not_matter() -> None:
    modules = [
        chain(f"m{number}", *([f"m{number // 2}"] if number else [])) for number in range(30)
    ]
    there, back = DepGraph(modules), DepGraph(reversed(modules))
    assert list(there.modules) == list(back.modules)
    assert [there.needs(name) for name in there.modules] == [
        back.needs(name) for name in back.modules
    ]


def test_of_one_name_updates_win_then_what_is_listed_then_the_path() -> None:
    kernel, other, updates = (
        module(f"{place}/my-drv.ko") for place in ("kernel/b", "kernel/a", "updates/dkms")
    )
    assert DepGraph([kernel, updates, other]).modules["my_drv"] is updates
    assert DepGraph([updates, kernel]).modules["my_drv"] is updates
    assert DepGraph([kernel, updates, other]).hidden == (
        ("my_drv", "kernel/a/my-drv.ko"),
        ("my_drv", "kernel/b/my-drv.ko"),
    )
    assert DepGraph([updates]).hidden == ()
    assert DepGraph([kernel, other]).modules["my_drv"] is other
    assert DepGraph([other, kernel], [kernel.path]).modules["my_drv"] is kernel


def test_of_two_owners_of_a_symbol_the_last_counts() -> None:
    first, second = module("first", exports=["one"]), module("second", exports=["one"])
    user = module("user", imports=["one"])
    graph = DepGraph([first, second, user], ["kernel/first.ko", "kernel/second.ko"])
    assert graph.direct["user"] == ("second",)


@pytest.mark.parametrize(("machine", "needs"), [(EM_PPC64, ("owner",)), (62, ())])
def test_code_symbols_of_powerpc(machine: int, needs: tuple[str, ...]) -> None:
    owner = module("owner", exports=["one"], machine=machine)
    user = module("user", imports=[".one"], machine=machine)
    assert DepGraph([owner, user]).direct["user"] == needs


@pytest.mark.parametrize(
    ("needs", "circle"),
    [
        ({"a": "a"}, "a -> a"),
        ({"a": "b", "b": "a"}, "a -> b -> a"),
        ({"c": "b", "b": "a", "a": "c"}, "a -> c -> b -> a"),
        ({"user": "b", "b": "c", "c": "b below", "below": ""}, "b -> c -> b"),
    ],
)
def test_a_circle_is_named(needs: dict[str, str], circle: str) -> None:
    modules = [chain(name, *others.split()) for name, others in needs.items()]
    with pytest.raises(FormatError, match=f"in a circle: {circle}$") as caught:
        DepGraph(modules)
    assert caught.value.hint is not None


def test_no_modules_at_all() -> None:
    assert DepGraph([]).modules == {}
