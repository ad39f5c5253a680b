"""rdcompose.formats.image"""

from __future__ import annotations

import bz2
import lzma
import struct

import pytest
import zstandard

from rdcompose.errors import FormatError
from rdcompose.formats.image import ImageKind, KernelImage, read_image
from tests.support import images
from tests.support.images import RELEASE

LINE = images.BANNER.format(release=RELEASE).strip()
SHORT = "Linux version " + images.VERSION.format(release=RELEASE)


def in_the_open(kind: ImageKind, machine: int, **more: object) -> KernelImage:
    fields: dict[str, object] = {"bits": 64, "release": RELEASE, "banner": LINE, **more}
    return KernelImage(kind=kind, machine=machine, **fields)  # type: ignore[arg-type]


def from_header(kind: ImageKind, machine: int | None, **more: object) -> KernelImage:
    fields: dict[str, object] = {"bits": 64, "release": RELEASE, "banner": SHORT, **more}
    return KernelImage(kind=kind, machine=machine, **fields)  # type: ignore[arg-type]


XZ = lzma.compress(images.banner(), preset=1)
ZSTD = zstandard.ZstdCompressor().compress(images.banner())
BZ, ZI, EFI = ImageKind.X86_BZIMAGE, ImageKind.ARM_ZIMAGE, ImageKind.EFI_ZBOOT
ARM64, RISCV, ELF = ImageKind.ARM64_IMAGE, ImageKind.RISCV_IMAGE, ImageKind.ELF


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(images.make_bzimage(), from_header(BZ, 62, payload="zstd"), id="bzimage"),
        pytest.param(
            images.make_bzimage(xloadflags=0, payload=b"\x02\x21\x4c\x18"),
            from_header(BZ, 3, bits=32, payload="lz4"),
            id="bzimage of 32 bits",
        ),
        pytest.param(
            images.make_bzimage(payload=b"what is this"), from_header(BZ, 62), id="bzimage payload"
        ),
        pytest.param(
            images.make_bzimage(protocol=0x202),
            from_header(BZ, None, bits=None),
            id="bzimage of protocol 2.02",
        ),
        pytest.param(images.make_arm64(), in_the_open(ARM64, 183), id="arm64"),
        pytest.param(
            images.make_arm64(flags=0xB), in_the_open(ARM64, 183, byteorder="big"), id="arm64 big"
        ),
        pytest.param(
            images.gzipped(images.make_arm64()),
            in_the_open(ARM64, 183, compression="gzip"),
            id="Image.gz",
        ),
        pytest.param(
            lzma.compress(images.make_riscv(), preset=1),
            in_the_open(RISCV, 243, compression="xz"),
            id="Image.xz",
        ),
        pytest.param(
            bz2.compress(images.make_riscv()),
            in_the_open(RISCV, 243, compression="bzip2"),
            id="Image.bz2",
        ),
        pytest.param(images.make_riscv(), in_the_open(RISCV, 243), id="riscv64"),
        pytest.param(
            images.make_riscv(machine=0x5032), in_the_open(RISCV, 243, bits=32), id="riscv32"
        ),
        pytest.param(
            images.make_riscv(machine=None), in_the_open(RISCV, 243, bits=None), id="riscv, no EFI"
        ),
        pytest.param(
            images.make_loongarch(), in_the_open(ImageKind.LOONGARCH_IMAGE, 258), id="loongarch"
        ),
        pytest.param(
            images.make_zimage(XZ), in_the_open(ZI, 40, bits=32, payload="xz"), id="zimage"
        ),
        pytest.param(
            images.make_zimage(images.gzipped(images.banner()), order=">"),
            in_the_open(ZI, 40, bits=32, byteorder="big", payload="gzip"),
            id="zimage big",
        ),
        pytest.param(
            images.make_zboot(images.gzipped(images.banner())),
            in_the_open(EFI, 183, payload="gzip"),
            id="zboot gzip",
        ),
        pytest.param(
            images.make_zboot(ZSTD, machine=0x6264),
            in_the_open(EFI, 258, payload="zstd"),
            id="zboot zstd",
        ),
        pytest.param(
            images.make_zboot(ZSTD, machine=0x1234),
            in_the_open(EFI, None, bits=None, payload="zstd"),  # type: ignore[arg-type]
            id="zboot of an unknown machine",
        ),
        pytest.param(
            images.make_s390(),
            from_header(ImageKind.S390_BZIMAGE, 22, byteorder="big"),
            id="s390",
        ),
        pytest.param(images.make_vmlinux(), in_the_open(ELF, 62), id="vmlinux"),
        pytest.param(
            images.make_vmlinux(machine=20, bits=32, order=">", kind=3),
            in_the_open(ELF, 20, bits=32, byteorder="big"),
            id="vmlinux ppc",
        ),
        pytest.param(
            images.make_packed_elf(XZ, machine=8, bits=32),
            in_the_open(ELF, 8, bits=32, payload="xz"),
            id="vmlinuz mips",
        ),
    ],
)
def test_kinds(data: bytes, expected: KernelImage) -> None:
    assert read_image(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        images.make_zimage(b"\x89LZO\0\r\n\x1a\nwhatever"),
        images.make_zboot(b"\x89LZO\0\r\n\x1a\nwhatever"),
    ],
    ids=["zimage", "zboot"],
)
def test_payload_that_cannot_be_unpacked_leaves_the_release_open(data: bytes) -> None:
    image = read_image(data)
    assert (image.release, image.banner, image.payload) == (None, None, "lzo")


