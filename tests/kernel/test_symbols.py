from __future__ import annotations

import gzip

import pytest

from rdcompose.errors import ReleaseError
from rdcompose.formats.symvers import KERNEL, SymbolVersion
from rdcompose.kernel.symbols import kernel_symbols
from tests.support.ksymtab import make_ksymtab
from tests.support.own_modules import (
    CORE,
    FILLER,
    GPL,
    NAMESPACES,
    PLAIN,
    kernel_image,
    own_module,
    sample_kernel,
)


def test_what_the_modules_tell() -> None:
    symbols = kernel_symbols(sample_kernel(), None)
    assert symbols.used == {
        "module_layout": 0x11, "_printk": 0x12, "core_get": 0x31,
    }  # fmt: skip
    assert symbols.offered == {"core": CORE, "user": {}}
    assert symbols.exported == {
        name: SymbolVersion(crc, "core", gpl=False, namespace="") for name, crc in CORE.items()
    }
    assert not symbols.complete


@pytest.mark.parametrize("packed", [False, True])
def test_what_the_image_tells(packed: bool) -> None:
    image = kernel_image()
    if packed:
        image = b"code" + gzip.compress(image, mtime=0)
    symbols = kernel_symbols(sample_kernel(image=image), None)
    assert symbols.complete
    assert symbols.exported.keys() == {*PLAIN, *GPL, *FILLER, *CORE}
    assert symbols.exported["cxl_get"] == SymbolVersion(0x22, KERNEL, gpl=True, namespace="CXL")
    assert symbols.exported["kfree"] == SymbolVersion(0x13, KERNEL, gpl=False, namespace="")


def test_an_image_that_does_not_fit_its_modules_tells_nothing() -> None:
    # As a kernel of before 5.19 does, whose CRCs stand elsewhere.
    image = make_ksymtab({**PLAIN, **FILLER, "_printk": 1}, GPL, namespaces=NAMESPACES)
    symbols = kernel_symbols(sample_kernel(image=image), None)
    assert not symbols.complete
    assert symbols.exported.keys() == CORE.keys()


def test_without_symbol_versions_names_are_what_counts() -> None:
    package = sample_kernel(image=kernel_image(versioned=False), options={"MODVERSIONS": "n"})
    symbols = kernel_symbols(package, None)
    assert symbols.complete
    assert set(symbols.exported) == {*PLAIN, *GPL, *FILLER, *CORE}
    assert {symbol.crc for symbol in symbols.exported.values()} == {0}
    assert symbols.offered["core"] == dict.fromkeys(CORE, 0)
    assert set(symbols.used) == {"module_layout", "_printk", "core_get"}


SYMVERS = {
    name: SymbolVersion(crc, KERNEL, gpl=name in GPL, namespace="")
    for name, crc in {**PLAIN, **GPL}.items()
}


def test_what_module_symvers_tells() -> None:
    symbols = kernel_symbols(sample_kernel(), SYMVERS)
    assert symbols.complete
    assert symbols.exported["device_register"].gpl
    assert symbols.exported.keys() == {*PLAIN, *GPL, *CORE}


@pytest.mark.parametrize("name", ["_printk", "core_put"])
def test_module_symvers_of_another_kernel(name: str) -> None:
    other = {**SYMVERS, name: SymbolVersion(0x99, KERNEL, gpl=False, namespace="")}
    message = f"is not of 6.1.0-7-cloud-amd64: the kernel has other versions of 1 symbols: {name}"
    with pytest.raises(ReleaseError, match=message) as caught:
        kernel_symbols(sample_kernel(), other)
    assert caught.value.hint == "take it from linux-headers-6.1.0-7-cloud-amd64"


def test_many_names_are_cut_short() -> None:
    needs = {f"symbol_{number}": number for number in range(9)}
    package = sample_kernel(modules={"kernel/a.ko": own_module("a", needs)})
    other = {name: SymbolVersion(77, KERNEL, gpl=False, namespace="") for name in needs}
    with pytest.raises(ReleaseError, match=r"of 9 symbols: symbol_0, .*, symbol_4, …$"):
        kernel_symbols(package, other)
