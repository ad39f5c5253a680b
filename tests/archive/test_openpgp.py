"""Fingerprints read from certificates; the frame of signed texts is tested with trust."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
from typing import Final

import pysequoia
import pytest
from pysequoia.packet import PacketPile

import rdcompose.archive
from rdcompose.archive.openpgp import key_fingerprints
from tests.support.signing import make_key

KEYRING: Final = (
    importlib.resources.files(rdcompose.archive) / "data" / "debian-archive-keyring.gpg"
)
KEY: Final = b"\x04" + bytes(range(40))
FINGERPRINT: Final = hashlib.sha1(b"\x99" + len(KEY).to_bytes(2, "big") + KEY).hexdigest().upper()


def armoured(data: bytes, comment: str = "", checksum: str = "") -> str:
    name = "PGP PUBLIC KEY BLOCK-----"
    body = base64.encodebytes(data).decode()
    return f"-----BEGIN {name}\n{comment}\n{body}{checksum}-----END {name}\n"


def test_certificates_as_the_library_writes_them() -> None:
    certificate = make_key().certificate
    expected = {
        row.fingerprint.upper() for row in PacketPile.from_bytes(certificate) if row.fingerprint
    }
    assert len(expected) == 3
    assert key_fingerprints(str(pysequoia.Cert.from_bytes(certificate))) == expected


def test_certificates_as_gnupg_writes_them() -> None:
    data = KEYRING.read_bytes()
    # The old form of packet headers.
    assert data[0] == 0x99
    expected = {row.fingerprint.upper() for row in PacketPile.from_bytes(data) if row.fingerprint}
    assert key_fingerprints(armoured(data)) == expected


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"\x98" + bytes([len(KEY)]), id="old-1"),
        pytest.param(b"\x99" + len(KEY).to_bytes(2, "big"), id="old-2"),
        pytest.param(b"\x9a" + len(KEY).to_bytes(4, "big"), id="old-4"),
        pytest.param(b"\xb8" + bytes([len(KEY)]), id="old-subkey"),
        pytest.param(b"\xc6" + bytes([len(KEY)]), id="new-1"),
        pytest.param(b"\xc6\xff" + len(KEY).to_bytes(4, "big"), id="new-5"),
        pytest.param(b"\xce" + bytes([len(KEY)]), id="new-subkey"),
    ],
)
@pytest.mark.parametrize("size", [1, 191, 192, 193, 8383])
def test_headers(header: bytes, size: int) -> None:
    user_id = b"\xcd\xff" + size.to_bytes(4, "big") + b"x" * size
    for data in (header + KEY, header + KEY + user_id, user_id + header + KEY):
        assert key_fingerprints(armoured(data)) == {FINGERPRINT}


@pytest.mark.parametrize("size", [192, 193, 1000, 8383])
def test_lengths_of_two_bytes(size: int) -> None:
    key = b"\x04" + b"k" * (size - 1)
    header = b"\xc6" + bytes([(size - 192 >> 8) + 192, (size - 192) & 0xFF])
    expected = hashlib.sha1(b"\x99" + size.to_bytes(2, "big") + key).hexdigest().upper()
    assert key_fingerprints(armoured(header + key + header + key)) == {expected}


def test_version_six() -> None:
    key = b"\x06" + KEY[1:]
    expected = hashlib.sha256(b"\x9b" + len(key).to_bytes(4, "big") + key).hexdigest().upper()
    assert key_fingerprints(armoured(b"\xc6" + bytes([len(key)]) + key)) == {expected}


@pytest.mark.parametrize("version", [3, 5])
def test_other_versions_are_left_out(version: int) -> None:
    other = bytes([version]) + KEY[1:]
    data = b"".join(b"\xc6" + bytes([len(key)]) + key for key in (other, KEY))
    assert key_fingerprints(armoured(data)) == {FINGERPRINT}


def test_armour_with_comment_and_checksum() -> None:
    for filling in range(3):
        key = KEY + b"." * filling
        text = armoured(b"\xc6" + bytes([len(key)]) + key, "Comment: A\nComment: B\n", "=Wnb7\n")
        digest = hashlib.sha1(b"\x99" + len(key).to_bytes(2, "big") + key).hexdigest()
        assert key_fingerprints(text) == {digest.upper()}
