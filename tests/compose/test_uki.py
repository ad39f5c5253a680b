"""rdcompose.compose.uki"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.filesource import STUB, Source, parse_source
from rdcompose.compose.inputs import Input, InputFile, digest
from rdcompose.compose.uki import UkiSpec, check_architecture, check_cmdline, plan_uki
from rdcompose.errors import CapabilityError, FormatError, SpecError, UnsupportedError
from rdcompose.kernel.package import KernelPackage, read_kernels
from rdcompose.kernel.release import ARCHITECTURES
from rdcompose.kernel.source import DebSource
from tests.support import images
from tests.support.debs import make_deb
from tests.support.efi import ARM64, SECTIONS, make_efi_kernel, make_pe
from tests.support.packages import RELEASE, kernel_deb, sample_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Give = Callable[[str, bytes], UkiSpec]

STUB_PATH = "usr/lib/systemd/boot/efi/linuxx64.efi.stub"


@pytest.fixture
def give(tmp_path: Path) -> Give:
    def make(name: str, data: bytes) -> UkiSpec:
        path = tmp_path / name
        path.write_bytes(data)
        return UkiSpec(Source(parse_source(STUB, str(path)), InputFile(path=path)))

    return make


def package(image: bytes | None = None) -> KernelPackage:
    files = sample_files() | {f"boot/vmlinuz-{RELEASE}": image or make_efi_kernel(RELEASE)}
    (kernel,) = read_kernels([DebSource(io.BytesIO(kernel_deb(files)))])
    return kernel


def stub_deb(files: dict[str, bytes]) -> bytes:
    control = {"Package": "systemd-boot-efi", "Version": "257-1", "Architecture": "amd64"}
    return make_deb(dict(files), control=control)


def test_parts_of_a_file(give: Give) -> None:
    plan = plan_uki(package(), give("linuxx64.efi.stub", make_pe())._replace(cmdline=" a b=c "))
    assert (plan.stub, plan.parts.stub) == ("systemd-stub 257.13-1~deb13u1", make_pe())
    assert plan.parts.linux == make_efi_kernel(RELEASE)
    assert (plan.parts.cmdline, plan.parts.release) == (b"a b=c", RELEASE)
    assert plan.parts.os_release.decode() == (
        f'ID=linux\nNAME="Linux"\nPRETTY_NAME="Linux {RELEASE}"\nVERSION="{RELEASE}"\n'
    )
    assert plan.inputs == (
        Input(
            role=STUB,
            file="linuxx64.efi.stub",
            sha256=digest(make_pe()),
            source="local file",
            size=len(make_pe()),
        ),
    )


def test_parts_of_a_package(give: Give) -> None:
    other = STUB_PATH.replace("x64", "ia32")
    deb = stub_deb(
        {
            "usr/lib/systemd/boot/efi/systemd-bootx64.efi": b"no stub",
            other: make_pe(machine=0x14C, wide=False),
            STUB_PATH: make_pe(),
        }
    )
    plan = plan_uki(package(), give("s.deb", deb))
    assert plan.parts.stub == make_pe()
    assert plan.parts.cmdline is None
    [item] = plan.inputs
    assert (item.package, item.version, item.architecture) == ("systemd-boot-efi", "257-1", "amd64")
    assert item.sha256 == digest(deb)


def test_the_users_os_release(give: Give, tmp_path: Path) -> None:
    path = tmp_path / "os-release"
    path.write_bytes(b'# mine\nPRETTY_NAME="M\xc3\xa4h"\n')
    plan = plan_uki(package(), give("x.stub", make_pe())._replace(os_release=path))
    assert plan.parts.os_release == path.read_bytes()
    assert plan.inputs[1] == Input(
        role="os-release",
        file="os-release",
        sha256=digest(path.read_bytes()),
        source="local file",
        size=len(path.read_bytes()),
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "has neither NAME= nor"),
        (b"\x7fELF\xff", "is no UTF-8 text"),
        (b"NAME=x\0", "has neither NAME= nor"),
        (b"ID=x\nX_NAME=y\n", "has neither NAME= nor"),
    ],
)
def test_what_is_no_os_release(give: Give, tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "os-release"
    path.write_bytes(data)
    with pytest.raises(SpecError, match=message):
        plan_uki(package(), give("x.stub", make_pe())._replace(os_release=path))


def test_a_missing_file(give: Give, tmp_path: Path) -> None:
    spec = give("x.stub", make_pe())
    with pytest.raises(SpecError, match=r"cannot read the os-release .*: No such file"):
        plan_uki(package(), spec._replace(os_release=tmp_path / "gone"))
    (tmp_path / "x.stub").unlink()
    with pytest.raises(SpecError, match=r"cannot read the stub .*: No such file"):
        plan_uki(package(), spec)


@pytest.mark.parametrize(
    ("name", "data", "error", "message"),
    [
        ("x.stub", b"", FormatError, "x.stub: no EFI program: it starts with nothing"),
        ("x.stub", make_pe()[:800], FormatError, "x.stub: the EFI program is cut"),
        ("x.stub", make_pe({}), UnsupportedError, "x.stub: it is an EFI program, but not systemd"),
        (
            "x.stub",
            make_pe(machine=ARM64),
            SpecError,
            r"another machine \(0xaa64\), and the kernel",
        ),
        ("x.stub", make_pe(headers=0x200), FormatError, "x.stub: the headers .* no room"),
        (
            "x.stub",
            make_pe({**SECTIONS, ".sbat": b"sbat,\n" + b"x" * 500}),
            FormatError,
            "x.stub: the section .sbat",
        ),
        ("x.stub", make_pe(signature=b"x"), UnsupportedError, "x.stub: the EFI program is signed"),
        ("x.deb", stub_deb({"usr/x": b""}), UnsupportedError, "systemd-boot-efi has no usr/lib"),
        ("x.deb", stub_deb({STUB_PATH: b"x"}), FormatError, "x.deb: no EFI program"),
        ("x.deb", stub_deb({STUB_PATH: make_pe(machine=ARM64)}), SpecError, "for another machine"),
        ("x.deb", stub_deb({STUB_PATH: make_pe()})[:-9], FormatError, "x.deb: "),
    ],
)
def test_wrong_stubs(
    give: Give, name: str, data: bytes, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        plan_uki(package(), give(name, data))


def test_kernels_that_efi_does_not_start(give: Give) -> None:
    spec = give("x.stub", make_pe())
    with pytest.raises(CapabilityError, match=f"cannot start vmlinuz-{RELEASE}.*CONFIG_EFI_STUB"):
        plan_uki(package(images.make_bzimage(RELEASE)), spec)
    with pytest.raises(FormatError, match="an EFI program for another machine"):
        plan_uki(package(make_efi_kernel(RELEASE, machine=ARM64)), spec)
    cut = bytearray(make_efi_kernel(RELEASE))
    cut[0x46] = 97  # sections
    with pytest.raises(FormatError, match=f"vmlinuz-{RELEASE}: the EFI program is cut"):
        plan_uki(package(bytes(cut)), spec)


def test_a_packed_kernel_is_unpacked(give: Give) -> None:
    plan = plan_uki(package(images.gzipped(make_efi_kernel(RELEASE))), give("x.stub", make_pe()))
    assert plan.parts.linux == make_efi_kernel(RELEASE)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", r"'\\n'"), ("a\tb", r"'\\t'"), ("ä", r"'\\xe4'"), ("a\x7f", r"'\\x7f'")],
)
def test_command_lines_that_do_not_come_through(text: str, shown: str) -> None:
    with pytest.raises(SpecError, match=f"--cmdline holds the character {shown}, and"):
        check_cmdline(text)


def test_command_lines() -> None:
    assert check_cmdline('  a="b  c" -- d ') == 'a="b  c" -- d'
    assert check_cmdline("") == ""


def test_command_lines_that_the_kernel_would_cut(give: Give) -> None:
    spec = give("x.stub", make_pe())
    assert plan_uki(package(), spec._replace(cmdline="x" * 2047)).parts.cmdline == b"x" * 2047
    with pytest.raises(
        CapabilityError, match="has 2048 characters, and kernels of amd64 take 2047"
    ):
        plan_uki(package(), spec._replace(cmdline="x" * 2048))


def test_architectures() -> None:
    check_architecture(ARCHITECTURES["riscv64"])
    with pytest.raises(CapabilityError, match="there are none of s390x") as caught:
        check_architecture(ARCHITECTURES["s390x"])
    assert caught.value.hint == "there are of amd64, i386, arm64, armhf, loong64, riscv64"
