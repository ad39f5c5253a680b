"""rdcompose.formats.uki"""

from __future__ import annotations

import dataclasses

import pytest

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.pe import content_of, read_pe
from rdcompose.formats.uki import (
    Stub,
    UkiParts,
    check_parts,
    make_uki,
    read_stub,
    with_cmdline,
)
from tests.support.efi import ARM64, MAGIC, SBAT, SECTIONS, make_efi_kernel, make_pe

STUB = make_pe()
LINUX = make_efi_kernel(characteristics=0)
PARTS = UkiParts(
    stub=STUB, os_release=b"ID=x\n", cmdline=b"root=/dev/vda", release="6.1-x", linux=LINUX
)
UKI_LINE = b"uki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/\n\0"


def contents(data: bytes) -> dict[str, bytes]:
    return {row.name: content_of(data, row) for row in read_pe(data).sections}


def test_sections_in_their_order() -> None:
    found = contents(make_uki(PARTS, b"initramfs"))
    assert list(found.items()) == [
        (".text", SECTIONS[".text"]),
        (".sbat", SBAT + UKI_LINE),
        (".sdmagic", MAGIC),
        (".osrel", b"ID=x\n"),
        (".cmdline", b"root=/dev/vda"),
        (".uname", b"6.1-x"),
        (".linux", LINUX),
        (".initrd", b"initramfs"),
    ]


def test_the_kernel_may_run_where_it_lies() -> None:
    data = make_uki(PARTS, b"")
    found = read_pe(data)
    kinds = {
        row.name: int.from_bytes(data[place + 36 : place + 40], "little")
        for number, row in enumerate(found.sections)
        if (place := found.table + number * 40)
    }
    assert (kinds[".linux"], kinds[".initrd"]) == (0x40000020, 0x40000040)


def test_without_a_command_line_there_is_no_section_for_it() -> None:
    found = contents(make_uki(dataclasses.replace(PARTS, cmdline=None), b""))
    assert list(found)[3:] == [".osrel", ".uname", ".linux", ".initrd"]


@pytest.mark.parametrize(("kernel", "image"), [(0x100, 0x160), (0, 0x60)])
def test_memory_is_protected_if_the_kernel_bears_it(kernel: int, image: int) -> None:
    parts = dataclasses.replace(PARTS, linux=make_efi_kernel(characteristics=kernel))
    assert read_pe(make_uki(parts, b"")).characteristics == image


def test_what_the_kernel_says_for_revocation_is_joined() -> None:
    lines = b"sbat,1,x\nlinux,1,Linux,linux,6.16,https://kernel.org\n\0\0"
    linux = make_pe({".text": b"x", ".sbat": lines})
    found = contents(make_uki(dataclasses.replace(PARTS, linux=linux), b""))[".sbat"]
    assert found == SBAT + b"linux,1,Linux,linux,6.16,https://kernel.org\n" + UKI_LINE


@pytest.mark.parametrize("sbat", [b"", b"nothing known\nx,1\n"], ids=["empty", "other"])
def test_what_is_no_such_list_is_left_out(sbat: bytes) -> None:
    stub = make_pe({**SECTIONS, ".sbat": sbat.ljust(300, b"\0")})
    found = contents(make_uki(dataclasses.replace(PARTS, stub=stub), b""))[".sbat"]
    assert found == SBAT.splitlines(keepends=True)[0] + UKI_LINE


def test_a_stub_without_such_a_list_gets_one() -> None:
    stub = make_pe({".text": b"x", ".sdmagic": MAGIC})
    found = contents(make_uki(dataclasses.replace(PARTS, stub=stub), b""))
    assert list(found)[-1] == ".sbat"
    assert found[".sbat"] == SBAT.splitlines(keepends=True)[0] + UKI_LINE


def test_the_stub() -> None:
    assert read_stub(STUB) == Stub(0x8664, "257.13-1~deb13u1")
    # Where the linker knew no sections of other names.
    arm = make_pe({".text": b"x", ".data": b"data" + MAGIC + b"more"}, machine=ARM64)
    assert read_stub(arm) == Stub(ARM64, "257.13-1~deb13u1")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (make_pe({".text": b"x"}), "it is an EFI program, but not systemd-stub"),
        (
            make_pe({".sdmagic": b"#### LoaderInfo: systemd-boot 257 ####"}),
            "it is systemd-boot, but not systemd-stub",
        ),
        (
            make_pe({".sdmagic": b"#### LoaderInfo: systemd-addon 257 ####"}),
            "it is systemd-addon, but not systemd-stub",
        ),
        (make_pe({".sdmagic": b"what?"}), "it is an EFI program, but not"),
        (make_pe(subsystem=3), "but not systemd-stub"),
        (make_efi_kernel(), "it is an EFI program, but not systemd-stub"),
    ],
)
def test_other_programs_are_no_stub(data: bytes, message: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        read_stub(data)
    assert message in caught.value.message
    assert caught.value.hint is not None


def test_no_program_at_all() -> None:
    with pytest.raises(FormatError, match="no EFI program"):
        read_stub(b"\x7fELF")


@pytest.mark.parametrize(
    ("stub", "error", "message"),
    [
        (make_pe(headers=0x200), FormatError, "no room for all of .osrel, .cmdline, .uname"),
        (make_pe({**SECTIONS, ".sbat": b"sbat,1,\n" + b"x" * 470}), FormatError, "room for 512"),
        (make_pe({**SECTIONS, ".sbat": b"\xff"}), FormatError, "the section .sbat .* is no text"),
        (make_pe(signature=b"x"), UnsupportedError, "is signed"),
    ],
    ids=["headers", "sbat", "binary", "signed"],
)
def test_what_has_no_room_is_found_before(
    stub: bytes, error: type[FormatError], message: str
) -> None:
    with pytest.raises(error, match=message):
        check_parts(dataclasses.replace(PARTS, stub=stub))


def test_same_inputs_same_bytes() -> None:
    assert make_uki(PARTS, b"x" * 9999) == make_uki(PARTS, b"x" * 9999)
    check_parts(PARTS)


@pytest.mark.parametrize("first", [b"quiet", None], ids=["another", "none"])
def test_another_command_line(first: bytes | None) -> None:
    image = make_uki(dataclasses.replace(PARTS, cmdline=first), b"initramfs")
    changed = contents(with_cmdline(image, b"x" * 900))
    assert changed.pop(".cmdline") == b"x" * 900
    before = contents(image)
    if first is not None:
        assert changed.pop(".old") == before.pop(".cmdline")
    assert changed == before


def test_a_command_line_for_what_is_no_image() -> None:
    with pytest.raises(FormatError, match="holds no kernel"):
        with_cmdline(STUB, b"x")
    with pytest.raises(UnsupportedError, match="is signed"):
        with_cmdline(make_pe({".linux": b"x"}, signature=b"x"), b"x")
