"""Signatures as gpgv judges them: on real suites, on tampered ones, and on keys of the tests."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pysequoia
import pytest

from rdcompose.archive.keyring import debian_keyring, load_keyring
from rdcompose.archive.release_file import ReleaseFile
from rdcompose.archive.trust import (
    Keyring,
    Signed,
    check_release,
    unsigned_text,
    verify_inrelease,
)
from rdcompose.errors import TrustError
from tests.support.kernels import KEYRING
from tests.support.mirror import inrelease
from tests.support.signing import SIGNATURE_START, SigningKey, clearsign, make_key
from tests.support.tools import missing, run, tool

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.reference

SUITES: Final = (
    "bookworm",
    "bookworm-updates",
    "bookworm-security",
    "trixie",
    "trixie-security",
    "sid",
    "experimental",
)
SHIPPED: Final = debian_keyring(Path("/nonexistent"))
DATA: Final = Path(__file__).parents[1] / "archive" / "data" / "expired-since"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What gpgv says: certificates by what came of their signatures, and the text it wrote."""

    good: frozenset[str]
    expired: frozenset[str]
    revoked: frozenset[str]
    faults: frozenset[str]
    text: bytes = dataclasses.field(repr=False)


def gpgv(data: bytes, certificates: bytes) -> Verdict:
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        (directory / "keyring.gpg").write_bytes(certificates)
        (directory / "signed").write_bytes(data)
        # Any exit status: it is 2 if one of several signers is unknown.
        done = subprocess.run(
            [
                *(tool("gpgv"), "--status-fd", "1", "--output", "text"),
                *("--keyring", "./keyring.gpg", "signed"),
            ],
            cwd=directory,
            env={**os.environ, "LC_ALL": "C", "GNUPGHOME": scratch},
            capture_output=True,
            check=False,
            timeout=60,
        )
        text = directory / "text"
        written = text.read_bytes() if text.exists() else b""
    status = done.stdout.decode("utf-8", "replace")
    blocks = re.split(r"^\[GNUPG:\] NEWSIG.*\n", status, flags=re.M)
    found: dict[str, set[str]] = {"GOODSIG": set(), "EXPKEYSIG": set(), "REVKEYSIG": set()}
    for block in blocks:
        # The last field is the fingerprint of the certificate.
        valid = re.search(r"^\[GNUPG:\] VALIDSIG .*?(\w+)$", block, re.M)
        for kind, signers in found.items():
            if valid and f"\n[GNUPG:] {kind} " in "\n" + block:
                signers.add(valid[1])
    faults = re.findall(r"^\[GNUPG:\] (BADSIG|ERRSIG|NODATA|UNEXPECTED)\b", status, re.M)
    good, expired, revoked = map(frozenset, found.values())
    return Verdict(good, expired, revoked, frozenset(faults), written)


def ours(data: bytes, keyring: Keyring) -> Signed | None:
    try:
        return verify_inrelease(data, keyring)
    except TrustError:
        return None


def accepted(verdict: Verdict) -> bool:
    return bool(verdict.good) and not verdict.faults & {"BADSIG", "NODATA", "UNEXPECTED"}


def shipped_bytes() -> bytes:
    armoured = [row.armoured.encode() for row in SHIPPED.certificates]
    return b"".join(bytes(pysequoia.Cert.from_bytes(row)) for row in armoured)


@pytest.mark.parametrize("suite", SUITES)
def test_real_suites(suite: str) -> None:
    data = inrelease(suite)
    verdict = gpgv(data, shipped_bytes())
    assert accepted(verdict)
    signed = verify_inrelease(data, SHIPPED)
    assert signed.signers == tuple(sorted(verdict.good))
    assert signed.text == verdict.text == unsigned_text(data)
    release = ReleaseFile.parse(signed.text)
    check_release(release, suite=suite, where=suite, now=release.date, newest=release.date)


