from __future__ import annotations

import pytest

from rdcompose.errors import FormatError
from rdcompose.kernel.depmod import Depmod, Softdeps
from rdcompose.kernel.indexed import INDEX_NAMES, IndexedModules
from tests.support.kernel_modules import chain, module

MODULES = [
    chain("net-top", "net_mid", modinfo=["alias=pci:v1d*", "weakdep=phy-a phy-b", "weakdep=c"]),
    chain("net_mid", "net_base", modinfo=["softdep=pre: crypto-x", "softdep=post: late"]),
    chain("net_base", modinfo=["alias=pci:v1d*", "alias=crypto-x"]),
    module("sha", ["alias=crypto-sha", "alias=bad[", "alias=usb:[0-9]-*"]),
]
MODINFO = b"ext4.alias=fs-ext4\0crc_t10.alias=crypto-crc*\0"
BUILTIN = ["kernel/fs/ext4/ext4.ko", "kernel/lib/crc-t10.ko"]
DEPMOD = Depmod(
    MODULES,
    order=["kernel/net_base.ko", "kernel/net-top.ko", "kernel/net_mid.ko", "kernel/sha.ko"],
    builtin=BUILTIN,
    builtin_modinfo=MODINFO,
)
FILES = DEPMOD.index_files() | {
    "modules.builtin": "".join(f"{path}\n" for path in BUILTIN).encode(),
    "modules.builtin.modinfo": MODINFO,
}
BINARY = {name: data for name, data in FILES.items() if name.endswith(".bin")}
TEXT = {name: data for name, data in FILES.items() if name not in BINARY}
# There is no binary form of these two.
BINARY |= {name: FILES[name] for name in ("modules.softdep", "modules.weakdep")}
QUESTIONS = [
    *("net_top", "net-top", "pci:v1d2", "pci:v2d2", "crypto_sha", "symbol:symbol_of_net_mid"),
    *("symbol:printk", "usb:3-1", "bad[", "ext4", "fs-ext4", "crypto-crc32", "crc-t10", ""),
]


@pytest.mark.parametrize("files", [TEXT, BINARY, FILES], ids=["text", "binary", "both"])
def test_the_same_answers_as_depmod(files: dict[str, bytes]) -> None:
    indexed = IndexedModules([], files)
    assert {name: found.path for name, found in indexed.modules.items()} == {
        name: found.path for name, found in DEPMOD.modules.items()
    }
    for name in DEPMOD.modules:
        assert indexed.direct(name) == DEPMOD.direct(name)
        assert indexed.softdeps(name) == DEPMOD.softdeps(name)
        assert indexed.weakdeps(name) == DEPMOD.weakdeps(name)
    assert indexed.builtin.keys() == DEPMOD.builtin.keys()
    for name in QUESTIONS:
        assert sorted(indexed.resolve(name)) == sorted(DEPMOD.resolve(name)), name
        assert indexed.is_builtin(name) == DEPMOD.is_builtin(name), name
    assert indexed.hidden == ()


def test_every_file_that_is_read_has_a_name() -> None:
    assert BINARY.keys() | TEXT.keys() >= INDEX_NAMES


def test_what_a_module_says_itself_goes_before() -> None:
    """busybox's lines have soft dependencies among the hard ones."""
    elf = {one.name: one.elf for one in MODULES}
    lists = {
        "modules.dep": b"kernel/net-top.ko: kernel/sha.ko kernel/net_mid.ko kernel/net_base.ko\n"
        b"kernel/net_mid.ko: kernel/net_base.ko\nkernel/net_base.ko:\nkernel/sha.ko:\n"
    }
    told = IndexedModules([], lists)
    assert told.direct("net_top") == ("sha", "net_mid")
    elf["net_top"] = module("net-top", ["depends=net_mid,elsewhere", "alias=b-*"]).elf
    asked = IndexedModules([], lists, elf)
    assert asked.direct("net_top") == ("net_mid",)
    assert asked.softdeps("net_mid") == Softdeps(("crypto-x",), ("late",))
    # Aliases, too, where there is no index of them.
    assert asked.resolve("b_1") == ("net_top",)
    assert asked.resolve("crypto-x") == ("net_base",)


def test_modules_that_no_index_names() -> None:
    indexed = IndexedModules(["kernel/a-b.ko.xz", "extra/c.ko"], {})
    assert {name: one.path for name, one in indexed.modules.items()} == {
        "a_b": "kernel/a-b.ko",
        "c": "extra/c.ko",
    }
    assert indexed.direct("c") == ()
    assert indexed.resolve("a-b") == ("a_b",)


def test_lines_that_make_no_sense() -> None:
    lists = {
        "modules.dep": b"kernel/a.ko: kernel/a.ko kernel/b.ko kernel/gone.ko\nnonsense\n\xff:\n"
        b"kernel/b.ko: kernel/a.ko\n",
        "modules.softdep": b"softdep\nsoftdep a\nsoftdep b  pre: a\n# softdep c pre: a\n",
        "modules.alias": b"alias x\nalias y* b extra\nalias z* b\nalias q gone\n",
    }
    indexed = IndexedModules([], lists)
    assert indexed.direct("a") == ("b",)
    assert indexed.softdeps("b") == Softdeps(("a",))
    assert indexed.softdeps("a") == Softdeps()
    assert indexed.resolve("zz") == ("b",)
    assert indexed.resolve("q") == indexed.resolve("yy") == ()


def test_lines_that_are_too_long() -> None:
    names = [f"kernel/m{number}.ko" for number in range(150)]
    rows = [f"{name}: {' '.join(names[number + 1 :])}\n" for number, name in enumerate(names)]
    indexed = IndexedModules([], {"modules.dep": "".join(rows).encode()})
    assert len(indexed.direct("m0")) == 149
    assert indexed.direct("m100") == ("m101",)


def test_damaged_index() -> None:
    with pytest.raises(FormatError):
        IndexedModules([], {"modules.dep.bin": b"no index"})
