"""Index files against kmod's depmod and modprobe, and against busybox's modprobe."""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.formats.elf import read_module
from rdcompose.kernel.depmod import Depmod
from rdcompose.kernel.module import Module
from rdcompose.tree import Bytes
from tests.support.depmod import (
    SHIPPED,
    Case,
    assert_same_files,
    case_of,
    case_of_package,
)
from tests.support.kernels import KERNELS, unpacked
from tests.support.modules import make_ko
from tests.support.tools import missing, run, tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.reference


@pytest.fixture(
    scope="session",
    params=KERNELS,
    ids=lambda kernel: f"{kernel[0]}-{kernel[2].removeprefix('linux-image-')}",
)
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    base = tmp_path_factory.mktemp("kernel")
    yield case_of_package(unpacked(*request.param), base)
    shutil.rmtree(base)


ODD_MODULES: Final = {
    "kernel/b/listed-last.ko": make_ko(["alias=pci:v1-*", "name=listed_last"], ["one", "both"]),
    "kernel/b/listed-first.ko": make_ko(
        ["alias=pci:v1-*", "alias=bad[", "alias=x[0-9]-y", "softdep=pre: a post: b", "flag"],
        ["first"],
        ["one", "printk"],
    ),
    "kernel/c/user.ko": make_ko(["a=b"], (), ["printk", "both", "first", "one", "both"]),
    "kernel/c/unlisted_1.ko": make_ko(["softdep=gcm"], ["both"], ["first"]),
    "kernel/c/unlisted-2.ko": make_ko(["alias=devname:x/y", "alias=char-major-10-200"]),
    "kernel/c/unlisted_3.ko": make_ko(["alias=block-major-7-*", "alias=devname:no"]),
    "kernel/c/unlisted_4.ko": make_ko(["a=b"], ["no_crc"], ["weak"], crcs=False),
    "kernel/c/unlisted_5.ko": make_ko(["a=b"], ["weak"], (), weak_imports=["no_crc2"]),
    "kernel/c/twice.ko": make_ko(["alias=lower"]),
    "updates/twice.ko": make_ko(["alias=higher"], (), (), versions=["first", "module_layout"]),
    "kernel/d/big.ko": make_ko(["alias=z"], ["e"], ["one"], bits=32, byteorder="big", machine=20),
    **{
        f"kernel/e/m{number}.ko": make_ko(
            [f"alias=m:{number % 7}*"],
            [f"symbol_{number}"],
            [f"symbol_{number * 3 % 59}" for _ in range(1) if number * 3 % 59 > number],
        )
        for number in range(60)
    },
}  # fmt: skip


@pytest.fixture
def odd(tmp_path: Path) -> Case:
    directory = tmp_path / "lib/modules/1.2.3-odd"
    for path, data in ODD_MODULES.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
    (directory / "modules.order").write_text(
        "kernel/b/listed-last.ko\nkernel/b/listed-first.ko\nkernel/gone.ko\n"
        "kernel/e/m9.ko\nkernel/b/listed-last.ko\n"
    )
    (directory / "modules.builtin").write_text("kernel/fs/my-fs.ko\nkernel/x/crc.ko\n")
    (directory / "modules.builtin.modinfo").write_bytes(
        b"my_fs.license=GPL\0my_fs.alias=fs-my\0crc.alias=crypto-crc\0x.alias=crypto-crc\0"
        b"bad.alias=q[\0"
    )
    return case_of(tmp_path, "1.2.3-odd")


def kmod_version() -> int:
    """Return the version of the tools compared with: 30 in Debian 12."""
    first = run(tool("depmod"), "--version").split()
    return int(first[first.index("version") + 1].partition(".")[0])


def test_same_files_as_depmod(case: Case) -> None:
    assert len(case.depmod.modules) > 1000
    assert_same_files(case)


def test_same_files_as_depmod_for_odd_modules(odd: Case) -> None:
    assert odd.depmod.modules["twice"].path == "updates/twice.ko"
    assert odd.depmod.direct("twice") == ("listed_first",)
    # Modules that modules.order does not list stand in the order of kmod's hash table, and
    # later versions have another. No kernel package has such modules.
    assert_same_files(odd, ordered=kmod_version() <= 30)


def test_same_files_as_depmod_without_modules_order(odd: Case) -> None:
    for name in SHIPPED:
        (odd.directory / name).unlink()
    again = case_of(odd.base, odd.release)
    ours = again.depmod.index_files()
    for name in ("modules.dep", "modules.alias", "modules.symbols", "modules.softdep"):
        assert ours[name] == (odd.directory / name).read_bytes(), name


def test_depmod_refuses_a_circle_too(tmp_path: Path) -> None:
    directory = tmp_path / "lib/modules/1.2.3"
    directory.mkdir(parents=True)
    (directory / "a.ko").write_bytes(make_ko(["a=b"], ["a"], ["b"]))
    (directory / "b.ko").write_bytes(make_ko(["a=b"], ["b"], ["a"]))
    run(tool("depmod"), "-b", tmp_path, "1.2.3", status=1)
    assert not (directory / "modules.dep").exists()


def modprobe(base: Path, release: str, *names: str) -> list[str]:
    """Return what kmod's modprobe would load, paths relative to the module directory."""
    output = run(tool("modprobe"), "-C", "/dev/null", "-d", base, "-S", release, "-a", "-D", *names)
    prefix = f"insmod {base}/lib/modules/{release}/"
    return [line.removeprefix(prefix).strip() for line in output.splitlines()]


