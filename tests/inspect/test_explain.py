from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from rdcompose.inspect import explain
from rdcompose.inspect.explain import Explainer
from rdcompose.inspect.explained import (
    Addition,
    Explanation,
    Option,
    Removal,
    State,
    Subject,
)
from rdcompose.inspect.explanations import as_data, as_text
from rdcompose.kernel.modlist import Line
from rdcompose.kernel.needs import Need, NeedKind
from tests.support.explained import KERNEL, choice, subject
from tests.support.graphs import FakeGraph

if TYPE_CHECKING:
    from collections.abc import Mapping


def ask(about: Subject, word: str, *, every: bool = False) -> Explanation:
    (found,) = Explainer(about).explain(word, every=every)
    return found


def text(about: Subject, word: str, *, every: bool = False) -> list[str]:
    return as_text(about, Explainer(about).explain(word, every=every)).splitlines()


def test_reason_and_what_would_leave() -> None:
    assert text(subject("card\nlate"), "kernel/net/base.ko") == [
        "base, kernel/net/base.ko: in the initramfs",
        "  why        listed: 'card' in p/modules.ramfs:1",
        "             card needs bus (dependency)",
        "             bus needs base (dependency)",
        (
            "  without    'card' in p/modules.ramfs:1: 6 modules would leave: "
            "base, bus, card, led, lib, phy"
        ),
        "  needed by  bus, lib, phy (dependency)",
    ]


def test_soft_and_weak_dependencies() -> None:
    about = subject("card")
    assert text(about, "phy-1")[:3] == [
        "phy-1: phy, kernel/net/phy.ko: in the initramfs",
        "  why        listed: 'card' in p/modules.ramfs:1",
        "             card asks for phy (softdep pre, as phy-any)",
    ]
    assert text(about, "led")[2] == "             card asks for led (weakdep)"
    assert text(about, "late")[3] == "             bus asks for late (softdep post)"
    assert text(about, "card")[3:] == [
        "  needs      bus, lib (dependency)",
        "             phy (softdep pre)",
        "             led (weakdep)",
    ]


def test_all_chains() -> None:
    found = ask(subject("card\nbase", "lib"), "base", every=True)
    assert [[str(c.start), *(n.by for n in c.needs)] for c in found.chains] == [
        ["listed: 'base' in p/modules.ramfs:2"],
        ["autoload: 'lib' in p/modules.autoload:1", "lib"],
        ["listed: 'card' in p/modules.ramfs:1", "card", "bus"],
        ["listed: 'card' in p/modules.ramfs:1", "card", "lib"],
        ["listed: 'card' in p/modules.ramfs:1", "card", "phy"],
    ]
    assert not found.more
    assert [(row.line.text, row.modules) for row in found.removals] == [
        ("base", ()),
        ("lib", ()),
        ("card", ("bus", "card", "late", "led", "phy")),
    ]
    said = text(subject("card\nbase", "lib"), "base", every=True)
    assert said[2:5] == [
        "  also       autoload: 'lib' in p/modules.autoload:1",
        "             lib needs base (dependency)",
        "  also       listed: 'card' in p/modules.ramfs:1",
    ]
    without = (
        "  without    'base' in p/modules.ramfs:2: nothing would leave: there are other reasons"
    )
    assert without in said


def test_too_many_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "MAX_CHAINS", 2)
    found = ask(subject("card"), "base", every=True)
    assert len(found.chains) == 2
    assert found.more
    said = text(subject("card"), "base", every=True)
    assert "             … there are more than these 2 chains" in said


def test_a_line_that_others_lean_on() -> None:
    found = ask(subject("card", "led\nlate\n!led"), "late")
    assert found.removals == (Removal(Line("p/modules.autoload", 2, "late"), ()),)
    about = subject("card", "led\nlate\n!led")
    # Without the line that loads it, the one that takes it out makes no sense.
    lines = Explainer(about)._removal(
        choice("card", "led\n!led"), Line("p/modules.autoload", 1, "led")
    )
    assert "takes out what no line before it loads" in lines.problem


