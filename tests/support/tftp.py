"""A TFTP client that asks as Raspberry Pi boot loaders do (RFC 1350, 2347, 2348, 2349)."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_RRQ, _DATA, _ACK, _ERROR, _OACK = 1, 3, 4, 5, 6
_NOT_FOUND: Final = 1
_BLOCK: Final = 1468
_LIMIT: Final = 60


class RefusedError(Exception):
    """The server answered with an error; its number and text."""


def size_of(server: tuple[str, int], path: str) -> int | None:
    """Ask for the size, and end the transfer, as the boot loaders do; ``None`` if not there."""
    with _asking(server, path) as (connection, peer, options):
        if options is None:
            return None
        connection.sendto(struct.pack(">HH", _ERROR, 0) + b"Early terminate\0", peer)
        return int(options["tsize"])


def fetch(server: tuple[str, int], path: str) -> bytes | None:
    """Fetch a file; ``None`` if it is not there."""
    with _asking(server, path) as (connection, peer, options):
        if options is None:
            return None
        block = int(options["blksize"])
        data = bytearray()
        last = 0
        full = True
        while full:
            connection.sendto(struct.pack(">HH", _ACK, last), peer)
            packet, _ = connection.recvfrom(65536)
            kind, number = struct.unpack_from(">HH", packet)
            if kind != _DATA:
                raise RefusedError(packet[4:])
            if number != (last + 1) & 0xFFFF:
                continue  # sent twice
            last = number
            data += packet[4:]
            full = len(packet) == 4 + block
        connection.sendto(struct.pack(">HH", _ACK, last), peer)
        if len(data) != int(options["tsize"]):
            raise RefusedError(f"{path}: {len(data)} bytes instead of {options['tsize']}")
        return bytes(data)


@contextlib.contextmanager
def _asking(
    server: tuple[str, int], path: str
) -> Iterator[tuple[socket.socket, tuple[str, int], dict[str, str] | None]]:
    words = (path, "octet", "tsize", "0", "blksize", str(_BLOCK))
    packet = struct.pack(">H", _RRQ) + b"".join(word.encode() + b"\0" for word in words)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(_LIMIT)
        connection.sendto(packet, server)
        answer, peer = connection.recvfrom(65536)
        yield connection, peer, _options(answer)


def _options(answer: bytes) -> dict[str, str] | None:
    kind, code = struct.unpack_from(">HH", answer)
    if kind == _OACK:
        words = [word.decode() for word in answer[2:].split(b"\0")[:-1]]
        return dict(zip(words[::2], words[1::2], strict=True))
    if kind == _ERROR and code == _NOT_FOUND:
        return None
    raise RefusedError(answer)
