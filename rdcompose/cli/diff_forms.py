"""The sections of ``rdcompose diff`` as text, and as Markdown for notes on a release."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from rdcompose.inspect.findings import printable
from rdcompose.release.markdown import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rdcompose.cli.diff_row import Row
    from rdcompose.cli.diff_sections import Section
    from rdcompose.inspect.compare.results import GroupDifference

# A longer name moves what is said of it, instead of all others.
_WIDTH: Final = 32
_WORDS: Final = {"+": "new: ", "-": "gone: ", ">": "moved: ", "~": ""}


def as_text(
    group: GroupDifference, sections: Sequence[Section], limit: int | None, *, titled: bool
) -> Iterator[str]:
    """Yield the lines of a group; ``limit`` is how many rows of a sign a section has at most."""
    if titled:
        yield f"{group.title}{_only(group)}"
    for section in sections:
        yield printable(section.title)
        rows = _shown(section.rows, limit)
        width = min(_WIDTH, max(len(printable(row.name)) for row in rows))
        for row in rows:
            yield f"  {row.sign} {printable(row.name):{width}}  {printable(row.remark)}".rstrip()
        if more := len(section.rows) - len(rows):
            yield f"  … {more} more, which --verbose shows"


def as_markdown(
    group: GroupDifference, sections: Sequence[Section], limit: int | None, *, titled: bool
) -> Iterator[str]:
    """Yield the lines of a group as Markdown."""
    if titled:
        yield from (f"### {escaped(group.title)}{_only(group)}", "")
    for section in sections:
        yield from (f"**{escaped(printable(section.title))}**", "")
        rows = _shown(section.rows, limit)
        yield from map(_item, rows)
        if more := len(section.rows) - len(rows):
            yield f"- … and {more} more"
        yield ""


def _shown(rows: Sequence[Row], limit: int | None) -> list[Row]:
    seen: Counter[str] = Counter()
    shown = []
    for row in rows:
        seen[row.sign] += 1
        if limit is None or seen[row.sign] <= limit:
            shown.append(row)
    return shown


def _item(row: Row) -> str:
    name, remark = escaped(printable(row.name)), escaped(printable(row.remark))
    return f"- {_WORDS[row.sign]}{name}{f': {remark}' if remark else ''}"


def _only(group: GroupDifference) -> str:
    if group.before is None:
        return ": new"
    return ": gone" if group.now is None else ""
