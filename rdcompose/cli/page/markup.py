"""HTML as elements of the standard library, so that text can never become markup.

Whatever is read from an image passes through :func:`shown`: control characters, what turns the
direction of text, and what UTF-8 cannot hold are written out as escapes, and long names are cut.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

from rdcompose.inspect.findings import printable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# Paths of real images are half as long.
_LONGEST: Final = 200


def put(parent: Element, tag: str, text: str = "", **attributes: str) -> Element:
    """Add an element to another, and return it; ``class_`` and ``data_v`` are attributes, too."""
    element = ElementTree.SubElement(parent, tag, named(attributes))
    if text:
        element.text = shown(text)
    return element


def named(attributes: dict[str, str]) -> dict[str, str]:
    """Return attributes as HTML has them: ``class_`` is ``class``, ``data_v`` is ``data-v``."""
    return {name.rstrip("_").replace("_", "-"): shown(value) for name, value in attributes.items()}


def shown(text: str) -> str:
    """Return a text as it is shown: printable, and no longer than anyone reads."""
    if len(text) > _LONGEST:
        half = _LONGEST // 2
        text = f"{text[:half]}…{text[-half:]}"
    return printable(text)


def document(root: Element) -> bytes:
    """Return a page as the bytes of its file."""
    text: str = ElementTree.tostring(root, encoding="unicode", method="html")
    return f"<!DOCTYPE html>\n{text}\n".encode()


def source_hash(text: str) -> str:
    """Return what a content security policy calls a style or script by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