def test_what_the_boot_requires() -> None:
    assert text(subject("card"), "disk") == [
        "disk, kernel/fs/disk.ko: in the initramfs",
        "  why        required by the boot to read the disk",
    ]


def test_module_on_the_disk() -> None:
    about = subject("late")
    assert ask(about, "other") == Explanation(
        asked="other",
        name="other",
        state=State.DISK,
        path="kernel/net/other.ko",
        where="the modules disk",
        needs=(Need(by="other", name="card", kind=NeedKind.HARD),),
        addition=Addition(
            lines={"p/modules.ramfs": ("other",)},
            brings=("base", "bus", "card", "led", "lib", "phy"),
        ),
        option=Option("NET_OTHER", "m"),
    )
    assert text(about, "other") == [
        "other, kernel/net/other.ko: on the modules disk",
        "  option     probably CONFIG_NET_OTHER=m",
        "  to have it put at the end of p/modules.ramfs: 'other'",
        "             brings 6 more modules: base, bus, card, led, lib, phy",
        "  needs      card (dependency)",
    ]


def test_module_that_nothing_loads() -> None:
    about = dataclasses.replace(subject("late"), builtin_profile=True)
    assert text(about, "user") == [
        "user, kernel/fs/user.ko: on the modules disk",
        "  option     probably CONFIG_FS_USER=m",
        "  to have it put into modules.ramfs: '@include p', then 'user'",
        "             no alias leads to user: to have it loaded at boot,",
        "             put into modules.autoload: 'user'",
        "             in a directory of your own, for --profile DIR",
        "  needs      disk (dependency)",
    ]


def test_module_that_a_line_leaves_out() -> None:
    about = subject("net\n!card\n!other")
    line = Line("p/modules.ramfs", 2, "!card")
    found = ask(about, "card")
    assert found.left_out == line
    assert found.addition == Addition(
        lines={"p/modules.ramfs": ("card",), "p/modules.autoload": ("card",)}
    )
    # Of what it needs, the line that leaves it out has to go.
    assert text(about, "other")[1:] == [
        "  option     probably CONFIG_NET_OTHER=m",
        "  left out   by '!other' in p/modules.ramfs:3",
        "  to have it take '!card' out of p/modules.ramfs:2, and",
        "             put at the end of p/modules.ramfs: 'other'",
        "             brings 1 more module: card",
        "  needs      card (dependency)",
    ]


def test_lines_that_do_not_go_together() -> None:
    found = ask(subject("net\n!card\n!bus\n!other"), "other")
    assert found.addition is not None
    assert found.addition.takes_out == Line("p/modules.ramfs", 3, "!bus")
    assert "'!card' leaves out card, but other needs it" in found.addition.problem


def test_a_disk_with_all_modules() -> None:
    whole = subject("late")
    about = dataclasses.replace(whole, disk=dict.fromkeys(KERNEL.modules, "the modules disk"))
    assert text(about, "late")[0] == (
        "late, kernel/net/late.ko: in the initramfs, and on the modules disk"
    )
    assert text(about, "user")[0] == "user, kernel/fs/user.ko: on the modules disk"


def test_without_a_disk() -> None:
    about = dataclasses.replace(subject("late"), disk={})
    assert text(about, "user")[0] == (
        "user, kernel/fs/user.ko: in neither initramfs nor modules disk"
    )


@pytest.mark.parametrize("word", ["ext4", "fs-ext4"])
def test_built_in(word: str) -> None:
    found = ask(subject("late"), word)
    assert (found.state, found.is_known) == (State.BUILT_IN, True)
    if word == "ext4":
        assert found.option == Option("EXT4_FS", "y")
        assert found.path == "kernel/fs/ext4/ext4.ko"


