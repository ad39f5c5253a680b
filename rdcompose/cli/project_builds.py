"""The builds that ``rdcompose.toml`` names, checked, with what the command line says over them.

What counts for an option: the command line, then the build's own table, then ``[defaults]``.
What is said nearer also drops what contradicts it further away.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rdcompose.cli.project import PROJECT_FILE
from rdcompose.cli.project_keys import build_keys
from rdcompose.errors import SpecError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rdcompose.cli.project import Project
    from rdcompose.cli.project_keys import Key

NAME: Final = "name"
# Fit for a directory, a word of a shell and a job of a CI.
NAME_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}"
_NAME: Final = re.compile(NAME_PATTERN)

# An option that is given nearer, and those further away that do not go with it.
_INSTEAD: Final[Mapping[str, tuple[str, ...]]] = {
    "snapshot": ("mirror", "no_snapshot"),
    "mirror": ("snapshot",),
    "no_snapshot": ("snapshot",),
    "fast": ("small", "compress", "disk_compress"),
    "small": ("fast", "compress", "disk_compress"),
}
# Options of [defaults] that mean nothing to a build without something else.
_WITHOUT_MEANING: Final[Sequence[tuple[Callable[[Mapping[str, Any]], bool], tuple[str, ...]]]] = (
    (lambda found: found.get("disk") == "none", ("disk_compress", "disk_format")),
    (lambda found: not found.get("uki"), ("uki_stub", "cmdline", "os_release")),
    (lambda found: found.get("firmware") == "none", ("firmware_from",)),
    (lambda found: not found.get("module"), ("symvers",)),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamedBuild:
    """A build of the project: its options by their names among parsed arguments.

    ``output`` is where it goes, ``None`` for a directory of its name.
    """

    name: str
    options: Mapping[str, Any]
    output: Path | None


def read_builds(project: Project, path: Path = PROJECT_FILE) -> tuple[NamedBuild, ...]:
    """Check and return the builds that a project file names, in its order.

    :raises SpecError: a key is not known, a value is not what it must be, or a name is taken.
    """
    keys = build_keys()
    defaults = _values(f"{path}: defaults", project.defaults, keys)
    builds: dict[str, NamedBuild] = {}
    for number, table in enumerate(project.builds, 1):
        name = _name(f"{path}: build {number}", table)
        where = f"{path}: build {name!r}"
        if name in builds:
            raise SpecError(f"{where} is there twice", hint="each build has a name of its own")
        own = _values(where, {key: table[key] for key in table if key != NAME}, keys)
        output = own.pop("output", None)
        options = _over(defaults, own, defaults=True)
        if output is None and "output" in options:
            output = options["output"] / name
        builds[name] = NamedBuild(name=name, options=options, output=output)
    return tuple(builds.values())


def chosen(builds: Sequence[NamedBuild], only: Sequence[str] | None) -> tuple[NamedBuild, ...]:
    """Return the builds that ``--only`` names, in the order of the file; without it all.

    :raises UsageError: there is none of a name.
    """
    if only is None:
        return tuple(builds)
    names = [build.name for build in builds]
    for name in only:
        if name not in names:
            raise UsageError(
                f"{PROJECT_FILE} has no build {name!r}", hint=_like(name, names, "it names")
            )
    return tuple(build for build in builds if build.name in only)


def arguments_of(build: NamedBuild, arguments: argparse.Namespace) -> argparse.Namespace:
    """Return the arguments of a build: what the command line says, else what the file says.

    ``output`` is its directory.
    """
    # What was not given is None, False or an empty list.
    given = {key: value for key, value in vars(arguments).items() if value}
    merged = {**vars(arguments), **_over(build.options, given)}
    if arguments.output is not None:
        merged["output"] = arguments.output / build.name
    else:
        merged["output"] = build.output or Path(build.name)
    return argparse.Namespace(**merged)


def _over(
    further: Mapping[str, Any], nearer: Mapping[str, Any], *, defaults: bool = False
) -> dict[str, Any]:
    """Return options with those that are given nearer in place of the others.

    A build whose own options do not go together stays so: that is an error, told later. But
    ``defaults`` mean nothing by themselves.
    """
    dropped = {o for key, value in nearer.items() if value for o in _INSTEAD.get(key, ())}
    found = {key: value for key, value in further.items() if key not in dropped} | {**nearer}
    for lacks, options in _WITHOUT_MEANING:
        if lacks(found) and (defaults or not lacks(further)):
            for option in set(options) - nearer.keys():
                found.pop(option, None)
    return found


def _values(where: str, table: Mapping[str, Any], keys: Mapping[str, Key]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, given in table.items():
        key = keys.get(name)
        if key is None:
            raise SpecError(f"{where}: unknown key {name!r}", hint=_like(name, keys, "known are"))
        try:
            values[key.option] = key.value(given)
        except SpecError as error:
            raise SpecError(f"{where}: {error.message}", hint=error.hint) from error
        except argparse.ArgumentTypeError as error:
            raise SpecError(f"{where}: {name}: {error}") from error
    return values


def _name(where: str, table: Mapping[str, Any]) -> str:
    name = table.get(NAME)
    if name is None:
        raise SpecError(f"{where} has no name", hint='give it one, like name = "cloud"')
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise SpecError(
            f"{where}: name = {name!r} is no name of a build",
            hint="up to 64 letters, digits and . _ + -, beginning with a letter or digit",
        )
    return name


def _like(name: str, names: Iterable[str], otherwise: str) -> str:
    names = list(names)
    if near := difflib.get_close_matches(name, names, n=1):
        return f"did you mean {near[0]!r}?"
    return f"{otherwise} {', '.join(names)}"
