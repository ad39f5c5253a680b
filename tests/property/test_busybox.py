from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.kernel.depmod import Depmod
from tests.support.kernel_modules import chain

SIZE = 9
NUMBERS = st.integers(0, SIZE - 1)
EDGES = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12)


def kernel(
    hard: list[tuple[int, int]], pre: list[tuple[int, int]], post: list[tuple[int, int]]
) -> Depmod:
    """Return modules m0 to m8; hard edges go from a lower number to a higher one."""
    modules = []
    for number in range(SIZE):
        needs = [f"m{max(edge)}" for edge in hard if min(edge) == number != max(edge)]
        soft = [f"softdep=pre: m{b}" for a, b in pre if a == number]
        soft += [f"softdep=post: m{b}" for a, b in post if a == number]
        modules.append(chain(f"m{number}", *needs, modinfo=soft))
    return Depmod(modules)


@settings(max_examples=300, deadline=None)
@given(EDGES, EDGES, EDGES)
def test_whatever_the_soft_dependencies_all_load(
    hard: list[tuple[int, int]], pre: list[tuple[int, int]], post: list[tuple[int, int]]
) -> None:
    depmod = kernel(hard, pre, post)
    text = depmod.busybox_files(list(depmod.modules))["modules.dep"].decode()
    for line in text.splitlines():
        path, _, listed = line.partition(":")
        order = [
            item.removeprefix("kernel/").removesuffix(".ko")
            for item in reversed([path, *listed.split()])
        ]
        loaded: set[str] = set()
        for name in order:
            # What a module needs was there before it, or the kernel refuses the module.
            assert loaded.issuperset(depmod.direct(name))
            loaded.add(name)
        wanted = order[-1]
        softdeps = [depmod.softdeps(name) for name in loaded]
        assert loaded.issuperset(other for soft in softdeps for other in (*soft.pre, *soft.post))
        assert wanted in loaded
        if not any(soft.pre or soft.post for soft in softdeps):
            assert tuple(order[:-1]) == depmod.dependencies(wanted)
