from __future__ import annotations

import pytest

from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.taints import Taints, letters, taints_of
from tests.support.own_modules import as_module, own_module

TREE = {
    "kernel/b.ko": own_module("b", modinfo=["intree=Y"], signature=b"PKCS#7"),
    "kernel/a.ko": own_module("a", modinfo=["intree=Y", "staging=Y"]),
    "updates/c.ko": own_module("c"),
}


def test_modules_that_are_not_as_the_rest() -> None:
    modules = [as_module(path, data) for path, data in TREE.items()]
    assert taints_of(modules) == Taints(
        signed=True, out_of_tree=("c",), staging=("a",), unsigned=("a", "c")
    )


def test_a_kernel_that_signs_nothing() -> None:
    modules = [as_module(path, data) for path, data in TREE.items() if path != "kernel/b.ko"]
    assert taints_of(modules) == Taints(signed=False, out_of_tree=("c",), staging=("a",))
    assert taints_of([]) == Taints()


@pytest.mark.parametrize(
    ("modinfo", "signature", "options", "expected"),
    [
        pytest.param([], b"", {}, "O", id="out of tree"),
        pytest.param(["staging=Y"], b"", {}, "CO", id="staging"),
        pytest.param(["license=Proprietary"], b"", {}, "PO", id="proprietary"),
        pytest.param([], b"", {"MODULE_SIG": "y"}, "OE", id="unsigned"),
        pytest.param(["intree=Y"], b"s", {"MODULE_SIG": "y"}, "", id="none"),
    ],
)
def test_letters(
    modinfo: list[str], signature: bytes, options: dict[str, str], expected: str
) -> None:
    data = own_module("a", modinfo=modinfo, signature=signature or None)
    assert letters(as_module("updates/a.ko", data).elf, KernelConfig(options)) == expected
