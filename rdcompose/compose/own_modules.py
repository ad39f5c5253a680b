"""Modules of the user's own, beside those of the kernel's package: what is known of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.compose.spec import DiskMode
from rdcompose.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from rdcompose.compose.inputs import Input
    from rdcompose.kernel.module import Module
    from rdcompose.kernel.package import KernelPackage

# Where the build of a kernel puts its modules.
_OWN: Final = "kernel/"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnModule:
    """A module of the user's own.

    ``path`` is below ``lib/modules/R``, ``replaces`` that of the kernel's own module of this name,
    or empty. ``taints`` are the letters that the kernel marks itself with when it loads it
    (Documentation/admin-guide/tainted-kernels.rst).
    """

    name: str
    path: str
    replaces: str
    taints: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnModules:
    """The kernel with the user's own modules among its modules, and what they are."""

    package: KernelPackage
    modules: tuple[OwnModule, ...] = ()
    inputs: tuple[Input, ...] = ()
    notes: tuple[str, ...] = ()

    def check_placed(self, ramdisk: Container[str], mode: DiskMode) -> None:
        """Check that every module is in an output.

        :raises SpecError: one is in none.
        """
        lost = [module.name for module in self.modules if module.name not in ramdisk]
        if lost and mode is DiskMode.NONE:
            raise SpecError(
                f"the module {lost[0]} would be nowhere: without a modules disk there is only what "
                "the lists name",
                hint="name it in modules.ramfs of a profile directory, or leave --disk none out",
            )


def from_outside(modules: Iterable[Module]) -> tuple[Module, ...]:
    """Return the modules that are not of the kernel's tree, as an installed kernel may have."""
    return tuple(module for module in modules if not module.path.startswith(_OWN))
