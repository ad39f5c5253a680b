from __future__ import annotations

import pytest

from rdcompose.formats.modindex import IndexValue, read_index
from rdcompose.kernel.builtin import Builtin
from rdcompose.kernel.depfiles import index_files
from rdcompose.kernel.depgraph import DepGraph
from tests.support.kernel_modules import module

GRAPH = DepGraph(
    [
        module(
            "kernel/x/my-disk.ko",
            ["alias=pci:v1-*", "alias=odd[", "softdep=pre: lib post: x", "weakdep=phy"],
            imports=["lib_one"],
        ),
        module("kernel/lib.ko", ["alias=pci:v1-*", "alias=lib[0-9]-x"], exports=["lib_one", "b"]),
    ],
    ["kernel/x/my-disk.ko", "kernel/lib.ko"],
)
BUILTIN = Builtin.parse(["kernel/my-fs.ko", "kernel/b.ko"], b"my_fs.alias=fs-my\0b.alias=fs-my\0")
FILES = index_files(GRAPH, BUILTIN)


def entries(name: str) -> list[tuple[str, int, str]]:
    items = read_index(FILES[name]).items()
    return [(key, value.priority, value.value) for key, value in items]


def test_the_files_of_depmod() -> None:
    assert sorted(FILES) == [
        "modules.alias",
        "modules.alias.bin",
        "modules.builtin.alias.bin",
        "modules.builtin.bin",
        "modules.dep",
        "modules.dep.bin",
        "modules.devname",
        "modules.softdep",
        "modules.symbols",
        "modules.symbols.bin",
        "modules.weakdep",
    ]


def test_text_files() -> None:
    assert FILES["modules.dep"] == b"kernel/x/my-disk.ko: kernel/lib.ko\nkernel/lib.ko:\n"
    assert FILES["modules.alias"].decode() == (
        "# Aliases extracted from modules themselves.\n"
        "alias pci:v1-* my_disk\n"
        "alias odd[ my_disk\n"
        "alias pci:v1-* lib\n"
        "alias lib[0-9]-x lib\n"
    )
    assert FILES["modules.softdep"].decode() == (
        "# Soft dependencies extracted from modules themselves.\nsoftdep my_disk pre: lib post: x\n"
    )
    assert FILES["modules.weakdep"].decode() == (
        "# Weak dependencies extracted from modules themselves.\nweakdep my_disk phy\n"
    )
    assert sorted(FILES["modules.symbols"].decode().splitlines()) == [
        "# Aliases for symbols, used by symbol_request().",
        "alias symbol:b lib",
        "alias symbol:lib_one lib",
    ]


def test_binary_files() -> None:
    assert entries("modules.dep.bin") == [
        ("lib", 1, "kernel/lib.ko:"),
        ("my_disk", 0, "kernel/x/my-disk.ko: kernel/lib.ko"),
    ]
    # Normalised, and without the alias whose bracket is not closed.
    assert entries("modules.alias.bin") == [
        ("lib[0-9]_x", 1, "lib"),
        ("pci:v1_*", 0, "my_disk"),
        ("pci:v1_*", 1, "lib"),
    ]
    assert entries("modules.symbols.bin") == [
        ("symbol:b", 1, "lib"),
        ("symbol:lib_one", 1, "lib"),
    ]
    assert entries("modules.builtin.bin") == [("b", 0, ""), ("my_fs", 0, "")]
    assert entries("modules.builtin.alias.bin") == [("fs_my", 0, "b"), ("fs_my", 0, "my_fs")]


@pytest.mark.parametrize(
    ("aliases", "line"),
    [
        (["char-major-10-229", "devname:fuse"], b"m fuse c10:229\n"),
        (["devname:net/tun", "x", "char-major-10-200"], b"m net/tun c10:200\n"),
        (["block-major-7-0", "devname:loop0"], b"m loop0 b7:0\n"),
        (["char-major-1-1", "char-major-2-2", "devname:x", "char-major-3-3"], b"m x c2:2\n"),
        (["devname:a", "devname:b", "char-major-007-1x"], b"m b c7:1\n"),
        (["devname:only"], None),
        (["char-major-10-229"], None),
        (["char-major-10-*", "devname:x"], None),
        (["xchar-major-1-2", "devname:x"], None),
    ],
)
def test_device_nodes(aliases: list[str], line: bytes | None) -> None:
    graph = DepGraph([module("m", [f"alias={alias}" for alias in aliases]), module("other")])
    header = b"# Device nodes to trigger on-demand module loading.\n"
    expected = b"" if line is None else header + line
    assert index_files(graph, BUILTIN)["modules.devname"] == expected


def test_lookups_give_the_module_that_comes_first() -> None:
    index = read_index(FILES["modules.alias.bin"])
    assert index.search_wild("pci:v1_2") == (IndexValue(0, "my_disk"), IndexValue(1, "lib"))
