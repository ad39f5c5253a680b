"""Which of the KERNELs of a command line belong together, and to which lock."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, SpecError, UnsupportedError, UsageError
from rdcompose.formats.deb import Deb
from rdcompose.kernel.package import PART_PREFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rdcompose.compose.lock import Lock

_PART: Final = re.compile(
    rf"(?:linux-image-(?:unsigned-)?|{'|'.join(map(re.escape, PART_PREFIXES))})(.+)"
)


def group_kernels(
    kernels: Sequence[str], locks: Sequence[Lock]
) -> Iterator[tuple[tuple[str, ...], Lock | None]]:
    """Yield for each kernel the arguments that it is of, and its lock.

    The packages of one kernel tell by their names that they are.

    :raises UsageError: no kernel is asked for, or locks are not of those that are.
    :raises SpecError: a package cannot be read.
    :raises FormatError: it is damaged.
    """
    groups: dict[str, list[str]] = {}
    for kernel in dict.fromkeys(kernels):
        groups.setdefault(_key(kernel), []).append(kernel)
    if not locks:
        if not groups:
            raise UsageError(
                "no KERNEL is given", hint="names, .deb files or directories: rpi armmp arm64"
            )
        for group in groups.values():
            yield tuple(group), None
        return
    if len(locks) == 1 and len(groups) == 1:
        [(_, group)] = groups.items()
        yield tuple(group), locks[0]
        return
    for lock in locks:
        yield tuple(groups.pop(lock.release, ())), lock
    if groups:
        [first] = next(iter(groups.values()))[:1]
        raise UsageError(
            f"{first} is of no release that --locked names",
            hint="name kernels by their releases, or leave them out",
        )


def _key(kernel: str) -> str:
    """Return what the arguments of one kernel share: its release, where the name tells it."""
    path = Path(kernel)
    if not kernel.endswith(".deb") and not path.is_file():
        return kernel.removeprefix("linux-image-")
    try:
        with path.open("rb") as stream:
            name = Deb.open(stream).control.package
    except OSError as error:
        raise SpecError(f"cannot read the kernel package {kernel}: {error.strerror}") from error
    except (FormatError, UnsupportedError) as error:
        raise type(error)(f"{kernel}: {error.message}", hint=error.hint) from error
    found = _PART.fullmatch(name)
    return name if found is None else found[1]
