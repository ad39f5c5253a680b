"""Notes on a release, in Markdown: what is in it, and how to check it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rdcompose.outputs import CHECKSUMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rdcompose.release.builds import Build
    from rdcompose.release.draft import Draft
    from rdcompose.release.records import ReleaseRecord

NOTES: Final = "NOTES.md"
_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|~#])")


def notes(draft: Draft, _previous: ReleaseRecord | None) -> bytes:
    """Return the notes on a release."""
    lines = [f"# {escaped(draft.name)}", ""]
    lines += _kernels(draft)
    lines += ["", "## Files", ""]
    lines += table(
        ("file", "bytes", "SHA-256"),
        [(f"`{file.name}`", f"{file.size}", f"`{file.sha256}`") for file in draft.files],
    )
    lines += ["", f"Check them with `sha256sum --check {CHECKSUMS}`."]
    return ("\n".join(lines) + "\n").encode()


def escaped(text: str) -> str:
    """Return a text as Markdown shows it."""
    return _SPECIAL.sub(r"\\\1", text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _kernels(draft: Draft) -> Iterator[str]:
    rows = [_kernel(build) for build in draft.builds]
    return table(("kernel", "architecture", "package", "profile", "modules in the initramfs"), rows)


def _kernel(build: Build) -> Sequence[str]:
    record = build.record
    return (
        escaped(build.name),
        build.architecture,
        ", ".join(
            escaped(f"{item.package} {item.version}" if item.package else item.source)
            for item in record.lock.of_role("kernel")
        ),
        escaped(record.profile),
        str(len(record.modules)),
    )