def test_no_such_module() -> None:
    about = subject("late")
    assert text(about, "e1000e") == [
        "e1000e: not in this kernel",
        "  option     CONFIG_E1000E is not set: that is probably the one to ask for",
    ]
    assert text(about, "cardx") == ["cardx: not in this kernel", "  near       card"]
    assert not ask(about, "cardx").is_known
    part = dataclasses.replace(about, whole=False, config=None)
    assert text(part, "e1000e") == ["e1000e: not in these files"]
    assert not ask(part, "e1000e").is_known
    part = dataclasses.replace(about, whole=False, graph=FakeGraph(), initramfs={})
    assert text(part, "other") == [
        "other: not in these files",
        "  option     probably CONFIG_NET_OTHER=m, so it is a module that is elsewhere",
    ]


def others(loaded: Mapping[str, str]) -> Subject:
    """An image that others made, of which no list is known."""
    names = ("card", "bus", "lib", "base", "led")
    return Subject(
        release="6.1",
        graph=KERNEL,
        initramfs=dict.fromkeys(names, "initrd.img"),
        disk={},
        loaded=loaded,
        whole=False,
        notes=("no lists",),
    )


def test_images_of_others() -> None:
    assert text(others({}), "base") == [
        "note: no lists",
        "",
        "base, kernel/net/base.ko: in the initramfs (initrd.img)",
        "  why        no other module there needs card",
        "             card needs bus (dependency)",
        "             bus needs base (dependency)",
        "             … there are more chains: --all shows them",
        "  needed by  bus, lib (dependency)",
    ]
    about = others({"led": "conf/modules"})
    assert text(about, "led")[3] == "  why        conf/modules has it loaded at boot"
    assert len(ask(others({}), "base", every=True).chains) == 2


def test_reasons_of_a_manifest_without_its_lists() -> None:
    whole = subject("card\nbase")
    about = dataclasses.replace(whole, choice=None)
    found = ask(about, "base", every=True)
    assert [str(chain.start) for chain in found.chains][:2] == [
        "listed: 'base' in p/modules.ramfs:2",
        "listed: 'card' in p/modules.ramfs:1",
    ]
    assert found.removals == ()
    assert ask(about, "user").addition is None


@pytest.mark.parametrize("word", ["card.bin", "a/card.fw", "1.card"])
def test_files_that_are_no_modules(word: str) -> None:
    assert ask(subject("card"), word).state is State.UNKNOWN


def test_names_that_a_terminal_would_obey() -> None:
    about = others({})
    said = as_text(about, Explainer(about).explain("\x1b[31mred"))
    assert said == "note: no lists\n\n\\x1b[31mred: not in these files\n"


def test_data() -> None:
    about = subject("card")
    data = as_data(about, [ask(about, "lib"), ask(about, "user"), ask(about, "e1000e")])
    assert json.loads(json.dumps(data)) == data
    assert (data["release"], data["profile"], data["notes"]) == ("6.1", "p", [])
    lib, user, missing = data["modules"]
    line = {"file": "p/modules.ramfs", "number": 1, "text": "card"}
    assert lib["chains"] == [
        {
            "reason": "listed: 'card' in p/modules.ramfs:1",
            "line": line,
            "module": "card",
            "steps": [{"by": "card", "name": "lib", "kind": "dependency", "alias": None}],
        }
    ]
    assert lib["without"] == [
        {
            "line": line,
            "leaves": ["base", "bus", "card", "late", "led", "lib", "phy"],
            "problem": None,
        }
    ]
    assert (lib["state"], user["state"], missing["state"]) == ("initramfs", "disk", "unknown")
    assert user["add"] == {
        "lines": {"p/modules.ramfs": ["user"], "p/modules.autoload": ["user"]},
        "brings": [],
        "take_out": None,
        "problem": None,
    }
    assert missing["probable_option"] == {"name": "E1000E", "value": "n"}
