"""The links and the configuration of a TFTP tree, put beside its boot folder."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from rdcompose.boards.netboot import CONFIGURATION, TREE
from rdcompose.errors import OutputError
from rdcompose.publish import Publication

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def check_place(output: Path, links: Mapping[str, str]) -> None:
    """Look whether links can be put there: nothing else has one of their names.

    :raises OutputError: something has.
    """
    for name in links:
        path = output / TREE / name
        if os.path.lexists(path) and not path.is_symlink():
            raise OutputError(
                f"cannot write {path}: it is there, and no link",
                hint="a directory of a Pi's own stays as it is when its serial number is not given",
            )


def place(output: Path, links: Mapping[str, str], configuration: str) -> None:
    """Write the links, each replaced by one rename, and the configuration.

    :raises OutputError: they cannot be written.
    """
    check_place(output, links)
    for name, target in sorted(links.items()):
        _link(output / TREE / name, target)
    with Publication(output) as publication:
        with publication.file(CONFIGURATION) as out:
            out.write(configuration.encode("utf-8", "surrogateescape"))
        publication.publish()


def unreadable_parent(root: Path) -> Path | None:
    """Return a directory above that keeps other users out, dnsmasq's among them."""
    for directory in (root, *root.parents):
        if not directory.stat().st_mode & 0o001:
            return directory
    return None


def _link(path: Path, target: str) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.symlink_to(target)
        try:
            temporary.rename(path)
        except OSError:
            temporary.unlink()
            raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
