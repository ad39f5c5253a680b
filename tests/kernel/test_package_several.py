"""Several kernels in one package, and kernels that carry their configuration inside."""

from __future__ import annotations

import gzip
import io

import pytest

from rdcompose.errors import FormatError, ReleaseError, SpecError
from rdcompose.kernel.package import KernelPackage, read_kernels
from rdcompose.kernel.source import DebSource
from tests.support import raspberry
from tests.support.archive_packages import kernel_package
from tests.support.debs import make_deb
from tests.support.images import gzipped, make_arm64
from tests.support.modules import make_ko
from tests.support.raspberry import BY_RELEASE

V7, V8 = "6.1.21-v7+", "6.1.21-v8+"


def read(deb: bytes, release: str | None = None) -> dict[str, KernelPackage]:
    found = read_kernels([DebSource(io.BytesIO(deb))], release=release)
    return {package.release: package for package in found}


def test_all_of_them() -> None:
    found = read(raspberry.package())
    assert {release: package.architecture.name for release, package in found.items()} == {
        "6.1.21+": "armel",  # Debian's armhf does not run on an ARMv6
        "6.1.21-v7+": "armhf",
        "6.1.21-v7l+": "armhf",
        "6.1.21-v8+": "arm64",
        "6.1.21-v8-16k+": "arm64",
    }
    for release, package in found.items():
        name = BY_RELEASE[release]
        assert (package.image_name, package.image) == ("vmlinuz", raspberry.image(name, release))
        assert package.config_text.decode() == raspberry.config(name)
        vermagics = {module.elf.vermagic for module in package.tree.modules}
        assert len(vermagics) == 1
        assert (vermagics.pop() or "").startswith(f"{release} ")
        assert package.tree.builtin == ("kernel/fs/ext4/ext4.ko",)


@pytest.mark.parametrize("release", BY_RELEASE)
def test_one_of_them(release: str) -> None:
    """It is the same as among all, and files of the others do not matter."""
    files = raspberry.files()
    whole = read(raspberry.package(files))[release]
    for path in files:
        if path.endswith("dummy.ko.xz") and release not in path.split("/"):
            files[path] = b"damaged"
    (found,) = read(raspberry.package(files), release).values()
    assert (found.release, found.timestamp) == (release, whole.timestamp)
    assert (found.image, found.config_text) == (whole.image, whole.config_text)
    assert [m.path for m in found.tree.modules] == [m.path for m in whole.tree.modules]


def test_none_of_them() -> None:
    with pytest.raises(SpecError) as caught:
        read(raspberry.package(), "6.1.21-v9+")
    assert caught.value.message == "raspberrypi-kernel holds no kernel 6.1.21-v9+"
    assert caught.value.hint == f"there is {', '.join(sorted(BY_RELEASE))}"


def test_names_of_kernels_do_not_matter() -> None:
    files = raspberry.files("kernel7.img", "kernel8.img")
    files["boot/kernel7.img"], files["boot/kernel8.img"] = (
        files["boot/kernel8.img"],
        files["boot/kernel7.img"],
    )
    assert {
        release: package.architecture.name
        for release, package in read(raspberry.package(files)).items()
    } == {V7: "armhf", V8: "arm64"}


def test_modules_of_no_kernel() -> None:
    files = raspberry.files()
    del files["boot/kernel8.img"]
    with pytest.raises(ReleaseError) as caught:
        read(raspberry.package(files))
    assert caught.value.message == (
        f"the module directory lib/modules/{V8} is of {V8}, but the kernels here are of "
        "6.1.21+, 6.1.21-v7+, 6.1.21-v7l+, 6.1.21-v8-16k+"
    )


def test_kernel_without_its_modules() -> None:
    files = {
        path: data
        for path, data in raspberry.files("kernel7.img", "kernel8.img").items()
        if not path.startswith(f"lib/modules/{V8}/")
    }
    with pytest.raises(FormatError, match="raspberrypi-kernel holds no modules, but the config"):
        read(raspberry.package(files))


