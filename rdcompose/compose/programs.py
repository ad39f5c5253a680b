"""Programs of the initramfs: busybox and e2fsck, from whatever they come in.

A program is given as the ELF file itself, as a Debian package (``.deb``) or as an
Alpine one (``.apk``), and taken only if it can run in an initramfs of the kernel's
architecture: static, startable, for that machine.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, assert_never

from rdcompose.compose.applets import read_applets
from rdcompose.compose.program_source import PACKAGES, Origin, SourceKind, find_program
from rdcompose.compose.programname import BUSYBOX_PATH, E2FSCK_PATH, ProgramName
from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats.executable import Executable, is_elf, read_executable
from rdcompose.kernel.release import architecture_of_elf, machine_name
from rdcompose.tree import Bytes, Entry, File, Symlink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rdcompose.kernel.release import Architecture


# The kernel starts /sbin/modprobe (CONFIG_MODPROBE_PATH), every script /bin/sh.
_FIXED_LINKS: Final = {"modprobe": "sbin/modprobe", "sh": "bin/sh"}


# What follows from a package alone, and what there is to a program that runs alone.
_OF_PACKAGE: Final = ("kind", "path", "package", "version", "architecture")
_OF_PROGRAM: Final = ("machine", "bits", "byteorder", "runnable")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program that runs alone on the kernel's architecture; ``content`` is the ELF file."""

    name: ProgramName
    content: bytes
    architecture: Architecture
    origin: Origin


class Kept(Protocol):
    """What was worked out before, by keys that name all that it follows from."""

    def get(self, key: str, /) -> bytes | None:
        """Return a value; ``None`` if it is not there."""

    def put(self, key: str, value: bytes, /) -> None:
        """Keep a value, if it can be kept."""


class Found(NamedTuple):
    """What came out of a file, for whatever architecture: a program, and what is known of it.

    ``mistaken`` says why it is not the program that was looked for; ``key`` names it among what
    is kept, and is ``None`` if it is there already, or not worth it.
    """

    name: ProgramName
    content: bytes
    origin: Origin
    executable: Executable
    mistaken: str | None
    key: str | None


def load_program(
    name: ProgramName | str,
    data: bytes,
    source: str,
    *,
    architecture: Architecture | None,
    kept: Kept | None = None,
) -> Program:
    """Take a program out of the bytes of a program file, ``.deb`` or ``.apk``.

    The parameters are those of :func:`take_program` and :func:`fitting_program`.

    :raises SpecError: as :func:`fitting_program`.
    :raises FormatError: the package or the program is damaged.
    """
    found = take_program(name, data, source, kept)
    return fitting_program(found, architecture=architecture, kept=kept)


def take_program(
    name: ProgramName | str, data: bytes, source: str, kept: Kept | None = None
) -> Found:
    """Take a program out of its file, whatever it is for.

    ``source`` names the bytes in messages. ``kept`` has programs of packages that were read
    before.

    :raises FormatError: the package or the program is damaged.
    :raises SpecError: the package does not have it.
    """
    name = ProgramName(name)
    digest = hashlib.sha256(data).hexdigest()
    key = f"{name} {digest}"
    worth = kept is not None and not is_elf(data)
    if worth and kept is not None and (value := kept.get(key)) is not None:
        return _known(name, value, source, data, digest)
    try:
        content, origin = find_program(name, data, source, digest)
        executable = read_executable(content)
    except (FormatError, UnsupportedError) as error:
        raise type(error)(f"{source}: {error.message}", hint=error.hint) from error
    mistaken = _not_the_program(name, content)
    return Found(name, content, origin, executable, mistaken, key if worth else None)


def fitting_program(
    found: Found, *, architecture: Architecture | None, kept: Kept | None = None
) -> Program:
    """Return what was found if it can run in an initramfs of an architecture.

    Without an architecture to fit, it is the program's own. ``kept`` is to have it from now on.

    :raises SpecError: it is not the program asked for, is not static, cannot be
        started, or is for another architecture.
    """
    name, content, origin, executable, mistaken, key = found
    where = origin.name if origin.path is None else f"{origin.path} in {origin.name}"
    if architecture is None:
        architecture = _own_architecture(executable, where)
    fault = _fault(name, executable, architecture) or mistaken
    if fault is not None:
        raise SpecError(
            f"{where} {fault}",
            hint=f"what serves is a static {name} for {architecture.name}, "
            f"for example of the package {PACKAGES[name]}",
        )
    if kept is not None and key is not None:
        kept.put(key, _value(found))
    return Program(name=name, content=content, architecture=architecture, origin=origin)


