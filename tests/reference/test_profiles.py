"""The shipped profiles over real kernels: nothing missing, nothing dead."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from pathlib import Path
from typing import Final

import pytest

from rdcompose.compose.profile import load_profile, profile_names
from rdcompose.kernel.depmod import Depmod
from rdcompose.kernel.modlist import Include, ListEntry, parse_autoload, parse_modules
from rdcompose.kernel.modmatch import ModuleIndex
from rdcompose.kernel.package import read_kernels
from rdcompose.kernel.selection import Selection, select
from rdcompose.kernel.source import DebSource
from tests.support.kernels import KERNELS, package

pytestmark = pytest.mark.reference

CLOUD: Final = tuple(kernel for kernel in KERNELS if "cloud" in kernel[2])
PROFILES: Final = ("generic", "minivm", "netboot", "virtio")
# test_profile_pi.py tests these.
PI: Final = ("pi", "pinet")
REQUIRED: Final = (("squashfs", "to read the disk"), ("overlay", "to lay modules over the disk"))
# Entries that all of these kernels have and that are optional all the same, with an
# architecture (or cloud kernel) of Debian 12 or 13 that lacks them.
ELSEWHERE: Final = {
    "button": "armhf, ppc64el",
    "ena": "armel's rpi, s390x",
    "gve": "armhf, i386, ppc64el, riscv64",
    "hid_apple": "arm64's cloud kernels",
    "hid_generic": "arm64's cloud kernels",
    "hid_hyperv": "armhf, ppc64el, riscv64",
    "hid_microsoft": "arm64's cloud kernels",
    "hv_netvsc": "armhf, ppc64el, riscv64",
    "hv_storvsc": "armhf, ppc64el, riscv64",
    "hyperv_keyboard": "armhf, ppc64el, riscv64",
    "mlx4_en": "armel's rpi",
    "mlx5_core": "armel's rpi",
    "mpi3mr": "armel's rpi",
    "nvme": "armel's rpi",
    "qemu_fw_cfg": "armhf, ppc64el",
    "scsi_common": "Debian 11",
    "virtio_pci": "armel's rpi",
    "vmxnet3": "armhf, ppc64el, riscv64",
    "xen_blkfront": "i386, ppc64el, riscv64",
    "xen_netfront": "i386, ppc64el, riscv64",
    "xen_scsifront": "i386, ppc64el, riscv64",
}
MINIVM_LIST: Final = Path(__file__).parents[1] / "golden" / "modlist" / "minivm-debian12"

Kernel = tuple[str, str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the profiles come to in one kernel."""

    matched: frozenset[tuple[str, str]]
    selections: dict[str, Selection]
    minivm_list: Selection | None


@functools.cache
def seen(kernel: Kernel) -> Seen:
    with package(*kernel).open("rb") as stream:
        (found,) = read_kernels([DebSource(stream)])
    tree = found.tree
    depmod = Depmod(
        tree.modules,
        order=tree.order,
        builtin=tree.builtin,
        builtin_modinfo=tree.builtin_modinfo,
    )
    index = ModuleIndex(depmod.modules, depmod.builtin)
    matched: set[tuple[str, str]] = set()
    selections: dict[str, Selection] = {}
    for name in PROFILES:
        profile = load_profile(name)
        for entry in profile.entries:
            if index.match(entry.pattern):
                matched.add((name, entry.pattern))
        selections[name] = select(depmod, profile.entries, profile.autoload, required=REQUIRED)
    return Seen(
        matched=frozenset(matched),
        selections=selections,
        minivm_list=_minivm_list(depmod) if kernel in CLOUD else None,
    )


def _minivm_list(depmod: Depmod) -> Selection:
    parsed = parse_modules((MINIVM_LIST / "modules.ramfs").read_bytes(), file="modules.ramfs")
    entries = [entry for entry in parsed if not isinstance(entry, Include)]
    autoload = (MINIVM_LIST / "modules.autoload").read_bytes()
    loaded = parse_autoload(autoload, file="modules.autoload")
    return select(depmod, entries, loaded, required=REQUIRED)


def entries_of_all() -> list[tuple[str, ListEntry]]:
    return [(name, entry) for name in PROFILES for entry in load_profile(name).entries]


def test_all_profiles_are_tested() -> None:
    assert profile_names() == tuple(sorted((*PROFILES, *PI)))


@pytest.mark.parametrize("kernel", KERNELS, ids="-".join)
def test_profiles_select(kernel: Kernel) -> None:
    # seen() has raised if anything is missing.
    for name, selection in seen(kernel).selections.items():
        assert {"squashfs", "overlay", "virtio_net", "virtio_blk"} <= set(selection.ramdisk), name
        assert set(selection.autoload) <= set(selection.ramdisk), name
        assert not set(selection.disk) & set(selection.ramdisk), name
    sizes = {name: len(found.ramdisk) for name, found in seen(kernel).selections.items()}
    assert sizes["virtio"] < sizes["minivm"]
    assert sizes["virtio"] < sizes["generic"]


def test_no_dead_entries() -> None:
    matched = frozenset(itertools.chain.from_iterable(seen(kernel).matched for kernel in KERNELS))
    dead = [
        str(entry.line) for name, entry in entries_of_all() if (name, entry.pattern) not in matched
    ]
    assert dead == []


def test_optional_only_where_a_kernel_lacks_it() -> None:
    needless = [
        str(entry.line)
        for name, entry in entries_of_all()
        if entry.optional
        and entry.pattern not in ELSEWHERE
        and all((name, entry.pattern) in seen(kernel).matched for kernel in KERNELS)
    ]
    assert needless == []


def test_reasons_elsewhere_are_all_used() -> None:
    optional = {entry.pattern for _, entry in entries_of_all() if entry.optional}
    assert set(ELSEWHERE) <= optional


@pytest.mark.parametrize("kernel", CLOUD, ids="-".join)
def test_minivm_profile_is_what_its_list_holds(kernel: Kernel) -> None:
    profile, listed = seen(kernel).selections["minivm"], seen(kernel).minivm_list
    assert listed is not None
    assert profile.ramdisk == listed.ramdisk
    assert profile.autoload == listed.autoload
