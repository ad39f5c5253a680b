"""The programs that every initramfs can be given, and where they stand in it."""

from __future__ import annotations

import enum
from typing import Final


class ProgramName(enum.StrEnum):
    """The programs that an initramfs can be given."""

    BUSYBOX = "busybox"
    E2FSCK = "e2fsck"


BUSYBOX_PATH: Final = "bin/busybox"
E2FSCK_PATH: Final = "sbin/e2fsck"
# Where they stand in an initramfs.
PATHS: Final = {ProgramName.BUSYBOX: BUSYBOX_PATH, ProgramName.E2FSCK: E2FSCK_PATH}
