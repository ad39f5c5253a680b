"""Facts of images that a report shows, made up: usual ones, and such with hostile names."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.inspect.artifact import Kind as FileKind
from rdcompose.inspect.filekinds import Kind
from rdcompose.inspect.findings import Check, contradiction
from rdcompose.inspect.moduleview import ModuleView
from rdcompose.inspect.overview import Group, Image, Other, ProgramView
from rdcompose.inspect.walks import Part as Piece
from rdcompose.inspect.weight import Part, Weight

if TYPE_CHECKING:
    from collections.abc import Sequence

RELEASE: Final = "6.1.0-9-cloud-amd64"
# Names that would end an element, a comment or a script, run one, or turn a line around.
HOSTILE: Final = (
    "<script>alert(1)</script>",
    "</title></style></script><img src=x onerror=alert(1)>",
    "\"' onload=alert(1) x='",
    "--><!--",
    "&lt;b&gt;",
    "line\nbreak\0\x1b[31m",
    "\N{RIGHT-TO-LEFT OVERRIDE}txt.exe",
    "\udcff\udcfe",
    "a" * 5000,
)


def part(name: str, kind: Kind, share: int, *, group: str = "", files: int = 1) -> Part:
    """A file, or several."""
    return Part(name=name, kind=kind, group=group, files=files, size=3 * share, share=share)


def weight(files: Sequence[Part]) -> Weight:
    """The weight of an image with these files."""
    kinds = [
        part(kind, kind, sum(file.share for file in files if file.kind is kind))
        for kind in dict.fromkeys(file.kind for file in files)
    ]
    groups = [
        part(name or kind, kind, sum(f.share for f in files if (f.kind, f.group) == (kind, name)))
        for kind, name in dict.fromkeys((file.kind, file.group) for file in files)
    ]
    size = sum(file.share for file in files)
    return Weight(
        compression="zstd",
        size=size,
        plain=3 * size,
        kinds=tuple(kinds),
        groups=tuple(groups),
        parts=tuple(files),
    )


def image(files: Sequence[Part], name: str = f"initramfs-{RELEASE}") -> Image:
    """An image with these files; those that are modules need each other in a row."""
    modules = [file for file in files if file.kind is Kind.MODULES]
    names = [file.name.rpartition("/")[2].removesuffix(".ko") for file in modules]
    views = [
        ModuleView(
            name=own,
            path=file.name,
            size=file.size,
            share=file.share,
            why="listed: 'drivers' in minivm/modules.ramfs:3",
            needs=(after,),
            needed_by=tuple(names[:20]),
            description=f"what {own} is",
        )
        for file, own, after in zip(modules, names, [*names[1:], ""], strict=True)
    ]
    programs = [
        ProgramView(file.name, "64-bit x86-64", ("libc.so.6",), "ab" * 32, "busybox 1.35")
        for file in files
        if file.kind is Kind.PROGRAMS
    ]
    return Image(
        name=name,
        kind=FileKind.INITRAMFS,
        release=RELEASE,
        size=sum(file.share for file in files),
        pieces=(Piece(label="segment 1", size=9, compression="zstd", unpacked=27, entries=3),),
        weight=weight(files),
        modules=tuple(views),
        programs=tuple(programs),
        problem=None,
    )


def modules(count: int) -> list[Part]:
    """Modules of as many subsystems as a kernel has."""
    return [
        part(
            f"kernel/drivers/sub{number % 130}/vendor/module_{number}.ko",
            Kind.MODULES,
            100_000 // (number + 1) + 40,
            group=f"drivers/sub{number % 130}",
        )
        for number in range(count)
    ]


FILES: Final = (
    part("bin/busybox", Kind.PROGRAMS, 900),
    part("kernel/drivers/net/veth.ko", Kind.MODULES, 400, group="drivers/net"),
    part("kernel/fs/ext4/ext4.ko", Kind.MODULES, 300, group="fs/ext4"),
    part("init", Kind.INIT, 10),
)
GROUP: Final = Group(
    release=RELEASE,
    architecture="amd64",
    images=(image(FILES),),
    others=(Other(f"vmlinuz-{RELEASE}", FileKind.KERNEL, 8_000_000, None),),
    checks=(
        Check(name="release", summary=f"all is of {RELEASE}"),
        Check(name="init", summary="nothing to look at", done=False),
    ),
)


def hostile_group(name: str) -> Group:
    """A group in which everything has this name."""
    files = [
        part(f"bin/{name}", Kind.PROGRAMS, 50),
        part(f"kernel/{name}/{name}.ko", Kind.MODULES, 40, group=name),
    ]
    views = [
        ModuleView(name=name, path=name, why=name, needs=(name,), version=name, description=name)
    ]
    hostile = dataclasses.replace(
        image(files, name), release=name, problem=name, modules=tuple(views)
    )
    return Group(
        name=name,
        release=name,
        architecture=name,
        images=(hostile,),
        others=(Other(name, FileKind.UNKNOWN, 1, name),),
        checks=(Check(name=name, summary=name, findings=(contradiction(name),)),),
    )
