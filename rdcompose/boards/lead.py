"""Leads boards to sets by changing a config.txt, whoever made it, as little as can be.

What a line means for a board is asked of :mod:`.firmware_view`; afterwards it is checked there that
each board boots what it is meant to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.boards.bootconfig import ALL, CONFIG, settings
from rdcompose.boards.firmware_view import board_types, view
from rdcompose.boards.models import MODELS
from rdcompose.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rdcompose.boards.bootconfig import Placed
    from rdcompose.boards.configtxt import ConfigTxt, Line
    from rdcompose.boards.models import Model, Variant

    Exists = Callable[[str], bool]
    Read = Callable[[str], bytes | None]

# What is ours to decide; a line of one of these that a set does not need is taken out.
_OWN: Final = (
    "os_prefix",
    "arm_64bit",
    "kernel",
    "initramfs",
    "device_tree",
    "upstream_kernel",
    "auto_initramfs",
    "ramfsfile",
    "cmdline",
)
# What says the same as no line at all.
_NEUTRAL: Final = {"upstream_kernel": "0", "auto_initramfs": "0", "cmdline": "cmdline.txt"}


def _nothing(_: str) -> bytes | None:
    return None


class _Boards(NamedTuple):
    """The boards to lead, the section that they are led by, and those not to be touched."""

    section: str
    others: tuple[Model, ...]

    def shares(self, section: str) -> bool:
        """Whether boards that are not to be touched read a section, too."""
        if section == ALL:
            return bool(self.others)
        return any(section in variant.filters for each in self.others for variant in each.variants)


def booted(config: ConfigTxt, model: Model, exists: Exists) -> str | None:
    """Return the kernel that a board boots; ``None`` without it or a device tree."""
    for variant in model.variants:
        seen = view(config, model, exists, variant=variant)
        # "device_tree=" asks for none.
        if seen.kernel is not None and (seen.device_tree or not seen.device_tree_asked):
            return seen.kernel
    return None


def lead(
    config: ConfigTxt, assigned: Mapping[str, Placed], exists: Exists, read: Read = _nothing
) -> None:
    """Change a config.txt so that each of some boards, by name, boots its set.

    Where other boards boot from the folder, too, the lines go to the boards' own sections. ``read``
    gives files that it includes.

    :raises SpecError: something in it that is not changed here leads a board elsewhere.
    """
    rest = [
        model
        for model in MODELS.values()
        if model.name not in assigned and booted(config, model, exists) is not None
    ]
    models = [MODELS[name] for name in assigned]
    together = not rest and len({placed.prefix for placed in assigned.values()}) == 1
    for model in models:
        placed = assigned[model.name]
        others = [each for each in models if assigned[each.name] is not placed]
        boards = _Boards(ALL if together else model.section, (*rest, *others))
        wanted = dict(settings(placed, models if together else [model]))
        for key in _OWN:
            for variant in model.variants:
                _decide(config, key, wanted.get(key), boards, variant)
    whole = config.expanded(read)
    for model in models:
        _check(whole, assigned[model.name], model, exists)


def _decide(
    config: ConfigTxt, key: str, value: str | None, boards: _Boards, variant: Variant
) -> None:
    """Give a key its value on one board; ``None`` for none."""
    while (line := _counts(config, key, variant)) is not None or value is not None:
        if line is not None and line.value == value:
            return
        if value is not None:
            config.set(key, value, boards.section)
            line = _counts(config, key, variant)
            if line is not None and line.value == value:
                return
        # Another line counts, in a section that holds on the board, too.
        where = line.section[-1] if line is not None and line.section else ALL
        if not boards.shares(where):
            config.remove(key, where)
        elif value is None and key in _NEUTRAL:
            value = _NEUTRAL[key]
        else:
            raise SpecError(
                f"{CONFIG}: {key} under [{where}] counts for other boards than the "
                f"{variant.name}, too",
                hint="put it into sections of the boards by hand first",
            )


def _counts(config: ConfigTxt, key: str, variant: Variant) -> Line | None:
    return config.values({*variant.filters, *board_types(variant)}).get(key)


def _check(config: ConfigTxt, placed: Placed, model: Model, exists: Exists) -> None:
    prefix, facts = placed.prefix, placed.set

    def there(path: str) -> bool:
        # The set need not be in place yet; which device trees it has is for its maker.
        own = path.startswith(prefix) and "/" not in path.removeprefix(prefix)
        return own or exists(path)

    for variant in model.variants:
        found = view(config, model, there, variant=variant)
        wanted = (prefix + facts.kernel, (prefix + facts.initramfs,))
        if (found.kernel, found.initramfs) != wanted:
            raise SpecError(
                f"{CONFIG} leads a {model.title} to {found.kernel}, not to {wanted[0]}",
                hint="what is included decides: edit the included file, or take the line out",
            )
