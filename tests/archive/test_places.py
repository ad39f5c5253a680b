"""Where a suite is looked for."""

from __future__ import annotations

from rdcompose.archive.places import AptPlace
from rdcompose.archive.sources import Source
from rdcompose.archive.trust import Keyring
from tests.support.signing import make_key

MAIN = "http://127.0.0.1/debian"
SECURITY = "http://127.0.0.1/debian-security"


def source(uri: str, suite: str) -> Source:
    return Source(uri=uri, suite=suite, components=("main",), where="sources.list:1")


def addresses(sources: list[Source], suite: str) -> list[tuple[str, bool]]:
    """Return where apt's configuration says that a suite is, and what of that is guessed."""
    keyring = Keyring.from_bytes(make_key().certificate, "the tests' keyring")
    place = AptPlace(sources, keyring, None)
    return [(found.base, found.optional) for found in place.sources(suite)]


def test_configured_address_is_not_guessed_again() -> None:
    """A server that does not answer would be waited for twice."""
    sources = [source(MAIN, "bookworm"), source(SECURITY, "bookworm-security")]
    assert addresses(sources, "bookworm") == [(MAIN, False)]
    assert addresses(sources, "bookworm-security") == [(SECURITY, False)]
    assert addresses(sources, "trixie") == [(MAIN, False)]
    assert addresses(sources, "trixie-security") == [(SECURITY, False)]


def test_security_archive_is_guessed_where_none_is_configured() -> None:
    assert addresses([source(MAIN, "bookworm")], "bookworm-security") == [(SECURITY, True)]
