from __future__ import annotations

from rdcompose.formats.cpio import read_newc
from rdcompose.qemu.console import Line
from rdcompose.qemu.trial import TrialFacts, read_facts, trial_segment
from rdcompose.tree import File

CONSOLE = """\
[    1.0] Linux version 6.1
rdcompose-trial: loaded never
rdcompose: loading drivers for 6.1
rdcompose-trial: begin
rdcompose-trial: driven pci:b
rdcompose-trial: loaded squashfs
rdcompose-trial: loaded gone
rdcompose-trial: end
rdcompose-trial: begin
rdcompose-trial: device pci:c
rdcompose-trial: driven pci:b
rdcompose-trial: driven pci:b
rdcompose-trial: device a b
rdcompose-trial: loaded squashfs
rdcompose-trial: asked fs-squashfs
rdcompose-trial: asked crypto-x
rdcompose-trial: asked fs-squashfs
rdcompose-trial: interface eth1
rdcompose-trial: interface eth0
rdcompose-trial: end
rdcompose: starting /sbin/init
"""


def facts(text: str) -> TrialFacts:
    return read_facts(Line(0, line) for line in text.splitlines())


def test_the_last_that_was_told() -> None:
    assert facts(CONSOLE) == TrialFacts(
        told=True,
        devices=("a b", "pci:b", "pci:c"),
        driven=frozenset({"pci:b"}),
        loaded=frozenset({"squashfs"}),
        asked=("fs-squashfs", "crypto-x"),
        interfaces=("eth0", "eth1"),
    )


def test_what_was_cut_short_does_not_count() -> None:
    first = CONSOLE.rindex("rdcompose-trial: begin")
    assert facts(CONSOLE[: CONSOLE.rindex("rdcompose-trial: end")]) == facts(CONSOLE[:first])
    assert facts(CONSOLE[:first]).loaded == {"squashfs", "gone"}
    assert facts(CONSOLE[: CONSOLE.index("rdcompose-trial: end")]) == TrialFacts(told=False)
    assert not facts("").told


def test_the_segment_goes_in_front_of_any_other() -> None:
    data = trial_segment()
    assert len(data) % 512 == 0
    files = {one.path: one for one in read_newc(data) if isinstance(one, File)}
    assert sorted(files) == [
        "etc/rdcompose-trial/modprobe",
        *(f"etc/rdcompose.d/{moment}/trial" for moment in ("bottom", "premount", "top")),
    ]
    assert {one.mode for one in files.values()} == {0o755}
