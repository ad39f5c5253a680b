"""Own modules among the kernel's, and Module.symvers wherever it is."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.filesource import MODULE, SYMVERS, Source, parse_source
from rdcompose.compose.fitting import add_own_modules
from rdcompose.compose.inputs import InputFile
from rdcompose.compose.own_modules import OwnModule, OwnModules
from rdcompose.compose.spec import DiskMode
from rdcompose.errors import CapabilityError, FormatError, ReleaseError, SpecError
from tests.support.debs import make_deb
from tests.support.own_modules import (
    CORE,
    GPL,
    PLAIN,
    RELEASE,
    kernel_image,
    own_module,
    sample_kernel,
    sample_modules,
)

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.kernel.package import KernelPackage

KERNEL = sample_kernel(image=kernel_image())
# Used by nothing in the kernel's tree.
NEEDS = {"kfree": PLAIN["kfree"]}
LINES = "".join(
    f"{crc:#010x}\t{name}\tvmlinux\tEXPORT_SYMBOL\t\n" for name, crc in {**PLAIN, **GPL}.items()
).encode()
HEADERS = {"Package": f"linux-headers-{RELEASE}", "Version": "6.1.9-1", "Architecture": "amd64"}


def source(role: str, path: Path) -> Source:
    return Source(parse_source(role, str(path)), InputFile(path=path))


def add(
    directory: Path,
    modules: dict[str, bytes],
    package: KernelPackage = KERNEL,
    symvers: Path | None = None,
) -> OwnModules:
    for name, data in modules.items():
        (directory / name).write_bytes(data)
    return add_own_modules(
        package,
        [source(MODULE, directory / name) for name in modules],
        [] if symvers is None else [source(SYMVERS, symvers)],
    )


def test_nothing_given_nothing_changed() -> None:
    own = add_own_modules(KERNEL, [], [])
    assert own == OwnModules(package=KERNEL)
    assert own.package is KERNEL


def test_among_the_others(tmp_path: Path) -> None:
    own = add(tmp_path, {"b.ko": own_module("b"), "a.ko": own_module("a", signature=b"PKCS#7")})
    paths = [module.path for module in own.package.tree.modules]
    assert paths == ["kernel/core.ko", "kernel/user.ko", "updates/a.ko", "updates/b.ko"]
    assert own.modules == (
        OwnModule(name="a", path="updates/a.ko", replaces="", taints="O"),
        OwnModule(name="b", path="updates/b.ko", replaces="", taints="O"),
    )
    assert [item.file for item in own.inputs] == ["b.ko", "a.ko"]
    assert own.notes == ()


def test_one_that_takes_the_place_of_another(tmp_path: Path) -> None:
    own = add(tmp_path, {"core.ko": own_module("core", exports=CORE)})
    assert own.modules[0].replaces == "kernel/core.ko"
    assert own.notes == ("updates/core.ko takes the place of the kernel's own kernel/core.ko",)
    paths = [module.path for module in own.package.tree.modules]
    assert paths == ["kernel/core.ko", "kernel/user.ko", "updates/core.ko"]
    # An installed tree may have it already.
    again = add(tmp_path, {"core.ko": own_module("core", exports=CORE)}, own.package)
    assert [module.path for module in again.package.tree.modules] == paths


def test_what_it_adds_to_taints(tmp_path: Path) -> None:
    package = sample_kernel(image=kernel_image(), options={"MODULE_SIG": "y"})
    own = add(tmp_path, {"a.ko": own_module("a", modinfo=["staging=Y"])}, package)
    assert own.modules[0].taints == "COE"


def test_modules_that_came_with_an_installed_kernel(tmp_path: Path) -> None:
    dkms = {"updates/dkms/mine.ko": own_module("mine", {**NEEDS, "core_get": CORE["core_get"]})}
    # What its kernel cannot prove is not held against a module that is there already.
    add_own_modules(sample_kernel(modules=sample_modules() | dkms), [], [])
    stale = {"extra/stale.ko": own_module("stale", {"core_get": 0x99})}
    installed = sample_kernel(modules=sample_modules() | dkms | stale)
    with pytest.raises(ReleaseError) as caught:
        add_own_modules(installed, [], [])
    assert caught.value.message == (
        f"the module stale.ko does not fit the kernel {RELEASE}: of its 2 symbols, 1 have other "
        "versions in this kernel: core_get"
    )
    # One that is given takes its place.
    own = add(tmp_path, {"stale.ko": own_module("stale")}, installed)
    assert own.modules[0].replaces == "extra/stale.ko"


def test_given_twice(tmp_path: Path) -> None:
    with pytest.raises(
        SpecError, match=r"my_mod is given twice: updates/my-mod.ko and updates/my_"
    ):
        add(tmp_path, {"my-mod.ko": own_module("my_mod"), "my_mod.ko": own_module("my_mod")})


def test_a_kernel_that_loads_no_modules(tmp_path: Path) -> None:
    package = sample_kernel(modules={}, options={"MODULES": "n"})
    with pytest.raises(CapabilityError, match="loads no modules: no CONFIG_MODULES"):
        add(tmp_path, {"a.ko": own_module("a")}, package)


def test_one_that_would_be_nowhere(tmp_path: Path) -> None:
    own = add(tmp_path, {"a.ko": own_module("a"), "b.ko": own_module("b")})
    own.check_placed({"a", "b"}, DiskMode.NONE)
    own.check_placed({"a"}, DiskMode.ALL)
    with pytest.raises(SpecError, match="the module b would be nowhere"):
        own.check_placed({"a"}, DiskMode.NONE)


@pytest.mark.parametrize("form", ["plain", "gz", "deb", "directory"])
def test_symvers(tmp_path: Path, form: str) -> None:
    path = tmp_path / "symvers"
    if form == "deb":
        inner = f"usr/src/linux-headers-{RELEASE}/Module.symvers"
        path.write_bytes(
            make_deb({inner: LINES, "usr/src/other/Module.symvers": b""}, control=HEADERS)
        )
    elif form == "directory":
        path.mkdir()
        (path / "Module.symvers").write_bytes(LINES)
    else:
        path.write_bytes(gzip.compress(LINES, mtime=0) if form == "gz" else LINES)
    bare = sample_kernel()
    data = own_module("a", NEEDS)
    with pytest.raises(ReleaseError, match="cannot be compared: kfree"):
        add(tmp_path, {"a.ko": data}, bare)
    own = add(tmp_path, {"a.ko": data}, bare, path)
    item = own.inputs[-1]
    assert item.role == "symvers"
    assert item.file == ("Module.symvers" if form == "directory" else "symvers")
    assert item.package == (HEADERS["Package"] if form == "deb" else "")


def deb(path: Path, files: dict[str, bytes]) -> Path:
    path.write_bytes(make_deb({**files}, control=HEADERS))
    return path


def test_headers_that_do_not_have_it(tmp_path: Path) -> None:
    data = {"a.ko": own_module("a")}
    other = "usr/src/linux-headers-6.1.0-6-amd64/Module.symvers"
    with pytest.raises(
        ReleaseError, match=r"of 6\.1\.0-6-amd64, not of 6\.1\.0-7-cloud-amd64"
    ) as caught:
        add(tmp_path, data, symvers=deb(tmp_path / "other.deb", {other: LINES}))
    assert caught.value.hint == f"the package linux-headers-{RELEASE} has it"
    common = {"usr/src/linux-headers-6.1.0-7-common/Makefile": b""}
    with pytest.raises(SpecError, match=r"holds no Module\.symvers"):
        add(tmp_path, data, symvers=deb(tmp_path / "common.deb", common))


def test_symvers_that_are_none(tmp_path: Path) -> None:
    data = {"a.ko": own_module("a")}
    path = tmp_path / "config"
    path.write_bytes(b"CONFIG_MODULES=y\n")
    with pytest.raises(FormatError, match=r"config: line 1 is none of Module\.symvers"):
        add(tmp_path, data, symvers=path)
    with pytest.raises(SpecError, match="cannot read the versions of symbols"):
        add(tmp_path, data, symvers=tmp_path / "gone")
