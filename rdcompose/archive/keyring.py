"""Where the keys of the Debian archive are: on the system, or shipped with rdcompose.

The file is that of Debian's package debian-archive-keyring; ``data/README`` tells which version
is shipped.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import Final

from rdcompose.archive.trust import Keyring
from rdcompose.errors import TrustError

# The package renamed it in version 2025.1, and left a link under the old name.
_SYSTEM: Final = (
    "usr/share/keyrings/debian-archive-keyring.pgp",
    "usr/share/keyrings/debian-archive-keyring.gpg",
)
_SHIPPED: Final = "debian-archive-keyring.gpg"


def load_keyring(path: Path) -> Keyring:
    """Read a keyring file, binary or in ASCII armour.

    :raises TrustError: it cannot be read, or is no keyring.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TrustError(f"the keyring {path} cannot be read: {error.strerror}") from error
    return Keyring.from_bytes(data, str(path))


def debian_keyring(root: Path = Path("/")) -> Keyring:
    """Return the system's keyring of the Debian archive, else the one shipped with rdcompose.

    :raises TrustError: the system has one, but it cannot be read.
    """
    for name in _SYSTEM:
        if (path := root / name).exists():
            return load_keyring(path)
    data = importlib.resources.files("rdcompose.archive").joinpath("data", _SHIPPED).read_bytes()
    return Keyring.from_bytes(data, "the Debian keyring shipped with rdcompose")
