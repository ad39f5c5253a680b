from __future__ import annotations

import pytest

from rdcompose.errors import FormatError
from rdcompose.kernel.depmod import Depmod, Softdeps
from tests.support.kernel_modules import chain, module

DEPMOD = Depmod(
    [
        chain("net-top", "net_mid", modinfo=["alias=pci:v1d*", "weakdep=phy-a phy-b", "weakdep=c"]),
        chain("net_mid", "net_base", modinfo=["softdep=pre: crypto-x", "softdep=post: late"]),
        chain("net_base", modinfo=["alias=pci:v1d*", "alias=crypto-x"]),
        module("sha", ["alias=crypto-sha", "alias=bad[", "alias=usb:[0-9]-*"]),
    ],
    order=["kernel/net_base.ko", "kernel/net-top.ko", "kernel/net_mid.ko", "kernel/sha.ko"],
    builtin=["kernel/fs/ext4/ext4.ko", "kernel/lib/crc-t10.ko"],
    builtin_modinfo=b"ext4.alias=fs-ext4\0crc_t10.alias=crypto-crc*\0",
)


def test_modules_and_builtin() -> None:
    assert list(DEPMOD.modules) == ["net_base", "net_top", "net_mid", "sha"]
    assert DEPMOD.builtin == {
        "ext4": "kernel/fs/ext4/ext4.ko",
        "crc_t10": "kernel/lib/crc-t10.ko",
    }


def test_dependencies() -> None:
    assert DEPMOD.direct("net_top") == ("net_mid",)
    assert DEPMOD.direct("net_mid") == ("net_base",)
    assert DEPMOD.dependencies("net_base") == ()


def test_dependencies_stand_in_the_order_of_loading() -> None:
    depmod = Depmod([chain("a", "b"), chain("b", "c"), chain("c")])
    assert depmod.direct("a") == ("b",)
    assert depmod.dependencies("a") == ("c", "b")


def test_soft_and_weak_dependencies() -> None:
    assert DEPMOD.softdeps("net_mid") == Softdeps(("crypto-x",), ("late",))
    assert DEPMOD.softdeps("sha") == Softdeps()
    assert DEPMOD.weakdeps("net_top") == ("phy-a", "phy-b", "c")
    assert DEPMOD.weakdeps("sha") == ()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("net_top", ("net_top",)),
        ("net-top", ("net_top",)),
        ("pci:v1d2", ("net_base", "net_top")),
        ("pci:v2d2", ()),
        ("crypto_sha", ("sha",)),
        ("symbol:symbol_of_net_mid", ("net_mid",)),
        ("symbol:printk", ()),
        ("symbol_of_net_mid", ()),
        ("usb:3-1", ("sha",)),
        ("bad[", ()),
        ("ext4", ()),
        ("fs-ext4", ()),
        ("", ()),
    ],
)
def test_resolve(name: str, found: tuple[str, ...]) -> None:
    assert DEPMOD.resolve(name) == found


@pytest.mark.parametrize(
    ("name", "built_in"),
    [
        ("ext4", True),
        ("crc-t10", True),
        ("fs-ext4", True),
        ("fs_ext4", True),
        ("crypto-crc32c", True),
        ("crypto-sha", False),
        ("sha", False),
        ("", False),
    ],
)
def test_is_builtin(name: str, built_in: bool) -> None:
    assert DEPMOD.is_builtin(name) is built_in


def test_unknown_names() -> None:
    for ask in (DEPMOD.direct, DEPMOD.dependencies, DEPMOD.softdeps, DEPMOD.weakdeps):
        with pytest.raises(KeyError):
            ask("ext4")


def test_a_circle_is_refused() -> None:
    with pytest.raises(FormatError, match="a -> b -> a"):
        Depmod([chain("a", "b"), chain("b", "a")])


def test_circles_of_soft_dependencies_are_harmless() -> None:
    depmod = Depmod([module("a", ["softdep=pre: b"]), module("b", ["softdep=pre: a"])])
    assert depmod.dependencies("a") == ()


def test_index_files_of_some_modules() -> None:
    modules = [chain("a", "b"), chain("b", "c"), chain("c")]
    order = ["kernel/c.ko", "kernel/b.ko", "kernel/a.ko"]
    depmod = Depmod(modules, order=order)
    assert depmod.index_files()["modules.dep"] == (
        b"kernel/c.ko:\nkernel/b.ko: kernel/c.ko\nkernel/a.ko: kernel/b.ko kernel/c.ko\n"
    )
    assert depmod.index_files({"a", "b"}) == Depmod(modules[:2], order=order).index_files()
    assert depmod.index_files({"a", "b"})["modules.dep"] == (
        b"kernel/b.ko:\nkernel/a.ko: kernel/b.ko\n"
    )


def test_a_kernel_without_modules_has_all_files() -> None:
    files = Depmod([]).index_files()
    assert files["modules.dep"] == b""
    assert len(files) == 11
