"""What a kernel image tells beside its release: the symbols that it has for modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rdcompose.formats.image_payload import layers
from rdcompose.formats.ksymtab import read_kernel_symbols

if TYPE_CHECKING:
    from rdcompose.formats.image import KernelImage


def exported_versions(data: bytes, image: KernelImage) -> dict[str, int]:
    """Return the versions of the kernel's own symbols, by name.

    Nothing, where the image does not tell, or where symbols have no versions. The table is
    found by its looks: versions that agree with those of no module mean nothing.
    """
    if image.bits is None:
        return {}
    bits: Literal[32, 64] = 32 if image.bits == 32 else 64
    for layer in layers(data):
        table = read_kernel_symbols(layer, bits=bits, byteorder=image.byteorder)
        if table is not None:
            return {name: symbol.crc for name, symbol in table.items() if symbol.crc}
    return {}
