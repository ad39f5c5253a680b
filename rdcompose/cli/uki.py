"""``rdcompose build --uki``: what its options ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.compose.filesource import STUB
from rdcompose.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from rdcompose.compose.filesource import Source
    from rdcompose.compose.uki import UkiSpec

CMDLINE = "cmdline"


def wanted_stub(arguments: argparse.Namespace, options: Mapping[str, str]) -> list[str]:
    """Return the stub that is asked for, none without ``--uki``.

    ``options`` has what a lock was made with, and its image goes with its stub.

    :raises UsageError: an option has no meaning.
    """
    locked = options.get(STUB, "")
    if not (arguments.uki or locked):
        for name in (STUB, CMDLINE, "os-release"):
            if getattr(arguments, name.replace("-", "_")) is not None:
                raise UsageError(f"--{name} has no meaning without --uki")
        return []
    from rdcompose.compose.uki import STUB_PACKAGE

    return [arguments.uki_stub or locked or STUB_PACKAGE]


def uki_spec(
    arguments: argparse.Namespace, options: Mapping[str, str], stubs: Sequence[Source]
) -> UkiSpec | None:
    """Return what is asked for, with the stub that was found; ``None`` if none is wanted."""
    if not stubs:
        return None
    from rdcompose.compose.uki import UkiSpec

    given: str | None = arguments.cmdline
    return UkiSpec(
        stub=stubs[0],
        cmdline=options.get(CMDLINE, "") if given is None else given,
        os_release=arguments.os_release,
    )
