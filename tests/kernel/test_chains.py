from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.kernel import chains
from rdcompose.kernel.chains import Chain, all_chains, chain_of, parse_why
from rdcompose.kernel.choice import effects
from rdcompose.kernel.modlist import Line
from rdcompose.kernel.needs import Needs
from rdcompose.kernel.selection import Why, WhyKind
from tests.support.explained import choice
from tests.support.graphs import FakeGraph

KERNEL = FakeGraph.parse("""
module kernel/net/card.ko needs=bus,lib pre=phy-any weak=led
module kernel/net/lib.ko needs=base
module kernel/net/bus.ko needs=base post=late
module kernel/net/base.ko
module kernel/net/phy.ko alias=phy-* needs=base
module kernel/net/led.ko
module kernel/net/late.ko needs=bus
module kernel/net/other.ko needs=card
module kernel/fs/disk.ko
builtin kernel/fs/ext4/ext4.ko
""")


def drawn(chain: Chain) -> list[str]:
    steps = [
        f"{need.name} {need.kind}" + (f" as {need.alias}" if need.alias else "")
        for need in chain.needs
    ]
    return [str(chain.start), chain.first, *steps]


def test_chains_of_a_selection() -> None:
    chosen = choice("card", "", ("disk", "to read the disk"))
    selection = chosen.select(KERNEL)
    needs = Needs(KERNEL, selection.ramdisk)
    found = {name: drawn(chain_of(selection.reasons, needs, name)) for name in selection.ramdisk}
    start = ["listed: 'card' in p/modules.ramfs:1", "card"]
    assert found == {
        "card": start,
        "bus": [*start, "bus dependency"],
        "lib": [*start, "lib dependency"],
        "base": [*start, "bus dependency", "base dependency"],
        "phy": [*start, "phy softdep pre as phy-any"],
        "led": [*start, "led weakdep"],
        "late": [*start, "bus dependency", "late softdep post"],
        "disk": ["required by the boot to read the disk", "disk"],
    }


def test_reasons_that_lead_nowhere() -> None:
    """A manifest may be of another kernel, or wrong."""
    needs = Needs(KERNEL, KERNEL.modules)
    gone = Why(kind=WhyKind.DEPENDENCY, by="gone")
    assert chain_of({"base": gone}, needs, "base") == Chain(name="base", start=gone)
    soft = Why(kind=WhyKind.SOFTDEP, by="lib")
    assert chain_of({"base": soft, "lib": gone}, needs, "base") == Chain(name="base", start=soft)
    circle = {
        "bus": Why(kind=WhyKind.DEPENDENCY, by="late"),
        "late": Why(kind=WhyKind.SOFTDEP, by="bus"),
    }
    assert len(chain_of(circle, needs, "bus").needs) == 2


def test_all_chains() -> None:
    chosen = choice("other\nnet/card.ko\nbase", "card")
    selection = chosen.select(KERNEL)
    needs = Needs(KERNEL, selection.ramdisk)
    starts = effects(KERNEL, chosen).chosen
    found, more = all_chains(starts, needs, "base", limit=100)
    assert not more
    ways = [[chain.first, *(need.name for need in chain.needs)] for chain in found]
    assert ways == [
        ["base"],
        ["card", "bus", "base"],
        ["card", "bus", "base"],
        ["card", "lib", "base"],
        ["card", "lib", "base"],
        ["card", "phy", "base"],
        ["card", "phy", "base"],
        ["other", "card", "bus", "base"],
        ["other", "card", "lib", "base"],
        ["other", "card", "phy", "base"],
    ]
    assert str(found[1].start) == "listed: 'net/card.ko' in p/modules.ramfs:2"
    assert str(found[2].start) == "autoload: 'card' in p/modules.autoload:1"
    assert all_chains(starts, needs, "base", limit=3) == (found[:3], True)
    assert all_chains(starts, needs, "base", limit=10) == (found, False)


def test_ways_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "MAX_WAYS", 4)
    chosen = choice("other")
    needs = Needs(KERNEL, chosen.select(KERNEL).ramdisk)
    assert all_chains(effects(KERNEL, chosen).chosen, needs, "base", limit=100) == ((), True)


def test_what_each_line_does() -> None:
    chosen = choice(
        "net\n!bus\nbus card\n!led", "disk\ndisk\nphy-x\nlate\n!late", ("phy-z", "to go")
    )
    found = effects(KERNEL, chosen)
    told = {name: [str(why) for why in reasons] for name, reasons in found.chosen.items()}
    net = "listed: 'net' in p/modules.ramfs:1"
    assert told == {
        "card": [net, "listed: 'card' in p/modules.ramfs:3"],
        "bus": ["listed: 'bus' in p/modules.ramfs:3"],
        "lib": [net],
        "base": [net],
        "phy": [
            net,
            "autoload: 'phy-x' in p/modules.autoload:3 (as phy_x)",
            "required by the boot to go (as phy-z)",
        ],
        "late": [net],
        "other": [net],
        "disk": [
            "autoload: 'disk' in p/modules.autoload:1",
            "autoload: 'disk' in p/modules.autoload:2",
        ],
    }
    assert found.left_out == {"led": Line("p/modules.ramfs", 4, "!led")}


def test_without_a_line() -> None:
    chosen = choice("card\ndisk", "disk")
    line = Line("p/modules.ramfs", 1, "card")
    assert chosen.without(line).select(KERNEL).ramdisk == ("disk",)
    assert chosen.without(Line("p/modules.ramfs", 2, "disk")).select(KERNEL).ramdisk == (
        chosen.select(KERNEL).ramdisk
    )


TEXTS = st.text(min_size=1).filter(lambda text: "\n" not in text)
NAMES = st.from_regex(r"[a-z0-9_]+", fullmatch=True)


@given(st.sampled_from([WhyKind.LISTED, WhyKind.AUTOLOAD]), TEXTS, NAMES, st.integers(0, 99999))
def test_reasons_read_back(kind: WhyKind, text: str, file: str, number: int) -> None:
    why = Why(kind=kind, line=Line(f"{file}/modules.ramfs", number, text))
    assert parse_why(str(why)) == why


@given(
    st.sampled_from([WhyKind.DEPENDENCY, WhyKind.SOFTDEP, WhyKind.WEAKDEP]),
    NAMES,
    st.sampled_from(["", "crypto-x", "pci:v*"]),
)
def test_dependencies_read_back(kind: WhyKind, by: str, alias: str) -> None:
    why = Why(kind=kind, by=by, alias=alias)
    assert parse_why(str(why)) == why


@pytest.mark.parametrize(
    "text",
    [
        "",
        "because",
        "listed",
        "listed: x in y:1",
        "listed: '\\x' in y:1",
        "listed: 'a' + 'b' in y:1",
        "listed: 'a' in y:12345678901234567890",
    ],
)
def test_no_reasons(text: str) -> None:
    assert parse_why(text) is None


def test_required_reads_back() -> None:
    why = Why(kind=WhyKind.REQUIRED, by="to read the modules disk", alias="fs-squashfs")
    assert parse_why(str(why)) == why
