"""Signatures and what they cover, and whether an index is the one asked for."""

from __future__ import annotations

import dataclasses
import datetime
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pysequoia
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.archive.release_file import ReleaseFile
from rdcompose.archive.trust import (
    Keyring,
    Signed,
    check_release,
    unsigned_text,
    verify_inrelease,
)
from rdcompose.errors import FormatError, TrustError
from tests.support.signing import SIGNATURE_START, SigningKey, clearsign, make_key

if TYPE_CHECKING:
    from collections.abc import Callable

DATA: Final = Path(__file__).parent / "data" / "expired-since"
TEXT: Final = b"Origin: Debian\nSuite: unstable\nDescription:\n - a dash\n"
KEY: Final = make_key()
OTHER: Final = make_key("other")
BEGIN: Final = b"-----BEGIN PGP SIGNED MESSAGE-----\n"


def keyring(*keys: SigningKey) -> Keyring:
    return Keyring.from_bytes(b"".join(key.certificate for key in keys), "the keyring")


def subkey(key: SigningKey) -> str:
    """Fingerprint of the key that signs for a certificate."""
    done = pysequoia.verify(
        key.clearsign(TEXT), store=lambda _: [pysequoia.Cert.from_bytes(key.certificate)]
    )
    fingerprint: str = done.valid_sigs[0].signing_key
    return fingerprint.upper()


def refused(data: bytes, trusted: Keyring) -> str:
    """The message that a file is refused with: of one line, whatever the library says."""
    with pytest.raises(TrustError) as caught:
        verify_inrelease(data, trusted)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_signed_by_the_key() -> None:
    signed = verify_inrelease(KEY.clearsign(TEXT), keyring(KEY))
    assert signed == Signed(TEXT, (KEY.fingerprint,))


def test_signed_by_one_of_the_keyring() -> None:
    signed = verify_inrelease(KEY.clearsign(TEXT), keyring(OTHER, KEY))
    assert signed.signers == (KEY.fingerprint,)


def test_signed_by_several() -> None:
    signed = verify_inrelease(clearsign(TEXT, [KEY, OTHER]), keyring(OTHER, KEY))
    assert signed.signers == tuple(sorted([KEY.fingerprint, OTHER.fingerprint]))


@pytest.mark.parametrize("keys", [[KEY, OTHER], [OTHER, KEY]], ids=["first", "last"])
def test_one_good_among_unknown_signers(keys: list[SigningKey]) -> None:
    signed = verify_inrelease(clearsign(TEXT, keys), keyring(KEY))
    assert signed == Signed(TEXT, (KEY.fingerprint,))


def test_foreign_keyring() -> None:
    message = refused(KEY.clearsign(TEXT), keyring(OTHER))
    assert message == f"it is signed by {subkey(KEY)}, and no such key is in the keyring"


def test_expired_before_it_signed() -> None:
    key = KEY.expired()
    message = refused(key.clearsign(TEXT), keyring(key))
    assert message.startswith(f"its signature by {subkey(KEY)} is not good: ")


def test_expired_since() -> None:
    trusted = Keyring.from_bytes((DATA / "keyring.asc").read_bytes(), "old")
    signed = verify_inrelease((DATA / "InRelease").read_bytes(), trusted)
    assert signed == Signed(
        b"Origin: Tests\nSuite: expired-since\n", ("55EF911459F8D27F22F86040C4AFE499417C934D",)
    )


def test_weak_digest() -> None:
    trusted = Keyring.from_bytes((DATA / "keyring.asc").read_bytes(), "old")
    assert "is not good" in refused((DATA / "InRelease.sha1").read_bytes(), trusted)


def test_revoked_before_or_after_it_signed() -> None:
    data = KEY.clearsign(TEXT)
    key = KEY.revoked()
    assert "is not good" in refused(data, keyring(key))
    assert "is not good" in refused(key.clearsign(TEXT), keyring(key))


def test_one_keyring_knows_of_the_revocation() -> None:
    data, revoked = KEY.clearsign(TEXT), KEY.revoked()
    for trusted in (
        keyring(KEY).joined([keyring(revoked)]),
        keyring(revoked).joined([keyring(KEY)]),
        keyring(KEY, revoked),
        keyring(revoked, KEY),
    ):
        assert "is not good" in refused(data, trusted)


