"""Whether what an initramfs is to run can run: init, programs, libraries, links."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rdcompose.formats.executable import is_elf
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.findings import (
    Check,
    Finding,
    contradiction,
    contradictions,
    count,
    remark,
    some,
)
from rdcompose.inspect.paths import follow, resolve
from rdcompose.tree import File, Symlink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.formats.executable import Executable
    from rdcompose.inspect.artifact import Artifact
    from rdcompose.inspect.collection import ArtifactSet
    from rdcompose.inspect.contents import Contents
    from rdcompose.tree import Tree

INIT: Final = "init"
_EXECUTE: Final = 0o111
# BINPRM_BUF_SIZE in include/uapi/linux/binfmts.h: the kernel looks no further.
_LINE: Final = 256
# What is there only when the system runs.
_RUNTIME: Final = re.compile(r"(?:proc|sys|dev|run|tmp|var/run|sysroot|root|mnt|newroot)(?:/|$)")
_PROGRAM_PLACE: Final = re.compile(
    r"(?:init|(?:usr/)?s?bin/[^/]+|(?:usr/)?lib[^.]*\.so(?:\.[^/]*)?)"
)


def check_init(group: ArtifactSet) -> Check:
    """Look whether the kernel can start ``/init``."""
    held = _initramfs(group)
    if not held:
        return Check(name="init", summary="there is no initramfs", done=False)
    reasons = [_why_no_init(contents.tree) for _, contents in held]
    findings: list[Finding] = []
    if None not in reasons:
        findings.append(contradiction(f"{held[0][0].name} {reasons[0]}"))
    return Check(name="init", summary="/init can be started", findings=tuple(findings))


def _initramfs(group: ArtifactSet) -> list[tuple[Artifact, Contents]]:
    return [
        (artifact, artifact.initramfs.contents)
        for artifact in group.of(Kind.INITRAMFS)
        if artifact.initramfs is not None and not artifact.initramfs.only_microcode
    ]


def _why_no_init(tree: Tree) -> str | None:
    entry = follow(tree, INIT)
    if entry is None:
        link = tree.get(INIT)
        if isinstance(link, Symlink):
            return f"has an /init that leads to {link.target}, which is not there"
        return "has no /init: the kernel would not run it, and look for root= by itself"
    if not isinstance(entry, File):
        return "has an /init that is no file"
    if not entry.mode & _EXECUTE:
        return f"has an /init that cannot be executed: its mode is {entry.mode:04o}"
    return _why_not_started(tree, next(entry.content.chunks(_LINE), b""))


def _why_not_started(tree: Tree, start: bytes) -> str | None:
    if is_elf(start):
        return None  # what it needs is looked at with all programs
    if not start.startswith(b"#!"):
        return "has an /init that is neither a program nor a script"
    interpreter = _interpreter(start)
    found = follow(tree, interpreter)
    if isinstance(found, File) and found.mode & _EXECUTE:
        return None
    what = "is not there" if found is None else "cannot be executed"
    return f"has an /init for {interpreter}, which {what}"


def _interpreter(start: bytes) -> str:
    words = start[2:].partition(b"\n")[0].split()
    return words[0].decode("utf-8", "surrogateescape") if words else ""


def check_programs(group: ArtifactSet) -> Check:
    """Look whether programs find their dynamic linker and their libraries."""
    held = [(artifact, contents) for artifact, contents in _initramfs(group) if contents.programs]
    if not held:
        return Check(name="programs", summary="there are no programs", done=False)
    findings: list[Finding] = []
    number = 0
    for artifact, contents in held:
        number += len(contents.programs)
        findings += _linked(artifact, contents)
    summary = f"{count(number, 'program')} and libraries find what they are linked with"
    return Check(name="programs", summary=summary, findings=tuple(findings))


def _linked(artifact: Artifact, contents: Contents) -> Iterator[Finding]:
    tree = contents.tree
    names = {
        entry.path.rpartition("/")[2]
        for entry in tree
        if isinstance(entry, File) or isinstance(follow(tree, entry.path), File)
    }
    programs: list[str] = []
    for program in contents.programs:
        missing = _missing(tree, program.elf, names)
        if missing:
            what = f"{program.path} in {artifact.name} needs {some(missing)}"
            what += f", which {'is' if len(missing) == 1 else 'are'} not there"
            if program.elf.interpreter is not None:
                programs.append(what)
            else:
                # Whoever may load a library may look first whether all of it is there.
                yield remark(what)
    yield from contradictions(programs, more="programs")


def _missing(tree: Tree, elf: Executable, names: set[str]) -> list[str]:
    if elf.interpreter is not None and follow(tree, elf.interpreter) is None:
        return [elf.interpreter]
    return [
        name
        for name in elf.needed
        if (follow(tree, name) is None if "/" in name else name not in names)
    ]


def check_links(group: ArtifactSet) -> Check:
    """Look for links to what is not there."""
    findings: list[Finding] = []
    number = 0
    for artifact, contents in group.holders:
        links = [entry for entry in contents.tree if isinstance(entry, Symlink)]
        number += len(links)
        dangling = [link for link in links if _dangles(contents.tree, link)]
        programs = [link for link in dangling if _PROGRAM_PLACE.fullmatch(link.path)]
        others = [link for link in dangling if link not in programs]
        findings += [contradiction(text) for text in _told(artifact, programs)]
        findings += [remark(text) for text in _told(artifact, others)]
    if not number:
        return Check(name="links", summary="there are no links", done=False)
    return Check(
        name="links", summary=f"{count(number, 'link')} to what is there", findings=tuple(findings)
    )


def _dangles(tree: Tree, link: Symlink) -> bool:
    path = resolve(tree, link.path)
    return path is None or (bool(path) and path not in tree and _RUNTIME.match(path) is None)


def _told(artifact: Artifact, links: list[Symlink]) -> Iterator[str]:
    if links:
        shown = some([f"{link.path} to {link.target}" for link in links])
        yield f"{artifact.name} has {count(len(links), 'link')} to what is not there: {shown}"
