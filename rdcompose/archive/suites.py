"""Names of Debian's suites, and how they belong together.

References: the Debian wiki's pages "DebianReleases" (codenames and classes), "SourcesList"
and "Backports" (the suites beside a release); os-release(5).

A suite has two names, a codename (``trixie``) and a class (``stable``). Which codename is
of which class changes with every release: the archive says it, nothing here does.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

CODENAMES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "jessie": 8,
        "stretch": 9,
        "buster": 10,
        "bullseye": 11,
        "bookworm": 12,
        "trixie": 13,
        "forky": 14,
        "duke": 15,
    }
)
_CLASSES: Final = ("stable", "oldstable", "oldoldstable", "testing")
# Never released, and so without suites beside them.
_UNRELEASED: Final = ("sid", "unstable", "experimental", "rc-buggy")

_UPDATES: Final = "-updates"
_SECURITY: Final = "-security"
# The name of the security suite up to Debian 10.
_OLD_SECURITY: Final = "/updates"
_BACKPORTS: Final = "-backports"
_PROPOSED: Final = "-proposed-updates"
# One that is the end of another comes behind it.
_SUFFIXES: Final = (
    _PROPOSED,
    _UPDATES,
    _SECURITY,
    _OLD_SECURITY,
    _BACKPORTS + "-sloppy",
    _BACKPORTS,
)

# What kernels and their packages have in their names and versions, and in which release:
# 6.12.95+deb13-amd64, 6.12.90+deb13.1-amd64; in backports 6.12.95+deb12-amd64,
# 6.1.0-0.deb11.52-amd64, 6.12.9+bpo-amd64; versions 6.12.95-1~bpo12+1, 6.1.180-1~deb11u1.
_MARK: Final = re.compile(r"(\+deb|0\.deb|~deb|[~+]bpo)(\d*)(u?)")
# A release has "+deb" in the names of its own kernels since this one.
_FIRST_WITH_MARK: Final = CODENAMES["trixie"]
# +bpo had no number while these were the backports.
_BACKPORTS_WITHOUT_NUMBER: Final = CODENAMES["bookworm"]
# Kernels without such a mark: 6.1.0-50-amd64, and the package version 6.1.176-1.
_SERIES: Final = re.compile(r"(?:^|-)(\d+\.\d+)\.\d+-[1-9]")
_RELEASE_OF_SERIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "3.16": "jessie",
        "4.9": "stretch",
        "4.19": "buster",
        "5.10": "bullseye",
        "6.1": "bookworm",
        "6.12": "trixie",
    }
)

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*(?:/[A-Za-z0-9][A-Za-z0-9._+~-]*)*")

_OS_RELEASE: Final = ("etc/os-release", "usr/lib/os-release")
_VARIABLE: Final = re.compile(r"""([A-Z_]+)=(["']?)(.*?)\2\s*""")
_CODENAME: Final = re.compile(r"[a-z]+")


def is_debian_suite(text: str) -> bool:
    """Tell whether an archive of Debian may have a suite of this name."""
    base, _ = _split(text)
    return base in CODENAMES or base in _CLASSES or base in _UNRELEASED


def is_suite_name(text: str) -> bool:
    """Tell whether an archive may have a suite of this name, by its characters alone.

    A name that is one is safe in an address: it leads to nowhere but below ``dists``.
    """
    return _NAME.fullmatch(text) is not None


def base_suite(suite: str) -> str:
    """Return the release that a suite adds to: ``bookworm`` of ``bookworm-backports``.

    Of ``unstable`` and ``experimental`` that is ``sid``; an unknown name is returned as it
    is.
    """
    base, _ = _split(suite)
    return "sid" if base in _UNRELEASED else base


def is_security(suite: str) -> bool:
    """Tell whether a suite is of the security archive."""
    return _split(suite)[1] in {_SECURITY, _OLD_SECURITY}


def family(suite: str) -> tuple[str, ...]:
    """Return the suites that together are what is asked for, the one named first.

    A release comes with its security and its updates suite; any other suite alone.
    """
    if suite not in CODENAMES and suite not in _CLASSES:
        return (suite,)
    # A class is of a release that is still on the mirrors, which older ones are not.
    old = CODENAMES.get(suite, CODENAMES["duke"]) <= CODENAMES["buster"]
    return (suite, suite + (_OLD_SECURITY if old else _SECURITY), suite + _UPDATES)


def other_suites() -> tuple[str, ...]:
    """Return the suites that an archive may have, in the order to look for a kernel.

    Not every archive has all of them.
    """
    return (
        *family("stable"),
        *family("oldstable"),
        *family("testing"),
        "unstable",
        "stable" + _BACKPORTS,
        "oldstable" + _BACKPORTS,
        *family("oldoldstable"),
        "proposed-updates",
        "oldstable" + _PROPOSED,
        "experimental",
    )


def codename_of_host(root: Path = Path("/")) -> str | None:
    """Return the codename of the Debian system below ``root``; ``None`` of any other.

    On a host with sid it is that of testing: the two have the same os-release.
    """
    variables = _os_release(root)
    if variables.get("ID") not in {"debian", "raspbian"}:
        return None
    codename = variables.get("VERSION_CODENAME", "")
    if not codename:
        # Debian 8 has none, and before Debian 13 testing neither: there, the name is in
        # "Debian GNU/Linux bookworm/sid".
        number = variables.get("VERSION_ID", "")
        named = {str(version): name for name, version in CODENAMES.items()}
        pretty = variables.get("PRETTY_NAME", "").rpartition(" ")[2]
        codename = named.get(number) or pretty.removesuffix("/sid")
    return codename if _CODENAME.fullmatch(codename) else None


def guess_suites(release: str) -> tuple[str, ...]:
    """Return where a kernel is likely to be, by its release or package version alone.

    The names are as :func:`family` takes them, the likeliest first; none where the text
    does not tell.
    """
    if (mark := _MARK.search(release)) is not None:
        return _by_mark(mark[1], int(mark[2] or 0), update=bool(mark[3]))
    if (series := _SERIES.search(release)) is not None and series[1] in _RELEASE_OF_SERIES:
        return (_RELEASE_OF_SERIES[series[1]],)
    return ()


def _by_mark(mark: str, number: int, *, update: bool) -> tuple[str, ...]:
    if mark.endswith("bpo") and not number:
        number = _BACKPORTS_WITHOUT_NUMBER
    codename = next((name for name, version in CODENAMES.items() if version == number), None)
    if codename is None:
        return ()
    backports = codename + _BACKPORTS
    if mark.endswith("bpo"):
        return (backports,)
    if update:
        return (codename,)
    if mark == "+deb" and number >= _FIRST_WITH_MARK:
        # What is to be testing's next kernel, and has its mark already, is in unstable.
        return (codename, backports, "unstable")
    # The security suite has such kernels too, once there are no backports any more.
    return (backports, codename)


def _split(suite: str) -> tuple[str, str]:
    """Split into a release and what is beside it; a suite of no release is left whole."""
    if suite == _PROPOSED.removeprefix("-"):
        return "stable", _PROPOSED
    for suffix in _SUFFIXES:
        base = suite.removesuffix(suffix)
        if base != suite and (base in CODENAMES or base in _CLASSES):
            return base, suffix
    return suite, ""


def _os_release(root: Path) -> dict[str, str]:
    for name in _OS_RELEASE:
        try:
            text = (root / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found = (_VARIABLE.fullmatch(line) for line in text.split("\n"))
        return {row[1]: row[3] for row in found if row is not None}
    return {}