SIGNED: Final = KEY.clearsign(TEXT)
MARK: Final = SIGNED.index(SIGNATURE_START)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "it is not signed", id="empty"),
        pytest.param(TEXT, "it is not signed", id="unsigned"),
        pytest.param(b"<html>\n\n</html>\n", "it is not signed", id="foreign"),
        pytest.param(b"\n" + SIGNED, "it is not signed", id="blank-before"),
        pytest.param(TEXT + SIGNED, "it is not signed", id="text-before"),
        pytest.param(
            SIGNED.replace(b"\n\n", b"\nSuite: stable\n\n", 1),
            "it is not signed",
            id="field-in-the-armour",
        ),
        pytest.param(SIGNED[:MARK], "it is cut short", id="signature-stripped"),
        pytest.param(SIGNED[: MARK + 100], "it is cut short", id="signature-cut"),
        pytest.param(SIGNED[: MARK - 20], "it is cut short", id="text-cut"),
        pytest.param(SIGNED + TEXT, "it holds more than one", id="text-behind"),
        pytest.param(SIGNED + b"\0", "it holds more than one", id="nul-behind"),
        pytest.param(SIGNED + SIGNED, "it holds more than one", id="twice"),
        pytest.param(
            SIGNED + OTHER.clearsign(b"Suite: stable\n"), "it holds more than one", id="glued"
        ),
        pytest.param(
            OTHER.clearsign(b"Suite: stable\n")[: -len("-----END PGP SIGNATURE-----\n")] + SIGNED,
            "its signature cannot be read",
            id="nested",
        ),
        pytest.param(
            BEGIN + b"\nSuite: stable\n" + SIGNED, "it holds more than one", id="two-begins"
        ),
        pytest.param(
            SIGNED.replace(b"Origin", b"-Origin"), "it holds more than one", id="not-escaped"
        ),
        pytest.param(SIGNED.replace(b"unstable", b"unstablE"), "is not good", id="text-changed"),
        pytest.param(SIGNED.replace(b"Suite", b"\nSuite"), "is not good", id="line-added"),
        pytest.param(SIGNED.replace(b"\n\n", b"\n\n\n", 1), "is not good", id="blank-added"),
        pytest.param(SIGNED.replace(b"Suite: ", b"Suite:  "), "is not good", id="space-added"),
        pytest.param(
            SIGNED[:MARK] + KEY.clearsign(b"Suite: stable\n").partition(b"stable\n")[2],
            "is not good",
            id="signature-of-another-text",
        ),
        pytest.param(
            SIGNED[:MARK] + SIGNATURE_START + b"\n\n" + b"-----END PGP SIGNATURE-----\n",
            "its signature cannot be read",
            id="signature-empty",
        ),
        pytest.param(
            SIGNED[: MARK + 60] + SIGNED[MARK + 100 :],
            "its signature cannot be read",
            id="armour-damaged",
        ),
    ],
)
def test_not_signed_so(data: bytes, message: str) -> None:
    assert message in refused(data, keyring(KEY))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(SIGNED.rstrip(b"\n"), id="no-newline-at-the-end"),
        pytest.param(SIGNED + b"\n \r\n", id="blanks-at-the-end"),
        pytest.param(SIGNED.replace(b"\n", b"\r\n"), id="crlf"),
        pytest.param(SIGNED.replace(b"unstable\n", b"unstable \t\n"), id="blanks-in-a-line"),
        pytest.param(SIGNED.replace(b"unstable\n", b"unstable \t\r\n"), id="blanks-and-cr"),
        pytest.param(SIGNED.replace(b"Suite", b"- Suite"), id="needless-escape"),
        pytest.param(re.sub(rb"^Hash: .*\n", b"", SIGNED, flags=re.M), id="no-hash-named"),
    ],
)
def test_changes_that_signatures_do_not_see(data: bytes) -> None:
    assert data != SIGNED
    assert verify_inrelease(data, keyring(KEY)).text == TEXT
    assert unsigned_text(data) == TEXT


def test_binary_messages_are_no_inrelease() -> None:
    data = pysequoia.sign(KEY.secret.signer(), TEXT)
    assert "it is not signed" in refused(data, keyring(KEY))


LINES: Final = st.text("-ä \t.:aF\x0b\0", max_size=8)


@given(st.lists(LINES, max_size=6).map("\n".join))
def test_any_text_comes_back(text: str) -> None:
    data = KEY.clearsign(text.encode() + b"\n")
    expected = b"".join(line.rstrip(" \t").encode() + b"\n" for line in text.split("\n"))
    assert verify_inrelease(data, keyring(KEY)).text == expected
    assert unsigned_text(data) == expected


@given(st.integers(0, len(SIGNED)), st.integers(0, 3), st.binary(max_size=3))
def test_no_change_gives_another_text(position: int, removed: int, added: bytes) -> None:
    data = SIGNED[:position] + added + SIGNED[position + removed :]
    try:
        signed = verify_inrelease(data, keyring(KEY))
    except TrustError:
        return
    assert signed == Signed(TEXT, (KEY.fingerprint,))
    assert unsigned_text(data) == TEXT


def test_unsigned_text_of_anybody() -> None:
    assert unsigned_text(OTHER.clearsign(TEXT)) == TEXT
    assert unsigned_text(SIGNED.replace(b"unstable", b"stable")) == TEXT.replace(
        b"unstable", b"stable"
    )


