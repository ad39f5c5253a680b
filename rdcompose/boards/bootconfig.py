"""The lines of config.txt that lead the firmware to sets.

Source: Raspberry Pi's documentation, "config.txt": Boot options, Conditional filters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdcompose.boards.bootset import SetFacts
    from rdcompose.boards.models import Model

CONFIG: Final = "config.txt"
PREVIOUS: Final = "config.previous.txt"
ALL: Final = "all"

HEAD: Final = "# Made by rdcompose, down to the last comment.\n"
MARK: Final = "# What stands below this line is yours: it stays, and counts for every board.\n"


class Placed(NamedTuple):
    """A set and its directory: with a slash at its end, or empty for the folder itself."""

    set: SetFacts
    prefix: str


class Section(NamedTuple):
    """What one section of config.txt has to say, as pairs in order."""

    name: str
    settings: tuple[tuple[str, str], ...]


def assign(sets: Sequence[Placed], models: Sequence[Model]) -> dict[str, Placed]:
    """Return the set that each board boots, by the board's name.

    Of sets that a board can boot, the one with more bits counts, and of several such the first.
    """
    found: dict[str, Placed] = {}
    for model in models:
        fits = [placed for placed in sets if model in placed.set.models]
        if fits:
            found[model.name] = max(fits, key=lambda placed: placed.set.bits)
    return found


def sections(sets: Sequence[Placed], models: Sequence[Model]) -> tuple[Section, ...]:
    """Return what config.txt has to say: a section a board, or one for all of a single set.

    A set with a device tree of its own has sections in any case.
    """
    assigned = assign(sets, models)
    used = list(dict.fromkeys(placed.prefix for placed in assigned.values()))
    first = next(iter(assigned.values()), None)
    # A device tree that is named would be there for boards, too, that it is not for.
    if first is not None and len(used) == 1 and first.set.device_tree is None:
        return (Section(ALL, settings(first, models)),)
    return tuple(
        Section(model.section, settings(assigned[model.name], [model]))
        for model in models
        if model.name in assigned
    )


def settings(placed: Placed, models: Sequence[Model]) -> tuple[tuple[str, str], ...]:
    """Return the settings that lead boards to a set."""
    found = placed.set
    rows = []
    if placed.prefix:
        rows.append(("os_prefix", placed.prefix))
    # Boards without a choice do not know the word.
    if any(64 in model.bits for model in models if model in found.models):
        rows.append(("arm_64bit", str(int(found.bits == 64))))
    rows.append(("kernel", found.kernel))
    rows.append(("initramfs", f"{found.initramfs} followkernel"))
    if found.device_tree is not None:
        rows.append(("device_tree", found.device_tree))
    if found.upstream:
        rows.append(("upstream_kernel", "1"))
    return tuple(rows)


def config_text(sets: Sequence[Placed], models: Sequence[Model], own: bytes = b"") -> bytes:
    """Return a whole config.txt; ``own`` are a user's lines, which stand at its end."""
    parts = [HEAD]
    for section in sections(sets, models):
        lines = "".join(f"{_line(key, value)}\n" for key, value in section.settings)
        parts.append(f"\n[{section.name}]\n{lines}")
    parts.append(f"\n[{ALL}]\nenable_uart=1\n\n{MARK}")
    return "".join(parts).encode("ascii") + own


def own_lines(config: bytes) -> bytes | None:
    """Return the lines of a user's own in a config.txt; ``None`` if it is not made here."""
    head, mark, own = config.partition(MARK.encode("ascii"))
    return own if mark and head.startswith(HEAD.encode("ascii")) else None


def _line(key: str, value: str) -> str:
    return f"{key} {value}" if key == "initramfs" else f"{key}={value}"
