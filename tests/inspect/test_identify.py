from __future__ import annotations

import gzip
import io
import random
from pathlib import Path
from typing import Final

import pytest

from rdcompose.errors import SpecError
from rdcompose.formats.qcow2 import Qcow2Writer
from rdcompose.inspect.artifact import Artifact, ChecksumLine, Kind
from rdcompose.inspect.identify import identify
from tests.support.artifacts import (
    checksums,
    disk_bytes,
    disk_files,
    initramfs_bytes,
    initramfs_files,
    manifest,
)
from tests.support.devicetrees import make_dtb
from tests.support.efi import make_pe
from tests.support.images import gzipped, make_arm64, make_bzimage, make_vmlinux
from tests.support.packages import CONFIG, RELEASE, kernel_deb

DATA: Final = Path(__file__).parents[1] / "formats" / "data"
XFS: Final = b"XFSB" + bytes(5000)
EXT4: Final = bytes(1080) + b"\x53\xef" + bytes(5000)


def of(tmp_path: Path, data: bytes) -> Artifact:
    path = tmp_path / "any name"
    path.write_bytes(data)
    found = identify(path, "shown")
    assert (found.name, found.size) == ("shown", len(data))
    return found


def in_qcow2(data: bytes) -> bytes:
    out = io.BytesIO()
    writer = Qcow2Writer(out)
    writer.write(data)
    writer.finish()
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (make_bzimage(), Kind.KERNEL),
        (gzipped(make_arm64()), Kind.KERNEL),
        (make_vmlinux(), Kind.KERNEL),
        (initramfs_bytes(initramfs_files()), Kind.INITRAMFS),
        (initramfs_bytes(initramfs_files(), "none"), Kind.INITRAMFS),
        (disk_bytes(disk_files()), Kind.DISK),
        (disk_bytes(disk_files(), container="squashfs", compressor="xz"), Kind.DISK),
        (CONFIG.encode(), Kind.CONFIG),
        (make_dtb({}), Kind.DEVICE_TREE),
        (manifest({}), Kind.MANIFEST),
        (checksums({"a": b""}), Kind.CHECKSUMS),
        (b"ffffffff81000000 T _stext\n", Kind.SYMBOLS),
        (b"ffffffffffffffff B The real System.map is in the -dbg package\n", Kind.SYMBOLS),
        (kernel_deb(), Kind.PACKAGE),
        (XFS, Kind.FILESYSTEM),
        (in_qcow2(XFS), Kind.FILESYSTEM),
        (in_qcow2(b"a partition table, say"), Kind.FILESYSTEM),
    ],
)
def test_known_by_content(tmp_path: Path, data: bytes, kind: Kind) -> None:
    found = of(tmp_path, data)
    assert found.kind is kind
    assert found.problem is None


def test_what_is_known_of_each(tmp_path: Path) -> None:
    assert of(tmp_path, make_bzimage(RELEASE)).image.release == RELEASE  # type: ignore[union-attr]
    disk = of(tmp_path, disk_bytes(disk_files(), compressor="xz")).disk
    assert disk is not None
    assert (disk.container, disk.compressor, len(disk.contents.modules)) == ("qcow2", "xz", 1)
    raw = of(tmp_path, disk_bytes(disk_files(), container="squashfs"))
    assert raw.disk is not None
    assert raw.disk.container == "raw"
    assert raw.contents is raw.disk.contents
    found = of(tmp_path, initramfs_bytes(initramfs_files(), "zstd"))
    assert found.initramfs is not None
    assert [row.compression for row in found.initramfs.segments] == ["zstd"]
    assert len(found.initramfs.contents.modules) == 2
    assert of(tmp_path, CONFIG.encode()).config.value("64BIT") == "y"  # type: ignore[union-attr]
    assert of(tmp_path, XFS).what == "it holds a filesystem that is not read: xfs"
    assert of(tmp_path, in_qcow2(b"x")).what == "it is a qcow2 image with an unknown content"
    assert of(tmp_path, make_bzimage()).what == "it is a kernel"


def test_disks_of_ext4(tmp_path: Path) -> None:
    image = gzip.decompress((DATA / "ext4.img.gz").read_bytes())
    for data, container in ((image, "raw"), (in_qcow2(image), "qcow2")):
        found = of(tmp_path, data)
        assert found.disk is not None
        assert (found.disk.container, found.disk.filesystem) == (container, "ext4")
        assert found.disk.compressor is None
        assert found.disk.contents.directories == ("6.1",)
        assert [row.path for row in found.disk.contents.damaged] == ["6.1/kernel/x.ko"]


def test_a_root_of_ext4_is_no_disk_of_modules(tmp_path: Path) -> None:
    # The name of the module directory, in the listing of the root.
    image = gzip.decompress((DATA / "ext4.img.gz").read_bytes())
    found = of(tmp_path, image.replace(b"\x036.1", b"\x03x.1").replace(b"6.1", b"x.1"))
    assert (found.kind, found.filesystem) == (Kind.FILESYSTEM, "ext4")


