"""What plans of one call share: it follows from inputs that several of them have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.compose.layout import depmod_of
from rdcompose.compose.userspace import fit_program, take_program_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from rdcompose.compose.inputs import InputFile
    from rdcompose.compose.programname import ProgramName
    from rdcompose.compose.programs import Found, Kept
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
        self._begun: list[tuple[tuple[ProgramName, InputFile], Future[Found]]] = []

    def begin(self, programs: Iterable[tuple[ProgramName, InputFile]]) -> None:
        """Begin to take programs out of files, beside what the caller does meanwhile.

        What is wrong with one is told by :meth:`program`.
        """
        from concurrent.futures import ThreadPoolExecutor

        begun = [file for file, _ in self._begun]
        beside = ThreadPoolExecutor(1, thread_name_prefix="programs")
        for file in programs:
            if file not in begun:
                taking = beside.submit(take_program_file, *file, self._kept)
                self._begun.append((file, taking))
        beside.shutdown(wait=False)

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
        loaded = fit_program(self._taken(name, file), file, architecture, self._kept)
        self._programs.append((key, loaded))
        return loaded

    def _taken(self, name: ProgramName, file: InputFile) -> Found:
        for known, taking in self._begun:
            if known == (name, file):
                return taking.result()
        return take_program_file(name, file, self._kept)
