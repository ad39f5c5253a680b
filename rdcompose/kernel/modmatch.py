"""What an entry of a module list matches: modules and built-in code of one kernel.

Names and paths are compared without suffix (``.ko``, ``.ko.xz``, …) and with ``-`` as
``_``. An entry with a slash is a path below ``kernel/`` (or, where nothing there
matches, below the release directory, for ``updates/…``): it means the module with that
path and everything below a directory with that path. A suffix restricts it to a module,
a slash at its end to a directory. An entry without a slash is a module name, else a
directory right below ``kernel/``; a glob without a slash is one of names. In globs
``*``, ``?`` and ``[…]`` stay within one component, and ``**`` is any number of them.
"""

from __future__ import annotations

import bisect
import dataclasses
import difflib
import fnmatch
import functools
import re
from typing import TYPE_CHECKING, Final, Protocol

from rdcompose.globs import PathGlob, is_glob
from rdcompose.kernel.module import modname, normalize_alias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_ROOT: Final = "kernel/"
_SUFFIX: Final = re.compile(r"\.ko(?:\.[a-z0-9*]+|\*)?$")
_NEAR: Final = 3
_NEAR_NAME: Final = 0.7
_NEAR_PATH: Final = 0.85


class HasPath(Protocol):
    """A module, as far as matching needs it."""

    @property
    def path(self) -> str:
        """Path of the plain file below ``lib/modules/R``."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Match:
    """Names of modules and of built-in code that an entry covers, in path order."""

    modules: tuple[str, ...] = ()
    builtin: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.modules or self.builtin)


@dataclasses.dataclass(frozen=True, slots=True)
class _Target:
    """A pattern taken apart; ``text`` is normalised and without suffix."""

    text: str
    bare: bool
    glob: bool
    files: bool
    directories: bool


class _Table:
    """Modules, or built-in code: by name, and in the order of their paths.

    ``hidden`` are more paths of some of them.
    """

    def __init__(
        self, paths: Iterable[tuple[str, str]], hidden: Iterable[tuple[str, str]] = ()
    ) -> None:
        self.paths = {name: path.removesuffix(".ko") for name, path in paths}
        more = [(name, path.removesuffix(".ko")) for name, path in hidden]
        pairs = [*self.paths.items(), *more]
        rows = sorted((path.replace("-", "_"), name) for name, path in pairs)
        self._keys = [key for key, _ in rows]
        self._names = [name for _, name in rows]

    @functools.cached_property
    def _components(self) -> list[list[str]]:
        return [key.split("/") for key in self._keys]

    def named(self, matches: Callable[[str], object]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name in self._names if matches(name)))

    def at(self, path: str, target: _Target) -> tuple[str, ...]:
        """Return what has the path or is below it."""
        found: list[str] = []
        if target.files:
            start = bisect.bisect_left(self._keys, path)
            found += self._names[start : bisect.bisect_right(self._keys, path)]
        if target.directories:
            start = bisect.bisect_left(self._keys, path + "/")
            # "0" follows "/", so this is the end of everything below the directory.
            found += self._names[start : bisect.bisect_left(self._keys, path + "0")]
        return tuple(dict.fromkeys(found))

    def globbed(self, pattern: str, target: _Target) -> tuple[str, ...]:
        """Return what the glob matches, or is below a directory that it matches."""
        glob = PathGlob(pattern)
        rows = zip(self._components, self._names, strict=True)
        found = (name for components, name in rows if _covers(glob, components, target))
        return tuple(dict.fromkeys(found))


class ModuleIndex:
    """Finds what entries match in one kernel, and near names for those that do not.

    ``hidden`` are the paths, by name, whose modules have made way for others of their names:
    an entry with such a path means the other.
    """

    def __init__(
        self,
        modules: Mapping[str, HasPath],
        builtin: Mapping[str, str],
        hidden: Iterable[tuple[str, str]] = (),
    ) -> None:
        pairs = ((name, module.path) for name, module in modules.items())
        self._modules = _Table(pairs, hidden)
        self._builtin = _Table(builtin.items())

    def match(self, pattern: str) -> Match:
        """Return what a pattern covers; an empty match is false."""
        target = _parse(pattern)
        if target.bare and target.files:
            found = self._by_name(target)
            # "net" may be a directory, but "ne*" should not become all of "net".
            if found or target.glob:
                return found
        for root in (_ROOT, ""):
            path = root + target.text
            if target.glob:
                found = Match(
                    self._modules.globbed(path, target), self._builtin.globbed(path, target)
                )
            else:
                found = Match(self._modules.at(path, target), self._builtin.at(path, target))
            if found:
                return found
        return Match()

    def _by_name(self, target: _Target) -> Match:
        if target.glob:
            matches = re.compile(fnmatch.translate(target.text)).match
            return Match(self._modules.named(matches), self._builtin.named(matches))
        # Where a name is both (a module outside the tree replaces built-in code), the
        # module is what can be put somewhere.
        if target.text in self._modules.paths:
            return Match(modules=(target.text,))
        if target.text in self._builtin.paths:
            return Match(builtin=(target.text,))
        return Match()

    def near(self, pattern: str) -> tuple[str, ...]:
        """Up to three names or paths that the author of a pattern may have meant."""
        target = _parse(pattern)
        names = [*self._modules.paths, *self._builtin.paths]
        if target.bare:
            return tuple(difflib.get_close_matches(target.text, names, _NEAR, _NEAR_NAME))
        name = modname(target.text)
        # A module that has moved is what most wrong paths are about.
        for table in (self._modules, self._builtin):
            if name in table.paths:
                return (_shown(table.paths[name]),)
        shown = {path.replace("-", "_"): path for path in self._shown_paths()}
        close = difflib.get_close_matches(target.text, shown, _NEAR, _NEAR_PATH)
        if close:
            return tuple(shown[key] for key in close)
        return tuple(difflib.get_close_matches(name, names, _NEAR, _NEAR_NAME))

    def _shown_paths(self) -> Iterable[str]:
        paths: dict[str, None] = {}
        for table in (self._modules, self._builtin):
            for path in table.paths.values():
                shown = _shown(path)
                while shown:
                    paths[shown] = None
                    shown = shown.rpartition("/")[0]
        return paths


def _shown(path: str) -> str:
    """Return a path as lists have it."""
    return path.removeprefix(_ROOT)


def _parse(pattern: str) -> _Target:
    text, suffixes = _SUFFIX.subn("", normalize_alias(pattern.rstrip("/")))
    directory = pattern.endswith("/")
    return _Target(
        text=text,
        bare="/" not in text,
        glob=is_glob(text),
        files=not directory,
        directories=not suffixes,
    )


def _covers(glob: PathGlob, components: list[str], target: _Target) -> bool:
    """Whether a glob matches all components, or the directories that lead to them."""
    return any(
        target.files if end == len(components) else target.directories
        for end in glob.ends(components)
    )