def uki(**sections: bytes) -> bytes:
    """A unified kernel image; names are without their dot."""
    return make_pe({".text": b"x" * 99} | {f".{name}": data for name, data in sections.items()})


def test_unified_kernel_images(tmp_path: Path) -> None:
    early = initramfs_bytes({"kernel/x86/microcode/GenuineIntel.bin": b"x"}, "none")
    data = uki(
        linux=make_bzimage(RELEASE),
        initrd=initramfs_bytes(initramfs_files()),
        ucode=early,
        uname=f"{RELEASE}\n".encode(),
        osrel=b"ID=debian\n",
    )
    found = of(tmp_path, data)
    assert (found.kind, found.problem, found.uname) == (Kind.UKI, None, RELEASE)
    assert {row.name: row.kind for row in found.parts} == {
        ".linux of shown": Kind.KERNEL,
        ".initrd of shown": Kind.INITRAMFS,
        ".ucode of shown": Kind.INITRAMFS,
    }
    assert of(tmp_path, uki(linux=make_bzimage())).uname is None


def test_a_unified_kernel_image_that_is_damaged_inside(tmp_path: Path) -> None:
    [kernel, initramfs] = of(tmp_path, uki(linux=make_bzimage()[:1100], initrd=b"rubbish")).parts
    assert "is cut" in str(kernel.problem)
    assert initramfs.kind is Kind.UNKNOWN


def test_other_programs_of_efi_are_nothing(tmp_path: Path) -> None:
    assert of(tmp_path, uki(osrel=b"x")).kind is Kind.UNKNOWN
    assert of(tmp_path, uki(linux=make_bzimage())[:300]).kind is Kind.UNKNOWN


def test_checksums(tmp_path: Path) -> None:
    digest = "ab" * 32
    text = f"{digest}  a b\n{digest.upper()} *binary\n\nrubbish\n\\{digest}  x\\\\y\\nz\n"
    found = of(tmp_path, text.encode()).checksums
    assert found is not None
    assert found.lines == tuple(ChecksumLine(name, digest) for name in ("a b", "binary", "x\\y\nz"))
    assert found.malformed == (4,)


def test_other_json_is_nothing(tmp_path: Path) -> None:
    assert of(tmp_path, b'{"schema": 1}').kind is Kind.UNKNOWN
    assert of(tmp_path, b'{"schema": ').problem == (
        "it is no JSON: Expecting value: line 1 column 12 (char 11)"
    )
    assert of(tmp_path, b"[" * 100_000).kind is Kind.UNKNOWN


@pytest.mark.parametrize(
    ("data", "kind", "problem"),
    [
        (b"", Kind.UNKNOWN, "it is empty"),
        (b"rubbish\xff", Kind.UNKNOWN, "no kernel image: it starts with 72 75 62 62"),
        (b"some text\n", Kind.UNKNOWN, "it is a text of no known kind"),
        (gzipped(random.Random(0).randbytes(999))[:500], Kind.UNKNOWN, "gzip"),
        (gzipped(b"text"), Kind.UNKNOWN, "holds no kernel image"),
        (make_bzimage()[:1100], Kind.UNKNOWN, "the x86 bzImage is cut"),
        (initramfs_bytes(initramfs_files(), "none")[:900], Kind.INITRAMFS, "796 is cut short"),
        (disk_bytes(disk_files())[:70_000], Kind.DISK, "L1 table of the qcow2 image is cut off"),
        (disk_bytes(disk_files(), container="s")[:500], Kind.DISK, "squashfs image is cut short"),
        (EXT4, Kind.DISK, "the ext4 image has sizes that cannot be"),
        (b"hsqs", Kind.DISK, "no squashfs image"),
        (b"QFI\xfb", Kind.DISK, "cut off in its header"),
        (make_dtb({})[:-1], Kind.DEVICE_TREE, "the device tree is cut"),
        (CONFIG.encode() + b"rubbish", Kind.CONFIG, "line 29 of the kernel configuration"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_damaged(tmp_path: Path, data: bytes, kind: Kind, problem: str) -> None:
    found = of(tmp_path, data)
    assert found.kind is kind
    assert problem in str(found.problem)


def test_a_squashfs_that_is_damaged_in_its_tables(tmp_path: Path) -> None:
    data = bytearray(disk_bytes(disk_files(), container="squashfs"))
    start = int.from_bytes(data[64:72], "little")
    data[start + 4 : start + 20] = b"\xff" * 16
    found = of(tmp_path, bytes(data))
    assert found.kind is Kind.DISK
    assert "block of the squashfs image is damaged" in str(found.problem)


def test_too_large(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as out:
        out.write(b"x")
        out.truncate(2 << 30)
    assert identify(path, "huge").problem == "it is larger than any kernel or initramfs"


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot read .*none: No such file"):
        identify(tmp_path / "none", "none")
