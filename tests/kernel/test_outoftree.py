"""Every way in which a module can fail to fit, and that one which fits is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import ReleaseError
from rdcompose.kernel.outoftree import check_out_of_tree
from rdcompose.kernel.symbols import kernel_symbols
from tests.support.ksymtab import make_ksymtab
from tests.support.own_modules import (
    CORE,
    FILLER,
    GPL,
    PLAIN,
    VERMAGIC,
    as_module,
    kernel_image,
    own_module,
    sample_kernel,
)

if TYPE_CHECKING:
    from rdcompose.kernel.module import Module
    from rdcompose.kernel.package import KernelPackage

GOOD = {"_printk": PLAIN["_printk"], "core_put": CORE["core_put"]}
BUILD = "build it for this kernel, against linux-headers-6.1.0-7-cloud-amd64"


def check(package: KernelPackage, **files: bytes) -> None:
    modules: list[Module] = [as_module(f"updates/{name}.ko", data) for name, data in files.items()]
    check_out_of_tree(package, modules, kernel_symbols(package, None))


def fault(package: KernelPackage, **files: bytes) -> str:
    with pytest.raises(ReleaseError) as caught:
        check(package, **files)
    assert caught.value.hint is not None
    return f"{caught.value.message} ({caught.value.hint})"


WITH_IMAGE = sample_kernel(image=kernel_image())
WITHOUT = sample_kernel()


@pytest.mark.parametrize("package", [WITH_IMAGE, WITHOUT], ids=["image", "modules"])
def test_one_that_fits(package: KernelPackage) -> None:
    check(package, one=own_module("one", GOOD))


def test_modules_that_need_each_other() -> None:
    one = own_module("one", GOOD, exports={"one_get": 0x77})
    check(WITH_IMAGE, one=one, two=own_module("two", {"one_get": 0x77}, modinfo=["depends=one"]))
    # Built apart, without KBUILD_EXTRA_SYMBOLS: there is no version to compare.
    check(WITH_IMAGE, one=one, two=own_module("two", unversioned=["one_get"]))
    found = fault(WITH_IMAGE, one=one, two=own_module("two", {"one_get": 0x78}))
    assert "two.ko does not fit" in found
    assert "of its 2 symbols, 1 have other versions in this kernel: one_get" in found


PREFIX = "the module bad.ko does not fit the kernel 6.1.0-7-cloud-amd64: "
FAULTS = {
    "release": (
        own_module("bad", vermagic=VERMAGIC.replace("0-7", "0-6")),
        f"{PREFIX}its release is 6.1.0-6-cloud-amd64 ({BUILD})",
    ),
    "vermagic": (
        own_module("bad", vermagic=VERMAGIC.replace("preempt", "preempt_rt")),
        (f"{PREFIX}it was built with preempt_rt (real time); it was built without preempt "
        f"(preemption) ({BUILD})"),
    ),
    "machine": (
        own_module("bad", {"_printk": 0x99}, machine=183, vermagic=""),
        f"{PREFIX}it is for 64-bit AArch64, not for amd64 (64-bit x86-64) ({BUILD})",
    ),
    "versions": (
        own_module("bad", {"_printk": 0x99, "core_get": 0x98, "kfree": PLAIN["kfree"]}),
        (f"{PREFIX}of its 4 symbols, 2 have other versions in this kernel: _printk, core_get "
        f"({BUILD})"),
    ),
    "no versions": (
        own_module("bad", unversioned=["kfree"]),
        (f"{PREFIX}it was built without versions of 1 symbols, which the kernel then does not "
        f"check: kfree ({BUILD})"),
    ),
    "unknown": (
        own_module("bad", {"vanished": 1}),
        f"{PREFIX}1 of its symbols are exported by nothing: vanished ({BUILD})",
    ),
    "depends": (
        own_module("bad", modinfo=["depends=core,gone-away,ext4"]),
        (f"{PREFIX}it depends on modules that are not there: gone-away (give what it depends on, "
        "too, with --module)"),
    ),
    "licence": (
        own_module("bad", {"device_register": GPL["device_register"]}, modinfo=["license=MIT"]),
        (f"{PREFIX}its licence is 'MIT', and 1 of its symbols are for the GPL only: "
        f"device_register ({BUILD})"),
    ),
    "namespace": (
        own_module("bad", {"cxl_get": GPL["cxl_get"]}, modinfo=["import_ns=OTHER"]),
        f"{PREFIX}it does not import the namespaces CXL ({BUILD})",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_one_that_does_not_fit(data: bytes, message: str) -> None:
    package = sample_kernel(image=kernel_image(), builtin=["kernel/fs/ext4/ext4.ko"])
    assert fault(package, good=own_module("good", GOOD), bad=data) == message


def test_several_that_do_not_fit() -> None:
    files = {f"bad{n}": own_module(f"bad{n}", {"_printk": n}) for n in range(5)}
    found = fault(WITH_IMAGE, **files)
    assert found.startswith(
        "5 of 5 modules do not fit the kernel 6.1.0-7-cloud-amd64: bad0.ko: of its 2 symbols"
    )
    assert "bad2.ko" in found
    assert "bad3.ko" not in found
    assert ". And 2 more (" in found


def test_what_cannot_be_proved_is_refused() -> None:
    found = fault(WITHOUT, bad=own_module("bad", {"kfree": PLAIN["kfree"], "_printk": 0x12}))
    assert found == (
        f"{PREFIX}1 of its symbols are used by no module of this kernel, so their versions "
        "cannot be compared: kfree (give Module.symvers, or the "
        "linux-headers-6.1.0-7-cloud-amd64 package that holds it, with --symvers)"
    )


def test_a_namespace_that_is_imported_or_need_not_be() -> None:
    user = {"cxl_get": GPL["cxl_get"]}
    check(WITH_IMAGE, good=own_module("good", user, modinfo=["import_ns=CXL"]))
    lax = sample_kernel(
        image=kernel_image(), options={"MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS": "y"}
    )
    check(lax, good=own_module("good", user))


def test_signatures_where_the_kernel_demands_them() -> None:
    package = sample_kernel(options={"MODULE_SIG_FORCE": "y"})
    check(package, good=own_module("good", signature=b"PKCS#7"))
    assert "it is not signed, and this kernel loads only what is" in fault(
        package, bad=own_module("bad")
    )


def test_one_that_takes_the_place_of_another() -> None:
    check(WITH_IMAGE, core=own_module("core", exports=CORE))
    # core_put is used by nothing.
    check(WITH_IMAGE, core=own_module("core", exports={"core_get": CORE["core_get"]}))
    assert (
        "it takes the place of the kernel's own core, whose symbols other modules need: core_get"
        in fault(WITH_IMAGE, core=own_module("core", exports={"core_get": 5, "core_put": 0x32}))
    )
    # What the replaced module exported is gone for the others, too.
    found = fault(
        WITH_IMAGE,
        core=own_module("core", exports={"core_get": CORE["core_get"]}),
        bad=own_module("bad", {"core_put": CORE["core_put"]}),
    )
    assert "bad.ko does not fit" in found
    assert "exported by nothing: core_put" in found


def test_a_kernel_without_symbol_versions() -> None:
    words = VERMAGIC.replace(" modversions", "")
    modules = {"kernel/core.ko": own_module("core", exports=["core_get"], vermagic=words)}
    package = sample_kernel(
        image=kernel_image(versioned=False), modules=modules, options={"MODVERSIONS": "n"}
    )
    check(package, good=own_module("good", {"core_get": 1}, unversioned=["kfree"], vermagic=words))
    assert "exported by nothing: gone" in fault(
        package, bad=own_module("bad", unversioned=["gone"], vermagic=words)
    )
    assert "it was built with modversions" in fault(package, bad=own_module("bad"))
    # Without CRCs, names are what others need.
    user = {"kernel/user.ko": own_module("user", unversioned=["core_get"], vermagic=words)}
    used = sample_kernel(
        image=kernel_image(versioned=False), modules=modules | user, options={"MODVERSIONS": "n"}
    )
    check(used, core=own_module("core", exports=["core_get"], vermagic=words))
    assert "takes the place of the kernel's own core" in fault(
        used, core=own_module("core", exports=["core_put"], vermagic=words)
    )


def test_a_kernel_without_modules_shows_only_its_release() -> None:
    package = sample_kernel(image=kernel_image(), modules={})
    check(
        package,
        good=own_module("good", {"kfree": PLAIN["kfree"]}, vermagic="6.1.0-7-cloud-amd64 odd"),
    )
    assert "its release is 6.2" in fault(package, bad=own_module("bad", vermagic="6.2 SMP "))


@pytest.mark.parametrize(("name", "allowed"), [("kvm", True), ("kvm-intel", True), ("zfs", False)])
def test_a_namespace_of_named_modules(name: str, allowed: bool) -> None:
    image = make_ksymtab({**PLAIN, **FILLER}, GPL, namespaces={"cxl_get": "module:kvm,kvm-*"})
    package = sample_kernel(image=image)
    data = {name: own_module(name, {"cxl_get": GPL["cxl_get"]})}
    if allowed:
        check(package, **data)
    else:
        assert "it does not import the namespaces module:kvm" in fault(package, **data)
