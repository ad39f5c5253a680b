"""Settings for apt that give it lists, sources and a status of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def apt_settings(state: Path, architecture: str) -> dict[str, str | Path]:
    """Return the settings of an apt that keeps all it has in a directory, and make that.

    It knows one architecture. Its only sources are in the file ``sources.list`` there.
    """
    for part in ("lists/partial", "archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    settings: dict[str, str | Path] = {
        "Dir::State": state,
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "Acquire::Languages": "none",
    }
    if os.geteuid() == 0:
        # apt's own user may not write everywhere.
        settings["APT::Sandbox::User"] = "root"
    return settings


def as_options(settings: Mapping[str, str | Path]) -> list[str]:
    """Return settings as options of apt's programs."""
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