@pytest.mark.parametrize("suite", SUITES)
def test_real_suites_with_the_keyring_of_the_system(suite: str) -> None:
    data = inrelease(suite)
    if not KEYRING.exists():
        missing(f"{KEYRING} is missing (Debian package debian-archive-keyring)")
    verdict = gpgv(data, KEYRING.read_bytes())
    assert verify_inrelease(data, debian_keyring()).signers == tuple(sorted(verdict.good))


def mark(data: bytes) -> int:
    return data.index(SIGNATURE_START)


def evil() -> bytes:
    return make_key("evil").clearsign(b"Origin: Debian\nSuite: evil\n")


# What both accept, with the same text.
HARMLESS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "nothing": lambda data: data,
    "no-newline-at-the-end": lambda data: data.rstrip(b"\n"),
    "blank-in-a-line": lambda data: data.replace(b"Debian\n", b"Debian \t\n", 1),
    "needless-escape": lambda data: data.replace(b"Suite:", b"- Suite:", 1),
    "blank-lines-behind": lambda data: data + b"\n\n",
}
# What gpgv takes the signed text out of; rdcompose wants nothing beside it.
STRICTER: Final[dict[str, Callable[[bytes], bytes]]] = {
    "text-before": lambda data: b"Suite: evil\n\n" + data,
    "text-behind": lambda data: data + b"Suite: evil\n",
    "blank-line-before": lambda data: b"\n" + data,
    "glued": lambda data: data + data,
    "foreign-glued-behind": lambda data: data + evil(),
    "nul-in-a-line": lambda data: data.replace(b"Debian\n", b"Debian\0\n", 1),
}
# What neither accepts.
HARMFUL: Final[dict[str, Callable[[bytes], bytes]]] = {
    "text-changed": lambda data: data.replace(b"Debian", b"Debiam", 1),
    "line-added": lambda data: data.replace(b"Suite:", b"Evil: x\nSuite:", 1),
    "line-removed": lambda data: re.sub(rb"^Label: .*\n", b"", data, flags=re.M),
    "blank-line-added": lambda data: data.replace(b"\n\n", b"\n\n\n", 1),
    "form-feed-in-a-line": lambda data: data.replace(b"Debian\n", b"Debian\f\n", 1),
    "field-in-the-armour": lambda data: data.replace(b"\n\n", b"\nSuite: evil\n\n", 1),
    "signature-stripped": lambda data: data[: mark(data)],
    "signature-cut": lambda data: data[: mark(data) + 200],
    "signature-of-another-text": lambda data: data[: mark(data)] + evil()[mark(evil()) :],
    "unsigned": unsigned_text,
    "text-put-into-foreign-signature": lambda data: evil().replace(
        b"Suite: evil\n", unsigned_text(data)
    ),
    "glued-behind-foreign": lambda data: evil() + data,
    "html": lambda _: b"<html>\n</html>\n",
    "empty": lambda _: b"",
}


def test_foreign_keyring() -> None:
    foreign = make_key("foreign")
    assert not gpgv(inrelease("bookworm"), foreign.certificate).good
    assert ours(inrelease("bookworm"), Keyring.from_bytes(foreign.certificate, "foreign")) is None


@pytest.mark.parametrize("suite", ["bookworm", "sid"])
@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_changes(suite: str, name: str) -> None:
    data = HARMLESS[name](inrelease(suite))
    verdict = gpgv(data, shipped_bytes())
    assert accepted(verdict)
    expected = Signed(verdict.text, tuple(sorted(verdict.good)))
    assert ours(data, SHIPPED) == expected == ours(inrelease(suite), SHIPPED)


@pytest.mark.parametrize("suite", ["bookworm", "sid"])
@pytest.mark.parametrize("name", STRICTER)
def test_where_gpgv_is_less_strict(suite: str, name: str) -> None:
    data = STRICTER[name](inrelease(suite))
    assert accepted(gpgv(data, shipped_bytes()))
    assert ours(data, SHIPPED) is None


