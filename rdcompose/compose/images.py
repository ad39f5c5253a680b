"""The kernel as it is written: as in its package, or unpacked for loaders that want that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.compose.spec import ImageForm
from rdcompose.errors import FormatError, ReleaseError, UnsupportedError
from rdcompose.formats.image import ImageKind
from rdcompose.formats.vmlinux import Vmlinux, unpack_kernel
from rdcompose.kernel.release import architectures_of_kernel

if TYPE_CHECKING:
    from rdcompose.kernel.package import KernelPackage

_UNPACKED_NAME: Final = "vmlinux"


class BootImage(NamedTuple):
    """The file that a loader takes; ``name`` is in front of the release in its name.

    ``unpacked`` is what an unpacked kernel says about itself, ``None`` of one as in the package.
    """

    name: str
    data: bytes
    unpacked: Vmlinux | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of it."""
        found = self.unpacked
        if found is None or found.image.kind is not ImageKind.ELF or found.pvh is not None:
            return ()
        note = f"the unpacked kernel has only its own entry, {found.entry:#x}, and none for PVH"
        return (f"{note} (CONFIG_PVH): QEMU does not start it",)


def boot_image(package: KernelPackage, form: ImageForm) -> BootImage:
    """Return the kernel of a package in the form that is asked for.

    :raises UnsupportedError: this kernel cannot be had unpacked.
    :raises FormatError: it is damaged.
    :raises ReleaseError: what is inside is of another release or machine.
    """
    if form is ImageForm.PACKAGE:
        return BootImage(package.image_name, package.image)
    where = f"{package.image_name}-{package.release}"
    try:
        found = unpack_kernel(package.image)
    except (FormatError, UnsupportedError) as error:
        raise type(error)(
            f"{where} cannot be unpacked: {error.message}", hint=error.hint
        ) from error
    image = found.image
    if image.release != package.release:
        raise ReleaseError(
            f"the kernel is {package.release}, but what {where} unpacks to is {image.release}"
        )
    if package.architecture not in architectures_of_kernel(
        image.machine, image.bits, image.byteorder
    ):
        raise ReleaseError(
            f"the kernel is for {package.architecture.description}, but what {where} unpacks to "
            "is for another machine"
        )
    return BootImage(_UNPACKED_NAME, found.data, found)
