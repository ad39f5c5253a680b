"""What plans of one call share: it follows from inputs that several of them have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.compose.layout import depmod_of
from rdcompose.compose.userspace import load_program_file

if TYPE_CHECKING:
    from rdcompose.compose.inputs import InputFile
    from rdcompose.compose.programname import ProgramName
    from rdcompose.compose.programs import Kept
    from rdcompose.compose.userspace import Loaded
    from rdcompose.kernel.depmod import Depmod
    from rdcompose.kernel.moduletree import ModuleTree
    from rdcompose.kernel.release import Architecture


class Known:
    """Dependencies of kernels and programs from files, each worked out once.

    ``kept`` has what earlier calls have worked out.
    """

    def __init__(self, kept: Kept | None = None) -> None:
        self._kept = kept
        self._depmods: list[tuple[ModuleTree, Depmod]] = []
        self._programs: list[tuple[tuple[ProgramName, InputFile, Architecture], Loaded]] = []

    def depmod(self, tree: ModuleTree) -> Depmod:
        """Return the dependencies of all modules of a kernel.

        :raises FormatError: modules depend on each other in a circle.
        """
        for known, depmod in self._depmods:
            if known is tree:
                return depmod
        depmod = depmod_of(tree)
        self._depmods.append((tree, depmod))
        return depmod

    def program(self, name: ProgramName, file: InputFile, architecture: Architecture) -> Loaded:
        """Return a program that was taken out of a file.

        :raises SpecError: it cannot be read, or cannot run in the initramfs.
        :raises FormatError: the program or its package is damaged.
        """
        key = (name, file, architecture)
        for known, loaded in self._programs:
            if known == key:
                return loaded
        loaded = load_program_file(*key, self._kept)
        self._programs.append((key, loaded))
        return loaded
