"""Graphs, as Graphviz reads them."""

from __future__ import annotations

import subprocess

from rdcompose.inspect.dot import drawing
from rdcompose.inspect.explain import Explainer
from rdcompose.inspect.explained import Explanation, State
from rdcompose.kernel.needs import Need, NeedKind
from tests.support.explained import subject
from tests.support.tools import tool


def svg(source: str) -> str:
    done = subprocess.run(
        [tool("dot"), "-Tsvg"], input=source, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_drawing() -> None:
    about = subject("card\nbase")
    explainer = Explainer(about)
    found = [
        one
        for word in ("base", "phy", "user", "led", "ext4", "gone")
        for one in explainer.explain(word, every=True)
    ]
    source = drawing(found)
    for row in (
        '  "module card" -> "module bus" [style=solid];',
        '  "module card" -> "module phy" [style=dashed, label="phy-any"];',
        '  "module card" -> "module led" [style=dotted, label="weakdep"];',
        '  "module user" -> "module disk" [style=solid];',
        '  "reason listed: \'card\' in p/modules.ramfs:1" -> "module card";',
    ):
        assert row in source.splitlines()
    drawn = svg(source)
    assert drawn.count("<ellipse") == 9
    assert drawn.count("<polygon") > 9


def test_drawing_of_hostile_names() -> None:
    need = Need(by='a"b', name="c\\", kind=NeedKind.PRE, alias="<b>\n\x1b")
    found = Explanation(asked="x", name='a"b', state=State.INITRAMFS, needs=(need,))
    assert "a&quot;b" in svg(drawing([found]))
