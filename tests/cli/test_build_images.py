"""``rdcompose build --image``: the kernel in other forms than its package has."""

from __future__ import annotations

import lzma
import struct
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_build import NAMES, Workshop
from tests.support import images
from tests.support.images import elf_note, make_bzimage, make_elf_kernel
from tests.support.packages import RELEASE, kernel_deb, sample_files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.debs import Content

VMLINUX_NAMES = NAMES - {f"vmlinuz-{RELEASE}"} | {f"vmlinux-{RELEASE}"}
PVH = elf_note(b"Xen", 18, struct.pack("<Q", 0x1000B20))
VMLINUX = make_elf_kernel(PVH, RELEASE, entry=0x1000C43)


@pytest.fixture
def workshop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Workshop:
    made = Workshop(tmp_path, capsys)
    give(made, make_bzimage(RELEASE, payload=images.gzipped(VMLINUX)))
    return made


def give(workshop: Workshop, image: bytes) -> None:
    files: dict[str, Content] = {**sample_files(), f"boot/vmlinuz-{RELEASE}": image}
    workshop.write("kernel.deb", kernel_deb(files))


def test_vmlinux_takes_the_place_of_vmlinuz(workshop: Workshop) -> None:
    workshop.build("--image", "vmlinux")
    assert set(workshop.listing()) == VMLINUX_NAMES
    assert workshop.listing()[f"vmlinux-{RELEASE}"] == VMLINUX
    assert workshop.manifest()["image"] == {
        "format": "ELF vmlinux",
        "packed": "gzip",
        "entry": "0x1000c43",
        "pvh_entry": "0x1000b20",
    }
    assert workshop.manifest()["notes"] == []


def test_the_other_form_of_an_earlier_composition_does_not_stay(workshop: Workshop) -> None:
    workshop.build()
    assert workshop.manifest()["image"] is None
    workshop.build("--image", "vmlinux")
    assert set(workshop.listing()) == VMLINUX_NAMES
    workshop.build("--image", "package")
    assert set(workshop.listing()) == NAMES


def test_a_lock_keeps_the_form(workshop: Workshop) -> None:
    workshop.build("--image", "vmlinux")
    before = workshop.listing()
    lock = workshop.write("lock.json", before[f"manifest-{RELEASE}.json"])
    workshop.build("--locked", str(lock))
    assert workshop.listing() == before


def test_a_kernel_without_pvh_gets_a_note(workshop: Workshop) -> None:
    plain = make_elf_kernel(elf_note(b"Xen", 6, b"linux"), RELEASE, entry=0x1000C43)
    give(workshop, make_bzimage(RELEASE, payload=images.gzipped(plain)))
    workshop.build("--image", "vmlinux")
    assert workshop.manifest()["notes"] == [
        (
            "the unpacked kernel has only its own entry, 0x1000c43, and none for PVH (CONFIG_PVH): "
            "QEMU does not start it"
        )
    ]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"what is this", "cannot be unpacked: the x86 bzImage has a payload of an unknown"),
        (
            images.gzipped(make_elf_kernel(PVH, "6.1.0-8-cloud-amd64")),
            f"the kernel is {RELEASE}, but what vmlinuz-{RELEASE} unpacks to is 6.1.0-8-cloud",
        ),
        (
            images.gzipped(make_elf_kernel(PVH, RELEASE, machine=183)),
            "unpacks to is for another machine",
        ),
        (images.gzipped(b"nothing"), "cannot be unpacked: no kernel image"),
        (lzma.compress(VMLINUX, preset=0)[:-9], "cannot be unpacked: the xz data"),
    ],
    ids=["unknown", "release", "machine", "nothing", "cut"],
)
def test_what_is_inside_is_looked_at(workshop: Workshop, payload: bytes, message: str) -> None:
    give(workshop, make_bzimage(RELEASE, payload=payload))
    assert message in workshop.fail("--image", "vmlinux")
    workshop.build()


def test_wrong_form(workshop: Workshop) -> None:
    with pytest.raises(SystemExit) as caught:
        workshop.build("--image", "bzimage")
    assert caught.value.code == 2
