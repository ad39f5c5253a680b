"""What can be added to an initramfs: the files of a package, or one ELF file."""

from __future__ import annotations

import dataclasses
import fnmatch
import io
import re
from typing import TYPE_CHECKING, Final

from rdcompose.compose.inputs import Input, file_input, read_file
from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats import ar
from rdcompose.formats.deb import Deb
from rdcompose.formats.executable import is_elf, read_executable
from rdcompose.formats.tarstream import Kind
from rdcompose.tree import Bytes, File, Symlink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rdcompose.compose.inputs import InputFile
    from rdcompose.formats.tarstream import Member
    from rdcompose.kernel.release import Architecture

ADDED: Final = "added"
# What /lib, /bin and their likes are links to, below /usr, since Debian 12.
_MERGED: Final = re.compile(r"usr/((?:bin|sbin|lib(?:32|64|x32|o32)?)(?:/|$))")

# What the dynamic linker of each architecture looks in, and packages install to.
TRIPLETS: Final[Mapping[str, str]] = {
    "amd64": "x86_64-linux-gnu",
    "arm64": "aarch64-linux-gnu",
    "armel": "arm-linux-gnueabi",
    "armhf": "arm-linux-gnueabihf",
    "i386": "i386-linux-gnu",
    "loong64": "loongarch64-linux-gnu",
    "mips": "mips-linux-gnu",
    "mips64el": "mips64el-linux-gnuabi64",
    "mipsel": "mipsel-linux-gnu",
    "powerpc": "powerpc-linux-gnu",
    "ppc64": "powerpc64-linux-gnu",
    "ppc64el": "powerpc64le-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
    "s390x": "s390x-linux-gnu",
}
_C_LIBRARY: Final = "libc6"
# Libraries that many use and whose packages are named otherwise.
_UNUSUAL: Final = {"libcrypto": "libssl", "libz": "zlib1g"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Files and symlinks by their paths, and what names the package in messages.

    ``depends`` is in the syntax of the control field. Of a package that only serves as a
    dependency, ``files`` has the libraries alone.
    """

    label: str
    package: str
    architecture: str
    depends: str
    files: Mapping[str, File | Symlink]
    input: Input


def common_path(path: str) -> str:
    """Return the path that a file has in both layouts: without ``usr/`` before ``lib`` etc."""
    return _MERGED.sub(r"\1", path, count=1) if path.startswith("usr/") else path


def path_matcher(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a path is meant: matched by all of a pattern, or below that."""
    parts = [re.compile(fnmatch.translate(part)) for part in pattern.split("/")]

    def matches(path: str) -> bool:
        names = path.split("/")
        return len(names) >= len(parts) and all(
            part.match(name) for part, name in zip(parts, names, strict=False)
        )

    return matches


def read_package(file: InputFile, architecture: Architecture, *, libraries: bool) -> Contents:
    """Read a package; with ``libraries`` only files that can be some.

    :raises SpecError: it cannot be read, or is for another architecture.
    :raises FormatError: it is damaged.
    """
    data = read_file(file.path, "package")
    try:
        deb = Deb.open(io.BytesIO(data))
        control = deb.control
        wanted = _may_be_library if libraries else None
        files = dict(_entries(deb.members(wanted), libraries=libraries))
    except (FormatError, UnsupportedError) as error:
        raise type(error)(f"{file.path}: {error.message}", hint=error.hint) from error
    if control.architecture not in {architecture.name, "all"}:
        raise SpecError(
            f"{file.path} is for {control.architecture}, but the kernel is for {architecture.name}"
        )
    depends = (control.get("Pre-Depends"), control.get("Depends"))
    return Contents(
        label=f"{control.package} {control.version}",
        package=control.package,
        architecture=control.architecture,
        depends=", ".join(filter(None, depends)),
        files=files,
        input=file_input(ADDED, file, data).of_package(control),
    )


def _may_be_library(path: str) -> bool:
    return ".so" in path.rpartition("/")[2]


def _entries(members: Iterator[Member], *, libraries: bool) -> Iterator[tuple[str, File | Symlink]]:
    seen: dict[str, File] = {}
    for member in members:
        path = member.path
        if libraries and not _may_be_library(path):
            continue
        if member.kind is Kind.SYMLINK and member.target:
            yield path, Symlink(path=path, target=member.target)
        elif member.kind is Kind.FILE:
            seen[path] = File(path=path, mode=member.mode, content=Bytes(member.content))
            yield path, seen[path]
        elif member.kind is Kind.HARDLINK and member.target in seen:
            yield path, dataclasses.replace(seen[member.target], path=path)


def is_package(data: bytes) -> bool:
    """Whether data begins as a package does."""
    return data.startswith(ar.MAGIC)


def read_program(file: InputFile, path: str, architecture: Architecture) -> Contents:
    """Read an ELF file that is in no package.

    Without a ``path`` a program goes to ``/usr/bin``, and a library to where the dynamic linker
    looks, by the name that programs know it by. The packages of what it needs are guessed
    by the rules that Debian names them by.

    :raises SpecError: it cannot be read, or is no ELF file.
    :raises FormatError: it is damaged.
    """
    data = read_file(file.path, "file")
    if not is_elf(data):
        raise SpecError(
            f"{file.path} is neither a Debian package nor an ELF file",
            hint="other files go into the initramfs by --template",
        )
    try:
        program = read_executable(data)
    except FormatError as error:
        raise FormatError(f"{file.path}: {error.message}", hint=error.hint) from error
    place = path.removeprefix("/")
    if not place and program.soname and not program.interpreter:
        place = f"usr/lib/{TRIPLETS[architecture.name]}/{program.soname.rpartition('/')[2]}"
    place = place or f"usr/bin/{file.path.name}"
    needed = [name for name in program.needed if "/" not in name]
    guesses = [_C_LIBRARY] if program.interpreter or needed else []
    guesses += [" | ".join(_packages_of(name)) for name in needed]
    return Contents(
        label=file.path.name,
        package="",
        architecture=architecture.name,
        depends=", ".join(filter(None, guesses)),
        files={place: File(path=place, mode=0o755, content=Bytes(data))},
        input=file_input(ADDED, file, data),
    )


def _packages_of(library: str) -> tuple[str, ...]:
    """Return what a library's package may be called (Debian Policy, section 8.1).

    ``libfoo.so.1`` is in ``libfoo1``, ``libfoo-2.so.1`` and ``libfoo2.so.1`` in ``libfoo-2-1``
    and ``libfoo2-1``; with ``t64`` at the end after the change to 64-bit times.
    """
    found = re.fullmatch(r"([a-zA-Z0-9+_.-]+?)(?:-([0-9.]+))?\.so(?:\.([0-9]+)[0-9.]*)?", library)
    if found is None:
        return ()
    stem, series, major = found[1], found[2] or "", found[3] or ""
    name = (f"{stem}-{series}" if series else stem).lower().replace("_", "-")
    name = _UNUSUAL.get(name, name)
    if major and name != "zlib1g":
        name += f"-{major}" if name[-1:].isdigit() else major
    return (name, name + "t64")
