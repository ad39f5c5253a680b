"""The keys of a build in ``rdcompose.toml``: the options of ``rdcompose build`` by their names.

They are taken from the command line's own definition, so that none is missing here. What a
machine does, not what is built, has no key: threads, network, cache, messages.
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
from typing import TYPE_CHECKING, Any, Final, assert_never

from rdcompose.archive.addresses import shown
from rdcompose.cli.options import add_build_options
from rdcompose.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_OF_THE_RUN: Final = frozenset(
    {
        *("only", "jobs", "executor", "report", "threads", "offline", "cache", "prepared"),
        *("json", "quiet", "verbose", "no_progress"),
    }
)


class Kind(enum.Enum):
    """What a key holds."""

    TEXT = "a text"
    SWITCH = "true or false"
    LIST = "a text or a list of texts"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key: ``option`` is its name among parsed arguments, ``choices`` are all if there are any.

    ``convert`` makes the option's value of a text, of each text of a list.
    """

    name: str
    option: str
    kind: Kind
    choices: tuple[str, ...]
    help: str
    convert: Callable[[str], Any]

    def value(self, given: object) -> Any:  # noqa: ANN401 (whatever the option holds)
        """Return what stands in the file as the option's value.

        :raises SpecError: it is of another kind, or none of the choices.
        """
        match self.kind:
            case Kind.SWITCH:
                if isinstance(given, bool):
                    return given
            case Kind.TEXT:
                if isinstance(given, str) and given:
                    return self._one(given)
            case Kind.LIST:
                rows = [given] if isinstance(given, str) else given
                if isinstance(rows, list) and all(isinstance(row, str) and row for row in rows):
                    return [self._one(row) for row in rows]
            case _ as never:
                assert_never(never)
        raise SpecError(f"{self.name} = {shown(repr(given))} is not {self.kind.value}")

    def _one(self, text: str) -> Any:  # noqa: ANN401
        if self.choices and text not in self.choices:
            raise SpecError(
                f"{self.name} = {text!r} is not known", hint=f"known are {', '.join(self.choices)}"
            )
        return self.convert(text)


class _Options(argparse.ArgumentParser):
    """A parser that tells what was added to it."""

    def added(self) -> Iterator[argparse.Action]:
        return iter(self._actions)


def build_keys() -> Mapping[str, Key]:
    """Return the keys by their names, in the order of the command's help."""
    parser = _Options(add_help=False)
    add_build_options(parser)
    keys = (_key(action) for action in parser.added() if action.dest not in _OF_THE_RUN)
    return {key.name: key for key in keys}


def _key(action: argparse.Action) -> Key:
    names = [flag[2:] for flag in action.option_strings if flag.startswith("--")]
    kind = Kind.TEXT
    if action.const is True:
        kind = Kind.SWITCH
    elif action.nargs == "*" or isinstance(action, argparse._AppendAction):  # noqa: SLF001
        kind = Kind.LIST
    return Key(
        name=names[0] if names else action.dest,
        option=action.dest,
        kind=kind,
        choices=tuple(action.choices or ()),
        help=action.help or "",
        convert=action.type if callable(action.type) else str,
    )
