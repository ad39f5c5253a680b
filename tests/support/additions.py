"""Packages in memory for what adds programs, and a supplier of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.compose.additions import resolve_additions
from rdcompose.compose.addlist import parse_request
from rdcompose.compose.contents import ADDED, Contents
from rdcompose.compose.inputs import Input, digest
from rdcompose.errors import NotFoundError
from rdcompose.kernel.release import ARCHITECTURES
from rdcompose.tree import Bytes, File, Symlink
from tests.support.programs import make_library, make_program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rdcompose.compose.added import Added, Additions
    from rdcompose.compose.addlist import Request
    from rdcompose.tree import Tree

LOADER: Final = "/lib64/ld-linux-x86-64.so.2"
TRIPLET: Final = "x86_64-linux-gnu"


def contents(name: str, files: Mapping[str, bytes | str], depends: str = "") -> Contents:
    """A package of programs (bytes) and symlinks (text)."""
    entries: dict[str, File | Symlink] = {
        path: Symlink(path=path, target=data)
        if isinstance(data, str)
        else File(path=path, mode=0o755, content=Bytes(data))
        for path, data in files.items()
    }
    return Contents(
        label=f"{name} 1.0",
        package=name,
        architecture="amd64",
        depends=depends,
        files=entries,
        input=Input(
            role=ADDED,
            file=f"{name}_1.0_amd64.deb",
            sha256=digest(name.encode()),
            source="archive",
            package=name,
            version="1.0",
            architecture="amd64",
        ),
    )


def dynamic(*needed: str, **more: str) -> bytes:
    """A program that needs libraries."""
    return make_program(
        kind=3,
        interpreter=LOADER,
        needed=needed,
        rpath=more.get("rpath"),
        runpath=more.get("runpath"),
    )


def c_library(usr: str = "usr/") -> Contents:
    """libc6, in the layout of Debian 13, or with ``usr`` empty in that of Debian 12."""
    directory = f"{usr}lib/{TRIPLET}"
    return contents(
        "libc6",
        {
            f"{directory}/libc.so.6": make_library("libc.so.6", ["ld-linux-x86-64.so.2"]),
            f"{directory}/ld-linux-x86-64.so.2": make_library("ld-linux-x86-64.so.2"),
            f"{usr}lib64/ld-linux-x86-64.so.2": f"/lib/{TRIPLET}/ld-linux-x86-64.so.2",
        },
    )


@dataclasses.dataclass
class Stock:
    """A supplier whose packages depend on each other by plain names; ``given`` in their order."""

    packages: Mapping[str, Contents]
    given: list[str] = dataclasses.field(default_factory=list)

    def requested(self, request: Request) -> Contents:
        if request.package not in self.packages:
            raise NotFoundError(f"{request}: no such package")
        if request.package not in self.given:
            self.given.append(request.package)
        return self.packages[request.package]

    def more(self, users: Sequence[Contents]) -> Sequence[Contents]:
        names = {name: None for user in users for name in user.depends.split()}
        fresh = [name for name in names if name not in self.given]
        self.given += fresh
        return [self.packages[name] for name in fresh]


def stock(*packages: Contents) -> Stock:
    """A supplier of these packages."""
    return Stock({package.package: package for package in packages})


def add(
    requests: str, *packages: Contents, template: Tree | None = None, architecture: str = "amd64"
) -> Additions:
    """What requests, separated by blanks, come to."""
    return resolve_additions(
        [parse_request(text) for text in requests.split()],
        stock(*packages),
        ARCHITECTURES[architecture],
        template,
    )


def paths(additions: Additions) -> dict[str, Added]:
    """What is added, by path."""
    return {added.entry.path: added for added in additions.files}
