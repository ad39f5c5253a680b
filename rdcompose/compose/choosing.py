"""The lists that choose the modules of a composition: its features', its profile's, the boot's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.compose.spec import DiskMode
from rdcompose.kernel.choice import Choice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdcompose.compose.features import Feature
    from rdcompose.compose.profile import Profile

# What the init script needs to lay the modules disk into the root (docs/boot.md).
_DISK_MODULES: Final = {
    DiskMode.REMAINING: (
        ("squashfs", "to read the modules disk"),
        ("overlay", "to lay the modules of the initramfs over the modules disk"),
    ),
    DiskMode.ALL: (("squashfs", "to read the modules disk"),),
    DiskMode.NONE: (),
}


def choice_of(profile: Profile, features: Iterable[Feature], mode: DiskMode) -> Choice:
    """Return what chooses the modules of an initramfs with this kind of disk beside it."""
    # The profile has the last word on what a feature lists.
    listed = [entry for feature in features for entry in feature.entries]
    return Choice(
        entries=(*listed, *profile.entries),
        autoload=profile.autoload,
        required=_DISK_MODULES[mode],
    )
