"""Who signed the index of a suite, and whether to believe it: the first links of the chain.

An ``InRelease`` is a text with OpenPGP signatures behind it (RFC 9580, section 7). As apt does, it
is believed if one of its signatures is good: old and new keys of the archive sign side by
side. A signature counts if its key was valid when it signed. What has expired since stays
signed, so that old states of the archive can be read; a revoked key never counts. Fields and
what to check of them: the Debian wiki's page "DebianRepository/Format", section "Release
files".
"""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from rdcompose.archive.openpgp import key_fingerprints, signed_text
from rdcompose.errors import FormatError, TrustError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pysequoia import Cert

    from rdcompose.archive.release_file import ReleaseFile

# How much clocks may differ.
_CLOCK_SKEW: Final = timedelta(hours=1)
_CLOCK_HINT: Final = "check the clock of this machine; if it is right, use another mirror"
_UNKNOWN_KEY_HINT: Final = (
    "a newer debian-archive-keyring may have the key; --keyring names another keyring"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate in ASCII armour, its fingerprint, and which of its keys may sign."""

    armoured: str
    fingerprint: str
    keys: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Keyring:
    """Certificates that are trusted to sign an archive; ``name`` is for messages."""

    name: str
    certificates: tuple[Certificate, ...] = dataclasses.field(repr=False)

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> Keyring:
        """Read a keyring: any number of certificates, binary or in ASCII armour.

        :raises TrustError: this is no keyring, it is damaged, or it is empty.
        """
        import pysequoia

        try:
            found = pysequoia.Cert.split_bytes(data)
        except RuntimeError as error:
            raise TrustError(
                f"{name} is not an OpenPGP keyring, or is damaged: {_first_line(error)}",
                hint="a keyring is what `gpg --export` writes; keyboxes (.kbx) are of another kind",
            ) from error
        if not found:
            raise TrustError(f"{name} holds no keys")
        certificates = []
        for certificate in found:
            # Only what is public: a file with secret keys is a keyring as well.
            armoured = str(certificate)
            fingerprint = certificate.fingerprint.upper()
            keys = key_fingerprints(armoured) | {fingerprint}
            certificates.append(Certificate(armoured, fingerprint, keys))
        return cls(name, _merged(certificates))

    @property
    def fingerprints(self) -> frozenset[str]:
        """The keys whose signatures count, in capitals: of certificates and their subkeys."""
        return frozenset().union(*(certificate.keys for certificate in self.certificates))

    def restricted(self, fingerprints: Iterable[str]) -> Keyring:
        """Return the keyring with only these keys, as apt's ``Signed-By`` names them.

        A certificate's fingerprint lets its subkeys sign too, unless "!" follows.

        :raises TrustError: it holds none of them.
        """
        wanted = {fingerprint.upper() for fingerprint in fingerprints}
        exact = {fingerprint.removesuffix("!") for fingerprint in wanted}
        chosen = []
        for certificate in self.certificates:
            every_key = certificate.fingerprint in wanted
            keys = certificate.keys if every_key else certificate.keys & exact
            if keys:
                chosen.append(dataclasses.replace(certificate, keys=keys))
        if not chosen:
            raise TrustError(f"{self.name} has none of the keys {', '.join(sorted(wanted))}")
        return Keyring(f"{self.name} (only {', '.join(sorted(wanted))})", tuple(chosen))

    def joined(self, others: Iterable[Keyring]) -> Keyring:
        """Return a keyring with the keys of this one and of others."""
        keyrings = [self, *others]
        names = dict.fromkeys(keyring.name for keyring in keyrings)
        certificates = [row for keyring in keyrings for row in keyring.certificates]
        return Keyring(", ".join(names), _merged(certificates))


@dataclasses.dataclass(frozen=True, slots=True)
class Signed:
    """A text that was signed, and the sorted fingerprints of the certificates that vouch for it.

    Lines of the text end in a newline, as the last does; it is all that may be used of the file.
    """

    text: bytes
    signers: tuple[str, ...]


def verify_inrelease(data: bytes, keyring: Keyring) -> Signed:
    """Verify an ``InRelease``: at least one signature by a key of the keyring must be good.

    Signatures by other keys do not count for or against it.

    :raises TrustError: it is not signed, not by these keys, or was changed; the message
        says of the file only "it".
    """
    import pysequoia

    try:
        signed_text(data)
    except FormatError as error:
        raise TrustError(error.message) from error
    issuers: list[str] = []

    def store(handles: list[str]) -> list[Cert]:
        issuers.extend(handle.upper() for handle in handles)
        return [
            pysequoia.Cert.from_bytes(certificate.armoured.encode("ascii"))
            for certificate in keyring.certificates
        ]

    try:
        verified = pysequoia.verify(data, store=store)
    except RuntimeError as error:
        raise _failure(issuers, keyring, _first_line(error)) from error
    allowed = keyring.fingerprints
    good = [row for row in verified.valid_sigs if row.signing_key.upper() in allowed]
    if not good:
        raise _failure([row.signing_key.upper() for row in verified.valid_sigs], keyring, "")
    # How lines end is not signed; the library leaves the newline before the signature out.
    text = (verified.bytes or b"").replace(b"\r\n", b"\n") + b"\n"
    return Signed(text, tuple(sorted({row.certificate.upper() for row in good})))


def unsigned_text(data: bytes) -> bytes:
    """Return the text of an ``InRelease`` without any check of its signatures.

    :raises FormatError: this is no clear-signed text, or not only one.
    """
    return signed_text(data)


def check_release(
    release: ReleaseFile,
    *,
    suite: str,
    where: str,
    now: datetime,
    valid_until: bool = True,
    newest: datetime | None = None,
) -> None:
    """Check that a signed index is the one that was asked for, and not an old one.

    ``where`` is its address, for messages. Without ``valid_until`` the end of its validity is
    not looked at. ``newest`` is the date of the newest index seen of this suite so far.

    :raises TrustError: another suite, a date in the future, expired, or older than ``newest``.
    """
    if not _is_suite(release, suite):
        raise TrustError(
            f"{where} is not the index of {suite}: it says Suite {release.suite or '(none)'},"
            f" Codename {release.codename or '(none)'}"
        )
    if release.date > now + _CLOCK_SKEW:
        raise TrustError(
            f"{where} is dated {_when(release.date)}, which is in the future", hint=_CLOCK_HINT
        )
    if valid_until and release.valid_until is not None and release.valid_until < now:
        raise TrustError(
            f"{where} was valid until {_when(release.valid_until)}: the mirror is not kept up to"
            " date, or withholds changes",
            hint=_CLOCK_HINT,
        )
    if newest is not None and release.date < newest:
        raise TrustError(
            f"{where} is dated {_when(release.date)}, but one of {_when(newest)} was there before:"
            " the mirror has gone back in time",
            hint="try again later, or use another mirror",
        )


def _is_suite(release: ReleaseFile, suite: str) -> bool:
    # The index of buster/updates says only buster; apt takes it as well.
    return not {suite, suite.rpartition("/")[0]}.isdisjoint(
        {release.suite, release.codename} - {""}
    )


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _failure(issuers: list[str], keyring: Keyring, reason: str) -> TrustError:
    """Say why no signature counts; ``issuers`` are the keys, or ends of them, that they name."""
    if not issuers:
        return TrustError(f"its signature cannot be read: {reason}")
    # A signature may name its key by the end of the fingerprint alone.
    known = [row for row in issuers if any(key.endswith(row) for key in keyring.fingerprints)]
    if not known:
        return TrustError(
            f"it is signed by {_listed(issuers)}, and no such key is in {keyring.name}",
            hint=_UNKNOWN_KEY_HINT,
        )
    return TrustError(
        f"its signature by {_listed(known)} is not good: the text or the signature was changed,"
        " or the key was expired, is revoked or is too weak",
        # What seems to be signed in the future is not believed either.
        hint="check the clock of this machine, then fetch it again or from another mirror",
    )


def _listed(issuers: Iterable[str]) -> str:
    return ", ".join(sorted(set(issuers)))


def _first_line(error: Exception) -> str:
    # The library adds a stack trace of its own to the text.
    return str(error).partition("\n")[0].rstrip(".")


def _merged(certificates: Iterable[Certificate]) -> tuple[Certificate, ...]:
    """Join what several keyrings say of one certificate: one of them may know it as revoked."""
    import pysequoia

    found: dict[str, Certificate] = {}
    for new in certificates:
        old = found.setdefault(new.fingerprint, new)
        if old.armoured != new.armoured:
            first, second = (
                pysequoia.Cert.from_bytes(row.armoured.encode("ascii")) for row in (old, new)
            )
            old = dataclasses.replace(old, armoured=str(first.merge(second)))
        found[new.fingerprint] = dataclasses.replace(old, keys=old.keys | new.keys)
    return tuple(found.values())