@pytest.mark.parametrize("data", [TEXT, SIGNED[:MARK], SIGNED + TEXT])
def test_unsigned_text_of_what_is_not_clear_signed(data: bytes) -> None:
    with pytest.raises(FormatError):
        unsigned_text(data)


# Keyrings


def test_fingerprints_of_keys_and_subkeys() -> None:
    found = keyring(KEY).fingerprints
    # The third one is for encryption.
    assert {KEY.fingerprint, subkey(KEY)} < found
    assert len(found) == 3
    assert all(re.fullmatch("[0-9A-F]{40}", fingerprint) for fingerprint in found)


def test_version_six_keys() -> None:
    secret = pysequoia.Tsk.generate(user_id="six", profile=pysequoia.Profile.RFC9580)
    certificate = secret.extract_certificate()
    key = SigningKey(bytes(certificate), secret)
    assert len(key.fingerprint) == 64
    trusted = keyring(key)
    assert {key.fingerprint, subkey(key)} < trusted.fingerprints
    assert verify_inrelease(key.clearsign(TEXT), trusted).signers == (key.fingerprint,)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(KEY.armoured + OTHER.armoured, id="armoured"),
        pytest.param(
            pysequoia.armor(
                KEY.certificate + OTHER.certificate, pysequoia.ArmorKind.PublicKey
            ).encode(),
            id="armoured-together",
        ),
        pytest.param(KEY.certificate + OTHER.certificate + KEY.certificate, id="one-twice"),
        pytest.param(bytes(KEY.secret) + bytes(OTHER.secret), id="with-secret-keys"),
    ],
)
def test_forms_of_keyrings(data: bytes) -> None:
    found = Keyring.from_bytes(data, "the keyring")
    assert found.fingerprints == keyring(KEY, OTHER).fingerprints
    signed = verify_inrelease(clearsign(TEXT, [KEY, OTHER]), found)
    assert len(signed.signers) == 2


def test_secret_keys_are_not_held() -> None:
    found = Keyring.from_bytes(bytes(KEY.secret), "the keyring")
    assert found == keyring(KEY)


def test_keyrings_are_values() -> None:
    assert keyring(KEY) == keyring(KEY)
    assert hash(keyring(KEY)) == hash(keyring(KEY))
    assert keyring(KEY) != keyring(OTHER)
    assert repr(keyring(KEY)) == "Keyring(name='the keyring')"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "no keyring's name holds no keys", id="empty"),
        pytest.param(b"<html>", "not an OpenPGP keyring", id="foreign"),
        pytest.param(b"\0\0\0\x20\1\1\0\2KBXf" + bytes(40), "not an OpenPGP", id="keybox"),
        pytest.param(KEY.certificate[:-9], "or is damaged", id="cut"),
        pytest.param(KEY.certificate + b"garbage\n", "or is damaged", id="garbage-behind"),
        pytest.param(KEY.armoured[:-90], "or is damaged", id="armour-cut"),
        pytest.param(SIGNED[MARK:], "not an OpenPGP keyring", id="signature"),
    ],
)
def test_no_keyring(data: bytes, message: str) -> None:
    with pytest.raises(TrustError, match=message) as caught:
        Keyring.from_bytes(data, "no keyring's name")
    assert "\n" not in caught.value.message


def test_joined() -> None:
    joined = keyring(KEY).joined([Keyring.from_bytes(OTHER.certificate, "another")])
    assert joined.name == "the keyring, another"
    assert joined.fingerprints == keyring(KEY, OTHER).fingerprints
    assert verify_inrelease(OTHER.clearsign(TEXT), joined).signers == (OTHER.fingerprint,)


def test_joined_with_nothing() -> None:
    assert keyring(KEY).joined([]) == keyring(KEY)


def lower(text: str) -> str:
    return text.lower()


@pytest.mark.parametrize("change", [str, lower])
def test_restricted_to_a_certificate(change: Callable[[str], str]) -> None:
    restricted = keyring(KEY, OTHER).restricted([change(KEY.fingerprint)])
    assert restricted.fingerprints == keyring(KEY).fingerprints
    assert verify_inrelease(KEY.clearsign(TEXT), restricted).text == TEXT
    message = refused(OTHER.clearsign(TEXT), restricted)
    assert message.endswith(f"no such key is in the keyring (only {KEY.fingerprint})")


@pytest.mark.parametrize("mark", ["", "!"])
def test_restricted_to_a_subkey(mark: str) -> None:
    restricted = keyring(KEY, OTHER).restricted([subkey(KEY) + mark])
    assert restricted.fingerprints == {subkey(KEY)}
    assert verify_inrelease(KEY.clearsign(TEXT), restricted).signers == (KEY.fingerprint,)


