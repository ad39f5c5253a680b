"""The architecture of a kernel, by all that tells it: image, configuration, packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.errors import ReleaseError
from rdcompose.kernel.release import (
    ARCHITECTURES,
    Architecture,
    architecture_by_name,
    architectures_of_image,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdcompose.formats.deb import Control
    from rdcompose.formats.image import KernelImage
    from rdcompose.kernel.config import KernelConfig

# Whose packages hold kernels of another one, too: the firmware of a Raspberry Pi starts a
# 64-bit kernel below a 32-bit Raspberry Pi OS.
_64_BIT: Final = {"armel": "arm64", "armhf": "arm64"}
_BOTH_ARM: Final = frozenset({"armel", "armhf"})
_ANY: Final = "all"


def find_architecture(
    path: str,
    image: KernelImage,
    config: KernelConfig,
    controls: Sequence[Control],
    asked: Architecture | None,
) -> Architecture:
    """Return the architecture of the kernel at ``path``.

    armel and armhf are one machine to a kernel: ``asked`` tells, or the processors that the
    kernel is for. Debian's armhf wants an ARMv7.

    :raises ReleaseError: image and packages, or packages themselves, contradict each other.
    :raises SpecError: a package is for an architecture that is not known here.
    """
    possible = architectures_of_image(image)
    said = _of_packages(controls)
    if not possible:
        raise ReleaseError(f"the kernel {path} is a {image.kind.value} for another machine")
    if said is not None and said not in possible:
        other = _64_BIT.get(said.name)
        if other is None or ARCHITECTURES[other] not in possible:
            raise ReleaseError(
                f"the package {controls[0].package} is for {said.description}, but the kernel "
                f"in it is a {image.kind.value} for {possible[0].description}"
            )
        said = None
    if asked in possible:
        return asked
    fitting = [row for row in possible if config.wrong_machine(row) is None]
    if said is None and not fitting:
        raise ReleaseError(
            f"the kernel {path} is a {image.kind.value} for {possible[0].description}, "
            "but its configuration is of another architecture"
        )
    if {row.name for row in possible} >= _BOTH_ARM:
        return _arm(config, said)
    # MIPS kernels of 64 bits run in an architecture of 32, too.
    return said or min(fitting, key=lambda row: row.bits != image.bits)


def _arm(config: KernelConfig, said: Architecture | None) -> Architecture:
    if config.builtin("CPU_V7"):
        return said or ARCHITECTURES["armhf"]
    # Raspberry Pi OS calls its kernels for ARMv6 armhf, too.
    if said is None or config.builtin("CPU_V6") or config.builtin("CPU_V6K"):
        return ARCHITECTURES["armel"]
    return said


def _of_packages(controls: Sequence[Control]) -> Architecture | None:
    named = [control for control in controls if control.architecture != _ANY]
    for other in named:
        if other.architecture != named[0].architecture:
            raise ReleaseError(
                f"{named[0].package} is for {named[0].architecture}, but {other.package} is for "
                f"{other.architecture}"
            )
    return architecture_by_name(named[0].architecture) if named else None
