"""Licences of what goes into a build, where they are known.

A module declares its own (``MODULE_LICENSE``), in words of the kernel's that are no SPDX
expressions: "GPL" leaves open whether later versions are meant. They are passed on as they are.
Packages do not declare theirs in a form that a program can read, so only a few are known here.

References:
- Linux, Documentation/process/license-rules.rst
- COPYING of Linux, LICENSE of busybox, NOTICE of e2fsprogs
"""

from __future__ import annotations

from typing import Final

# By the role of an input that is a package: of the sources that it is named after.
_BY_ROLE: Final = {
    "kernel": "GPL-2.0-only WITH Linux-syscall-note",
    "busybox": "GPL-2.0-only",
    "e2fsck": "GPL-2.0-only AND LGPL-2.0-only",
}


def licence_of_input(role: str) -> str | None:
    """Return the SPDX expression for an input with a role, ``None`` where it is not known."""
    return _BY_ROLE.get(role)
