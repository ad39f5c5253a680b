"""Notes on a release, in Markdown: what is in it, what changed, and how to check it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.outputs import CHECKSUMS
from rdcompose.release.changes import compare
from rdcompose.release.markdown import escaped, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rdcompose.inspect.compare.changes import Changed
    from rdcompose.release.changes import Difference, Resized
    from rdcompose.release.draft import Draft
    from rdcompose.release.records import BuildRecord, ReleaseRecord

NOTES: Final = "NOTES.md"
# More names than these nobody reads: SBOM and manifest have them all.
_MANY: Final = 50


def notes(draft: Draft, builds: Sequence[BuildRecord], previous: ReleaseRecord | None) -> bytes:
    """Return the notes on a release; ``builds`` are its builds as its manifest has them."""
    lines = [f"# {escaped(draft.name)}", "", *_kernels(builds)]
    if previous is not None:
        lines += _changes(builds, previous)
    rows = [(f"`{file.name}`", f"{file.size}", f"`{file.sha256}`") for file in draft.files]
    lines += ["", "## Files", "", *table(("file", "bytes", "SHA-256"), rows)]
    lines += ["", f"To check them: `sha256sum --check {CHECKSUMS}`"]
    return ("\n".join(lines) + "\n").encode()


def _kernels(builds: Iterable[BuildRecord]) -> Iterator[str]:
    head = ("kernel", "architecture", "package", "modules of", "in the initramfs", "on the disk")
    return table(head, [_kernel(build) for build in builds])


def _kernel(build: BuildRecord) -> Sequence[str]:
    packages = [
        f"{item.package} {item.version}" if item.package else item.source
        for item in build.lock.of_role("kernel")
    ]
    return (
        escaped(build.name),
        build.lock.architecture,
        escaped(", ".join(packages)),
        escaped(build.profile),
        str(len(build.modules)),
        str(len(build.disk_modules)),
    )


def _changes(builds: Sequence[BuildRecord], previous: ReleaseRecord) -> Iterator[str]:
    names = dict.fromkeys(row.lock.release for row in previous.builds)
    yield from ("", f"## Changes since {escaped(previous.name or ', '.join(names))}")
    differences, gone = compare(builds, previous.builds)
    for difference in differences:
        yield from ("", f"### {escaped(difference.now.name)}", "")
        yield from _difference(difference)
    if gone:
        yield from ("", "### No longer built", "")
        yield from (f"- {escaped(row.name or row.lock.release)}" for row in gone)


def _difference(difference: Difference) -> Iterator[str]:
    if difference.before is None:
        yield "New."
        return
    said = [*_said(difference)]
    yield from said
    if difference.sizes:
        if said:
            yield ""
        yield from table(("bytes of", "before", "now", ""), map(_resized, difference.sizes))
    elif not said:
        yield "Unchanged."


def _said(difference: Difference) -> Iterator[str]:
    for row in difference.versions:
        yield _changed(row)
    for row in difference.options:
        yield _changed(row._replace(what=f"`{row.what}`"))
    for (new, gone), where in (
        (difference.initramfs, "in the initramfs"),
        (difference.kernel, "in the kernel"),
    ):
        if new:
            yield f"- {_modules(new)} new {where}: {_listed(new)}"
        if gone:
            yield f"- {_modules(gone)} no longer {where}: {_listed(gone)}"


def _changed(row: Changed) -> str:
    what = row.what if row.what.startswith("`") else escaped(row.what)
    if not row.before:
        return f"- {what}: {escaped(row.now)}, new"
    if not row.now:
        return f"- {what}: no more, was {escaped(row.before)}"
    return f"- {what}: {escaped(row.before)} → {escaped(row.now)}"


def _modules(names: Sequence[str]) -> str:
    return "1 module" if len(names) == 1 else f"{len(names)} modules"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_MANY])
    return shown if len(names) <= _MANY else f"{shown} and {len(names) - _MANY} others"


def _resized(row: Resized) -> Sequence[str]:
    before, now = ("" if size is None else str(size) for size in (row.before, row.now))
    if row.before is None or row.now is None:
        return f"`{row.name}`", before, now, "new" if row.before is None else "no more"
    return f"`{row.name}`", before, now, f"{row.now - row.before:+d}"
