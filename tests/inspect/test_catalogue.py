from __future__ import annotations

import json

import pytest

from rdcompose.inspect.catalogue import Catalogue, Facts, Found, FoundAs, Parameter, Source
from rdcompose.inspect.findtext import as_data, as_text
from rdcompose.kernel.needs import Need, NeedKind
from tests.support.graphs import FakeGraph

KERNEL = FakeGraph.parse("""
module kernel/net/card.ko needs=bus alias=pci:v1d*,net-any
module kernel/net/bus.ko pre=any-phy
module kernel/net/phy.ko alias=any-phy
module kernel/net/other-card.ko alias=pci:v1d2*
builtin kernel/fs/ext4/ext4.ko alias=fs-ext4,fs-any
builtin kernel/fs/gen.ko alias=net-any
""")
MODINFO = {
    "card": (
        ("description", "A card"),
        ("alias", "pci:v1d*"),
        ("firmware", "card/fw-*.bin"),
        ("firmware", "card/fw.bin"),
        ("parm", "debug:Talk: much"),
        ("parmtype", "mode:int"),
        ("parmtype", "debug:bool"),
        ("parm", "legacy:Old"),
    ),
    "bus": (("description", "A \x1b[1mbus"), ("license", "GPL"), ("author", "A"), ("author", "B")),
}
BUILTIN = b"ext4.description=A file system\0ext4.alias=fs-ext4\0ext4.firmware=ext4.bin\0"
SOURCE = Source(
    release="6.1",
    graph=KERNEL,
    modinfo=MODINFO,
    builtin_modinfo=BUILTIN,
    places={"card": "initrd.img"},
)
CATALOGUE = Catalogue(SOURCE)


@pytest.mark.parametrize(
    ("word", "kind", "names"),
    [
        ("card", FoundAs.NAME, ["card"]),
        ("other-card", FoundAs.NAME, ["other_card"]),
        ("kernel/net/other-card.ko.xz", FoundAs.NAME, ["other_card"]),
        ("ext4", FoundAs.NAME, ["ext4"]),
        ("pci:v1d23", FoundAs.ALIAS, ["card", "other_card"]),
        ("fs-ext4", FoundAs.ALIAS, ["ext4"]),
        ("net-any", FoundAs.ALIAS, ["card", "gen"]),
        ("*card", FoundAs.PATTERN, ["card", "other_card"]),
        ("net/*a*", FoundAs.PATTERN, ["card", "other_card"]),
        ("ex*", FoundAs.PATTERN, ["ext4"]),
        ("card/fw.bin", FoundAs.FIRMWARE, ["card"]),
        ("card/fw-12.bin", FoundAs.FIRMWARE, ["card"]),
        ("ext4.bin", FoundAs.FIRMWARE, ["ext4"]),
        ("crad", FoundAs.NOTHING, []),
        ("zz*", FoundAs.NOTHING, []),
        ("", FoundAs.NOTHING, []),
    ],
)
def test_what_a_word_finds(word: str, kind: FoundAs, names: list[str]) -> None:
    found = CATALOGUE.find(word)
    assert (found.kind, [facts.name for facts in found.modules]) == (kind, names)
    assert [*CATALOGUE.names(word)] == [name for name in names if name in KERNEL.modules]


def test_facts() -> None:
    (card,) = CATALOGUE.find("card").modules
    assert card == Facts(
        name="card",
        path="kernel/net/card.ko",
        where="initrd.img",
        modinfo=MODINFO["card"],
        needs=(Need(by="card", name="bus", kind=NeedKind.HARD),),
    )
    assert card.parameters == (
        Parameter("mode", "int", ""),
        Parameter("debug", "bool", "Talk: much"),
        Parameter("legacy", "", "Old"),
    )
    (ext4,) = CATALOGUE.find("ext4").modules
    assert ext4.is_builtin
    assert (ext4.value("description"), ext4.value("license")) == ("A file system", "")
    assert CATALOGUE.find("phy").modules[0].modinfo is None


def test_names_near_one_that_is_not_there() -> None:
    assert CATALOGUE.find("crad") == Found("crad", FoundAs.NOTHING, near=("card",))


def text(*words: str, whole: bool = False) -> str:
    return as_text([CATALOGUE.find(word) for word in words], whole=whole)


def test_text() -> None:
    assert text("bus", "other_card", "net-any", "crad") == (
        "bus, kernel/net/bus.ko: module\n"
        "  description A \\x1b[1mbus\n"
        "  license     GPL\n"
        "  author      A\n"
        "  author      B\n"
        "  needs       phy (softdep pre)\n"
        "  needed by   card (dependency)\n"
        "\n"
        "other_card, kernel/net/other-card.ko: in an index alone\n"
        "\n"
        "net-any, alias:\n"
        "  card  kernel/net/card.ko  initrd.img  A card\n"
        "  gen   kernel/fs/gen.ko    built in\n"
        "\n"
        "crad: nothing has this name or alias; near it are card\n"
    )


def test_text_of_one_behind_another_word() -> None:
    assert text("card/fw.bin").splitlines()[:5] == [
        "card/fw.bin: card, kernel/net/card.ko: initrd.img",
        "  description A card",
        "  firmware    card/fw-*.bin",
        "              card/fw.bin",
        "  aliases     pci:v1d*",
    ]
    both = text("net-any", whole=True)
    assert both.startswith("net-any: card, kernel/net/card.ko: initrd.img\n")
    assert "\n\nnet-any: gen, kernel/fs/gen.ko: built in\n" in both


def test_many_aliases() -> None:
    aliases = tuple(("alias", f"pci:{number}") for number in range(20))
    facts = Facts(name="a", path="kernel/a.ko", where="", modinfo=aliases)
    found = Found("a", FoundAs.NAME, (facts,))
    short = as_text([found], whole=False).splitlines()
    assert short[-2:] == ["              pci:5", "              and 14 more: -v shows them"]
    assert len(as_text([found], whole=True).splitlines()) == 21


def test_data() -> None:
    data = as_data("6.1", [CATALOGUE.find("card"), CATALOGUE.find("net-any")])
    assert json.loads(json.dumps(data)) == data
    assert data["release"] == "6.1"
    one, several = data["found"]
    assert (one["word"], one["found_as"], one["near"]) == ("card", "name", [])
    (card,) = one["modules"]
    assert card["parameters"][1] == {"name": "debug", "type": "bool", "description": "Talk: much"}
    assert (card["built_in"], card["where"]) == (False, "initrd.img")
    assert card["needs"] == [
        {"by": "card", "name": "bus", "kind": "dependency", "alias": None},
    ]
    gen = several["modules"][1]
    assert (gen["built_in"], gen["where"], gen["aliases"]) == (True, None, None)
