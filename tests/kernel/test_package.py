from __future__ import annotations

import gzip
import io
import lzma
import re
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError, RdcomposeError, ReleaseError, SpecError, UnsupportedError
from rdcompose.kernel.package import KernelPackage, read_kernels
from rdcompose.kernel.source import DebSource
from rdcompose.tree import read_all
from tests.support.debs import Content, hard_link, make_deb
from tests.support.images import banner, make_bzimage, make_packed_elf, make_zimage
from tests.support.modules import make_ko
from tests.support.packages import (
    CONFIG,
    RELEASE,
    VERMAGIC,
    kernel_deb,
    module,
    sample_files,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE = f"lib/modules/{RELEASE}"
MODULAR = [line.partition("=")[0] for line in CONFIG.splitlines() if line.endswith("=m")]


def read(data: bytes) -> KernelPackage:
    (kernel,) = read_kernels([DebSource(io.BytesIO(data))])
    return kernel


def summary(package: KernelPackage) -> dict[str, bytes]:
    return {module.path: read_all(module.content) for module in package.tree.modules}


def test_everything_is_found() -> None:
    package = read(kernel_deb())
    files = sample_files()
    assert (package.release, package.architecture.name) == (RELEASE, "amd64")
    assert (package.image_name, package.image) == ("vmlinuz", make_bzimage(RELEASE))
    assert package.config_text == CONFIG.encode()
    (control,) = package.controls
    assert (control.package, control.version) == (f"linux-image-{RELEASE}", "6.1.99-1")
    assert package.timestamp > 0
    assert summary(package) == {
        path.removeprefix(f"{BASE}/"): data for path, data in files.items() if path.endswith(".ko")
    }
    assert package.tree.order[0] == "kernel/drivers/block/virtio_blk.ko"
    assert package.tree.builtin == ("kernel/fs/ext4/ext4.ko",)
    assert package.tree.builtin_modinfo == b"ext4.license=GPL\0"


@pytest.mark.parametrize("root", ["lib/modules", "usr/lib/modules"])
@pytest.mark.parametrize("suffix", [".ko", ".ko.xz", ".ko.zst", ".ko.gz"])
def test_layouts_and_compressions(root: str, suffix: str) -> None:
    import zstandard

    pack = {
        ".ko": lambda data: data,
        ".ko.xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32),
        ".ko.zst": zstandard.ZstdCompressor().compress,
        ".ko.gz": gzip.compress,
    }[suffix]
    plain = {f"kernel/{name}": module(license=name) for name in ("a", "b-c", "d_e")}
    files = sample_files(
        modules={f"{path}{suffix}": pack(data) for path, data in plain.items()}, root=root
    )
    assert summary(read(kernel_deb(files))) == {f"{path}.ko": plain[path] for path in plain}


@pytest.mark.parametrize("bits", [32, 64])
def test_mips_kernels_are_of_either_word_size_for_the_same_programs(bits: int) -> None:
    image = make_packed_elf(gzip.compress(banner(RELEASE)), bits=bits)
    config = f"# Linux/mips 6.1 Kernel Configuration\n{CONFIG}CONFIG_64BIT={'ny'[bits // 64]}\n"
    modules = {"kernel/a.ko": make_ko({"vermagic": VERMAGIC}, bits=bits, machine=8)}
    files = sample_files(modules=modules) | {
        f"boot/vmlinuz-{RELEASE}": image,
        f"boot/config-{RELEASE}": config.encode(),
    }

    def deb(files: dict[str, bytes]) -> bytes:
        control = {"Package": f"linux-image-{RELEASE}", "Architecture": "mipsel"}
        return make_deb(dict(files), control=control)

    assert read(deb(files)).architecture.name == "mipsel"
    other = make_ko({"vermagic": VERMAGIC}, bits=96 - bits, machine=8)
    said = f"{bits}-bit MIPS little-endian), but the module kernel/a.ko is for {96 - bits}-bit"
    with pytest.raises(ReleaseError, match=re.escape(said)):
        read(deb({**files, f"{BASE}/kernel/a.ko": other}))


def test_progress_comes_to_its_end() -> None:
    data = kernel_deb()
    seen: list[tuple[int, int]] = []
    source = DebSource(io.BytesIO(data))
    read_kernels([source], progress=lambda done, total: seen.append((done, total)))
    assert {total for _, total in seen} == {len(data)}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_an_unsigned_package_has_the_same_release() -> None:
    assert read(kernel_deb(package=f"linux-image-{RELEASE}-unsigned")).release == RELEASE


def test_a_package_of_another_name_is_taken_by_its_contents() -> None:
    assert read(kernel_deb(package="my-kernel")).release == RELEASE


def test_a_release_that_no_package_can_be_named_after() -> None:
    """``make bindeb-pkg`` puts the name in lower case, and Debian allows no ``_`` in it."""
    release = "6.1.0-rc3-next-20241004-My_Kernel-dirty"
    modules = {
        path.partition(f"{RELEASE}/")[2]: module(VERMAGIC.replace(RELEASE, release))
        for path in sample_files()
        if path.endswith(".ko")
    }
    files = sample_files(release, modules=modules)
    files[f"boot/config-{release}"] = CONFIG.replace("6.1.99", "6.1.0-rc3").encode()
    found = read(kernel_deb(files, package=f"linux-image-{release.lower().replace('_', '-')}"))
    assert found.release == release
    with pytest.raises(ReleaseError, match=r"but the package linux-image-6.1.0-rc4-my-kernel is"):
        read(kernel_deb(files, package="linux-image-6.1.0-rc4-my-kernel"))


def test_a_kernel_with_everything_built_in() -> None:
    files = sample_files(modules={})
    files[f"boot/config-{RELEASE}"] = CONFIG.replace("=m", "=y").encode()
    assert read(kernel_deb(files)).tree.modules == ()


def test_a_kernel_without_a_module_directory() -> None:
    files = {
        f"boot/config-{RELEASE}": CONFIG.replace("=m", "=y").encode(),
        f"boot/vmlinuz-{RELEASE}": make_bzimage(RELEASE),
    }
    tree = read(kernel_deb(files)).tree
    assert (tree.modules, tree.order, tree.builtin_modinfo) == ((), (), b"")


def test_links_to_the_source_are_left_out() -> None:
    files: dict[str, Content] = {
        **sample_files(),
        f"{BASE}/build": "/usr/src/linux",
        f"{BASE}/source": "/usr/src/x",
    }
    assert set(summary(read(kernel_deb(files)))) == set(summary(read(kernel_deb())))


def without(*parts: str) -> Mapping[str, bytes]:
    return {
        path: data
        for path, data in sample_files().items()
        if not any(part in path for part in parts)
    }


OTHER = "6.1.0-8-cloud-amd64"
LZO = b"\x89LZO\0\r\n\x1a\n"
VETH = f"{BASE}/kernel/drivers/net/veth.ko"

WRONG: dict[str, tuple[bytes, type[RdcomposeError], str]] = {
    "no kernel": (
        kernel_deb(without("vmlinuz")),
        FormatError,
        f"linux-image-{RELEASE} holds no kernel: no boot/vmlinuz-* or boot/vmlinux-*",
    ),
    "no configuration": (
        kernel_deb(without("config")),
        FormatError,
        f"linux-image-{RELEASE} holds no boot/config-{RELEASE}",
    ),
    "no modules": (
        kernel_deb(without(".ko")),
        FormatError,
        (
            f"linux-image-{RELEASE} holds no modules, but the configuration has "
            f"{len(MODULAR)} options as modules, {MODULAR[0]} first"
        ),
    ),
    "two kernels": (
        kernel_deb({**sample_files(), f"boot/vmlinuz-{OTHER}": make_bzimage(OTHER)}),
        ReleaseError,
        (
            f"the kernel file boot/vmlinuz-{OTHER} is of {OTHER}, "
            f"but the package linux-image-{RELEASE} is of {RELEASE}"
        ),
    ),
    "the package is of another release": (
        kernel_deb(package=f"linux-image-{OTHER}"),
        ReleaseError,
        (
            f"the kernel file boot/vmlinuz-{RELEASE} is of {RELEASE}, "
            f"but the package linux-image-{OTHER} is of {OTHER}"
        ),
    ),
    "the kernel inside is of another release": (
        kernel_deb({**sample_files(), f"boot/vmlinuz-{RELEASE}": make_bzimage(OTHER)}),
        ReleaseError,
        (
            f"the kernel file boot/vmlinuz-{RELEASE} is of {RELEASE}, "
            f"but the kernel inside boot/vmlinuz-{RELEASE} is of {OTHER}"
        ),
    ),
    "a second module directory": (
        kernel_deb({**sample_files(), f"lib/modules/{OTHER}/kernel/a.ko": module()}),
        ReleaseError,
        (
            f"the kernel file boot/vmlinuz-{RELEASE} is of {RELEASE}, "
            f"but the module directory lib/modules/{OTHER} is of {OTHER}"
        ),
    ),
    "another configuration": (
        kernel_deb({**without("config"), f"boot/config-{OTHER}": CONFIG.encode()}),
        ReleaseError,
        (
            f"the kernel file boot/vmlinuz-{RELEASE} is of {RELEASE}, "
            f"but boot/config-{OTHER} is of {OTHER}"
        ),
    ),
    "a configuration of another version": (
        kernel_deb(
            {
                **sample_files(),
                f"boot/config-{RELEASE}": CONFIG.replace(
                    "Linux/x86 6.1.99", "Linux/x86 6.2"
                ).encode(),
            }
        ),
        ReleaseError,
        f"boot/config-{RELEASE} is not of this kernel: it is of Linux 6.2",
    ),
    "device trees of another release": (
        kernel_deb({**sample_files(), f"usr/lib/linux-image-{OTHER}/board.dtb": b""}),
        ReleaseError,
        (
            f"the kernel file boot/vmlinuz-{RELEASE} is of {RELEASE}, "
            f"but usr/lib/linux-image-{OTHER} is of {OTHER}"
        ),
    ),
    "modules of other releases": (
        kernel_deb(
            {
                **sample_files(),
                VETH: module(VERMAGIC.replace(RELEASE, OTHER)),
                f"{BASE}/kernel/drivers/net/a.ko": module(VERMAGIC.replace(RELEASE, OTHER)),
                f"{BASE}/kernel/drivers/net/b.ko": module(VERMAGIC.replace(RELEASE, "5.10")),
                f"{BASE}/kernel/drivers/net/c.ko": make_ko({"license": "GPL"}),
            }
        ),
        ReleaseError,
        (
            f"the kernel is {RELEASE}, but 4 of 9 modules are of no release at all and 5.10 and "
            f"{OTHER}: kernel/drivers/net/a.ko, kernel/drivers/net/b.ko, kernel/drivers/net/c.ko, …"
        ),
    ),
    "one module of another build": (
        kernel_deb({**sample_files(), VETH: module(VERMAGIC.replace("preempt ", ""))}),
        ReleaseError,
        (
            f"1 of 6 modules is built for another kernel {RELEASE}: vermagic "
            f"'{RELEASE} SMP mod_unload modversions' instead of "
            f"'{RELEASE} SMP preempt mod_unload modversions': kernel/drivers/net/veth.ko"
        ),
    ),
    "a module for another machine": (
        kernel_deb({**sample_files(), VETH: make_ko({"vermagic": VERMAGIC}, machine=183)}),
        ReleaseError,
        (
            "the kernel is for amd64 (64-bit x86-64), but the module kernel/drivers/net/veth.ko "
            "is for 64-bit AArch64"
        ),
    ),
    "a package for another architecture": (
        make_deb(
            dict(sample_files()),
            control={"Package": f"linux-image-{RELEASE}", "Architecture": "arm64"},
        ),
        ReleaseError,
        (
            f"the package linux-image-{RELEASE} is for arm64 (64-bit AArch64), but the kernel in "
            "it is a x86 bzImage for amd64 (64-bit x86-64)"
        ),
    ),
    "a kernel for another architecture": (
        make_deb(
            {**sample_files(modules={}), f"boot/config-{RELEASE}": b"CONFIG_64BIT=y\n"},
            control={"Package": f"linux-image-{RELEASE}", "Architecture": "arm64"},
        ),
        ReleaseError,
        (
            f"the package linux-image-{RELEASE} is for arm64 (64-bit AArch64), but the kernel in "
            "it is a x86 bzImage for amd64 (64-bit x86-64)"
        ),
    ),
    "a kernel that cannot be unpacked": (
        make_deb(
            {**sample_files(), f"boot/vmlinuz-{RELEASE}": make_zimage(LZO + bytes(64))},
            control={"Package": f"linux-image-{RELEASE}", "Architecture": "armhf"},
        ),
        ReleaseError,
        f"the kernel boot/vmlinuz-{RELEASE} does not tell its release",
    ),
    "an architecture that is none": (
        make_deb(
            dict(sample_files()),
            control={"Package": f"linux-image-{RELEASE}", "Architecture": "pdp11"},
        ),
        SpecError,
        "'pdp11' is no architecture that is known here",
    ),
    "a module that is text": (
        kernel_deb({**sample_files(), VETH: b"no module\n"}),
        FormatError,
        "the module kernel/drivers/net/veth.ko: ",
    ),
    "a damaged compressed module": (
        kernel_deb({**sample_files(), f"{VETH}.xz": lzma.compress(module())[:-9]}),
        FormatError,
        "the module kernel/drivers/net/veth.ko.xz: ",
    ),
    "a module twice": (
        kernel_deb({**sample_files(), VETH: module(), f"{VETH}.gz": gzip.compress(module())}),
        FormatError,
        (
            "the module kernel/drivers/net/veth.ko is there twice, the second time as "
            "kernel/drivers/net/veth.ko.gz"
        ),
    ),
    "a module that is a link": (
        kernel_deb({**sample_files(), VETH: "../dummy.ko"}),
        UnsupportedError,
        f"{VETH} in the package is a symlink, not a regular file",
    ),
    "a module that is a hard link": (
        make_deb(
            {**sample_files(), VETH: hard_link(f"./{BASE}/kernel/net/dummy.ko")},
            control={"Package": f"linux-image-{RELEASE}"},
        ),
        UnsupportedError,
        f"{VETH} in the package is a hard link, not a regular file",
    ),
    "a kernel that is none": (
        kernel_deb({**sample_files(), f"boot/vmlinuz-{RELEASE}": b"\0" * 4096}),
        FormatError,
        f"the kernel boot/vmlinuz-{RELEASE}: no kernel image: it starts with 00 00",
    ),
    "no package": (b"#!/bin/sh\n", FormatError, ""),
    "nothing": (b"", FormatError, ""),
    "cut": (kernel_deb()[:-100], FormatError, ""),
}


@pytest.mark.parametrize(
    ("data", "kind", "message"), WRONG.values(), ids=[name.replace(" ", "-") for name in WRONG]
)
def test_wrong_packages(data: bytes, kind: type[RdcomposeError], message: str) -> None:
    with pytest.raises(kind) as caught:
        read(data)
    assert type(caught.value) is kind
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message


def test_many_large_modules_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdcompose.kernel.moduletree.MAX_WAITING", 5000)
    modules = {
        f"kernel/m{number}.ko": make_ko({"vermagic": VERMAGIC}, padding=4000)
        for number in range(40)
    }
    assert summary(read(kernel_deb(sample_files(modules=modules)))) == modules


def test_other_files_are_passed_over() -> None:
    files: dict[str, Content] = {
        **sample_files(),
        "boot/System.map-1": b"",
        "boot/vmlinuz.old": b"",
        "lib/modules/README": b"",
        f"{BASE}/kernel/modules.order": b"not the one",
        f"{BASE}/modules.dep": b"",
    }
    assert read(kernel_deb(files)).tree.files == read(kernel_deb()).tree.files
