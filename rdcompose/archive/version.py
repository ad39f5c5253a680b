"""The order of versions of Debian packages.

Rules: deb-version(7), section "Sorting algorithm", as ``dpkg --compare-versions`` has them.
"""

from __future__ import annotations

import re
from typing import Final

_PART: Final = re.compile(r"([^0-9]*)([0-9]*)")
# "~" sorts before the end of a part, the end before letters, letters before all else.
_END: Final = "\x01"
_RANKS: Final = {ord("~"): "\x00"} | {
    code: chr(code + 0x100) for code in range(0x80) if not chr(code).isalnum() and chr(code) != "~"
}


def version_key(text: str) -> tuple[tuple[str | int, ...], ...]:
    """Return a key for sorting versions, oldest first; equal for versions that dpkg calls equal.

    A malformed version has some place in the order.
    """
    epoch, colon, rest = text.partition(":")
    if not colon:
        epoch, rest = "", text
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return _part_key(epoch), _part_key(upstream), _part_key(revision)


def _part_key(text: str) -> tuple[str | int, ...]:
    key: list[str | int] = []
    # The last match is empty; it is also the first for an empty part, which is as good as "0".
    for rank, digits in _PART.findall(text)[: -1 if text else None]:
        number = digits.lstrip("0")
        # The count of digits decides first; int() refuses very long numbers.
        key += [rank.translate(_RANKS) + _END, len(number), number]
    return (*key, _END)
