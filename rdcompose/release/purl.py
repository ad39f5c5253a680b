"""Package URLs: how tools that look for vulnerabilities know a package.

Reference: the type ``deb`` of https://github.com/package-url/purl-spec. Only packages whose
archive is known have one, for the vendor is part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from rdcompose.compose.inputs import Input

# First word of the label of an archive's signed index, and the vendor.
_VENDORS: Final = {"debian": "debian", "ubuntu": "ubuntu", "raspbian": "raspbian"}


def package_url(item: Input) -> str | None:
    """Return the package URL of an input from an archive, ``None`` of any other."""
    if item.archive is None or not item.package:
        return None
    words = item.archive.label.lower().replace("-", " ").split()
    vendor = _VENDORS.get(words[0]) if words else None
    if vendor is None:
        return None
    # Updates and security fixes are for the same release of the distribution.
    suite = item.archive.suite.partition("-")[0]
    name, version = quote(item.package, safe="."), quote(item.version, safe=".~-:")
    return (
        f"pkg:deb/{vendor}/{name}@{version}?arch={quote(item.architecture)}&distro={quote(suite)}"
    )
