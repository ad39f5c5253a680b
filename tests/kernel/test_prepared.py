"""Kernels come back from a file as they were, or not at all."""

from __future__ import annotations

import dataclasses
import io
import random
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from rdcompose.errors import FormatError
from rdcompose.kernel import moduletree, prepared
from rdcompose.kernel.held import Held
from rdcompose.kernel.package import KernelPackage, read_kernels
from rdcompose.kernel.prepared import DeviceTrees, Prepared, PreparedKernels
from rdcompose.kernel.source import DebSource
from rdcompose.tree import read_all
from tests.support.packages import CONFIG, RELEASE, kernel_deb, sample_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rdcompose.kernel.module import Module

INPUTS = ("0" * 64,)
TREES = f"usr/lib/linux-image-{RELEASE}"


@pytest.fixture(autouse=True, params=[0, 1 << 20], ids=["packed", "plain"])
def room(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold modules either way."""
    monkeypatch.setattr(moduletree, "MAX_PLAIN", request.param)


class File:
    """A file in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads: list[tuple[int, int]] = []

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, size: int) -> bytes:
        self.reads.append((offset, size))
        return self.data[offset : offset + size]


def sample(device_trees: Callable[[str], bool] | None = None) -> tuple[KernelPackage, ...]:
    files = sample_files() | {
        f"{TREES}/a.dtb": b"tree a",
        f"{TREES}/b/c.dtb": b"tree c",
        f"lib/modules/{RELEASE}/modules.dep": b"kernel/net/dummy.ko:\n",
    }
    return read_kernels([DebSource(io.BytesIO(kernel_deb(files)))], device_trees=device_trees)


def stored(kernels: Sequence[KernelPackage], trees: DeviceTrees | None = None) -> bytes:
    answers = None if trees is None else trees.answers
    return b"".join(Prepared(kernels=kernels, inputs=INPUTS, device_trees=answers).parts())


def never() -> tuple[KernelPackage, ...]:
    pytest.fail("a kernel that is whole was read again")


def opened(data: bytes) -> PreparedKernels:
    found = PreparedKernels.open(File(data))
    assert found is not None
    return found


def load(data: bytes, *, device_trees: bool = False) -> tuple[KernelPackage, ...]:
    found = opened(data).kernels(never, device_trees=device_trees)
    assert found is not None
    return found


def plain(kernel: KernelPackage) -> KernelPackage:
    """Return a kernel with nothing that is read later."""
    modules = [
        dataclasses.replace(module, content=read_all(module.content))  # type: ignore[arg-type]
        for module in kernel.tree.modules
    ]
    tree = dataclasses.replace(kernel.tree, modules=tuple(modules))
    return dataclasses.replace(kernel, tree=tree)


def test_a_kernel_comes_back_whole() -> None:
    kernels = sample()
    data = stored(kernels)
    assert opened(data).inputs == INPUTS
    assert list(map(plain, load(data))) == list(map(plain, kernels))
    before, after = kernels[0].tree.modules, load(data)[0].tree.modules
    assert [m.content.size for m in after] == [m.content.size for m in before]
    assert [getattr(m.content, "digest", None) for m in after] == [
        getattr(m.content, "digest", None) for m in before
    ]


def test_the_same_kernels_give_the_same_file() -> None:
    assert stored(sample()) == stored(sample())


def test_several_kernels_come_back_each_with_its_own_modules() -> None:
    (kernel,) = sample()
    tree = dataclasses.replace(kernel.tree, modules=kernel.tree.modules[2:], release="other")
    kernels = (kernel, dataclasses.replace(kernel, release="other", tree=tree))
    assert list(map(plain, load(stored(kernels)))) == list(map(plain, kernels))


def test_a_kernel_without_modules_comes_back() -> None:
    files = {f"boot/vmlinuz-{RELEASE}": sample_files()[f"boot/vmlinuz-{RELEASE}"]}
    files[f"boot/config-{RELEASE}"] = CONFIG.replace("=m", "=y").encode()
    kernels = read_kernels([DebSource(io.BytesIO(kernel_deb(files)))])
    assert load(stored(kernels)) == kernels


def test_names_that_are_no_text_come_back() -> None:
    (kernel,) = sample()
    first, *rest = kernel.tree.modules
    odd = "kernel/\udcff\udcfe.ko"
    elf = dataclasses.replace(
        first.elf, modinfo=(("k\udc80", ""), ("", "v\n\x01")), exports=("a\udcff",), imports=()
    )
    changed = dataclasses.replace(first, path=odd, elf=elf)
    tree = dataclasses.replace(kernel.tree, modules=(changed, *rest))
    kernels = (dataclasses.replace(kernel, tree=tree),)
    assert list(map(plain, load(stored(kernels)))) == list(map(plain, kernels))


