"""How big a file may be that a Raspberry Pi is to fetch by TFTP.

TFTP numbers blocks with 16 bits and ends a file with a block that is not full. A client that
does not let the number start again at 0 gets less than 65535 blocks' worth and stops, or goes
on with a file that is cut short. What the boot loaders do is in rpi-eeprom's release notes of
2022-10-03 (blocks of 1468 bytes instead of 1024) and 2025-09-23 (numbers start again), and in
its issues 375 and 720; that of config.txt in issue 1012 of raspberrypi/firmware.
"""

from __future__ import annotations

import dataclasses
from typing import Final

BLOCKS: Final = 65535
# What is behind this of config.txt is not read when the file comes by TFTP.
CONFIG_LIMIT: Final = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """What boot loaders from before a day (ISO 8601) can fetch: blocks of so many bytes."""

    before: str
    block: int

    @property
    def size(self) -> int:
        """Bytes that the biggest file has."""
        return BLOCKS * self.block - 1


# The severest first.
LIMITS: Final = (Limit("2022-10-03", 1024), Limit("2025-09-23", 1468))


def limit_passed(size: int) -> Limit | None:
    """Return the limit that a file of this size is over: the one that ended last.

    ``None`` if every boot loader can fetch it.
    """
    passed = [limit for limit in LIMITS if size > limit.size]
    return passed[-1] if passed else None


def size_problem(path: str, size: int) -> str | None:
    """Return why a file may not arrive by TFTP, as one sentence; ``None`` if it will.

    ``path`` is relative to the boot folder: ``config.txt`` has a limit of its own.
    """
    if path.rpartition("/")[2] == "config.txt" and size > CONFIG_LIMIT:
        return (
            f"{path} has {size} bytes: of a config.txt by TFTP only the first {CONFIG_LIMIT} count"
        )
    limit = limit_passed(size)
    if limit is None:
        return None
    return (
        f"{path} has {size} bytes: boot loaders from before {limit.before} fetch at most "
        f"{limit.size} bytes by TFTP"
    )
