"""The page: one file that needs no other, readable without scripts, in light and dark.

Its content security policy names the style and the script by their digests and allows nothing
else. All text that comes from images is escaped by the elements that hold it.
"""

from __future__ import annotations

import importlib.resources
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element

from rdcompose.cli.page.markup import document, put, source_hash
from rdcompose.cli.page.sections import add_checks, add_image, add_others
from rdcompose.cli.terminal import size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdcompose.inspect.overview import Group

_PACKAGE: Final = "rdcompose.cli.page"
_TITLE: Final = "What is in it, and how heavy"


def page(groups: Sequence[Group]) -> bytes:
    """Return the report as an HTML file; the same facts give the same bytes."""
    root = Element("html", lang="en")
    names = [title(group) for group in groups]
    _add_head(root, f"{', '.join(dict.fromkeys(names))}: {_TITLE.lower()}")
    body = put(root, "body")
    header = put(body, "header")
    put(header, "h1", _TITLE)
    _add_contents(header, groups, names)
    main = put(body, "main")
    for number, (group, name) in enumerate(zip(groups, names, strict=True), 1):
        _add_group(main, group, name, f"g{number}")
    put(body, "script").text = _source("page.js")
    return document(root)


def title(group: Group) -> str:
    """Return what a group is called: its boot folder, its kernel, or its first file."""
    if group.name or group.release:
        return group.name or ", ".join(filter(None, (group.release, group.architecture)))
    names = [image.name for image in group.images] + [other.name for other in group.others]
    return next(iter(names), "nothing")


def _add_head(root: Element, name: str) -> None:
    style, script = _source("page.css"), _source("page.js")
    policy = (
        f"default-src 'none'; style-src {source_hash(style)}; script-src {source_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    head = put(root, "head")
    put(head, "meta", charset="utf-8")
    meta = put(head, "meta")
    meta.set("http-equiv", "Content-Security-Policy")
    meta.set("content", policy)
    put(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    put(head, "meta", name="color-scheme", content="light dark")
    put(head, "title", name)
    put(head, "style").text = style


def _source(name: str) -> str:
    return (importlib.resources.files(_PACKAGE) / name).read_text(encoding="utf-8")


def _add_contents(header: Element, groups: Sequence[Group], names: Sequence[str]) -> None:
    """Add links to the groups and the images in them."""
    links = put(put(header, "nav", aria_label="Contents"), "ul")
    for number, (group, name) in enumerate(zip(groups, names, strict=True), 1):
        item = put(links, "li")
        put(item, "a", name, href=f"#g{number}")
        if group.images:
            images = put(item, "ul")
            for index, image in enumerate(group.images, 1):
                row = put(images, "li")
                link = put(row, "a", image.name, href=f"#g{number}-{index}")
                link.tail = f" {size_text(image.size)}"


def _add_group(main: Element, group: Group, name: str, anchor: str) -> None:
    section = put(main, "section", id=anchor)
    put(section, "h2", name)
    if group.checks:
        add_checks(section, group.checks)
    for index, image in enumerate(group.images, 1):
        add_image(put(section, "section", id=f"{anchor}-{index}"), image)
    if group.others:
        add_others(section, group.others)
