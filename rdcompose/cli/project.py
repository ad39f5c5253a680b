"""``rdcompose.toml`` in the current directory: where packages come from, and what is built.

What a build may say is checked by :mod:`rdcompose.cli.project_builds`: other commands need not
know it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rdcompose.archive.addresses import shown
from rdcompose.archive.suites import is_suite_name
from rdcompose.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT_FILE: Final = Path("rdcompose.toml")

_KEYS: Final = ("mirror", "suite", "keyring", "defaults", "build")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What the file sets; a keyring is relative to the file's directory.

    ``defaults`` and ``builds`` are tables as they stand in the file.
    """

    mirror: tuple[str, ...] = ()
    suite: str | None = None
    keyring: Path | None = None
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    builds: tuple[Mapping[str, Any], ...] = ()


def read_project(path: Path = PROJECT_FILE) -> Project:
    """Read the project file; without one nothing is set.

    :raises SpecError: it cannot be read, is no TOML, or has a key or value that is not known.
    """
    import tomllib

    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Project()
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecError(f"{path}: {error}", hint="the file must be TOML, in UTF-8") from error
    except RecursionError as error:
        raise SpecError(f"{path}: its lists or tables are nested too deep") from error
    for key in data:
        if key not in _KEYS:
            raise SpecError(f"{path}: unknown key {key!r}", hint=f"known are {', '.join(_KEYS)}")
    keyring, suite = _text(path, data, "keyring"), _text(path, data, "suite")
    if suite is not None and not is_suite_name(suite):
        raise SpecError(f"{path}: suite = {suite!r} is no name of a suite")
    return Project(
        mirror=_mirrors(path, data.get("mirror", [])),
        suite=suite,
        keyring=None if keyring is None else path.parent / keyring,
        defaults=_table(path, data.get("defaults", {})),
        builds=_tables(path, data.get("build", [])),
    )


def _text(path: Path, data: dict[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is None or (isinstance(value, str) and value):
        return value
    raise SpecError(f"{path}: {key} = {value!r} is no text")


def _mirrors(path: Path, value: object) -> tuple[str, ...]:
    rows = [value] if isinstance(value, str) else value
    if not isinstance(rows, list) or not all(isinstance(row, str) and row for row in rows):
        raise SpecError(
            f"{path}: mirror = {shown(repr(value))} is neither an address nor a list of them"
        )
    return tuple(rows)


def _table(path: Path, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SpecError(
            f"{path}: defaults is no table", hint="options of all builds go below [defaults]"
        )
    return value


def _tables(path: Path, value: object) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise SpecError(
            f"{path}: build is no list of tables", hint="begin each build with [[build]]"
        )
    return tuple(value)
