"""A boot folder written to a directory: whole, and switched to by one rename.

Sets and firmware are put in place first; config.txt, which leads to them, comes last. Until then
the folder boots what it booted before, and afterwards the sets and the config.txt of before are
still there.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

from rdcompose.boards.bootconfig import CONFIG, PREVIOUS, own_lines
from rdcompose.boards.firmware_view import view
from rdcompose.boards.models import MODELS
from rdcompose.boards.present import Present, flat_files, holds, read_present, same
from rdcompose.emit import write_directory
from rdcompose.errors import OutputError, UsageError
from rdcompose.publish import Publication
from rdcompose.tree import Bytes, Directory, File, Tree, read_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rdcompose.boards.bootset import BootSet
    from rdcompose.boards.configtxt import ConfigTxt

_CHUNK: Final = 1 << 20
_STAMP: Final = re.compile(r"manifest-.+\.json")
# Kernels and initramfs as makers of boot folders call them.
_BOOTED: Final = re.compile(r"(?:kernel|initramfs|vmlinuz|vmlinux|initrd|zImage|Image)[^/]*")


def directories_for(present: Present, sets: Sequence[BootSet]) -> list[str]:
    """Return the names of the sets' directories: those that hold them already, else new ones.

    A set is never written over another one, which may be what the folder boots.
    """
    found: list[str] = []
    for made in sets:
        name, count = made.release, 1
        while name in found or not _fits(present.directory / name, made.tree):
            count += 1
            name = f"{made.release}.{count}"
        found.append(name)
    return found


def _fits(path: Path, tree: Tree) -> bool:
    return not path.exists() or (path.is_dir() and holds(path, tree))


def check_own(present: Present) -> None:
    """Check that a new config.txt would not take the place of one that someone else made.

    :raises UsageError: it would.
    """
    if present.config is not None and own_lines(present.config) is None:
        raise UsageError(
            f"{present.directory} has a {CONFIG} that rdcompose did not make",
            hint="--edit changes only what must change in it",
        )


def write_folder(present: Present, tree: Tree, *, mtime: int, remove_stale: bool = False) -> None:
    """Write a boot folder; its config.txt is replaced last, by one rename.

    What stands there as it is to be is left alone. If the config.txt changes, the one of before is
    kept. With ``remove_stale``, what neither of the two leads to is removed.

    :raises OutputError: a file cannot be written, or the folder is not as ``present`` says any
        more; the directory is as it was.
    """
    config = tree.get(CONFIG)
    new = present.config if not isinstance(config, File) else read_all(config.content)
    files = {entry.path: entry for entry in tree if "/" not in entry.path}
    with Publication(present.directory) as publication:
        there = {name: (present.directory / name).exists() for name in files}
        for name, entry in files.items():
            place = present.directory / name
            if isinstance(entry, Directory):
                below = _with_others(place, _subtree(tree, name))
                if not (place.is_dir() and holds(place, below)):
                    write_directory(publication.subdirectory(name), below, mtime=mtime)
            elif isinstance(entry, File) and not (place.is_file() and same(place, entry)):
                with publication.file(name) as out:
                    for chunk in entry.content.chunks(_CHUNK):
                        out.write(chunk)
        after = dataclasses.replace(present, config=new)
        if present.config is not None and new != present.config:
            with publication.file(PREVIOUS) as out:
                out.write(present.config)
            after = dataclasses.replace(after, previous=present.config)
        with publication.locked():
            _check_unchanged(present, there)
            _publish(publication, after, set(files), remove_stale=remove_stale)


def _check_unchanged(present: Present, there: Mapping[str, bool]) -> None:
    """Check that nobody else has written the folder since it was looked at.

    A set could otherwise take the place of one that another process leads a board to.
    """
    found = {name: (present.directory / name).exists() for name in there}
    if found != there or read_present(present.directory).config != present.config:
        raise OutputError(
            f"{present.directory} was changed by another process meanwhile", hint="run this again"
        )


def _with_others(place: Path, below: Tree) -> Tree:
    """Return a tree with the other files that stand at its place: overlays in a flat folder."""
    try:
        for path in place.rglob("*") if place.is_dir() else ():
            inner = path.relative_to(place).as_posix()
            if path.is_file() and inner not in below:
                below.add(File(path=inner, content=Bytes(path.read_bytes())))
    except OSError as error:
        raise OutputError(f"cannot read {error.filename or place}: {error.strerror}") from error
    return below


def put_config(present: Present, config: bytes, *, remove_stale: bool = False) -> None:
    """Replace config.txt by one rename, and keep the one that was there.

    :raises OutputError: it cannot be written.
    """
    tree = Tree()
    tree.add(File(path=CONFIG, content=Bytes(config)))
    write_folder(present, tree, mtime=0, remove_stale=remove_stale)


def _publish(
    publication: Publication, after: Present, written: set[str], *, remove_stale: bool
) -> None:
    directories: list[str] = []
    files: list[str] = []
    if any(_STAMP.fullmatch(name) for name in written):
        # Of one flat set only, so that no two that do not fit stand side by side.
        files = sorted(flat_files(after.directory) - written)
    if remove_stale:
        directories = [name for name in stale_sets(after) if name not in written]
        files += [name for name in stale_files(after) if name not in {*written, *files}]
    publication.publish(remove=files, remove_directories=directories, last=CONFIG)


def stale_sets(present: Present) -> list[str]:
    """Return the directories of sets that neither config.txt nor the one before leads to."""
    used = present.in_use()
    names = [placed.prefix.rstrip("/") for placed in present.sets()]
    return [name for name in names if name not in used]


def stale_files(present: Present) -> list[str]:
    """Return kernels and initramfs in the folder itself that no board would load."""
    if present.config is None:
        return []
    used = {name for config in present.configs() for name in _loaded(present, config)}
    names = sorted(path.name for path in present.directory.iterdir() if path.is_file())
    return [name for name in names if _BOOTED.fullmatch(name) and name not in used]


def _loaded(present: Present, config: ConfigTxt) -> Iterator[str]:
    """Yield what boards load by a config.txt, and what it names where only they know what holds."""
    for model in MODELS.values():
        for variant in model.variants:
            seen = view(config, model, present.exists, variant=variant)
            yield from (*seen.initramfs, seen.kernel or "")
    for line in config.lines:
        if line.key in {"kernel", "initramfs", "ramfsfile"}:
            yield from (name.lstrip("/") for name in line.value.replace(",", " ").split())


def _subtree(tree: Tree, path: str) -> Tree:
    """Return what is below a directory of a tree, as a tree of its own."""
    found = Tree()
    prefix = f"{path}/"
    for entry in tree:
        if entry.path.startswith(prefix):
            found.add(dataclasses.replace(entry, path=entry.path.removeprefix(prefix)))
    return found
