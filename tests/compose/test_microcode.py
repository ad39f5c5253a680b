"""The early segment: what is taken from where, what it is joined to, and what is refused."""

from __future__ import annotations

import io
import lzma
from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.filesource import MICROCODE, Source, SourceRequest
from rdcompose.compose.inputs import InputFile
from rdcompose.compose.microcode import DIRECTORY, load_microcode
from rdcompose.errors import CapabilityError, FormatError, RdcomposeError, SpecError
from rdcompose.formats.cpio import read_newc, write_newc
from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.release import architecture_by_name
from rdcompose.tree import Bytes, File, Tree
from tests.support.debs import make_deb
from tests.support.microcode import make_amd, make_intel

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.compose.microcode import Microcode
    from tests.support.debs import Content

CONFIG = {
    "BLK_DEV_INITRD": "y",
    "MICROCODE": "y",
    "MICROCODE_INTEL": "y",
    "MICROCODE_AMD": "y",
}
INTEL = f"{DIRECTORY}/GenuineIntel.bin"
AMD = f"{DIRECTORY}/AuthenticAMD.bin"


class Bench:
    """Files in a directory, and the early segment that is made of some."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, name: str, data: bytes) -> str:
        (self.path / name).write_bytes(data)
        return name

    def deb(self, name: str, files: dict[str, Content], **control: str) -> str:
        return self.file(f"{name}.deb", make_deb(files, control={"Package": name, **control}))

    def load(
        self, *names: str, architecture: str = "amd64", config: dict[str, str] | None = None
    ) -> Microcode:
        sources = [
            Source(
                SourceRequest(MICROCODE, f"./{name}", "", self.path / name),
                InputFile(path=self.path / name),
            )
            for name in names
        ]
        options = CONFIG if config is None else config
        return load_microcode(sources, architecture_by_name(architecture), KernelConfig(options))

    def fail(self, kind: type[RdcomposeError], *names: str) -> str:
        with pytest.raises(kind) as caught:
            self.load(*names)
        return caught.value.message.replace(f"{self.path}/", "")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def contents(found: Microcode) -> dict[str, bytes]:
    return {blob.path: blob.data for blob in found.blobs}


def test_nothing_of_no_source(bench: Bench) -> None:
    found = bench.load(architecture="arm64", config={})
    assert (len(found.tree), found.blobs, found.inputs) == (0, (), ())


def test_packages_of_both_vendors(bench: Bench) -> None:
    one, two, amd = make_intel(1), make_intel(2, size=2048), make_amd()
    intel = bench.deb(
        "intel-microcode",
        {
            "lib/firmware/intel-ucode/06-02-01.initramfs": two,
            "lib/firmware/intel-ucode/06-01-01": one,
            "lib/firmware/intel-ucode/06-02-01": two,
            "lib/firmware/other.bin": b"none",
            "usr/share/doc/intel-microcode/changelog": b"text",
        },
        Version="3.2",
        Architecture="i386",
    )
    packed = bench.deb(
        "amd64-microcode",
        {
            "usr/lib/firmware/amd-ucode/README": b"text",
            "usr/lib/firmware/amd-ucode/microcode_amd.bin.asc": b"text",
            "usr/lib/firmware/amd-ucode/microcode_amd.bin.xz": lzma.compress(amd),
        },
    )
    found = bench.load(intel, packed)
    assert contents(found) == {INTEL: one + two, AMD: amd}
    assert [blob.count for blob in found.blobs] == [2, 1]
    assert [
        (item.role, item.package, item.version, item.architecture) for item in found.inputs
    ] == [
        ("microcode", "intel-microcode", "3.2", "i386"),
        ("microcode", "amd64-microcode", "1.0-1", "amd64"),
    ]


def test_plain_files_and_early_archives(bench: Bench) -> None:
    one, two, amd = make_intel(1), make_intel(2), make_amd()
    tree = Tree()
    for path, data in ((INTEL, one + two), (AMD, amd), ("kernel/firmware/acpi/x.aml", b"table")):
        tree.add(File(path=path, content=Bytes(data)))
    early = io.BytesIO()
    write_newc(early, tree, mtime=0)
    first = bench.file("early.cpio", early.getvalue() + b"\x28\xb5 packed")
    again = bench.file("GenuineIntel.bin", make_intel(1, revision=9) + two)
    found = bench.load(first, again)
    assert contents(found) == {INTEL: two + make_intel(1, revision=9), AMD: amd}
    # The same for the other architecture of such processors.
    assert contents(bench.load(first, again, architecture="i386")) == contents(found)


@pytest.mark.parametrize("patches", range(4))
def test_microcode_of_intel_is_aligned(bench: Bench, patches: int) -> None:
    files = [bench.file("intel.bin", make_intel())]
    if patches:
        # 164 bytes each, which moves what is behind it by 4.
        files.append(bench.file("amd.bin", make_amd(patches=patches)))
    segment = io.BytesIO()
    write_newc(segment, bench.load(*files).tree, mtime=0)
    records = {record.name: record for record in read_newc(segment.getvalue()).records}
    assert records[INTEL].data_start % 16 == 0
    assert len(segment.getvalue()) % 512 == 0


def test_only_amd(bench: Bench) -> None:
    found = bench.load(bench.file("amd.bin", make_amd()))
    paths = [entry.path for entry in found.tree]
    assert paths == ["kernel", "kernel/x86", DIRECTORY, AMD]


def test_what_is_no_microcode(bench: Bench) -> None:
    bench.file("text", b"text")
    assert bench.fail(FormatError, "text") == "text is no microcode of Intel or AMD"
    other = bench.deb("firmware", {"lib/firmware/x.bin": b"x"})
    assert "there is no microcode in firmware.deb" in bench.fail(SpecError, other)
    empty = io.BytesIO()
    write_newc(empty, Tree(), mtime=0)
    bench.file("empty.cpio", empty.getvalue())
    assert "there is no microcode in empty.cpio" in bench.fail(SpecError, "empty.cpio")
    assert bench.fail(SpecError, "none").startswith("cannot read the microcode none")


def test_damage_is_named(bench: Bench) -> None:
    path = "lib/firmware/intel-ucode/06-01-01"
    deb = bench.deb("intel", {path: make_intel()[:-4]})
    assert bench.fail(FormatError, deb).startswith(f"intel.deb: /{path}: Intel microcode")
    deb = bench.deb("unknown", {path: b"damaged"})
    assert bench.fail(FormatError, deb) == f"unknown.deb: /{path} is no microcode of Intel or AMD"
    deb = bench.deb("packed", {f"{path}.xz": b"damaged"})
    assert bench.fail(FormatError, deb).startswith("packed.deb: ")
    bench.file("cut.deb", make_deb({path: make_intel()})[:-40])
    assert bench.fail(FormatError, "cut.deb").startswith("cut.deb: ")
    bench.file("cut.cpio", b"0707010000")
    assert bench.fail(FormatError, "cut.cpio").startswith("cut.cpio: ")


@pytest.mark.parametrize(
    ("config", "missing"),
    [
        pytest.param({}, "CONFIG_BLK_DEV_INITRD, CONFIG_MICROCODE", id="nothing"),
        pytest.param({**CONFIG, "MICROCODE": "n"}, "CONFIG_MICROCODE", id="no-driver"),
        pytest.param({**CONFIG, "MICROCODE": "m"}, "CONFIG_MICROCODE", id="module"),
        pytest.param({**CONFIG, "MICROCODE_INTEL": "n"}, "CONFIG_MICROCODE_INTEL", id="vendor"),
        pytest.param(
            {"BLK_DEV_INITRD": "y", "MICROCODE": "y", "CPU_SUP_AMD": "y"},
            "CONFIG_CPU_SUP_INTEL",
            id="new-kernel",
        ),
    ],
)
def test_kernels_that_do_not_load_it(bench: Bench, config: dict[str, str], missing: str) -> None:
    bench.file("intel.bin", make_intel())
    with pytest.raises(CapabilityError, match=f"GenuineIntel.*: it lacks {missing}$"):
        bench.load("intel.bin", config=config)


def test_kernels_of_other_architectures(bench: Bench) -> None:
    bench.file("intel.bin", make_intel())
    with pytest.raises(CapabilityError, match="is for amd64 and i386, and the kernel is for arm64"):
        bench.load("intel.bin", architecture="arm64")
