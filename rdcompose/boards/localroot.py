"""Whether a kernel and its initramfs can mount the root of a card, and start it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.errors import CapabilityError, SpecError
from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.release import machine_name
from rdcompose.kernel.supports import find_feature, supports

if TYPE_CHECKING:
    from rdcompose.boards.rootfs import RootFilesystem
    from rdcompose.compose.plan import Plan


# What roots are packed with here.
_COMPRESSOR: Final = "zstd"
# 32-bit programs, which 64-bit kernels run with CONFIG_COMPAT.
_ARM: Final = (40, 32, "little")


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


def check_programs(plan: Plan, root: RootFilesystem, *, init: bool) -> None:
    """Check that a kernel can start what a root has; of an image, nothing is known.

    ``init`` tells that the command line names what to start.

    :raises SpecError: it has nothing to start, or that is for another machine.
    """
    if root.programs is None:
        return
    if not root.programs:
        if init:
            return
        raise SpecError(
            f"the root {root.input.file} has no /sbin/init, nor anything else to start",
            hint="give the top of a system, or name its program: --cmdline init=/PATH",
        )
    own = plan.architecture
    machines = {(own.elf_machine, own.bits, own.byteorder)}
    if own.name == "arm64" and KernelConfig.parse(plan.config).builtin("COMPAT"):
        machines.add(_ARM)
    first = root.programs[0]
    if first.machine is not None and first.machine not in machines:
        raise SpecError(
            f"the root {root.input.file} is of another architecture: /{first.path} is for "
            f"{machine_name(*first.machine)}, but the kernel {plan.release} is {own.description}",
            hint=f"make the root for {own.name}, as with mmdebstrap --arch={own.name}",
        )