def _known(name: ProgramName, value: bytes, source: str, data: bytes, digest: str) -> Found:
    """Return what was found before in the same package."""
    line, _, content = value.partition(b"\n")
    fields, judged = json.loads(line)
    kind = SourceKind(fields.pop("kind"))
    origin = Origin(name=source, kind=kind, sha256=digest, size=len(data), **fields)
    # Only programs that run alone, and are what they are for, are kept.
    executable = Executable(**judged, interpreter=None, needed=())
    return Found(name, content, origin, executable, None, None)


def _value(found: Found) -> bytes:
    origin = {field: getattr(found.origin, field) for field in _OF_PACKAGE}
    judged = {field: getattr(found.executable, field) for field in _OF_PROGRAM}
    return json.dumps([origin, judged]).encode() + b"\n" + found.content


def program_architecture(content: bytes, where: str) -> Architecture:
    """Return the architecture of a program by its ELF header; armhf for armel, too.

    :raises SpecError: it is none of Debian's.
    :raises FormatError: this is no program.
    """
    try:
        return _own_architecture(read_executable(content), where)
    except FormatError as error:
        raise FormatError(f"{where}: {error.message}", hint=error.hint) from error


def _own_architecture(program: Executable, where: str) -> Architecture:
    found = architecture_of_elf(program.machine, program.bits, program.byteorder)
    if found is None:
        machine = machine_name(program.machine, program.bits, program.byteorder)
        raise SpecError(f"{where} is for {machine}, which no Debian architecture is")
    return found


def _fault(name: ProgramName, program: Executable, architecture: Architecture) -> str | None:
    """Say why a program cannot run in an initramfs, or ``None``."""
    if not program.runnable:
        return "is an ELF file, but no program that can be started"
    mine = (program.machine, program.bits, program.byteorder)
    if mine != (architecture.elf_machine, architecture.bits, architecture.byteorder):
        return f"is for {machine_name(*mine)}, but the kernel is {architecture.description}"
    if not program.static:
        needs = ", ".join(filter(None, (program.interpreter, *program.needed)))
        return f"is not static: {name} needs {needs}"
    return None


def _not_the_program(name: ProgramName, content: bytes) -> str | None:
    match name:
        case ProgramName.BUSYBOX:
            try:
                read_applets(content)
            except FormatError:
                return "is a program, but not busybox: it holds no table of applets"
        case ProgramName.E2FSCK:
            if b"e2fsck" not in content:
                return "is a program, but not e2fsck"
        case _:
            assert_never(name)
    return None


def applet_links(busybox: bytes, *, required: Iterable[str] = ()) -> tuple[str, ...]:
    """Paths of the links that a busybox wants, in byte order, without itself.

    They are where ``busybox --install`` puts them, and also where the kernel and
    scripts look without searching: ``sbin/modprobe``, ``bin/sh``.

    :raises SpecError: an applet that is required is not in it.
    :raises FormatError: it is no busybox.
    """
    applets = read_applets(busybox)
    names = {applet for applet, _ in applets}
    if missing := sorted(set(required) - names):
        raise SpecError(
            "this busybox lacks the applets " + ", ".join(missing),
            hint=f"the init script calls them; {PACKAGES[ProgramName.BUSYBOX]} has them",
        )
    paths = {path for _, path in applets}
    paths.update(path for applet, path in _FIXED_LINKS.items() if applet in names)
    paths.discard(BUSYBOX_PATH)
    return tuple(sorted(paths))


def e2fsck_links() -> tuple[str, ...]:
    """Paths of the links under which fsck(8) and scripts call e2fsck."""
    return ("sbin/fsck.ext2", "sbin/fsck.ext3", "sbin/fsck.ext4")


def program_entries(
    program: Program,
    *,
    required: Iterable[str] = (),
    resolve: Callable[[str], str] = lambda path: path,
) -> tuple[Entry, ...]:
    """Return the program at its place in the initramfs, and the links to it.

    ``required`` are applets that a busybox must have. ``resolve`` says where a path really
    leads in a tree with linked directories (``usr/bin`` to ``bin``). Links are relative, so
    that they hold in an unpacked tree too.

    :raises SpecError: a required applet is missing.
    """
    match program.name:
        case ProgramName.BUSYBOX:
            path, links = BUSYBOX_PATH, applet_links(program.content, required=required)
        case ProgramName.E2FSCK:
            path, links = E2FSCK_PATH, e2fsck_links()
        case _:
            assert_never(program.name)
    path = resolve(path)
    file = File(path=path, mode=0o755, content=Bytes(program.content))
    # Of links that fall together the first stays.
    places = dict.fromkeys(resolve(link) for link in links)
    places.pop(path, None)
    return (file, *(Symlink(path=link, target=_relative(link, path)) for link in places))


def _relative(link: str, target: str) -> str:
    """Return the target as seen from the directory of the link."""
    directory = link.rpartition("/")[0]
    if directory == target.rpartition("/")[0]:
        return target.rpartition("/")[2]
    return "../" * len(directory.split("/") if directory else ()) + target
