"""Modules against real kernels: their own, a neighbour's, and one that was really built."""

from __future__ import annotations

import dataclasses
import shutil
from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.filesource import MODULE, SYMVERS, Source, parse_source
from rdcompose.compose.fitting import add_own_modules
from rdcompose.compose.inputs import InputFile
from rdcompose.compose.layout import depmod_of
from rdcompose.errors import ReleaseError
from rdcompose.kernel.outoftree import check_out_of_tree
from rdcompose.kernel.package import read_kernels
from rdcompose.kernel.source import DebSource
from rdcompose.kernel.symbols import kernel_symbols
from rdcompose.tree import read_all
from tests.support.kbuild import built_modules
from tests.support.kernels import neighbour, package, unpacked
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.kernel.package import KernelPackage

pytestmark = pytest.mark.reference


def read(path: Path) -> KernelPackage:
    with path.open("rb") as stream:
        (kernel,) = read_kernels([DebSource(stream, threads=2)])
    return kernel


@pytest.fixture(scope="module")
def cloud() -> KernelPackage:
    return read(package("bookworm", "amd64", "linux-image-cloud-amd64"))


@pytest.fixture(scope="module")
def nearby() -> KernelPackage:
    """The oldest build of the same upstream version that the mirror has."""
    return read(neighbour("bookworm", "amd64", "cloud-amd64"))


def without(kernel: KernelPackage, number: int) -> KernelPackage:
    """Return the kernel without every so many of its modules."""
    kept = tuple(row for index, row in enumerate(kernel.tree.modules) if index % number)
    return dataclasses.replace(kernel, tree=dataclasses.replace(kernel.tree, modules=kept))


KERNELS = (
    ("bookworm", "amd64", "linux-image-cloud-amd64"),
    ("bookworm", "s390x", "linux-image-s390x"),
)


@pytest.mark.parametrize("name", KERNELS, ids=lambda kernel: f"{kernel[0]}-{kernel[1]}")
def test_the_modules_of_a_kernel_fit_it(name: tuple[str, str, str]) -> None:
    kernel = read(package(*name))
    modules = kernel.tree.modules[::7]
    symbols = kernel_symbols(kernel, None)
    assert symbols.complete
    check_out_of_tree(kernel, modules, symbols)


def test_modules_of_the_kernel_that_are_not_in_its_package(cloud: KernelPackage) -> None:
    # Their symbols are known from the image alone, or from modules that are left.
    rest = without(cloud, 9)
    gone = cloud.tree.modules[::9]
    check_out_of_tree(rest, gone, kernel_symbols(rest, None))


def test_no_module_of_a_neighbour_fits(
    cloud: KernelPackage, nearby: KernelPackage, tmp_path: Path
) -> None:
    symbols = kernel_symbols(cloud, None)
    headers = unpacked("bookworm", "amd64", f"linux-headers-{cloud.release}")
    lines = next(headers.rglob("Module.symvers")).read_text().splitlines()
    here = {symbol: crc for crc, symbol, *_ in (line.split("\t") for line in lines)}
    for module in nearby.tree.modules[::40]:
        with pytest.raises(ReleaseError) as caught:
            check_out_of_tree(cloud, [module], symbols)
        message = caught.value.message
        file = module.path.rpartition("/")[2]
        assert message.startswith(
            f"the module {file} does not fit the kernel {cloud.release}: its release is "
            f"{nearby.release}; of its "
        )
        path = tmp_path / file
        path.write_bytes(read_all(module.content))
        rows = run(tool("modprobe"), "--show-modversions", path).splitlines()
        there = {symbol: crc for crc, symbol in (row.split("\t") for row in rows)}
        differ = [symbol for symbol, crc in there.items() if here.get(symbol, crc) != crc]
        assert "module_layout" in differ
        assert f"of its {len(there)} symbols, {len(differ)} have other versions" in message
        shown = message.partition("in this kernel: ")[2].partition(";")[0].removesuffix(", …")
        assert shown.split(", ") == differ[: len(shown.split(", "))]


def sources(role: str, *paths: Path) -> list[Source]:
    return [Source(parse_source(role, str(path)), InputFile(path=path)) for path in paths]


def test_modules_that_were_built_against_the_headers(cloud: KernelPackage, tmp_path: Path) -> None:
    own = add_own_modules(cloud, sources(MODULE, built_modules()), [])
    assert [(row.name, row.taints) for row in own.modules] == [
        ("rdc_giver", "OE"),
        ("rdc_taker", "OE"),
    ]
    # With the headers' own Module.symvers it comes to the same.
    headers = package("bookworm", "amd64", f"linux-headers-{cloud.release}")
    again = add_own_modules(cloud, sources(MODULE, built_modules()), sources(SYMVERS, headers))
    assert again.modules == own.modules
    # And depmod sees them as kmod's does.
    base = tmp_path / "lib" / "modules" / cloud.release
    tree = own.package.tree
    for module in tree.modules:
        path = base / module.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read_all(module.content))
    for name, data in tree.files.items():
        (base / name).write_bytes(data)
    run(tool("depmod"), "-b", tmp_path, cloud.release)
    for name, data in depmod_of(tree).index_files().items():
        theirs = base / name
        if theirs.exists() and not name.endswith(".bin"):
            assert data == theirs.read_bytes(), name
    assert b"updates/rdc_taker.ko: updates/rdc_giver.ko\n" in (base / "modules.dep").read_bytes()


def test_modules_that_were_built_do_not_fit_another(nearby: KernelPackage, tmp_path: Path) -> None:
    path = tmp_path / "rdc_giver.ko"
    shutil.copy(built_modules() / path.name, path)
    with pytest.raises(ReleaseError, match=r"the module rdc_giver\.ko does not fit"):
        add_own_modules(nearby, sources(MODULE, path), [])
