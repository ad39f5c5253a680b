"""The page: valid, self-contained, bounded, and safe whatever names an image has."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re

import pytest
from justhtml import Comment, Element, JustHTML

from rdcompose.cli.page.document import page
from rdcompose.inspect.filekinds import Kind
from rdcompose.inspect.findings import Check, contradiction, remark
from rdcompose.inspect.placing import Damage
from rdcompose.inspect.walks import Part as Piece
from tests.support.overviews import (
    FILES,
    GROUP,
    HOSTILE,
    RELEASE,
    hostile_group,
    image,
    modules,
    part,
    weight,
)


def parsed(data: bytes) -> JustHTML:
    """Read a page as HTML, in which nothing is wrong."""
    return JustHTML(data, encoding="utf-8", strict=True, sanitize=False)


def texts(document: JustHTML, selector: str) -> list[str]:
    """The texts of all elements."""
    return [node.to_text() for node in document.query(selector)]


def attribute(node: Element | Comment, name: str) -> str:
    """An attribute that an element has."""
    value = (node.attrs or {})[name]
    assert value is not None
    return value


def test_what_it_says() -> None:
    document = parsed(page([GROUP]))
    assert texts(document, "h2") == [f"{RELEASE}, amd64"]
    assert texts(document, "h3")[0] == f"initramfs-{RELEASE}"
    captions = texts(document, "caption")
    assert f"Modules in initramfs-{RELEASE}" in captions
    (row,) = [text for text in texts(document, "tr") if text.startswith("veth")]
    for word in ("400 B", "1.2 kB", "what veth is", "minivm/modules.ramfs:3", "ext4"):
        assert word in row
    assert "All checks passed" in texts(document, "summary")
    assert "nothing to look at" not in document.to_text()
    charts = document.query("svg.map")
    assert [attribute(chart, "role") for chart in charts] == ["img", "img"]
    assert all(attribute(chart, "aria-label") for chart in charts)


def test_checks_that_fail_are_shown_at_once() -> None:
    checks = (
        Check(name="release", summary="", findings=(contradiction("two releases"),)),
        Check(name="links", summary="3 links", findings=(remark("one leads nowhere"),)),
    )
    document = parsed(page([dataclasses.replace(GROUP, checks=checks)]))
    assert "1 check failed." in texts(document, "p.bad")
    rows = texts(document, "tbody tr")
    assert any("release" in row and "failed" in row and "two releases" in row for row in rows)
    assert any("links" in row and "remark" in row and "one leads nowhere" in row for row in rows)


def test_what_could_not_be_read_is_said() -> None:
    refused = Piece(label="segment 1", compression="xz", refused="the kernel knows no such check")
    broken = dataclasses.replace(
        GROUP.images[0],
        pieces=(refused,),
        problem="the zstd data is cut short",
        weight=dataclasses.replace(
            weight(FILES), unread=(Damage("etc/secret", "Permission denied"),)
        ),
    )
    nothing = dataclasses.replace(broken, weight=None, pieces=(), modules=(), programs=())
    document = parsed(page([dataclasses.replace(GROUP, images=(broken, nothing))]))
    assert len([text for text in texts(document, "p.bad") if "cut short" in text]) == 2
    rows = texts(document, "tbody tr")
    assert any("etc/secret" in row for row in rows)
    assert any("knows no such check" in row for row in rows)


def test_every_table_has_a_caption_and_headings() -> None:
    document = parsed(page([GROUP]))
    tables = document.query("table")
    assert tables
    for table in tables:
        assert table.query("caption")[0].to_text()
        heads = table.query("thead th")
        assert all(attribute(head, "scope") == "col" for head in heads)
        for row in table.query("tbody tr"):
            cells = [*row.query("th"), *row.query("td")]
            assert len(cells) == len(heads)
            assert attribute(cells[0], "scope") == "row"


def test_links_lead_to_sections() -> None:
    document = parsed(page([GROUP, dataclasses.replace(GROUP, release=None, name="boot folder x")]))
    ids = [attribute(node, "id") for node in document.query("section")]
    assert len(ids) == len(set(ids))
    targets = [attribute(node, "href") for node in document.query("nav a")]
    assert targets == [f"#{name}" for name in ids]


def test_the_policy_names_style_and_script() -> None:
    text = page([GROUP]).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    for element in ("style", "script"):
        content = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        assert len(content) == 1
        digest = base64.b64encode(hashlib.sha256(content[0].encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy[1]
    assert "default-src 'none'" in policy[1]
    # What the policy would refuse anyway.
    assert re.findall(r"\s(?:style|on\w+|src|srcset|action)=", text) == []
    assert set(re.findall(r'href="(.)', text)) == {"#"}


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_nothing_but_text(name: str) -> None:
    data = page([hostile_group(name)])
    document = parsed(data)
    allowed = {"html", "head", "meta", "title", "style", "body", "header", "h1", "nav", "ul", "li"}
    allowed |= {"a", "main", "section", "h2", "h3", "h4", "p", "div", "table", "caption", "thead"}
    allowed |= {"tbody", "tr", "th", "td", "figure", "figcaption", "details", "summary", "svg"}
    allowed |= {"rect", "text", "script"}
    assert {node.name for node in document.query("*")} <= allowed
    assert len(document.query("script")) == 1
    # Neither what terminals obey nor what turns text around is there as such.
    assert not {"\0", "\x1b", "\N{RIGHT-TO-LEFT OVERRIDE}"} & {*data.decode()}
    assert len(data) < 60_000


def test_a_whole_kernel_fits_a_page_that_loads_at_once() -> None:
    data = page([dataclasses.replace(GROUP, images=(image(modules(4000)),))])
    assert len(data) < 2_500_000
    rows = data.partition(b"<caption>Modules in")[2].partition(b"</table>")[0]
    assert rows.count(b"<tr>") == 1 + 4000
    for chart in re.findall(rb'<svg class="map".*?(?:</figure>|</details>)', data, re.DOTALL):
        assert 500 < chart.count(b"<rect") < 1000


def test_more_files_than_anyone_has_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdcompose.cli.page.tables.MAX_ROWS", 50)
    many = [
        part(f"kernel/g{number}/m.ko", Kind.MODULES, 7, group=f"g{number}") for number in range(900)
    ]
    document = parsed(page([dataclasses.replace(GROUP, images=(image(many),))]))
    assert "and 850 more" in texts(document, "p") + texts(document, "details p")
    for table in document.query("table"):
        assert len(table.query("tbody tr")) <= 50
    for chart in document.query("svg.map"):
        assert len(chart.query("rect")) < 1000


def test_the_same_facts_give_the_same_page() -> None:
    assert page([GROUP]) == page([GROUP])


def test_nothing_at_all() -> None:
    assert texts(parsed(page([])), "h1") == ["What is in it, and how heavy"]
