"""What ``rdcompose find`` and ``why`` say of modules, against kmod's modprobe and modinfo."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.inspect.catalogue import Catalogue, Source
from rdcompose.kernel.indexed import IndexedModules
from rdcompose.kernel.needs import NeedKind, Needs
from tests.support.depmod import SHIPPED, Case, case_of_package
from tests.support.kernels import unpacked
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from rdcompose.kernel.depmod import Depmod
    from rdcompose.kernel.selection import ModuleGraph

# With -0, it writes both forms.
_FIELD: Final = re.compile(r"(\w+)(?:=|:\s+)(.*)", re.DOTALL)

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    base = tmp_path_factory.mktemp("kernel")
    return case_of_package(unpacked("bookworm", "amd64", "linux-image-cloud-amd64"), base)


@pytest.fixture(scope="module")
def catalogue(case: Case) -> Catalogue:
    return Catalogue(
        Source(
            release=case.release,
            graph=case.depmod,
            modinfo={name: module.elf.modinfo for name, module in case.depmod.modules.items()},
            builtin_modinfo=(case.directory / "modules.builtin.modinfo").read_bytes(),
        )
    )


def some(depmod: Depmod, step: int) -> list[str]:
    """Every so many of the modules."""
    return sorted(depmod.modules)[::step]


def test_modinfo(case: Case, catalogue: Catalogue) -> None:
    names = some(case.depmod, 10)
    told = run(tool("modinfo"), "-0", "-b", case.base, "-k", case.release, *names)
    for name, block in zip(names, told.split("filename:")[1:], strict=True):
        fields = [_FIELD.match(text) for text in block.split("\0")[1:]]
        pairs = [field.groups() for field in fields if field is not None]
        (facts,) = catalogue.find(name).modules
        for key in ("description", "license", "version", "alias", "firmware", "author", "parm"):
            theirs = sorted(value.strip() for word, value in pairs if word == key)
            if key == "parm":
                # It puts both of our fields into one.
                theirs = sorted(value.partition(":")[0] for value in theirs)
                assert sorted(one.name for one in facts.parameters) == theirs, name
            else:
                assert sorted(map(str.strip, facts.values(key))) == theirs, (name, key)


def modaliases(case: Case) -> list[str]:
    """Texts as devices have them, for every so many of the patterns."""
    patterns = [
        value
        for name in some(case.depmod, 3)
        for value in case.depmod.modules[name].elf.values("alias")
    ]
    found = [re.sub(r"\[(.)[^]]*\]", r"\1", text).replace("*", "00") for text in patterns[::24]]
    return [*found, "fs-ext4", "crypto-sha256", "net-pf-10", "crc32c", "symbol:virtqueue_kick"]


def test_aliases(case: Case, catalogue: Catalogue) -> None:
    words = modaliases(case)
    assert len(words) > 30
    for word in words:
        found = catalogue.find(word)
        modules = [facts.name for facts in found.modules if not facts.is_builtin]
        builtin = [facts.name for facts in found.modules if facts.is_builtin]
        told = run(tool("modprobe"), "-d", case.base, "-S", case.release, "-R", word).split()
        # It does not go on to what is built in once it has found modules.
        assert (modules or builtin) == list(dict.fromkeys(told)), word


def loaded(graph: ModuleGraph, needs: Needs, name: str) -> set[str]:
    """Return what has to be there for a module: itself, and what chains go over."""
    found = {name}
    todo = [name]
    while todo:
        here = todo.pop()
        steps = [need.name for need in needs.of(here) if need.kind is not NeedKind.WEAK]
        todo += [other for other in steps if other not in found]
        found.update(steps)
    return {graph.modules[one].path for one in found}


def test_needs(case: Case) -> None:
    """Both of a package, and of an image that has the indexes alone."""
    lists = {path.name: path.read_bytes() for path in case.directory.glob("modules.*")}
    assert lists.keys() > set(SHIPPED)
    indexed = IndexedModules([], lists)
    graphs: list[ModuleGraph] = [case.depmod, indexed]
    names = some(case.depmod, 12)
    told = {
        name: run(
            tool("modprobe"), "-d", case.base, "-S", case.release, "--show-depends", name
        ).splitlines()
        for name in names
    }
    for graph in graphs:
        needs = Needs(graph, graph.modules)
        for name in names:
            paths = {line.split()[1] for line in told[name] if line.startswith("insmod ")}
            theirs = {path.partition(f"/{case.release}/")[2] for path in paths}
            assert loaded(graph, needs, name) == theirs, name