def test_contents_are_read_when_they_are_wanted() -> None:
    file = File(stored(sample()))
    found = PreparedKernels.open(file)
    assert found is not None
    kernels = found.kernels(never, device_trees=False)
    assert kernels is not None
    before = len(file.reads)
    module = kernels[0].tree.modules[0]
    assert module.content.size > 0
    assert len(file.reads) == before
    assert b"".join(module.content.chunks(7)) == read_all(sample()[0].tree.modules[0].content)
    assert len(file.reads) == before + 1


def test_device_trees_are_there_if_the_same_ones_are_wanted() -> None:
    wanted = DeviceTrees(lambda path: path.startswith("a"))
    kernels = sample(wanted)
    assert wanted.answers == {"a.dtb": True, "b": False, "b/c.dtb": False}
    data = stored(kernels, wanted)
    found = opened(data)
    assert found.has_device_trees(None)
    assert found.has_device_trees(lambda path: path == "a.dtb")
    assert not found.has_device_trees(lambda _path: True)
    assert not found.has_device_trees(lambda _path: False)
    assert load(data, device_trees=True)[0].device_trees == {"a.dtb": b"tree a"}
    assert load(data)[0].device_trees == {}


def test_where_none_were_asked_for_it_is_not_known_which_there_are() -> None:
    found = opened(stored(sample()))
    assert found.has_device_trees(None)
    assert not found.has_device_trees(lambda _path: False)


def test_no_damage_in_front_of_the_modules_passes() -> None:
    data = stored(sample())
    end = data.index(_held(sample()[0].tree.modules[0]))
    for at in [*range(120), *range(120, end, 97)]:
        damaged = bytearray(data)
        damaged[at] ^= 0x10
        found = PreparedKernels.open(File(bytes(damaged)))
        if found is not None:
            # Only contents are left to be damaged.
            kernels = found.kernels(sample, device_trees=False)
            assert kernels is None or plain(kernels[0]) == plain(sample()[0])


@pytest.mark.parametrize("cut", [0, 1, 100, 1000, -1])
def test_what_is_cut_or_longer_is_no_file(cut: int) -> None:
    data = stored(sample())
    assert PreparedKernels.open(File(data[:cut])) is None
    assert PreparedKernels.open(File(data + b"\0")) is None


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 4096, random.Random(7).randbytes(4096), b"rdcompose" * 100]
)
def test_what_is_foreign_is_no_file(data: bytes) -> None:
    assert PreparedKernels.open(File(data)) is None


def test_another_version_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    data = stored(sample())
    monkeypatch.setattr(prepared, "_MAGIC", b"rdcompose9999 l\0")
    assert PreparedKernels.open(File(data)) is None


@pytest.mark.parametrize("what", ["image", "config", "modules.order"])
def test_damage_in_what_every_build_needs_is_no_kernel(what: str) -> None:
    (kernel,) = sample()
    content = {
        "image": kernel.image,
        "config": kernel.config_text,
        "modules.order": kernel.tree.files["modules.order"],
    }[what]
    data = stored((kernel,))
    at = data.rindex(content)
    damaged = data[:at] + b"!" + data[at + 1 :]
    assert opened(damaged).kernels(never, device_trees=False) is None


def _held(module: Module) -> bytes:
    """Return a module as it is stored."""
    assert isinstance(module.content, Held)
    return bytes(module.content.stored()[0])


def _damaged_modules() -> bytes:
    """Return a file in which every module has a wrong byte."""
    (kernel,) = sample()
    data = bytearray(stored((kernel,)))
    for module in kernel.tree.modules:
        raw = _held(module)
        at = data.index(raw)
        data[at + len(raw) // 2] ^= 0xFF
    return bytes(data)


def test_a_damaged_module_is_read_from_where_it_came_from_once() -> None:
    again = mock.Mock(side_effect=sample)
    kernels = opened(_damaged_modules()).kernels(again, device_trees=False)
    assert kernels is not None
    again.assert_not_called()
    assert plain(kernels[0]) == plain(sample()[0])
    again.assert_called_once_with()


def test_a_damaged_module_that_has_changed_meanwhile_is_an_error() -> None:
    def other() -> tuple[KernelPackage, ...]:
        files = sample_files()
        del files[f"lib/modules/{RELEASE}/kernel/net/dummy.ko"]
        return read_kernels([DebSource(io.BytesIO(kernel_deb(files)))])

    kernels = opened(_damaged_modules()).kernels(other, device_trees=False)
    assert kernels is not None
    dummy = next(module for module in kernels[0].tree.modules if module.name == "dummy")
    with pytest.raises(FormatError, match=r"kernel/net/dummy.ko of .* changed while"):
        read_all(dummy.content)
