"""``rdcompose report`` and ``build --report``: what is in images, and how heavy it is."""

from __future__ import annotations

import dataclasses
import enum
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rdcompose.cli.named_file import write_named
from rdcompose.cli.report_text import as_text
from rdcompose.errors import FormatError
from rdcompose.inspect.findings import printable
from rdcompose.inspect.overview import overview
from rdcompose.inspect.verify import checks_as_json
from rdcompose.kernel.release import check_release

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence

    from rdcompose.inspect.overview import Group

SCHEMA: Final = 1
STANDARD_OUTPUT: Final = "-"


def report(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status.

    :raises FormatError: not all of an image could be read; what could is told nevertheless.
    """
    if arguments.release is not None:
        check_release(arguments.release)
    groups = overview(arguments.paths, arguments.release, threads=arguments.threads)
    write_report(groups, arguments.output)
    for image in (image for group in groups for image in group.images):
        if image.problem is not None:
            raise FormatError(f"{image.name} is not read to its end: {printable(image.problem)}")
    return 0


def report_builds(builds: Iterable[Sequence[Path]], target: str, *, threads: int) -> None:
    """Report on builds by the files that they wrote.

    :raises OutputError: the report cannot be written.
    """
    groups = [group for files in builds for group in overview(files, threads=threads)]
    write_report(groups, target)


def write_report(groups: Sequence[Group], target: str) -> None:
    """Write a report to a file, in the form that its name tells, or to standard output.

    :raises OutputError: it cannot be written.
    """
    if target == STANDARD_OUTPUT:
        print(as_text(groups), end="")
        return
    path = Path(target)
    form = _FORMS.get(path.suffix.lower(), _text)
    write_named(path, form(groups))


def _text(groups: Sequence[Group]) -> bytes:
    return as_text(groups).encode()


def _json(groups: Sequence[Group]) -> bytes:
    data = {"schema": SCHEMA, "groups": [_group(group) for group in groups]}
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def _page(groups: Sequence[Group]) -> bytes:
    # It loads what draws it.
    from rdcompose.cli.page.document import page

    return page(groups)


_FORMS: Final[dict[str, Callable[[Sequence[Group]], bytes]]] = {
    ".json": _json,
    ".html": _page,
    ".htm": _page,
}


def _group(group: Group) -> dict[str, Any]:
    return {
        "name": printable(group.name),
        "release": group.release,
        "architecture": group.architecture,
        "images": [_plain(dataclasses.asdict(image)) for image in group.images],
        "files": [_plain(dataclasses.asdict(other)) for other in group.others],
        "checks": checks_as_json(group.checks),
    }


def _plain(value: object) -> object:
    """Return facts as JSON has them: texts without what a terminal obeys or UTF-8 cannot hold."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, enum.Enum):
        return value.value
    return printable(value) if isinstance(value, str) else value