def test_two_kernels_of_one_release() -> None:
    files = raspberry.files("kernel8.img")
    files["boot/kernel_2712.img"] = files["boot/kernel8.img"]
    assert list(read(raspberry.package(files))) == [V8]
    files["boot/kernel_2712.img"] = raspberry.image("kernel_2712.img", V8) + b"\0"
    with pytest.raises(ReleaseError, match=r"kernel8.img and boot/kernel_2712.img are different"):
        read(raspberry.package(files))


def test_no_configuration_anywhere() -> None:
    files = raspberry.files("kernel7.img")
    del files[f"lib/modules/{V7}/kernel/kernel/configs.ko"]
    with pytest.raises(FormatError) as caught:
        read(raspberry.package(files))
    assert caught.value.message == (
        f"raspberrypi-kernel holds no boot/config-{V7}, and the kernel carries none "
        "(CONFIG_IKCONFIG)"
    )
    files[f"boot/config-{V7}"] = raspberry.config("kernel7.img").encode()
    assert list(read(raspberry.package(files))) == [V7]


def test_configuration_of_another_kernel() -> None:
    files = raspberry.files("kernel7.img")
    ko = make_ko({"vermagic": f"{V7} SMP mod_unload modversions ARMv7 p2v8 "}, bits=32, machine=40)
    text = raspberry.config("kernel7.img").replace("6.1.21", "6.6.1")
    files[f"lib/modules/{V7}/kernel/kernel/configs.ko"] = ko + raspberry.ikconfig(text)
    with pytest.raises(ReleaseError) as caught:
        read(raspberry.package(files))
    assert caught.value.message == (
        "the configuration inside the module kernel/kernel/configs.ko is not of this kernel: "
        "it is of Linux 6.6.1"
    )


def test_damaged_configuration() -> None:
    files = raspberry.files("kernel7.img")
    path = f"lib/modules/{V7}/kernel/kernel/configs.ko"
    content = files[path]
    assert isinstance(content, bytes)
    files[path] = content[:-20]
    with pytest.raises(FormatError, match="gzip"):
        read(raspberry.package(files))


def test_gzip_of_the_tests_is_what_the_kernel_has() -> None:
    data = raspberry.ikconfig("CONFIG_X=y\n")
    assert gzip.decompress(data[8:-8]) == b"CONFIG_X=y\n"


def test_package_of_today() -> None:
    """Since Debian 12, Raspberry Pi OS has a package for each kernel, as Debian."""
    release = "6.12.75+rpt-rpi-v8"
    deb = kernel_package(release, "1:6.12.75-1+rpt1", "arm64")
    assert list(read(deb)) == [release]
    (found,) = read(deb).values()
    assert found.architecture.name == "arm64"


@pytest.mark.parametrize(("other", "fits"), [("6.12.75+rpt-rpi-v8", True), ("6.12.62", False)])
def test_device_trees_are_of_the_kernel(other: str, fits: bool) -> None:
    files = raspberry.files("kernel8.img")
    renamed = {
        path.replace(V8, "6.12.75+rpt-rpi-v8"): data
        for path, data in files.items()
        if not path.endswith((".ko", ".ko.xz"))
    }
    release = "6.12.75+rpt-rpi-v8"
    del renamed["boot/kernel8.img"]
    renamed[f"boot/vmlinuz-{release}"] = gzipped(make_arm64(release))
    config = raspberry.config("kernel8.img").replace("6.1.21", "6.12.75").replace("=m", "=y")
    renamed[f"boot/config-{release}"] = config.encode()
    for name in ("broadcom/bcm2711-rpi-4-b.dtb", "overlays/disable-bt.dtbo", "overlays/README"):
        renamed[f"usr/lib/linux-image-{other}/{name}"] = b""
    deb = make_deb(renamed, control={"Package": f"linux-image-{release}", "Architecture": "arm64"})
    if fits:
        assert list(read(deb)) == [release]
        return
    with pytest.raises(ReleaseError, match=r"but usr/lib/linux-image-6\.12\.62 is of 6\.12\.62"):
        read(deb)