def test_banner_with_its_number_is_preferred() -> None:
    draft = banner_text("# SMP Debian")
    image = read_image(images.make_arm64(text=draft + banner_text("#7 SMP Debian")))
    assert image.banner is not None
    assert image.banner.endswith("#7 SMP Debian")


def test_banner_without_a_number_serves() -> None:
    image = read_image(images.make_arm64(text=banner_text("# SMP") + banner_text("no number")))
    assert (image.release, image.banner and image.banner[-5:]) == ("6.1.0-9-x", "# SMP")


def test_format_strings_are_no_banner() -> None:
    text = b"Linux version %s (%s)\n\0Linux version\0" + images.banner()
    assert read_image(images.make_arm64(text=text)).release == RELEASE


def test_beginnings_of_banners_are_bounded() -> None:
    for count, said in ((999, RELEASE), (1000, None)):
        text = b"Linux version " * count + images.banner()
        try:
            assert read_image(images.make_arm64(text=text)).release == said
        except FormatError:
            assert said is None


def banner_text(end: str) -> bytes:
    return f"Linux version 6.1.0-9-x (a@b) (gcc) {end}\n\0".encode()


def test_banner_across_pieces_of_a_payload() -> None:
    # Payloads come in pieces of a megabyte: the banner begins in one, ends in the next.
    for cut in (10, 60, 130):
        filler = bytes((1 << 20) - cut)
        image = read_image(images.make_zimage(images.gzipped(filler + images.banner())))
        assert image.banner == LINE


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


