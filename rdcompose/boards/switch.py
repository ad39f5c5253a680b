"""Switches a boot folder between the sets that are in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.boards.bootconfig import CONFIG, PREVIOUS
from rdcompose.boards.bootset import CMDLINE
from rdcompose.boards.configtxt import ConfigTxt
from rdcompose.boards.firmware_view import view
from rdcompose.boards.lead import booted, lead
from rdcompose.boards.models import MODELS
from rdcompose.errors import SpecError, UsageError

if TYPE_CHECKING:
    from rdcompose.boards.bootconfig import Placed
    from rdcompose.boards.models import Model
    from rdcompose.boards.present import Present

_HINT: Final = "rdcompose verify tells what is wrong with a folder"


def parsed_config(present: Present) -> ConfigTxt:
    """Return the folder's config.txt.

    :raises UsageError: there is none.
    """
    if present.config is None:
        raise UsageError(f"{present.directory} is no boot folder: it has no {CONFIG}")
    return ConfigTxt.parse(present.config)


def switched(present: Present, placed: Placed) -> bytes:
    """Return a config.txt that leads boards to a set that is in the folder.

    These are the boards that boot another set of the same architecture now, else all that it
    is for.

    :raises UsageError: there is no config.txt.
    :raises SpecError: config.txt cannot be changed so.
    """
    config = parsed_config(present)
    architectures = {row.prefix: row.set.architecture for row in present.sets()}

    def now(model: Model) -> str | None:
        return architectures.get(view(config, model, present.exists).prefix)

    models = placed.set.models
    same = [model for model in models if now(model) == placed.set.architecture]
    lead(config, {model.name: placed for model in same or models}, present.exists, present.read)
    boots = booting(present, config)
    for model in same or models:
        if boots.get(model.name) != placed.prefix + placed.set.kernel:
            raise SpecError(
                f"{present.directory / placed.prefix} does not start on a {model.title}: its "
                "kernel or device tree is missing",
                hint=_HINT,
            )
    for name in (placed.set.initramfs, CMDLINE):
        if not present.exists(placed.prefix + name):
            raise SpecError(f"{present.directory / placed.prefix} has no {name}", hint=_HINT)
    return config.to_bytes()


def rolled_back(present: Present) -> bytes:
    """Return the config.txt of before.

    :raises UsageError: there is none.
    :raises SpecError: what it leads to is there no more.
    """
    parsed_config(present)
    if present.previous is None:
        raise UsageError(
            f"{present.directory} has no {PREVIOUS}: nothing was switched yet",
            hint="--switch RELEASE leads to any set that is there",
        )
    if not booting(present, ConfigTxt.parse(present.previous)):
        raise SpecError(f"{present.directory}/{PREVIOUS} leads to no kernel that is there")
    return present.previous


def booting(present: Present, config: ConfigTxt) -> dict[str, str]:
    """Return the kernel that each board boots, by the board's name."""
    found = {model.name: booted(config, model, present.exists) for model in MODELS.values()}
    return {name: kernel for name, kernel in found.items() if kernel is not None}
