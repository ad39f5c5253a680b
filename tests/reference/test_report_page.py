"""The page of a report in a real browser: whole, readable and quiet, on large and small screens,
light and dark ones, and with and without scripts."""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.cli.main import main
from rdcompose.cli.page.document import page
from tests.support.browser import Browser
from tests.support.kernels import package
from tests.support.overviews import FILES, GROUP, HOSTILE, hostile_group, image, modules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.reference

# Every visible text with its colour and what is behind it, as contrast of WCAG 2.2; the smallest.
CONTRAST: Final = """
(() => {
  const channel = (value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  const light = (colour) => {
    const [red, green, blue] = colour.match(/[\\d.]+/g).map(Number).map(channel);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const clear = (colour) => colour === "transparent" || colour === "rgba(0, 0, 0, 0)";
  const behind = (element) => {
    if (element.tagName === "text") {
      return getComputedStyle(element.parentNode.querySelector("rect")).fill;
    }
    for (let here = element; here; here = here.parentElement) {
      const colour = getComputedStyle(here).backgroundColor;
      if (!clear(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const ratios = [];
  for (const element of document.querySelectorAll("body *:not(script)")) {
    if (!Array.from(element.childNodes).some((n) => n.nodeType === 3 && n.data.trim())) continue;
    if (element.tagName === "title" || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const colours = [element.tagName === "text" ? style.fill : style.color, behind(element)];
    const [dark, bright] = colours.map(light).sort((left, right) => left - right);
    ratios.push((bright + 0.05) / (dark + 0.05));
  }
  return [ratios.length, Math.min(...ratios)];
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a small image and one of many modules."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    images = (image(FILES), image(modules(700), "modules-6.1.0-9-cloud-amd64.qcow2"))
    path.write_bytes(page([dataclasses.replace(GROUP, images=images)]))
    return path


@pytest.mark.parametrize(
    ("width", "dark", "scripts"),
    [(1400, False, True), (800, True, True), (360, False, False), (360, True, True)],
    ids=["wide", "tablet-dark", "phone-without-scripts", "phone-dark"],
)
def test_what_is_seen(
    width: int, dark: bool, scripts: bool, browser: Browser, report: Path
) -> None:
    shown = browser.open(report, width=width, height=700, dark=dark, scripts=scripts)
    assert shown.requested() == [report.as_uri()]
    assert shown.complaints() == []
    # Nothing sticks out: what is wider than the screen can be moved by itself.
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    texts, contrast = shown.evaluate(CONTRAST)
    assert texts > 100
    assert contrast >= 4.5
    background = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 128) == dark
    # The largest file has its place in the chart, which fills the page's width.
    found = shown.evaluate(
        "(() => { const chart = document.querySelector('.map');"
        "const box = chart.getBoundingClientRect();"
        "const cell = chart.querySelector('svg svg, svg').getBoundingClientRect();"
        "return [box.width, box.height, cell.width * cell.height]; })()"
    )
    assert found[0] > 0.9 * min(width, 1216) - 30
    assert found[1] == 480
    assert found[2] > found[0] * found[1] / 3
    assert struct.unpack(">II", shown.screenshot()[16:24]) == (width, 700)
    assert bool(shown.evaluate("document.querySelectorAll('th button').length")) == scripts


def test_tables_are_sorted_and_searched_where_scripts_run(browser: Browser, report: Path) -> None:
    shown = browser.open(report)
    shown.evaluate(
        "table = Array.from(document.querySelectorAll('table')).filter("
        "(one) => one.caption.textContent.startsWith('Modules in modules'))[0];"
        "first = () => table.tBodies[0].rows[0].cells[0].textContent;"
        "head = (name) => Array.from(table.tHead.rows[0].cells).filter("
        "(one) => one.textContent === name)[0]; null"
    )
    assert shown.evaluate("first()") == "module_0"
    for name, sort, first in [
        ("Stored", "descending", "module_0"),
        ("Stored", "ascending", "module_699"),
        # Numbers in names count as such.
        ("Module", "ascending", "module_0"),
        ("Module", "descending", "module_699"),
    ]:
        shown.evaluate(f"head('{name}').querySelector('button').click()")
        assert shown.evaluate(f"head('{name}').getAttribute('aria-sort')") == sort
        assert shown.evaluate("first()") == first
    assert shown.evaluate("document.querySelectorAll('[aria-sort]').length") == 1
    shown.evaluate(
        "field = table.parentNode.previousSibling.querySelector('input');"
        "field.value = 'MODULE_42.ko'; field.dispatchEvent(new Event('input'))"
    )
    count = "Array.from(table.tBodies[0].rows).filter((row) => !row.hidden).length"
    assert shown.evaluate(count) == 1
    assert shown.complaints() == []


def test_what_assistive_technology_is_told(browser: Browser, report: Path) -> None:
    nodes = browser.open(report).call("Accessibility.getFullAXTree")["nodes"]
    named = [
        (node["role"]["value"], node.get("name", {}).get("value"))
        for node in nodes
        if not node["ignored"]
    ]
    assert ("image", "Treemap of initramfs-6.1.0-9-cloud-amd64: shares of its size as stored") in (
        named
    )
    for role in ("table", "region", "navigation", "columnheader", "rowheader", "button"):
        names = [name for kind, name in named if kind == role]
        assert names
        assert all(names)


@pytest.mark.parametrize("number", [0, 1, 2, 3], ids=["script", "end", "attribute", "comment"])
def test_hostile_names_run_nothing(number: int, browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(page([hostile_group(HOSTILE[number])]))
    shown = browser.open(path)
    assert shown.requested() == [path.as_uri()]
    assert shown.complaints() == []
    assert not any(row.get("method") == "Page.javascriptDialogOpening" for row in browser.events)
    assert HOSTILE[number] in shown.evaluate("document.querySelector('h3').textContent")
    assert shown.evaluate("document.images.length") == 0


def test_the_page_of_a_real_build(browser: Browser, tmp_path: Path) -> None:
    kernel = package("bookworm", "amd64", "linux-image-cloud-amd64")
    words = [
        word
        for name in ("busybox", "e2fsck")
        for word in (f"--{name}", str(package("bookworm", "amd64", f"{name}-static")))
    ]
    path = tmp_path / "report.html"
    build = ["build", str(kernel), "-q", "-o", str(tmp_path / "out"), "--disk", "none", *words]
    assert main([*build, "--report", str(path)]) == 0
    assert path.stat().st_size < 1_500_000
    shown = browser.open(path)
    assert shown.complaints() == []
    assert shown.evaluate("document.querySelectorAll('p.bad').length") == 0
    text = shown.evaluate("document.body.textContent")
    for word in ("virtio_blk", "busybox-static 1:", "drivers/net", "All checks passed"):
        assert word in text