BZIMAGE = images.make_bzimage()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "it starts with nothing", id="empty"),
        pytest.param(b"#!/bin/sh\n", "no known magic", id="script"),
        pytest.param(bytes(70000), "no known magic", id="zeros"),
        pytest.param(BZIMAGE[:0x206], "ends before offset 0x206", id="bzimage header cut"),
        pytest.param(BZIMAGE[:0x240], "is cut", id="bzimage cut"),
        pytest.param(BZIMAGE[:-20], "is cut", id="bzimage end cut"),
        pytest.param(patched(BZIMAGE, 0x1F4, b"\xff" * 4), "is cut", id="bzimage hostile size"),
        pytest.param(
            patched(BZIMAGE, 0x248, b"\xff" * 8), "not all there", id="bzimage hostile payload"
        ),
        pytest.param(patched(BZIMAGE, 0x20E, b"\0\0"), "no release", id="bzimage no version"),
        pytest.param(patched(BZIMAGE, 0x20E, b"\xff\xff"), "no release", id="bzimage pointer"),
        pytest.param(patched(BZIMAGE, 0x300, b"../../x"), "no release", id="bzimage slash"),
        pytest.param(images.make_bzimage(version="\n{release}"), "no release", id="bzimage text"),
        pytest.param(
            images.make_bzimage("6" * 65, version="{release} (x)"), "no release", id="too long"
        ),
        pytest.param(images.make_arm64()[:0x3C], "no Linux banner", id="arm64 header alone"),
        pytest.param(images.make_arm64(text=b"Linux version 6.1 "), "no Linux banner", id="cut"),
        pytest.param(
            images.make_arm64(text=b"Linux version 6.1 (a@b) (gcc) #1"),
            "no Linux banner",
            id="open",
        ),
        pytest.param(
            images.make_loongarch(machine=0xAA64), "no known magic", id="PE of another machine"
        ),
        pytest.param(images.make_zboot(ZSTD, size=1 << 31), "not all there", id="zboot size"),
        pytest.param(images.make_zboot(ZSTD, offset=1 << 31), "not all there", id="zboot offset"),
        pytest.param(images.make_zboot(b"plain"), "unknown compressor", id="zboot compressor"),
        pytest.param(images.make_zboot(ZSTD[:20]), "zstd data", id="zboot cut payload"),
        pytest.param(images.make_zboot(ZSTD)[:14], "ends before", id="zboot header cut"),
        pytest.param(images.make_zimage(XZ, size=1 << 30), "is cut", id="zimage size"),
        pytest.param(images.make_zimage(XZ[:-40]), "can be unpacked", id="zimage damaged payload"),
        pytest.param(images.make_zimage(b""), "can be unpacked", id="zimage without payload"),
        pytest.param(images.make_zimage(XZ)[:0x2A], "ends before", id="zimage header cut"),
        pytest.param(images.make_s390(pointer=0), "no release", id="s390 no pointer"),
        pytest.param(images.make_s390(pointer=2**64 - 1), "no release", id="s390 pointer"),
        pytest.param(images.make_s390()[:0x10420], "ends before", id="s390 header cut"),
        pytest.param(b"\x7fELF", "ends before", id="elf header cut"),
        pytest.param(b"\x7fELF\3\1" + bytes(80), "class or byte order", id="elf class"),
        pytest.param(b"\x7fELF\1\3" + bytes(80), "class or byte order", id="elf byte order"),
        pytest.param(images.make_vmlinux(kind=1), "type 1", id="elf object"),
        pytest.param(images.make_packed_elf(b""), "no Linux banner", id="elf without payload"),
        pytest.param(images.make_packed_elf(XZ[:-40]), "no Linux banner", id="elf cut payload"),
        pytest.param(images.gzipped(b"text"), "no kernel image", id="gzip of something else"),
        pytest.param(images.gzipped(XZ), "no kernel image", id="compressed twice"),
        pytest.param(
            images.gzipped(images.make_arm64())[:-30], "gzip data .* is cut", id="Image.gz cut"
        ),
        pytest.param(b"\x1f\x8b\x08\xff\xff\xff\xff", "gzip data", id="gzip header alone"),
    ],
)
def test_hostile(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_image(data)


def test_release_is_read_at_any_length() -> None:
    for length in (1, 63, 64):
        release = "6" * length
        assert read_image(images.make_arm64(release)).release == release
    with pytest.raises(FormatError):
        read_image(images.make_arm64("6" * 65))


def test_a_signature_behind_the_kernel_is_no_part_of_it() -> None:
    assert read_image(BZIMAGE + bytes(1472)).release == RELEASE


def test_text_in_other_encodings_does_not_disturb() -> None:
    text = b"Linux version 6.1 (J\xfcrgen@b) (gcc) #1 SMP\n\0"
    assert read_image(images.make_arm64(text=text)).banner == (
        "Linux version 6.1 (J\N{REPLACEMENT CHARACTER}rgen@b) (gcc) #1 SMP"
    )


def test_every_setup_size_is_bounded() -> None:
    # setup_sects of 0 means 4: the rest of the file is then too short.
    with pytest.raises(FormatError, match="cut"):
        read_image(patched(BZIMAGE, 0x1F1, b"\0"))
    short = patched(BZIMAGE, 0x206, struct.pack("<H", 0x203))
    assert read_image(patched(short, 0x1F1, b"\0")).release == RELEASE
