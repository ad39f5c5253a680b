"""rdcompose.compose.dependencies"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, cast

import pytest

from rdcompose.archive.packages import PackageIndex
from rdcompose.compose.addlist import parse_request
from rdcompose.compose.dependencies import (
    ArchiveSupplier,
    Dependencies,
    FixedSupplier,
    Relation,
    parse_relations,
)
from rdcompose.compose.inputs import InputFile
from rdcompose.errors import NotFoundError, SpecError
from rdcompose.kernel.release import ARCHITECTURES
from tests.support.debs import make_deb
from tests.support.programs import make_library, make_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rdcompose.archive.repository import Suite
    from rdcompose.archive.search import Found

AMD64 = ARCHITECTURES["amd64"]


@dataclasses.dataclass
class OneSuite:
    """As much of a suite as is used here."""

    index: PackageIndex

    def load(self, architecture: str) -> tuple[PackageIndex, ...]:
        assert architecture == "amd64"
        return (self.index,)

    def find(self, name: str, architecture: str) -> object:
        return self.load(architecture)[0].find(name)


def row(name: str, version: str = "1", **fields: str) -> str:
    """A line of an index: package, version, further fields."""
    values = {
        "Package": name,
        "Version": version,
        "Architecture": "amd64",
        "Filename": f"pool/main/{name}_{version}.deb",
        "Size": "1",
        "SHA256": "0" * 64,
        **{key.replace("_", "-"): value for key, value in fields.items()},
    }
    return "".join(f"{key}: {value}\n" for key, value in values.items())


def dependencies(*suites: Sequence[str]) -> Dependencies:
    made = [OneSuite(PackageIndex("\n".join(rows).encode())) for rows in suites]
    return Dependencies(cast("list[Suite]", made), "amd64")


def names(found: object) -> list[str]:
    rows = list(cast("list[Found]", found))
    return [f"{one.package.name}={one.package.version}" for one in rows]


def test_relations() -> None:
    text = "libc6 (>= 2.36), foo:any | bar(<<2) , ${misc:Depends}, a-b, x (~ 1)"
    assert parse_relations(text) == [
        [Relation("libc6", ">=", "2.36")],
        [Relation("foo"), Relation("bar", "<<", "2")],
        [Relation("a-b")],
        [Relation("x")],
    ]
    assert parse_relations("") == []


@pytest.mark.parametrize(
    ("relation", "allowed"),
    [
        ("<<", "1"),
        ("<=", "12"),
        ("=", "2"),
        (">=", "23"),
        (">>", "3"),
        ("", "123"),
    ],
)
def test_versions(relation: str, allowed: str) -> None:
    wanted = Relation("x", relation, "2")
    assert "".join(version for version in "123" if wanted.allows(version)) == allowed


def test_newest_of_all_suites() -> None:
    suites = ([row("libx", "1.9"), row("libx", "1.10")], [row("libx", "1.2"), row("own")])
    found = dependencies(*suites)
    assert names(found.direct("libx")) == ["libx=1.10"]
    assert names(found.direct("libx (<< 1.5), own")) == ["libx=1.2", "own=1"]
    assert found.find("none") is None


def test_alternatives() -> None:
    found = dependencies([row("two"), row("three")])
    assert names(found.direct("one | two | three, none, two (>= 5) | three")) == [
        "two=1",
        "three=1",
    ]


def test_provided() -> None:
    found = dependencies(
        [
            row("zz", Provides="awk"),
            row("mm", "2", Provides="awk (= 5), other"),
            row("mm", "3", Provides="awk (= 6)"),
        ]
    )
    assert names(found.direct("awk")) == ["mm=3"]
    assert names(found.direct("awk (= 5)")) == ["mm=2"]
    assert names(found.direct("awk (>= 7)")) == []
    assert names(found.direct("other")) == ["mm=2"]


class Shelf:
    """An archive whose files are made when they are fetched; ``fetched`` says which."""

    def __init__(self, path: Path, *rows: str) -> None:
        self.path = path
        self.fetched: list[str] = []
        self.found = dependencies(rows)
        self.supplier = ArchiveSupplier(lambda: self.found, self._fetch, AMD64)

    def _fetch(self, rows: Sequence[Found]) -> list[InputFile]:
        return [self._file(one) for one in rows]

    def _file(self, found: Found) -> InputFile:
        package = found.package
        self.fetched.append(package.name)
        control = {"Package": package.name, "Depends": package.depends or "none"}
        path = self.path / f"{package.name}_1_amd64.deb"
        path.write_bytes(make_deb({f"bin/{package.name}": make_program()}, control=control))
        return InputFile(path=path)


def test_nearest_first(tmp_path: Path) -> None:
    shelf = Shelf(
        tmp_path,
        row("tool", Depends="helper, data, libone"),
        row("helper"),
        row("data", Architecture="all", Depends="libdeep, tool"),
        row("libone", Depends="libtwo"),
        row("libtwo"),
        row("libdeep", Pre_Depends="libtwo"),
    )
    supplier = shelf.supplier
    tool = supplier.requested(parse_request("tool"))
    assert supplier.requested(parse_request("tool:/bin/x")) is tool
    batches = [[given.package for given in supplier.more([tool])] for _ in range(4)]
    assert batches == [["libone"], ["helper"], ["libdeep", "libtwo"], []]
    assert shelf.fetched == ["tool", "libone", "helper", "libdeep", "libtwo"]


def test_circle_of_dependencies(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, row("one", Depends="two"), row("two", Depends="one"))
    one = shelf.supplier.requested(parse_request("one"))
    assert [given.package for given in shelf.supplier.more([one])] == ["two"]
    assert shelf.supplier.more([one]) == []


def test_no_such_package(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, row("tool"))
    with pytest.raises(NotFoundError, match="there is no package tol for amd64") as caught:
        shelf.supplier.requested(parse_request("tol"))
    assert "./FILE" in str(caught.value.hint)


def test_local_files(tmp_path: Path) -> None:
    """A local package takes the place of the archive's; its dependencies come from there."""
    shelf = Shelf(tmp_path, row("tool"), row("libone"))
    deb = tmp_path / "own.deb"
    deb.write_bytes(make_deb({}, control={"Package": "tool", "Depends": "libone, tool"}))
    own = shelf.supplier.requested(parse_request(str(deb)))
    assert shelf.supplier.requested(parse_request("tool")) is own
    assert [given.package for given in shelf.supplier.more([own])] == ["libone"]
    assert shelf.fetched == ["libone"]
    program = tmp_path / "program"
    program.write_bytes(make_program())
    found = shelf.supplier.requested(parse_request(f"{program}:/sbin/x"))
    assert list(found.files) == ["sbin/x"]


