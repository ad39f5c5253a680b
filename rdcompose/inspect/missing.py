"""What an initramfs lacks of that which its machine needs: for the root, disks and the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.inspect.devicename import device_name, device_role

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator

    from rdcompose.inspect.suggestion import Suggested, Suggestion

ROOT: Final = "root"
_FILES: Final = "fs-"


def what_is_missing(
    wanted: Suggestion, held: Container[str], roles: Collection[str]
) -> Iterator[str]:
    """Yield a sentence for each module that is wanted and not held, by what it is for.

    ``wanted`` is what the devices of the machine that was booted, and its kernel, asked for;
    ``roles`` are what failed: :data:`ROOT`, ``DISK``, ``NETWORK``.
    """
    for role in roles:
        for one in wanted.ramfs:
            if one.name not in held and role in _roles(one):
                yield f"for the {role}, {one.name} is missing{_user(one, role)}"
    for alias in wanted.unserved:
        if device_role(alias) in roles:
            yield f"for the {device_role(alias)}, no driver took {device_name(alias)}"


def _roles(one: Suggested) -> frozenset[str]:
    of_files = (ROOT for name in one.asked if name.startswith(_FILES))
    return frozenset((*map(device_role, one.devices), *of_files))


def _user(one: Suggested, role: str) -> str:
    names = [device_name(alias) for alias in one.devices if device_role(alias) == role]
    return f" ({names[0]})" if names else ""
