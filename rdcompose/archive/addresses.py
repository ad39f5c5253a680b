"""Addresses of archives: what may be shown of one, where a redirect and a ``file://`` lead.

Syntax: RFC 3986; ``file``: RFC 8089, as apt reads it, for which ``?`` and ``#`` are parts of
the path. Nothing here touches a file or a network.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote_to_bytes, urljoin, urlsplit

from rdcompose.errors import FetchError

_CREDENTIALS: Final = re.compile(r"(?<=://)[^/?#\s]*@")
_WEB: Final = re.compile(r"(https?)://([^/?#]*)", re.IGNORECASE)
_PORTS: Final = {"http": ":80", "https": ":443"}
_LOCAL_HOSTS: Final = frozenset({"", "localhost"})


def shown(address: str) -> str:
    """Return an address, or a text with some, for a message: printable, no credentials."""
    return printable(_CREDENTIALS.sub("", address))


def server_path(address: str) -> str:
    """Return what stays of an address when its scheme or password changes: host and path."""
    address = shown(address)
    found = _WEB.match(address)
    if found is None:
        return address
    scheme, host = found[1].lower(), found[2].lower()
    return f"{host.removesuffix(_PORTS[scheme])}{address[found.end() :]}"


def printable(text: str) -> str:
    """Return foreign text with every character that is not printable as ``?``."""
    return "".join(character if character.isprintable() else "?" for character in text)


def scheme_of(address: str) -> str:
    """Return the scheme in lower case; empty if there is none."""
    scheme, colon, _ = address.partition(":")
    return scheme.lower() if colon else ""


def redirected(address: str, location: str) -> str:
    """Return where a ``Location`` leads that was received from an address.

    Credentials go along within one server only. As with apt, ``https`` does not lead to
    ``http``, and nothing leads out of the two.

    :raises FetchError: it leads where nobody should follow.
    """
    try:
        target = urljoin(address, location)
        old, new = urlsplit(address), urlsplit(target)
        same = _server(old) == _server(new)
    except ValueError as error:
        raise _refused(address, location, "which is no valid address") from error
    if new.scheme not in {"http", "https"} or not new.hostname:
        raise _refused(address, location, "which is not followed")
    if (old.scheme, new.scheme) == ("https", "http"):
        raise _refused(address, location, "which is not followed from https")
    credentials, at, _ = old.netloc.rpartition("@")
    if same and at and "@" not in new.netloc:
        return new._replace(netloc=f"{credentials}@{new.netloc}").geturl()
    return target


def file_path(address: str) -> Path:
    """Return the path that a ``file:`` address names.

    :raises FetchError: it names another machine, a relative path or none.
    """
    rest = address.partition(":")[2]
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        if host.lower() not in _LOCAL_HOSTS:
            raise FetchError(
                f"cannot read {shown(address)}: it names the machine {shown(host)!r}",
                hint="a file:// address has three slashes: file:///srv/mirror",
            )
        rest = slash + rest
    path = unquote_to_bytes(rest)
    if not path.startswith(b"/") or b"\0" in path:
        raise FetchError(f"cannot read {shown(address)}: it names no absolute path")
    return Path(os.fsdecode(path))


def _server(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port


def _refused(address: str, location: str, why: str) -> FetchError:
    return FetchError(f"cannot fetch {shown(address)}: it redirects to {shown(location)}, {why}")