def test_program_that_needs_libraries(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, row("libone3t64"), row("libc6"), row("other"))
    program = tmp_path / "program"
    program.write_bytes(make_library("x", ["libone.so.3"]))
    own = shelf.supplier.requested(parse_request(str(program)))
    assert [given.package for given in shelf.supplier.more([own])] == ["libc6", "libone3t64"]


def test_fixed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, row("tool", Depends="libone"), row("libone"))
    tool = shelf.supplier.requested(parse_request("tool"))
    [library] = shelf.supplier.more([tool])
    files = [
        (given.input, InputFile(path=tmp_path / given.input.file)) for given in (library, tool)
    ]
    fixed = FixedSupplier(files, AMD64, "m.json")
    found = fixed.requested(parse_request("tool"))
    assert found == tool
    assert fixed.requested(parse_request("tool:/bin/tool")) is found
    assert fixed.more([]) == []
    assert [given.package for given in fixed.more([found])] == ["libone"]
    assert fixed.more([found]) == []
    # Found by name where it is not at hand, else by what is in it.
    other = FixedSupplier(files, AMD64, "m.json")
    assert other.requested(parse_request("./tool_1_amd64.deb")) == tool
    assert other.requested(parse_request(str(tmp_path / "tool_1_amd64.deb"))) == tool
    (tmp_path / "x.deb").write_bytes(b"x")
    for text in ("none", "./none.deb", str(tmp_path / "x.deb")):
        with pytest.raises(SpecError, match=r"is not among what m.json locks"):
            other.requested(parse_request(text))