def test_restricted_to_the_primary_key_alone() -> None:
    restricted = keyring(KEY, OTHER).restricted([KEY.fingerprint + "!"])
    assert restricted.fingerprints == {KEY.fingerprint}
    # A subkey signs.
    message = refused(clearsign(TEXT, [KEY, OTHER]), restricted)
    assert message.endswith(f"no such key is in the keyring (only {KEY.fingerprint}!)")


def test_restricted_signers_only() -> None:
    restricted = keyring(KEY, OTHER).restricted([KEY.fingerprint, subkey(OTHER)])
    signed = verify_inrelease(clearsign(TEXT, [KEY, OTHER]), restricted)
    assert len(signed.signers) == 2
    signed = verify_inrelease(clearsign(TEXT, [KEY, OTHER]), restricted.restricted([subkey(OTHER)]))
    assert signed.signers == (OTHER.fingerprint,)


def test_restricted_to_unknown_keys() -> None:
    with pytest.raises(TrustError, match=f"the keyring has none of the keys {OTHER.fingerprint}"):
        keyring(KEY).restricted([OTHER.fingerprint])


def test_restrictions_join() -> None:
    parts = keyring(KEY, OTHER)
    joined = parts.restricted([KEY.fingerprint + "!"]).joined([parts.restricted([subkey(KEY)])])
    assert joined.fingerprints == {KEY.fingerprint, subkey(KEY)}
    assert verify_inrelease(KEY.clearsign(TEXT), joined).signers == (KEY.fingerprint,)


# The index


NOW: Final = datetime.datetime(2026, 7, 12, 10, 0, tzinfo=datetime.UTC)
HOUR: Final = datetime.timedelta(hours=1)
SECOND: Final = datetime.timedelta(seconds=1)
RELEASE: Final = ReleaseFile(
    origin="Debian",
    label="Debian",
    suite="oldstable",
    codename="bookworm",
    date=NOW - 24 * HOUR,
    valid_until=NOW + 144 * HOUR,
    by_hash=True,
)
WHERE: Final = "http://mirror.invalid/debian/dists/bookworm/InRelease"


def check(
    release: ReleaseFile = RELEASE,
    *,
    suite: str = "bookworm",
    now: datetime.datetime = NOW,
    valid_until: bool = True,
    newest: datetime.datetime | None = None,
) -> None:
    check_release(
        release, suite=suite, where=WHERE, now=now, valid_until=valid_until, newest=newest
    )


@pytest.mark.parametrize("suite", ["bookworm", "oldstable", "bookworm/updates"])
def test_the_suite_asked_for(suite: str) -> None:
    check(suite=suite)


@pytest.mark.parametrize(
    "suite", ["trixie", "bookworm-updates", "book", "Bookworm", "updates/bookworm", "", "/updates"]
)
def test_another_suite(suite: str) -> None:
    message = f"InRelease is not the index of {suite}: it says Suite oldstable, Codename bookworm"
    with pytest.raises(TrustError, match=message):
        check(suite=suite)


@pytest.mark.parametrize("suite", ["bookworm", "", "/x"])
def test_no_suite(suite: str) -> None:
    with pytest.raises(TrustError, match=r"it says Suite \(none\), Codename \(none\)"):
        check(dataclasses.replace(RELEASE, suite="", codename=""), suite=suite)


def test_clocks_may_differ() -> None:
    release = dataclasses.replace(RELEASE, date=NOW + HOUR)
    check(release)
    with pytest.raises(TrustError, match="is dated 2026-07-12 11:00 UTC, which is in the future"):
        check(release, now=NOW - SECOND)


def test_valid_until() -> None:
    end = NOW + 144 * HOUR
    check(now=end)
    with pytest.raises(TrustError, match="was valid until 2026-07-18 10:00 UTC"):
        check(now=end + SECOND)
    check(now=end + SECOND, valid_until=False)
    check(dataclasses.replace(RELEASE, valid_until=None), now=end + SECOND)


def test_rollback() -> None:
    check(newest=RELEASE.date)
    check(newest=RELEASE.date - SECOND)
    with pytest.raises(TrustError, match="is dated 2026-07-11 10:00 UTC, but one of 2026-07-11"):
        check(newest=RELEASE.date + SECOND)


def test_rollback_is_found_without_valid_until() -> None:
    with pytest.raises(TrustError, match="has gone back in time"):
        check(valid_until=False, newest=NOW)


@pytest.mark.parametrize("change", [{"suite": "sid"}, {"now": NOW - 48 * HOUR}, {"newest": NOW}])
def test_messages_name_the_address(change: dict[str, object]) -> None:
    with pytest.raises(TrustError, match=f"^{re.escape(WHERE)} is "):
        check(**change)  # type: ignore[arg-type]
