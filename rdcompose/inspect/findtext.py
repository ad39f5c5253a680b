"""What was found in a catalogue of modules, as text for people and as data for programs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from rdcompose.inspect.catalogue import FoundAs
from rdcompose.inspect.explanations import need_data, needs_lines
from rdcompose.inspect.findings import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rdcompose.inspect.catalogue import Facts, Found

# Of aliases: some modules have thousands.
_SHOWN: Final = 6
_WIDTH: Final = 11
_WORDS: Final = ("description", "license", "version", "author", "srcversion")


def as_text(found: Iterable[Found], *, whole: bool) -> str:
    """Return what people read: all of a module, or a table of several; ``whole`` of each all."""
    blocks = [list(_block(one, whole=whole)) for one in found]
    return "\n".join("".join(f"{printable(line)}\n" for line in block) for block in blocks)


def _block(found: Found, *, whole: bool) -> Iterator[str]:
    if found.kind is FoundAs.NOTHING:
        near = f"; near it are {', '.join(found.near)}" if found.near else ""
        yield f"{found.word}: nothing has this name or alias{near}"
        return
    if len(found.modules) == 1 or whole:
        for number, facts in enumerate(found.modules):
            if number:
                yield ""
            yield from _facts(found, facts, whole=whole)
        return
    yield f"{found.word}, {_kind(found)}:"
    yield from _table(found.modules)


def _kind(found: Found) -> str:
    return "firmware that is asked for" if found.kind is FoundAs.FIRMWARE else str(found.kind)


def _table(modules: Sequence[Facts]) -> Iterator[str]:
    rows = [(facts.name, facts.path, facts.where, facts.value("description")) for facts in modules]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width]
        yield "  " + "  ".join(cells).rstrip()


def _facts(found: Found, facts: Facts, *, whole: bool) -> Iterator[str]:
    asked = "" if found.kind is FoundAs.NAME else f"{found.word}: "
    path = f", {facts.path}" if facts.path else ""
    where = facts.where or ("module" if facts.modinfo is not None else "in an index alone")
    yield f"{asked}{facts.name}{path}: {where}"
    for word, text in _rows(facts, whole=whole):
        yield f"  {word.ljust(_WIDTH)} {text}".rstrip()


def _rows(facts: Facts, *, whole: bool) -> Iterator[tuple[str, str]]:
    for word in _WORDS:
        for text in facts.values(word):
            yield word, text
    yield from _several("firmware", facts.values("firmware"), whole=whole)
    yield from _several("aliases", facts.values("alias"), whole=whole)
    parameters = [
        one.name
        + (f" ({one.type})" if one.type else "")
        + (f": {one.description}" if one.description else "")
        for one in facts.parameters
    ]
    yield from _several("parameters", parameters, whole=True)
    yield from needs_lines("needs", facts.needs, of=True)
    yield from needs_lines("needed by", facts.needed_by, of=False)


def _several(word: str, texts: Sequence[str], *, whole: bool) -> Iterator[tuple[str, str]]:
    shown = texts if whole or len(texts) <= _SHOWN + 1 else texts[:_SHOWN]
    for number, text in enumerate(shown):
        yield "" if number else word, text
    if len(shown) < len(texts):
        yield "", f"and {len(texts) - len(shown)} more: -v shows them"


def as_data(release: str | None, found: Iterable[Found]) -> dict[str, Any]:
    """Return all that was found, ready for JSON."""
    rows = [
        {
            "word": one.word,
            "found_as": one.kind.value,
            "near": list(one.near),
            "modules": [_data(facts) for facts in one.modules],
        }
        for one in found
    ]
    return {"release": release, "found": rows}


def _data(facts: Facts) -> dict[str, Any]:
    known = facts.modinfo is not None
    return {
        "name": facts.name,
        "path": facts.path or None,
        "built_in": facts.is_builtin,
        "where": None if facts.is_builtin else facts.where or None,
        "description": facts.value("description") or None,
        "license": facts.value("license") or None,
        "version": facts.value("version") or None,
        "srcversion": facts.value("srcversion") or None,
        "authors": list(facts.values("author")),
        "aliases": list(facts.values("alias")) if known else None,
        "firmware": list(facts.values("firmware")) if known else None,
        "parameters": [dataclasses.asdict(one) for one in facts.parameters] if known else None,
        "needs": [need_data(need) for need in facts.needs],
        "needed_by": [need_data(need) for need in facts.needed_by],
    }
