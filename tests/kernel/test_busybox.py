from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.kernel.depmod import Depmod
from tests.support.kernel_modules import chain, module

if TYPE_CHECKING:
    from rdcompose.kernel.module import Module


def loaded(modules: list[Module], name: str, *without: str) -> list[str]:
    """Names in the order in which busybox loads them for ``modprobe name``."""
    depmod = Depmod(modules)
    text = depmod.busybox_files(depmod.modules.keys() - set(without))["modules.dep"].decode()
    lines = dict(line.split(":") for line in text.splitlines())
    path = depmod.modules[name].path
    listed = [path, *lines[path].split()]
    order = [item.removeprefix("kernel/").removesuffix(".ko") for item in reversed(listed)]
    return list(dict.fromkeys(order))


def soft(name: str, *needs: str, pre: str = "", post: str = "", weak: str = "") -> Module:
    modinfo = [
        *([f"softdep=pre: {pre}"] if pre else []),
        *([f"softdep=post: {post}"] if post else []),
        *([f"weakdep={weak}"] if weak else []),
        f"alias=alias-of-{name}",
    ]
    return chain(name, *needs, modinfo=modinfo)


def test_hard_dependencies_as_kmod_has_them() -> None:
    modules = [chain("a", "b", "c"), chain("b", "c"), chain("c")]
    depmod = Depmod(modules)
    names = set(depmod.modules)
    assert depmod.busybox_files(names)["modules.dep"] == (depmod.index_files(names)["modules.dep"])
    assert loaded(modules, "a") == ["c", "b", "a"]


def test_only_what_was_asked_for_has_a_line() -> None:
    depmod = Depmod([chain("a", "b"), chain("b"), chain("c")])
    assert depmod.busybox_files(["a", "b"])["modules.dep"] in {
        b"kernel/a.ko: kernel/b.ko\nkernel/b.ko:\n",
        b"kernel/b.ko:\nkernel/a.ko: kernel/b.ko\n",
    }


def test_soft_dependencies_come_before() -> None:
    modules = [
        soft("fs", "lib", pre="crypto nosuch"), soft("crypto", "algo"), soft("algo"),
        soft("lib", pre="alias-of-helper"), soft("helper"),
    ]  # fmt: skip
    order = loaded(modules, "fs")
    assert sorted(order) == ["algo", "crypto", "fs", "helper", "lib"]
    assert order.index("algo") < order.index("crypto") < order.index("fs")
    assert order.index("helper") < order.index("lib") < order.index("fs")
    assert loaded(modules, "fs", "crypto") == ["helper", "lib", "fs"]


@pytest.mark.parametrize("kind", ["post", "weak"])
def test_what_comes_after_stands_behind_the_module(kind: str) -> None:
    modules = [
        soft("vfio", "virq", **{kind: "iommu"}), soft("iommu", "vfio", "extra"),
        soft("extra"), soft("virq"), soft("user", "vfio"),
    ]  # fmt: skip
    assert loaded(modules, "vfio") == ["virq", "vfio", "extra", "iommu"]
    assert loaded(modules, "user") == ["virq", "vfio", "user", "extra", "iommu"]
    assert loaded(modules, "iommu") == ["virq", "vfio", "extra", "iommu"]
    assert loaded(modules, "vfio", "iommu") == ["virq", "vfio"]


def test_the_line_of_a_module_with_something_behind_it() -> None:
    depmod = Depmod([soft("a", post="b"), soft("b")], order=["kernel/a.ko", "kernel/b.ko"])
    assert depmod.busybox_files(["a", "b"])["modules.dep"] == (
        b"kernel/a.ko: kernel/b.ko kernel/a.ko\nkernel/b.ko:\n"
    )


def test_a_soft_dependency_that_needs_the_module_comes_after_it() -> None:
    modules = [soft("a", pre="b"), soft("b", "c"), soft("c", "a")]
    assert loaded(modules, "a") == ["a", "c", "b"]
    assert loaded(modules, "c") == ["a", "c", "b"]


def test_circles_of_soft_dependencies() -> None:
    modules = [soft("a", pre="b"), soft("b", pre="c"), soft("c", pre="a")]
    assert loaded(modules, "a") == ["c", "b", "a"]
    assert loaded(modules, "b") == ["a", "c", "b"]


def test_a_soft_circle_never_loads_a_module_before_what_it_needs() -> None:
    # top needs mid; mid would like late, which needs top.
    modules = [soft("top", "mid"), soft("mid", pre="late"), soft("late", "top")]
    assert loaded(modules, "top") == ["mid", "top", "late"]
    assert loaded(modules, "mid") == ["mid", "top", "late"]


def test_modules_for_a_processor_are_left_to_its_modalias() -> None:
    modules = [
        soft("fs", pre="crypto-crc"),
        module("crc_sse", ["alias=crypto-crc", "alias=cpu:type:x86,ven*:feature:*0094*"]),
        module("crc_c", ["alias=crypto-crc"]),
        # 32-bit ARM has no such modalias for all of them.
        module("kernel/arch/arm/crypto/crc_ce.ko", ["alias=crypto-crc"]),
    ]
    assert loaded(modules, "fs") == ["crc_c", "fs"]


def test_aliases_stand_in_reverse_because_busybox_loads_the_last_first() -> None:
    modules = [
        module("one", ["alias=pci:v1*", "alias=pci:v2*"]),
        module("two", ["alias=pci:v1*"]),
        module("three", ["alias=pci:v1*"]),
    ]
    depmod = Depmod(modules, order=["kernel/one.ko", "kernel/two.ko", "kernel/three.ko"])
    assert depmod.busybox_files(["one", "two"])["modules.alias"].decode().splitlines() == [
        "alias pci:v1* two",
        "alias pci:v2* one",
        "alias pci:v1* one",
    ]


@pytest.mark.parametrize(
    ("alias", "written"),
    [
        ("usb:v1d0[0-2]*dc*", "usb:v1d0[012]*dc*"),
        ("x[0-9A-C]y[a-]z", "x[0123456789ABC]y[a-]z"),
        ("x[!0-2]", "x[!012]"),
        ("x[2-0]", "x[]"),
        ("fs-ext4", "fs-ext4"),
        ("odd[", "odd["),
    ],
)
def test_ranges_are_written_out(alias: str, written: str) -> None:
    depmod = Depmod([module("m", [f"alias={alias}"])])
    assert depmod.busybox_files({"m"})["modules.alias"].decode() == f"alias {written} m\n"


def test_symbols_of_the_modules_there() -> None:
    depmod = Depmod([chain("a"), chain("b")])
    assert depmod.busybox_files({"b"})["modules.symbols"] == b"alias symbol:symbol_of_b b\n"
