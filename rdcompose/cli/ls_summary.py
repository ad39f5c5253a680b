"""What ``rdcompose ls`` says of a file as a whole."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from rdcompose.cli.listing import shown_name
from rdcompose.cli.terminal import size_text
from rdcompose.errors import RdcomposeError
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.names import is_boot_name, named_release
from rdcompose.inspect.opened import open_image
from rdcompose.tree import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.formats.image import KernelImage
    from rdcompose.inspect.artifact import Artifact
    from rdcompose.inspect.looking import Looking
    from rdcompose.inspect.opened import Opened
    from rdcompose.inspect.walks import Part

# As many boards, and words that a device tree is compatible with, as fit a line.
_SHOWN: Final = 4
_FOLDERS: Final = frozenset({Kind.CARD, Kind.FILESYSTEM, Kind.DIRECTORY})


def summary_lines(looking: Looking) -> Iterator[str]:
    """Yield what is known of a file once it was walked: what it is, then its parts."""
    opened = looking.opened
    yield _title(looking)
    if opened.facts is not None:
        yield from _facts(opened.facts)
    for part in opened.parts:
        if opened.kind is not Kind.DIRECTORY:
            yield f"  {_part(part)}"
        if part.refused is not None:
            yield f"    not for the kernel: {part.refused}"
    if opened.kind in _FOLDERS:
        yield from _boots(opened)
    if opened.kind is Kind.DIRECTORY:
        yield from _held(opened)


def breaking(opened: Opened) -> str:
    """Say where the reading ended; empty if it came to the end."""
    problem = opened.problem
    if problem is None:
        return ""
    said = []
    if problem.part is not None:
        part = opened.parts[problem.part]
        said.append(f"in {part.label} ({packing(part)}, from byte {part.offset})")
        if problem.inner is not None:
            said.append(f"at byte {problem.inner} of what it unpacks to")
        elif problem.offset > part.offset:
            said.append(f"read up to byte {problem.offset}")
    said.append(
        f"the last good entry is {shown_name(problem.last)!r}"
        if problem.last is not None
        else "there is no good entry before"
    )
    return ", ".join(said)


def packing(part: Part) -> str:
    """Say how a part is compressed."""
    return "not compressed" if part.compression == "none" else part.compression


def _title(looking: Looking) -> str:
    opened = looking.opened
    text = f"{opened.name}: {opened.kind.value}"
    if opened.release is not None:
        text += f" of {shown_name(opened.release)}"
    elif opened.releases:
        text += f" of {', '.join(map(shown_name, opened.releases))}"
    if looking.architectures:
        text += f" for {' or '.join(looking.architectures)}"
    if opened.kind is not Kind.DIRECTORY:
        text += f", {size_text(opened.size)}"
    return text + (f" in {opened.container}" if opened.container == "qcow2" else "")


def _part(part: Part) -> str:
    said = [f"{part.label}: from byte {part.offset}"]
    if part.size is not None:
        said.append(size_text(part.size))
    said.append(packing(part))
    if part.unpacked is not None and part.compression != "none":
        said.append(f"{size_text(part.unpacked)} unpacked")
    if part.entries:
        said.append(f"{part.entries} {'entry' if part.entries == 1 else 'entries'}")
    return ", ".join(said)


def _facts(facts: Artifact) -> Iterator[str]:
    if facts.image is not None:
        yield from _image(facts.image)
    if facts.config is not None:
        count = len(facts.config.options)
        version = facts.config.version
        yield f"  {count} options{'' if version is None else f', of Linux {shown_name(version)}'}"
    if facts.device_tree is not None:
        tree = facts.device_tree
        words = ", ".join(map(shown_name, tree.compatible[:_SHOWN]))
        yield f"  {shown_name(tree.model or 'an overlay')}: {words or 'compatible with nothing'}"
    if facts.checksums is not None:
        yield f"  {len(facts.checksums.lines)} files"


def _image(image: KernelImage) -> Iterator[str]:
    packed = [name for name in (image.compression, image.payload) if name is not None]
    yield f"  {image.kind.value}{f', compressed with {packed[0]}' if packed else ''}"
    if image.banner is not None:
        yield f"  {shown_name(image.banner)}"


def _boots(opened: Opened) -> Iterator[str]:
    """Say what the boards of a boot folder load, if it is one."""
    # Loads all that is known of boards.
    from rdcompose.inspect.bootfolder import open_boot_folders
    from rdcompose.inspect.boots import BootFacts

    with contextlib.ExitStack() as stack:
        try:
            folders = open_boot_folders(opened.path, stack)
        except RdcomposeError:
            return  # then nothing boots from it, and what it is was said
        for folder in folders:
            yield f"  {folder.kind.value} of a Raspberry Pi: {folder.name}"
            facts = BootFacts(folder)
            for kernel in facts.kernels:
                boards = [boot.title for boot in facts.loading(kernel)]
                more = f" and {len(boards) - _SHOWN} more" if len(boards) > _SHOWN else ""
                release = image.release if (image := facts.artifact(kernel).image) else None
                of = f" of {shown_name(release)}" if release is not None else ""
                yield f"    {shown_name(kernel)}{of}: {', '.join(boards[:_SHOWN])}{more}"


def _held(opened: Opened) -> Iterator[str]:
    """Say what files at the top of a directory are that can boot, or go with what does."""
    for located in opened.entries():
        name = located.entry.path
        if "/" in name:
            return  # all of the top comes before what is deeper
        known = is_boot_name(name) or named_release(name) is not None
        if known and isinstance(located.entry, File):
            try:
                with open_image(opened.path / name) as file:
                    release = f" of {file.release}" if file.release is not None else ""
                    yield f"  {shown_name(name)}: {file.kind.value}{shown_name(release)}"
            except RdcomposeError as error:
                yield f"  {shown_name(name)}: {shown_name(error.message)}"
