from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.svg import WIDTH, Axis, Bar, Series, bars, plot

SVG = "{http://www.w3.org/2000/svg}"


def elements(text: str, name: str) -> list[ET.Element]:
    return ET.fromstring(text).findall(f"{SVG}{name}")


def boxes(text: str) -> list[tuple[float, float, str]]:
    """Left edge, width and class of the bars, without the background."""
    found = [
        (float(rect.get("x", 0)), float(rect.get("width", 0)), rect.get("class", ""))
        for rect in elements(text, "rect")
    ]
    return [box for box in found if box[2] != "p"]


def test_bars_are_as_long_as_their_values() -> None:
    text = bars("A", [("", [Bar("x", [1.0], "1 s"), Bar("y", [4.0], "4 s", colour=1)])], [])
    (_, short, own), (_, long, other) = boxes(text)
    assert (round(long / short, 2), own, other) == (4.0, "f0", "f1")


def test_parts_follow_each_other_and_the_legend() -> None:
    text = bars("A", [("group", [Bar("x", [1.0, 3.0], "")])], ["first", "second"])
    *legend, (x, width, first), (next_x, _, second) = boxes(text)
    assert [name for *_, name in legend] == ["f0", "f1"]
    assert (first, second) == ("f0", "f1")
    assert next_x == pytest.approx(x + width, abs=0.11)
    words = [element.text for element in elements(text, "text")]
    assert words[:4] == ["A", "first", "second", "group"]


def test_nothing_sticks_out() -> None:
    label = "a long name of what was measured"
    text = bars("A", [("", [Bar(label, [3.0], "3.00 s, and more")])], [])
    ((x, width, _),) = boxes(text)
    assert x > 6 * len(label)
    assert x + width + 6 * len("3.00 s, and more") < WIDTH
    text = plot("A", Axis(name="x"), Axis(name="y"), [Series(name="s", points=[(1, 1, label)])])
    ends = [t for t in elements(text, "text") if t.text == label]
    assert [t.get("text-anchor") for t in ends] == ["end"]


def test_words_are_escaped() -> None:
    title = "<b> & co"
    text = bars(title, [(title, [Bar(title, [1.0], title)])], [title, title])
    assert [e.text for e in elements(text, "text")].count(title) == 6


def test_points_lie_where_the_ticks_say() -> None:
    points = [(0.0, 0.0, ""), (10.0, 5.0, "")]
    text = plot("A", Axis(name="x"), Axis(name="y"), [Series(name="s", points=points)])
    middle = [e for e in elements(text, "text") if e.get("text-anchor") == "middle"]
    ticks = {e.text: float(e.get("x", 0)) for e in middle}
    first, last = elements(text, "circle")
    assert float(first.get("cx", 0)) == ticks["0"]
    assert float(last.get("cx", 0)) == ticks["10"]


def test_logarithmic_axes_have_a_tick_each_power() -> None:
    points = [(1.0, 2.0, ""), (100.0, 30.0, "")]
    axes = Axis(name="x", log=True), Axis(name="y", log=True)
    text = plot("A", *axes, [Series(name="s", points=points)])
    places = [e for e in elements(text, "text") if e.get("text-anchor") == "middle"]
    assert [e.text for e in places][:3] == ["1", "10", "100"]
    xs = [float(e.get("x", 0)) for e in places[:3]]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.11)


def test_light_and_dark_have_all_classes() -> None:
    style = elements(bars("A", [], []), "style")[0].text or ""
    day, _, night = style.partition("@media (prefers-color-scheme: dark)")
    for name in ("text", ".s", ".p", ".g", ".f0", ".f4", ".l0", ".l4"):
        assert f"{name}{{" in day
        assert f"{name}{{" in night


finite = st.floats(min_value=0.001, max_value=1e9)


@settings(max_examples=30)
@given(st.lists(st.tuples(finite, finite), max_size=5), st.booleans(), st.booleans())
def test_any_points_make_a_picture(
    points: list[tuple[float, float]], log: bool, zero: bool
) -> None:
    series = Series(name="s", points=[(x, y, "p") for x, y in points])
    axis = Axis(name="a", log=log, zero=zero)
    text = plot("A", axis, axis, [series])
    assert len(elements(text, "circle")) == len(points)
    for circle in elements(text, "circle"):
        assert 0 <= float(circle.get("cx", -1)) <= WIDTH
        assert 0 <= float(circle.get("cy", -1)) <= 420
    assert len(elements(text, "path")) < 100
