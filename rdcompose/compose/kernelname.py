"""What a user calls a kernel: a release, a flavour or the name of Debian's package.

Apart from :mod:`rdcompose.compose.resolve`, because to understand a name takes no archive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.kernel.release import architecture_of_release, flavour_architecture

if TYPE_CHECKING:
    from rdcompose.kernel.release import Architecture

PREFIX: Final = "linux-image-"
UNSIGNED: Final = "-unsigned"


def architecture_of_name(name: str) -> Architecture | None:
    """Return the architecture that a release, flavour or package name tells."""
    plain = name.removeprefix(PREFIX).removesuffix(UNSIGNED)
    return flavour_architecture(plain) or architecture_of_release(plain)
