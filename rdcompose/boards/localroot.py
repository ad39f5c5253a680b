"""Whether a kernel and its initramfs can mount the root of a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.errors import CapabilityError, SpecError
from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.supports import find_feature, supports

if TYPE_CHECKING:
    from rdcompose.boards.rootfs import RootFilesystem
    from rdcompose.compose.plan import Plan


# What roots are packed with here.
_COMPRESSOR: Final = "zstd"


def check_root(plan: Plan, root: RootFilesystem, *, packed: bool) -> None:
    """Check that a composition has what it takes to mount a root.

    ``packed`` tells that a squashfs is made here. A filesystem that nothing is known of is let
    pass.

    :raises CapabilityError: the kernel cannot; the missing options are named.
    :raises SpecError: a module for it is not in the initramfs.
    """
    config = KernelConfig.parse(plan.config)
    if packed and (missing := config.missing_for_squashfs(_COMPRESSOR)):
        raise CapabilityError(
            f"the kernel {plan.release} cannot read a squashfs compressed with {_COMPRESSOR}: it "
            f"lacks {', '.join(missing)}",
            hint="make the squashfs with mksquashfs -comp gzip, and name it with --root-from",
        )
    for need in (root.kind, *(("overlay",) if root.read_only else ())):
        if find_feature(need) is None:
            continue
        found = supports(config, plan.selection.ramdisk, need)
        if found.missing:
            raise CapabilityError(
                f"the kernel {plan.release} cannot mount a root of {root.kind}: it lacks "
                f"{', '.join(found.missing)}"
            )
        if found.absent:
            raise SpecError(
                f"a root of {root.kind} needs the module {found.absent[0]}, which the initramfs of "
                f"{plan.release} does not hold",
                hint="list it in modules.ramfs of the profile, or take the profile pi",
            )
