from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rdcompose.inspect.checks.symbols import check_symbols
from tests.support.artifacts import (
    BLOCK,
    CRC,
    DUMMY,
    MODULES,
    Content,
    contradictions,
    disk,
    disk_files,
    group,
    initramfs,
    initramfs_files,
    kernel,
    module,
)
from tests.support.packages import RELEASE

if TYPE_CHECKING:
    from rdcompose.inspect.artifact import Artifact

OTHER = "6.1.0-8-cloud-amd64"
DISK = f"modules-{RELEASE}.qcow2"


def exporting(**crcs: int) -> Artifact:
    """A kernel that tells the versions of its symbols."""
    return dataclasses.replace(kernel(), exports={"module_layout": CRC} | crcs)


def test_sound() -> None:
    check = check_symbols(group())
    assert (check.findings, check.summary) == ((), "2 symbols of modules in one version each")


def test_none() -> None:
    assert not check_symbols(group(kernel())).done


def test_a_symbol_of_another_module() -> None:
    files = {**disk_files(), f"{RELEASE}/{DUMMY}": module(versions={"virtqueue_kick": 8})}
    assert contradictions(check_symbols(group(kernel(), initramfs(), disk(files)))) == [
        (
            f"{RELEASE}/{DUMMY} in {DISK} is of another build: it wants 1 symbol in other "
            "versions, virtqueue_kick with 0x00000008 where the module that has it has "
            "0x00000007"
        )
    ]


def test_a_symbol_of_the_kernel_is_as_most_have_it() -> None:
    files = {
        **disk_files(),
        f"{RELEASE}/{DUMMY}": module(versions={"module_layout": CRC + 1, "printk": 1}),
    }
    [message] = contradictions(check_symbols(group(kernel(), initramfs(), disk(files))))
    assert message == (
        f"{RELEASE}/{DUMMY} in {DISK} is of another build: it wants 1 symbol in other "
        "versions, module_layout with 0x11223345 where the other modules have 0x11223344"
    )


def test_many() -> None:
    files: dict[str, Content] = {
        f"{RELEASE}/kernel/x{n}.ko": module(versions={"virtqueue_kick": 9}) for n in range(8)
    }
    messages = contradictions(check_symbols(group(kernel(), initramfs(), disk(files))))
    assert len(messages) == 6
    assert messages[-1] == "the same of 3 more modules"


def test_modules_of_other_releases_are_not_compared() -> None:
    path = f"lib/modules/{OTHER}/x.ko"
    both = {**initramfs_files(), path: module(versions={"module_layout": 1})}
    assert check_symbols(group(kernel(), initramfs(both))).findings == ()


def test_the_kernel_says_what_is_right() -> None:
    check = check_symbols(group(exporting(), initramfs(), disk()))
    assert check.findings == ()
    assert check.summary == "2 symbols of the kernel and of modules in one version each"
    # All modules are of one build, and the kernel of another.
    wanting = {"module_layout": CRC + 1, "memcpy": 5}
    files: dict[str, Content] = {f"{RELEASE}/kernel/x.ko": module(versions=wanting)}
    assert contradictions(check_symbols(group(exporting(memcpy=5), disk(files)))) == [
        (
            f"{RELEASE}/kernel/x.ko in {DISK} is of another build: it wants 1 symbol in other "
            "versions, module_layout with 0x11223345 where the kernel has 0x11223344"
        )
    ]


def test_a_kernel_that_agrees_with_nobody_says_nothing() -> None:
    broken = dataclasses.replace(kernel(), exports={"module_layout": 1, "virtqueue_kick": 2})
    check = check_symbols(group(broken, initramfs(), disk()))
    assert check.findings == ()
    assert check.summary == "2 symbols of modules in one version each"


def test_a_symbol_that_nobody_has() -> None:
    files = initramfs_files() | {f"{MODULES}/{BLOCK}": module(versions={"gone": 1, "lost": 2})}
    assert check_symbols(group(kernel(), initramfs(files))).findings == ()
    [message] = contradictions(check_symbols(group(exporting(), initramfs(files))))
    assert message.endswith(
        "is of another build: it needs gone, lost, which neither the kernel nor a module has"
    )
    # That a module is missing is told by the check of dependencies.
    files[f"{MODULES}/{BLOCK}"] = module(depends="elsewhere", versions={"gone": 1})
    assert check_symbols(group(exporting(), initramfs(files))).findings == ()