def questions(depmod: Depmod, step: int) -> list[str]:
    """Return some names and modaliases that this kernel knows."""
    names = list(depmod.modules)[::step]
    aliases = [
        alias.replace("*", "0").replace("?", "1")
        for name in names
        for alias in depmod.modules[name].elf.values("alias")[:2]
        if "[" not in alias and "-e0," not in alias
    ]
    symbols = [
        f"symbol:{symbol}" for name in names for symbol in depmod.modules[name].elf.exports[:1]
    ]
    return [*names, *aliases, *symbols, *list(depmod.builtin)[:3]]


def test_kmod_finds_the_same_in_our_files(case: Case, tmp_path: Path) -> None:
    ours = case.our_base(tmp_path)
    asked = questions(case.depmod, 40)
    assert len(asked) > 60
    # modprobe exits with 1 for what is built in and not listed; all of these are there.
    assert modprobe(ours, case.release, *asked) == modprobe(case.base, case.release, *asked)


def test_resolve_finds_what_modprobe_finds(case: Case) -> None:
    for name in questions(case.depmod, 150):
        if case.depmod.is_builtin(name) and not case.depmod.resolve(name):
            continue
        output = run(
            tool("modprobe"), "-C", "/dev/null", "-d", case.base, "-S", case.release, "-R", name
        )
        found = tuple(output.split())
        assert case.depmod.resolve(name) == tuple(dict.fromkeys(found)), name


def test_dependencies_load_in_the_order_of_modprobe(case: Case) -> None:
    # modprobe also loads soft dependencies, so only modules free of them compare.
    def is_plain(name: str) -> bool:
        return not any(
            case.depmod.softdeps(other).pre + case.depmod.softdeps(other).post
            for other in (name, *case.depmod.dependencies(name))
        )

    names = [name for name in case.depmod.modules if case.depmod.dependencies(name)]
    chosen = [name for name in names if is_plain(name)][::25]
    assert len(chosen) > 10
    for name in chosen:
        order = [*case.depmod.dependencies(name), name]
        paths = [case.depmod.modules[other].path for other in order]
        assert modprobe(case.base, case.release, name) == paths


@pytest.fixture(params=["bookworm", "trixie"])
def busybox(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A root directory with busybox in it."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
    if architecture is None:
        missing(f"there is no busybox for {platform.machine()} among the test packages")
    package = unpacked(request.param, architecture, "busybox-static")
    (program,) = [*package.glob("bin/busybox"), *package.glob("usr/bin/busybox")]
    shutil.copy(program, tmp_path / "busybox")
    return tmp_path


def busybox_modprobe(root: Path, depmod: Depmod, names: list[str], *asked: str) -> list[str]:
    """Return what busybox's modprobe would load with our files, in order."""
    release = os.uname().release
    directory = root / "lib/modules" / release
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in depmod.busybox_files(names).items():
        (directory / name).write_bytes(data)
    become_root = [] if os.geteuid() == 0 else [tool("unshare"), "-r"]
    output = run(*become_root, tool("chroot"), root, "/busybox", "modprobe", "-a", "-D", *asked)
    prefix = f"insmod /lib/modules/{release}/"
    return [line.removeprefix(prefix).strip() for line in output.splitlines()]


def module(
    path: str, *modinfo: str, exports: tuple[str, ...] = (), imports: tuple[str, ...] = ()
) -> Module:
    elf = read_module(make_ko(["license=GPL", *modinfo], exports, imports))
    return Module(path=f"kernel/{path}.ko", elf=elf, content=Bytes(b""))


SOFT: Final = Depmod(
    [
        module("fs", "softdep=pre: crypto-x", "alias=fs-my", imports=("lib",)),
        module("lib", exports=("lib",)),
        module("algo-c", "alias=crypto-x", imports=("base",)),
        module("algo-cpu", "alias=crypto-x", "alias=cpu:type:x86,*"),
        module("base", exports=("base",)),
        module("vfio", "softdep=post: iommu", exports=("vfio",)),
        module("iommu", imports=("vfio",)),
        module("usb-one", "alias=usb:v1d0[0-2]*-*"),
        module("usb-two", "alias=usb:v1d0*"),
    ],
    order=["kernel/usb-one.ko", "kernel/usb-two.ko"],
)


@pytest.mark.parametrize(
    ("asked", "loaded"),
    [
        ("fs", ["base", "algo-c", "lib", "fs"]),
        ("fs-my", ["base", "algo-c", "lib", "fs"]),
        ("symbol:lib", ["lib"]),
        # By then loaded, vfio is passed over the second time.
        ("vfio", ["vfio", "iommu", "vfio"]),
        ("iommu", ["vfio", "iommu"]),
        ("usb:v1d01-x", ["usb-one", "usb-two"]),
        ("usb:v1d05-x", ["usb-two"]),
    ],
)
def test_busybox_loads_soft_dependencies_and_matches_ranges(
    busybox: Path, asked: str, loaded: list[str]
) -> None:
    found = busybox_modprobe(busybox, SOFT, list(SOFT.modules), asked)
    assert found == [f"kernel/{name}.ko" for name in loaded]


def test_busybox_finds_all_of_a_kernel(case: Case, busybox: Path) -> None:
    names = list(case.depmod.modules)
    plain = [
        name
        for name in names[::60]
        if not any(
            dataclasses.astuple(case.depmod.softdeps(other)) != ((), (), ())
            for other in (name, *case.depmod.dependencies(name))
        )
    ]
    assert len(plain) > 10
    expected = [
        case.depmod.modules[other].path
        for name in plain
        for other in (*case.depmod.dependencies(name), name)
    ]
    assert busybox_modprobe(busybox, case.depmod, names, *plain) == expected
