"""A unified kernel image: which stub, and what goes into it beside kernel and initramfs."""

from __future__ import annotations

import dataclasses
import io
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.compose.inputs import Input, InputFile, file_input, read_file
from rdcompose.errors import CapabilityError, FormatError, SpecError, UnsupportedError
from rdcompose.formats import ar, image_payload
from rdcompose.formats.deb import Deb, Kind
from rdcompose.formats.image import read_image
from rdcompose.formats.pe import is_pe, read_pe
from rdcompose.formats.uki import UkiParts, check_parts, read_stub

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.compose.filesource import Source
    from rdcompose.kernel.package import KernelPackage
    from rdcompose.kernel.release import Architecture

OS_RELEASE: Final = "os-release"
STUB_PACKAGE: Final = "systemd-boot-efi"
_STUBS: Final = re.compile(r"usr/lib/systemd/boot/efi/linux[a-z0-9]+\.efi\.stub")


class _Efi(NamedTuple):
    """What an architecture is for EFI: the ``IMAGE_FILE_MACHINE_…`` of its programs.

    ``line`` is COMMAND_LINE_SIZE of its kernels, with the zero at the end.
    """

    machine: int
    line: int


_EFI: Final = {
    "amd64": _Efi(0x8664, 2048),
    "i386": _Efi(0x014C, 2048),
    "arm64": _Efi(0xAA64, 2048),
    "armhf": _Efi(0x01C2, 1024),
    "loong64": _Efi(0x6264, 4096),
    "riscv64": _Efi(0x5064, 1024),
}


class UkiSpec(NamedTuple):
    """What a user asks for; without a ``cmdline`` the boot loader gives the command line.

    ``os_release`` is ``None`` for one that names the kernel alone.
    """

    stub: Source
    cmdline: str = ""
    os_release: Path | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UkiPlan:
    """Everything but the initramfs, and what it was made from; ``stub`` is the stub's version."""

    parts: UkiParts
    stub: str
    inputs: tuple[Input, ...]


def check_architecture(architecture: Architecture) -> None:
    """Check that there are EFI machines of an architecture.

    :raises CapabilityError: there are none.
    """
    if architecture.name not in _EFI:
        raise CapabilityError(
            f"--uki is for EFI machines, and there are none of {architecture.name}",
            hint=f"there are of {', '.join(_EFI)}",
        )


def check_cmdline(text: str) -> str:
    """Return a kernel command line without blanks at its ends.

    :raises SpecError: it holds what not every stub and boot loader passes on as it is.
    """
    line = text.strip(" ")
    wrong = next((char for char in line if not " " <= char <= "~"), None)
    if wrong is not None:
        raise SpecError(
            f"--cmdline holds the character {wrong!a}, and a kernel command line is one line of "
            "printable ASCII"
        )
    return line


def plan_uki(package: KernelPackage, spec: UkiSpec) -> UkiPlan:
    """Decide an image, all but the initramfs in it.

    :raises SpecError: the stub or the os-release cannot be read, or is none.
    :raises CapabilityError: this kernel cannot be started by EFI.
    :raises FormatError: something is damaged, or has no room.
    """
    architecture = package.architecture
    check_architecture(architecture)
    efi = _EFI[architecture.name]
    cmdline = check_cmdline(spec.cmdline)
    if len(cmdline) >= efi.line:
        raise CapabilityError(
            f"--cmdline has {len(cmdline)} characters, and kernels of {architecture.name} take "
            f"{efi.line - 1}"
        )
    linux = _linux(package, efi.machine)
    stub, version, item = _stub(spec.stub, efi.machine, architecture)
    os_release, inputs = _os_release(spec.os_release, package.release)
    parts = UkiParts(
        stub=stub,
        os_release=os_release,
        cmdline=cmdline.encode("ascii") or None,
        release=package.release,
        linux=linux,
    )
    try:
        check_parts(parts)
    except (FormatError, UnsupportedError) as error:
        raise type(error)(
            f"the stub {spec.stub.file.path.name}: {error.message}",
            hint="take the stub of another release of Debian: --uki-stub ./FILE.deb",
        ) from error
    return UkiPlan(parts=parts, stub=version, inputs=(item, *inputs))


def _linux(package: KernelPackage, machine: int) -> bytes:
    """Return the kernel as EFI can start it: packed files (``Image.gz``) are unpacked."""
    data = package.image
    if (packed := read_image(data).compression) is not None:
        data = b"".join(image_payload.unpack(data, 0, packed))
    name = f"{package.image_name}-{package.release}"
    if not is_pe(data):
        raise CapabilityError(
            f"EFI cannot start {name}: it is no EFI program (CONFIG_EFI_STUB)",
            hint="take another kernel, or leave --uki out",
        )
    try:
        found = read_pe(data)
    except FormatError as error:
        raise FormatError(f"{name}: {error.message}") from error
    if found.machine != machine:
        raise FormatError(f"{name} is an EFI program for another machine ({found.machine:#x})")
    return data


def _stub(source: Source, machine: int, architecture: Architecture) -> tuple[bytes, str, Input]:
    """Return the stub, its version and where it came from."""
    path = source.file.path
    data = read_file(path, "stub")
    item = file_input(source.request.role, source.file, data)
    try:
        if data.startswith(ar.MAGIC):
            data, item = _packaged(data, item, machine)
        stub = read_stub(data)
    except (FormatError, UnsupportedError) as error:
        raise type(error)(f"the stub {path}: {error.message}", hint=error.hint) from error
    if stub.machine != machine:
        raise SpecError(
            f"the stub {path} is for another machine ({stub.machine:#x}), and the kernel is "
            f"{architecture.description}",
            hint=f"take the package {STUB_PACKAGE} for {architecture.name}",
        )
    return data, f"systemd-stub {stub.version}", item


def _packaged(data: bytes, item: Input, machine: int) -> tuple[bytes, Input]:
    """Return the stub for a machine of a package; another one where it has none for it."""
    deb = Deb.open(io.BytesIO(data))
    control = deb.control
    found = [
        member.content
        for member in deb.members(lambda path: _STUBS.fullmatch(path) is not None)
        if member.kind is Kind.FILE and _STUBS.fullmatch(member.path)
    ]
    if not found:
        raise UnsupportedError(
            f"the package {control.package} has no usr/lib/systemd/boot/efi/linux*.efi.stub",
            hint=f"the package that has it is {STUB_PACKAGE}",
        )
    fitting = [content for content in found if read_stub(content).machine == machine]
    return (fitting or found)[0], item.of_package(control)


def _os_release(path: Path | None, release: str) -> tuple[bytes, tuple[Input, ...]]:
    """Return what boot menus show; by default the kernel's release."""
    if path is None:
        # In quotes, because a release may hold characters that a shell knows.
        text = f'ID=linux\nNAME="Linux"\nPRETTY_NAME="Linux {release}"\nVERSION="{release}"\n'
        return text.encode(), ()
    data = read_file(path, OS_RELEASE)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is no {OS_RELEASE}: it is no UTF-8 text") from error
    if "\0" in text or re.search(r"^(?:PRETTY_)?NAME=", text, re.MULTILINE) is None:
        raise SpecError(
            f"{path} is no {OS_RELEASE}: it has neither NAME= nor PRETTY_NAME=",
            hint="os-release(5) tells what it holds",
        )
    return data, (file_input(OS_RELEASE, InputFile(path=path), data),)
