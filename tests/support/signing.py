"""Keys of the tests, and texts signed with them as an archive's InRelease is.

Made by the library that rdcompose verifies with, so that no program is needed; that
this library agrees with GnuPG is for tests/reference to show. A key takes some
milliseconds, and one name gives one key within a process::

    key = make_key()
    keyring, inrelease = key.certificate, key.clearsign(release)

RFC 9580, sections 6 (armour) and 7 (cleartext signatures).
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
from typing import TYPE_CHECKING, Final

import pysequoia
from pysequoia.packet import PacketPile

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNATURE_START: Final = b"-----BEGIN PGP SIGNATURE-----"
# The library dates new keys a minute back; what has expired must have done so since then.
_EXPIRED_FOR: Final = datetime.timedelta(seconds=30)


@dataclasses.dataclass(frozen=True, slots=True)
class SigningKey:
    """A certificate, and the secret key that signs for it.

    ``certificate`` is binary, as a keyring file is. Signatures are made by a subkey, as
    those of Debian's archive are.
    """

    certificate: bytes
    secret: pysequoia.Tsk

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the certificate, in capitals."""
        return pysequoia.Cert.from_bytes(self.certificate).fingerprint.upper()

    @property
    def armoured(self) -> bytes:
        """The certificate in ASCII armour, as the ``.asc`` files of keyrings are."""
        return pysequoia.armor(self.certificate, pysequoia.ArmorKind.PublicKey).encode()

    def clearsign(self, text: bytes) -> bytes:
        """Return a text as an InRelease, with its signature behind it."""
        return clearsign(text, [self])

    def expired(self) -> SigningKey:
        """The same key, with a certificate that says: expired half a minute ago.

        What it signed before it was asked for this may count as signed in time.
        """
        moment = datetime.datetime.now(datetime.UTC) - _EXPIRED_FOR
        certificate = pysequoia.Cert.from_bytes(self.certificate)
        changed = certificate.set_expiration(moment, self.secret.certifier())
        return dataclasses.replace(self, certificate=bytes(changed))

    def revoked(self) -> SigningKey:
        """The same key, with a certificate that its owner has revoked."""
        certificate = pysequoia.Cert.from_bytes(self.certificate)
        revocation = bytes(certificate.revoke(self.secret.certifier()))
        joined = pysequoia.Cert.from_bytes(_behind_the_key(self.certificate, revocation))
        return dataclasses.replace(self, certificate=bytes(joined))


@functools.cache
def make_key(name: str = "archive") -> SigningKey:
    """Return the key of a name, made when it is first asked for: Ed25519, without expiry."""
    secret = pysequoia.Tsk.generate(user_id=f"Tests: {name} <{name}@tests.invalid>")
    return SigningKey(bytes(secret.extract_certificate()), secret)


def clearsign(text: bytes, keys: Sequence[SigningKey]) -> bytes:
    """Return a text as an InRelease that each of the keys has signed.

    As GnuPG does it, the newline before the signature is not part of what is signed: the
    text is written as given, and signed without the one at its end.
    """
    signed = [
        pysequoia.sign(
            key.secret.signer(), text.removesuffix(b"\n"), mode=pysequoia.SignatureMode.CLEAR
        )
        for key in keys
    ]
    head = signed[0].partition(SIGNATURE_START)[0]
    packets = b"".join(_signature(message) for message in signed)
    return head + pysequoia.armor(packets, pysequoia.ArmorKind.Signature).encode()


def _signature(message: bytes) -> bytes:
    _, start, armour = message.rpartition(SIGNATURE_START)
    return b"".join(bytes(packet) for packet in PacketPile.from_bytes(start + armour))


def _behind_the_key(certificate: bytes, revocation: bytes) -> bytes:
    primary, *others = (bytes(packet) for packet in PacketPile.from_bytes(certificate))
    # The signature may be given in armour.
    return primary + b"".join(map(bytes, PacketPile.from_bytes(revocation))) + b"".join(others)
