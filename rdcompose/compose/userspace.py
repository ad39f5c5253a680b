"""The part of an initramfs that is not the kernel's: template, busybox and e2fsck.

A program that is given as an option wins over the template's file of that path; the
links to a program's names give way to what the template has there.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.compose.inputs import LOCAL_DIRECTORY, Input, read_file
from rdcompose.compose.layout import add_skeleton
from rdcompose.compose.placement import place_additions, without_lost_scripts
from rdcompose.compose.programname import ProgramName
from rdcompose.compose.programs import fitting_program, program_entries, take_program
from rdcompose.compose.template import builtin_template, overlay, read_template, tree_bytes
from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.executable import is_elf, read_executable
from rdcompose.kernel.release import machine_name
from rdcompose.tree import File, Symlink, read_all

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from pathlib import Path

    from rdcompose.compose.added import Added, Additions
    from rdcompose.compose.inputs import InputFile
    from rdcompose.compose.programs import Found, Kept, Program
    from rdcompose.kernel.release import Architecture
    from rdcompose.tree import Tree

_INIT: Final = "init"
# What the built-in init script calls; checked so that a cut-down busybox is found out
# here and not at boot.
INIT_APPLETS: Final = (
    *("cat", "dd", "head", "mkdir", "modprobe", "mount", "od", "readlink", "reboot"),
    *("sed", "setsid", "sh", "sleep", "switch_root", "tr", "umount"),
)


class Loaded(NamedTuple):
    """A program, and what the manifest says of where it came from."""

    program: Program
    input: Input


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Userspace:
    """The tree, what it was made from, and whether its init is the built-in one.

    ``added`` are the programs that are not static, and what they need.
    """

    tree: Tree
    inputs: tuple[Input, ...]
    builtin_init: bool
    added: tuple[Added, ...]
    notes: tuple[str, ...]


def load_userspace(
    template: Path | None,
    programs: Iterable[Loaded],
    additions: Additions,
    architecture: Architecture,
) -> Userspace:
    """Read the template and put the programs into it.

    A template with an ``init`` of its own replaces the built-in one; another is laid
    over it.

    :raises SpecError: the template cannot be read, or holds a program of another
        architecture; the init script lacks its busybox.
    """
    tree = builtin_template()
    builtin_init = True
    if template is not None:
        own = read_template(template)
        _check_programs(own, template, architecture)
        builtin_init = _INIT not in own
        if builtin_init:
            tree = overlay(tree, own)
        else:
            tree = own
            add_skeleton(tree)
    inputs = [
        Input(
            role="template",
            file="ramdisk-template" if template is None else template.resolve().name,
            sha256=_tree_digest(tree),
            source="built in" if template is None else LOCAL_DIRECTORY,
        )
    ]
    placed = place_additions(tree, additions)
    for loaded in programs:
        _add_program(tree, loaded.program, placed, builtin_init=builtin_init)
        inputs.append(loaded.input)
    added, notes = without_lost_scripts(tree, additions)
    if builtin_init and tree.resolved("bin/busybox") not in tree:
        raise SpecError(
            "the built-in init script needs busybox",
            hint="give one with --busybox, or a template with an init of its own",
        )
    return Userspace(
        tree=tree,
        inputs=(*inputs, *additions.inputs),
        builtin_init=builtin_init,
        added=added,
        notes=notes,
    )


def _check_programs(own: Tree, template: Path, architecture: Architecture) -> None:
    wanted = (architecture.elf_machine, architecture.bits, architecture.byteorder)
    for entry in own:
        if not isinstance(entry, File) or not is_elf(data := read_all(entry.content)):
            continue
        try:
            found = read_executable(data)
        except FormatError:
            continue  # data that only begins like a program is not ours to judge
        machine = (found.machine, found.bits, found.byteorder)
        if machine != wanted:
            raise SpecError(
                f"{entry.path} in the template {template} is for {machine_name(*machine)}, "
                f"but the kernel is {architecture.description}"
            )


def take_program_file(name: ProgramName, file: InputFile, kept: Kept | None = None) -> Found:
    """Read a program that a composition names; ``kept`` has those that were read before.

    :raises SpecError: it cannot be read, or the package does not have it.
    :raises FormatError: the program or its package is damaged.
    """
    return take_program(name, read_file(file.path, name), str(file.path), kept)


def fit_program(
    found: Found, file: InputFile, architecture: Architecture, kept: Kept | None = None
) -> Loaded:
    """Return the program that was found in a file.

    :raises SpecError: it cannot run in the initramfs.
    """
    program = fitting_program(found, architecture=architecture, kept=kept)
    origin = program.origin
    item = Input(
        role=program.name.value,
        file=file.path.name,
        sha256=origin.sha256,
        source=file.source,
        package=origin.package or "",
        version=origin.version or "",
        architecture=origin.architecture or program.architecture.name,
        size=origin.size,
        archive=file.archive,
    )
    return Loaded(program, item)


def _add_program(
    tree: Tree, program: Program, placed: Container[str], *, builtin_init: bool
) -> None:
    is_busybox = program.name is ProgramName.BUSYBOX
    required = INIT_APPLETS if is_busybox and builtin_init else ()
    for entry in program_entries(program, required=required, resolve=tree.resolved):
        if not isinstance(entry, Symlink):
            if entry.path in placed:
                raise SpecError(
                    f"what is added has another file at /{entry.path} than --{program.name}",
                    hint=f"do without one of them: --{program.name} none",
                )
            tree.add(entry)
        elif entry.path not in tree:
            tree.add(entry)


def _tree_digest(tree: Tree) -> str:
    return hashlib.sha256(tree_bytes(tree)).hexdigest()
