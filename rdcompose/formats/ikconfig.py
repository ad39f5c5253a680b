"""The configuration that a kernel carries inside: ``CONFIG_IKCONFIG``.

``kernel/configs.c`` of Linux: the configuration in gzip between ``IKCFG_ST`` and ``IKCFG_ED``, in
the kernel itself or in the module ``configs``. As ``scripts/extract-ikconfig`` does, it is looked
for in the file as it is, then in whatever in it can be unpacked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats import image_payload

if TYPE_CHECKING:
    from collections.abc import Iterator

# With the magic of gzip: the kernel's own texts may name the mark, too.
_START: Final = b"IKCFG_ST\x1f\x8b\x08"
_MARK: Final = 8
# The largest real ones are below 400 KB.
_MAX_SIZE: Final = 8 << 20
# As many false hits of each compressor's magic are tried.
_MAX_CANDIDATES: Final = 16


def embedded_config(data: bytes) -> bytes | None:
    """Return the configuration inside a kernel image or the module ``configs``, if there is one.

    :raises FormatError: it is damaged.
    """
    damage: FormatError | None = None
    for inside in _insides(data):
        start = inside.find(_START)
        if start < 0:
            continue
        pieces = image_payload.unpack(inside, start + _MARK, "gzip", limit=_MAX_SIZE)
        try:
            return b"".join(pieces)
        except FormatError as error:
            # The mark may have come through a compressor as it is, and what follows not.
            damage = damage or error
    if damage is not None:
        raise damage
    return None


def _insides(data: bytes) -> Iterator[bytes]:
    yield data
    for name, offset in image_payload.candidates(data, 0, _MAX_CANDIDATES):
        try:
            yield b"".join(image_payload.unpack(data, offset, name))
        except (FormatError, UnsupportedError):
            continue  # chance, or a compressor that cannot be unpacked here
