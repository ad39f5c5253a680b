"""Index files of a kernel, by kmod's depmod and by ours."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from rdcompose.formats.compression import decompress
from rdcompose.formats.elf import read_module
from rdcompose.formats.modindex import read_index
from rdcompose.kernel.depmod import Depmod
from rdcompose.kernel.module import Module
from rdcompose.tree import Bytes
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED: Final = ("modules.order", "modules.builtin", "modules.builtin.modinfo")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A tree that kmod's depmod went through, and what ours says of it."""

    base: Path
    release: str
    depmod: Depmod

    @property
    def directory(self) -> Path:
        return self.base / "lib/modules" / self.release

    def our_base(self, base: Path) -> Path:
        """Return a root with our index files; the modules themselves are kmod's."""
        target = base / "lib/modules" / self.release
        target.mkdir(parents=True)
        for name, data in self.depmod.index_files().items():
            (target / name).write_bytes(data)
        for name in ("kernel", "updates"):
            if (self.directory / name).exists():
                (target / name).symlink_to(self.directory / name)
        return base


def case_of(base: Path, release: str) -> Case:
    """Read a tree with plain modules, and run depmod on it."""
    directory = base / "lib/modules" / release
    modules = [
        Module(
            path=str(path.relative_to(directory)),
            elf=read_module(path.read_bytes()),
            content=Bytes(b""),
        )
        for path in directory.rglob("*.ko")
    ]
    order, builtin, modinfo = (
        path.read_bytes() if (path := directory / name).exists() else b"" for name in SHIPPED
    )
    run(tool("depmod"), "-b", base, release)
    depmod = Depmod(
        modules,
        order=order.decode().splitlines(),
        builtin=builtin.decode().splitlines(),
        builtin_modinfo=modinfo,
    )
    return Case(base=base, release=release, depmod=depmod)


def case_of_package(package: Path, base: Path) -> Case:
    """Make a tree with the plain modules of an unpacked package, and run depmod on it.

    kmod of Debian 12 reads packed modules, but not wherever else tests run.
    """
    (source,) = [*package.glob("lib/modules/*"), *package.glob("usr/lib/modules/*")]
    target = base / "lib/modules" / source.name

    def make_plain(path: Path) -> None:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".xz":
            copy.with_suffix("").write_bytes(decompress(path.read_bytes(), limit=1 << 28))
        elif path.suffix == ".ko" or path.name in SHIPPED:
            copy.symlink_to(path)

    with ThreadPoolExecutor() as pool:
        list(pool.map(make_plain, source.rglob("*.*")))
    return case_of(base, source.name)


def unordered(data: bytes) -> list[list[bytes]]:
    """Return the words of all lines, without what the order of modules decides."""
    return sorted([line.split()[0], *sorted(line.split()[1:])] for line in data.splitlines())


def assert_same_files(case: Case, *, ordered: bool = True) -> None:
    ours = case.depmod.index_files()
    theirs = {
        path.name: path.read_bytes()
        for path in case.directory.glob("modules.*")
        if path.name not in SHIPPED
    }
    # Before version 33, kmod knows no weak dependencies.
    theirs.setdefault("modules.weakdep", ours["modules.weakdep"])
    assert sorted(ours) == sorted(theirs)
    for name, data in ours.items():
        if not ordered:
            assert_same_content(name, data, theirs[name])
        elif name.endswith(".bin"):
            # Versions of kmod order the nodes differently; what stands in them counts.
            assert list(read_index(data).items()) == list(read_index(theirs[name]).items()), name
        else:
            assert data == theirs[name], name


def assert_same_content(name: str, ours: bytes, theirs: bytes) -> None:
    if not name.endswith(".bin"):
        assert unordered(ours) == unordered(theirs), name
        return
    # The priority of a value is its module's place in that order.
    mine, other = (
        sorted((key, unordered(value.value.encode())) for key, value in read_index(data).items())
        for data in (ours, theirs)
    )
    assert mine == other, name