@pytest.mark.parametrize("suite", ["bookworm", "sid"])
@pytest.mark.parametrize("name", HARMFUL)
def test_tampered(suite: str, name: str) -> None:
    data = HARMFUL[name](inrelease(suite))
    assert data != inrelease(suite)
    assert not accepted(gpgv(data, shipped_bytes()))
    assert ours(data, SHIPPED) is None


KEY: Final = make_key()
UNKNOWN: Final = make_key("unknown")
TEXT: Final = b"Origin: Tests\n-dash\n- -dash\nFrom me\n\nlast \t\n"


@pytest.mark.parametrize("armoured", [False, True])
def test_keys_of_the_tests(armoured: bool, tmp_path: Path) -> None:
    data = KEY.clearsign(TEXT)
    path = tmp_path / "keyring"
    path.write_bytes(KEY.armoured if armoured else KEY.certificate)
    verdict = gpgv(data, KEY.certificate)
    assert accepted(verdict)
    assert ours(data, load_keyring(path)) == Signed(verdict.text, (KEY.fingerprint,))
    assert verdict.good == {KEY.fingerprint}
    assert verdict.text.splitlines()[:4] == TEXT.splitlines()[:4]


@pytest.mark.parametrize("keys", [[KEY, UNKNOWN], [UNKNOWN, KEY]], ids=["first", "last"])
def test_one_good_among_unknown_signers(keys: list[SigningKey]) -> None:
    data = clearsign(TEXT, keys)
    verdict = gpgv(data, KEY.certificate)
    assert verdict.good == {KEY.fingerprint}
    assert verdict.faults == {"ERRSIG"}
    signed = ours(data, Keyring.from_bytes(KEY.certificate, "the keyring"))
    assert signed == Signed(verdict.text, (KEY.fingerprint,))


def test_expired_when_it_signed() -> None:
    key = KEY.expired()
    data = key.clearsign(TEXT)
    verdict = gpgv(data, key.certificate)
    assert not verdict.good
    assert verdict.expired == {KEY.fingerprint}
    assert ours(data, Keyring.from_bytes(key.certificate, "expired")) is None


def test_expired_since() -> None:
    # gpgv does not tell this from the case above; states of the past must stay readable.
    keyring = load_keyring(DATA / "keyring.asc")
    certificate = bytes(pysequoia.Cert.from_file(str(DATA / "keyring.asc")))
    data = (DATA / "InRelease").read_bytes()
    verdict = gpgv(data, certificate)
    assert verdict.expired == keyring.fingerprints
    assert ours(data, keyring) == Signed(verdict.text, tuple(verdict.expired))


def test_revoked() -> None:
    key = KEY.revoked()
    data = key.clearsign(TEXT)
    verdict = gpgv(data, key.certificate)
    assert not verdict.good
    assert verdict.revoked == {KEY.fingerprint}
    assert ours(data, Keyring.from_bytes(key.certificate, "revoked")) is None


def test_weak_digest() -> None:
    keyring = load_keyring(DATA / "keyring.asc")
    data = (DATA / "InRelease.sha1").read_bytes()
    certificate = bytes(pysequoia.Cert.from_file(str(DATA / "keyring.asc")))
    # It is a true signature, with a digest that gpgv still takes.
    assert "BADSIG" not in gpgv(data, certificate).faults
    assert ours(data, keyring) is None


def test_fingerprints_are_those_of_gnupg(tmp_path: Path) -> None:
    path = tmp_path / "keyring.gpg"
    path.write_bytes(shipped_bytes() + KEY.certificate)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    listing = run(
        *(tool("gpg"), "--homedir", home, "--batch", "--with-colons"),
        *("--with-subkey-fingerprint", "--show-keys", path),
    )
    expected = {line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")}
    assert len(expected) > 15
    assert load_keyring(path).fingerprints == expected
