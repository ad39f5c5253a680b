"""Kernels in several packages, given in any order; those of Ubuntu."""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError, ReleaseError
from rdcompose.kernel.package import KernelPackage, read_kernels
from rdcompose.kernel.source import DebSource
from tests.support import ubuntu
from tests.support.archive_packages import MODULES
from tests.support.debs import make_deb
from tests.support.ubuntu import EXTRA, RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterable

IMAGE, PLAIN, EXTRAS = ubuntu.packages()
OTHER = "6.8.0-44-generic"


def read(*debs: bytes) -> KernelPackage:
    (found,) = read_kernels([DebSource(io.BytesIO(deb)) for deb in debs])
    return found


def pick(names: Iterable[str]) -> list[bytes]:
    return [ubuntu.packages()[name] for name in names]


@pytest.mark.parametrize("names", list(itertools.permutations([IMAGE, PLAIN, EXTRAS])))
def test_any_order(names: tuple[str, ...]) -> None:
    found = read(*pick(names))
    assert (found.release, found.architecture.name) == (RELEASE, "amd64")
    assert [module.path for module in found.tree.modules] == [
        f"kernel/{path}.ko" for path in sorted(MODULES)
    ]
    assert [control.package for control in found.controls] == list(names)
    assert found.tree.builtin == ("kernel/fs/ext4/ext4.ko",)


def test_extra_modules_need_not_be_there() -> None:
    found = read(*pick([PLAIN, IMAGE]))
    assert len(found.tree.modules) == len(MODULES) - len(EXTRA)


def test_unsigned() -> None:
    debs = ubuntu.packages(image="linux-image-unsigned").values()
    assert read(*debs).release == RELEASE


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ([IMAGE], f"{IMAGE} holds no boot/config-{RELEASE}", f"give {PLAIN}, too"),
        ([EXTRAS, IMAGE], f"{EXTRAS}, {IMAGE} hold no boot/config", f"give {PLAIN}, too"),
        ([PLAIN], f"{PLAIN} holds no kernel", f"is wanted: {IMAGE}"),
        ([PLAIN, EXTRAS], f"{PLAIN}, {EXTRAS} hold no kernel", f"is wanted: {IMAGE}"),
        ([EXTRAS], f"{EXTRAS} holds no kernel", f"give {IMAGE}, {PLAIN}, too"),
    ],
)
def test_missing_part_is_named(given: list[str], message: str, hint: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(*pick(given))
    assert caught.value.message.startswith(message)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("foreign", [0, 1, 2])
def test_part_of_another_release(foreign: int) -> None:
    debs = list(ubuntu.packages().values())
    debs[foreign] = list(ubuntu.packages(OTHER).values())[foreign]
    with pytest.raises(ReleaseError) as caught:
        read(*debs)
    assert RELEASE in caught.value.message
    assert OTHER in caught.value.message


def test_part_of_another_architecture() -> None:
    debs = pick([IMAGE, PLAIN])
    debs.append(list(ubuntu.packages(architecture="arm64").values())[2])
    with pytest.raises(ReleaseError) as caught:
        read(*debs)
    assert caught.value.message == f"{IMAGE} is for amd64, but {EXTRAS} is for arm64"


def test_package_for_all_architectures_may_be_among_them() -> None:
    other = make_deb({"usr/share/doc/x": b""}, control={"Package": "x", "Architecture": "all"})
    assert read(other, *pick([IMAGE, PLAIN])).architecture.name == "amd64"


def test_part_twice() -> None:
    with pytest.raises(FormatError, match="is there twice"):
        read(*pick([IMAGE, PLAIN, PLAIN]))
