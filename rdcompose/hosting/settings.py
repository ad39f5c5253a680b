"""How to talk with a host of releases: where and as whom."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from rdcompose.archive.addresses import shown
from rdcompose.errors import UsageError

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Token:
    """What to authenticate with: the header ``name`` has ``value``, in which ``secret`` stands."""

    name: str
    value: str
    secret: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Of a client: ``name`` is for messages, ``hints`` say what to do about a status.

    ``cancelled`` ends what is under way.
    """

    name: str
    api: str
    token: Token
    headers: Mapping[str, str]
    hints: Mapping[int, str]
    cancelled: threading.Event


def may_have_token(address: str) -> bool:
    """Whether a token stays between here and the server: encrypted, or within this machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOCAL))


def server_of(api: str) -> str:
    """Return the name of an API's server, for messages, if a token may be sent to it.

    :raises UsageError: it would go over the network in the clear, or nowhere.
    """
    if may_have_token(api):
        return urlsplit(api).netloc.rpartition("@")[2]
    raise UsageError(
        f"{shown(api)} is no address to send a token to",
        hint="the address of an API begins with https://",
    )
