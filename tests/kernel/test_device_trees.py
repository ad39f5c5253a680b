"""Device trees and overlays of kernels: in packages of every layout, and below a root."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import ReleaseError, UnsupportedError
from rdcompose.kernel.package import KernelPackage, read_kernels
from rdcompose.kernel.rootfs import TreeSource
from rdcompose.kernel.source import DebSource
from tests.support import raspberry
from tests.support.debs import Content, hard_link, make_deb
from tests.support.packages import RELEASE, sample_files

if TYPE_CHECKING:
    from pathlib import Path

PI3 = "broadcom/bcm2837-rpi-3-b.dtb"
OVERLAY = "overlays/disable-bt.dtbo"
TREES = {PI3: b"pi3", "rockchip/rk3399.dtb": b"rock", OVERLAY: b"bt", "overlays/README": b""}
WANTED = {PI3: b"pi3", OVERLAY: b"bt", "overlays/README": b""}


def for_pi(path: str) -> bool:
    return path.startswith(("broadcom/", "bcm", "overlays/"))


def deb(files: dict[str, Content]) -> bytes:
    return make_deb(files, control={"Package": f"linux-image-{RELEASE}"})


def with_trees(where: str) -> dict[str, Content]:
    return {**sample_files(), **{f"{where}/{path}": data for path, data in TREES.items()}}


def read(*debs: bytes, release: str | None = None) -> tuple[KernelPackage, ...]:
    sources = [DebSource(io.BytesIO(data)) for data in debs]
    return read_kernels(sources, release=release, device_trees=for_pi)


def fill(root: Path, files: dict[str, Content]) -> Path:
    for path, data in files.items():
        assert isinstance(data, bytes)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


def read_root(root: Path, release: str | None = None) -> KernelPackage:
    source = TreeSource(root, release, device_trees=for_pi)
    (found,) = read_kernels([source], release=source.release, device_trees=for_pi)
    return found


PLACES = [
    f"usr/lib/linux-image-{RELEASE}",
    f"lib/firmware/{RELEASE}/device-tree",
    f"usr/lib/firmware/{RELEASE}/device-tree",
    f"usr/lib/modules/{RELEASE}/dtb",
    f"lib/modules/{RELEASE}/dtb",
    f"boot/dtbs/{RELEASE}",
]


@pytest.mark.parametrize("where", PLACES)
def test_of_a_package(where: str) -> None:
    (found,) = read(deb(with_trees(where)))
    assert found.device_trees == WANTED
    assert list(found.device_trees) == sorted(WANTED)


def test_only_when_they_are_asked_for() -> None:
    source = DebSource(io.BytesIO(deb(with_trees(PLACES[0]))))
    (found,) = read_kernels([source])
    assert found.device_trees == {}


def test_of_another_package_than_the_kernel() -> None:
    trees = {path: data for path, data in with_trees(PLACES[1]).items() if "firmware" in path}
    modules = make_deb(trees, control={"Package": f"linux-modules-{RELEASE}"})
    (found,) = read(modules, deb(dict(sample_files())))
    assert found.device_trees == WANTED


def test_of_another_release() -> None:
    with pytest.raises(ReleaseError, match=r"boot/dtbs/6\.1\.0-8 "):
        read(deb(with_trees("boot/dtbs/6.1.0-8")))


def test_links_are_other_names() -> None:
    files = with_trees(PLACES[0])
    files[f"{PLACES[0]}/broadcom/bcm2710-rpi-3-b.dtb"] = "bcm2837-rpi-3-b.dtb"
    files[f"{PLACES[0]}/broadcom/bcm.dtb"] = None
    (found,) = read(deb(files))
    assert found.device_trees == WANTED
    files[f"{PLACES[0]}/broadcom/bcm.dtb"] = hard_link(f"./{PLACES[0]}/{PI3}")
    with pytest.raises(UnsupportedError, match=r"bcm\.dtb in the package is a hard link"):
        read(deb(files))


def test_those_for_all_kernels_of_a_package() -> None:
    """What tells no release belongs to each; a kernel with its own has those."""
    files = raspberry.files()
    files |= {"boot/bcm2710-rpi-3-b.dtb": b"3", f"boot/{OVERLAY}": b"bt"}
    files |= {"boot/overlays/README": b"all"}
    shared = {"bcm2708-rpi-b.dtb": b"", "bcm2710-rpi-3-b.dtb": b"3"}
    shared |= {OVERLAY: b"bt", "overlays/README": b"all"}
    for found in read(raspberry.package(files)):
        assert found.device_trees == shared
    files["usr/lib/linux-image-6.1.21-v8+/broadcom/bcm2710-rpi-3-b.dtb"] = b"8"
    trees = {found.release: found.device_trees for found in read(raspberry.package(files))}
    assert trees["6.1.21-v8+"] == {"broadcom/bcm2710-rpi-3-b.dtb": b"8"}
    assert trees["6.1.21-v7+"] == shared
    (one,) = read(raspberry.package(files), release="6.1.21-v7+")
    assert one.device_trees == shared


@pytest.mark.parametrize("where", [*PLACES, f"dtbs/{RELEASE}"])
def test_below_a_root(tmp_path: Path, where: str) -> None:
    """Wherever they lie, they are the same input; those of other releases are none."""
    files = with_trees(where)
    files[f"{where.replace(RELEASE, '6.1.0-8')}/{PI3}"] = b"other"
    found = read_root(fill(tmp_path, files))
    assert found.device_trees == WANTED


def test_they_are_part_of_the_digest_of_a_root(tmp_path: Path) -> None:
    def digest(root: Path, *, asked: bool) -> str:
        wanted = for_pi if asked else None
        source = TreeSource(root, device_trees=wanted)
        read_kernels([source], device_trees=wanted)
        return source.sha256()

    here, there = (
        fill(tmp_path / str(number), with_trees(PLACES[number])) for number in (0, len(PLACES) - 1)
    )
    assert digest(here, asked=True) == digest(there, asked=True) != digest(here, asked=False)
    (here / PLACES[0] / PI3).write_bytes(b"changed")
    assert digest(here, asked=True) != digest(there, asked=True)
    assert digest(here, asked=False) == digest(there, asked=False)


@pytest.mark.parametrize("boot", ["boot", "boot/firmware"])
def test_beside_a_kernel_that_only_tells_its_release_itself(tmp_path: Path, boot: str) -> None:
    files = raspberry.files("kernel8.img")
    moved = {path.replace("boot/", f"{boot}/"): data for path, data in files.items()}
    moved |= {f"{boot}/{OVERLAY}": b"bt", f"{boot}/x/bcm2710.dtb": b"no place for one"}
    moved = {path: data for path, data in moved.items() if isinstance(data, bytes)}
    found = read_root(fill(tmp_path, moved))
    assert found.device_trees == {"bcm2708-rpi-b.dtb": b"", OVERLAY: b"bt", "overlays/README": b""}


def test_not_those_beside_a_kernel_with_a_name_of_its_own(tmp_path: Path) -> None:
    """The boot partition's device trees are the firmware's, of whatever release."""
    files: dict[str, Content] = {**sample_files(), "boot/bcm2710-rpi-3-b.dtb": b"3"}
    assert read_root(fill(tmp_path, files)).device_trees == {}


def test_links_below_a_root_lead_nowhere(tmp_path: Path) -> None:
    root = fill(tmp_path, with_trees(PLACES[0]))
    (root / PLACES[0] / "broadcom/bcm2710-rpi-3-b.dtb").symlink_to("bcm2837-rpi-3-b.dtb")
    assert read_root(root).device_trees == WANTED
