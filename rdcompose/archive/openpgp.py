"""What the OpenPGP library does not tell: the frame of a signed text, keys of a certificate.

Format: RFC 9580, sections 4.2 (packet headers), 5.5.4 (fingerprints), 6.2 (ASCII armour) and 7
(cleartext signatures). Nothing here verifies a signature.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD: Final = re.compile(
    rb"-----BEGIN PGP SIGNED MESSAGE-----[ \t\r]*\n"
    rb"(?:Hash:[ \tA-Za-z0-9,-]*+\r?\n)*+[ \t]*+\r?\n"
)
_SIGNATURE: Final = re.compile(rb"^-----BEGIN PGP SIGNATURE-----[ \t\r]*\n", re.MULTILINE)
_SIGNATURE_END: Final = re.compile(rb"^-----END PGP SIGNATURE-----[ \t\r]*(?:\n|\Z)", re.MULTILINE)
_UNESCAPED: Final = re.compile(rb"^-(?! )", re.MULTILINE)
_ESCAPE: Final = re.compile(rb"^- ", re.MULTILINE)

_PUBLIC_KEY: Final = 6
_PUBLIC_SUBKEY: Final = 14


def signed_text(data: bytes) -> bytes:
    """Return the text of a clear-signed file that holds nothing else, without any check of it.

    Lines that begin with a dash are given as they were before signing; the newline before
    the signature, which is not signed, is kept.

    :raises FormatError: the file is not signed, is cut, or has text beside what is signed.
    """
    head = _HEAD.match(data)
    if head is None:
        raise FormatError("it is not signed: it does not begin as a signed text does")
    mark = _SIGNATURE.search(data, head.end())
    end = None if mark is None else _SIGNATURE_END.search(data, mark.end())
    if mark is None or end is None:
        raise FormatError("it is cut short: its signature is missing or has no end")
    text = data[head.end() : mark.start()]
    # A second message, or the start of one, would be such a line.
    if _UNESCAPED.search(text) or data[end.end() :].strip():
        raise FormatError("it holds more than one signed text: something was put to it")
    lines = _ESCAPE.sub(b"", text).split(b"\n")
    # Blanks at its end, and whether a line ends in CR LF, are not signed.
    return b"\n".join(line.removesuffix(b"\r").rstrip(b" \t") for line in lines)


def key_fingerprints(armoured: str) -> frozenset[str]:
    """Return the fingerprints, in capitals, of the keys in a certificate the library wrote.

    These are the primary key and the subkeys; keys of experimental versions are left out.
    """
    _, _, body = armoured.partition("\n\n")
    # The checksum, where there is one, is a line that begins with "=".
    binary = binascii.a2b_base64(
        re.split(r"^(?:=|-----END)", body, maxsplit=1, flags=re.MULTILINE)[0]
    )
    keys = (content for tag, content in _packets(binary) if tag in {_PUBLIC_KEY, _PUBLIC_SUBKEY})
    return frozenset(fingerprint for key in keys if (fingerprint := _fingerprint(key)))


def _fingerprint(key: bytes) -> str:
    if key[0] == 4:
        prefix = b"\x99" + len(key).to_bytes(2, "big")
        return hashlib.sha1(prefix + key, usedforsecurity=False).hexdigest().upper()
    if key[0] == 6:
        return hashlib.sha256(b"\x9b" + len(key).to_bytes(4, "big") + key).hexdigest().upper()
    return ""


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content; lengths are whole, as they must be in certificates."""
    position = 0
    while position < len(data):
        tag, start, size = _header(data, position)
        position = start + size
        yield tag, data[start:position]


def _header(data: bytes, position: int) -> tuple[int, int, int]:
    """Return tag, offset of the content, and its size in bytes."""
    first, second = data[position], data[position + 1]
    if not first & 0x40:
        start = position + 1 + (1 << (first & 3))
        return first >> 2 & 0xF, start, int.from_bytes(data[position + 1 : start], "big")
    tag = first & 0x3F
    if second < 192:
        return tag, position + 2, second
    if second < 255:
        return tag, position + 3, (second - 192 << 8) + data[position + 2] + 192
    return tag, position + 6, int.from_bytes(data[position + 2 : position + 6], "big")
