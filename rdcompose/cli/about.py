"""What a question is about: kernels as ``build`` takes them, or files of anyone's making."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.cli.given import is_path
from rdcompose.errors import SpecError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rdcompose.kernel.package import KernelPackage

_PACKAGE: Final = b"!<arch>\n"


class About(NamedTuple):
    """The words of a command line, told apart; either ``kernel`` or ``files`` is empty.

    ``words`` are those that are asked.
    """

    kernel: tuple[str, ...]
    files: tuple[Path, ...]
    words: tuple[str, ...]


def told_apart(words: Sequence[str]) -> About:
    """Tell what is asked about, the first word and files behind it, from what is asked.

    :raises SpecError: the first names a file that is not there, or cannot be read.
    :raises UsageError: nothing is asked.
    """
    first, *rest = words
    if "" in words:
        raise UsageError("an empty word is nothing to ask about")
    path = Path(first)
    if is_path(first) and not path.exists():
        raise SpecError(f"cannot read {first}: No such file or directory")
    package = path.is_file() and _is_package(path)
    more = 0
    while path.is_file() and more < len(rest) and _belongs(Path(rest[more]), package=package):
        more += 1
    names, asked = (first, *rest[:more]), tuple(rest[more:])
    if not asked:
        raise UsageError(
            f"what about {', '.join(names)}?", hint="name modules, aliases or modaliases behind it"
        )
    if package or not path.exists() or _is_root(path):
        return About(names, (), asked)
    return About((), tuple(map(Path, names)), asked)


def _belongs(path: Path, *, package: bool) -> bool:
    """Whether a word that follows a file is one more of the same kernel."""
    from rdcompose.kernel.moduletree import plain_module_path

    if plain_module_path(path.name) is not None or not path.is_file():
        return False
    return _is_package(path) if package else True


def _is_package(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(_PACKAGE)) == _PACKAGE
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error


def _is_root(path: Path) -> bool:
    """Whether a kernel is installed below a directory: modules, and an image of it."""
    if not path.is_dir():
        return False
    from rdcompose.kernel.layout import BOOT, IMAGE_NAMES, MODULE_ROOTS

    images = [path / BOOT, *(path / root for root in MODULE_ROOTS)]
    boots = any(
        next(place.glob(f"{name}*" if place.name == "boot" else f"*/{name}"), None) is not None
        for place in images
        for name in IMAGE_NAMES
    )
    return boots and any((path / root).is_dir() for root in MODULE_ROOTS)


def one_kernel(arguments: argparse.Namespace, kernel: Sequence[str]) -> KernelPackage:
    """Read the kernel that is asked about.

    :raises UsageError: there are several.
    :raises RdcomposeError: it cannot be had, or is damaged.
    """
    from rdcompose.cli.kernel_alone import only_kernel, want_kernel
    from rdcompose.cli.prepared import kernel_store

    wanted = want_kernel(arguments, kernel)
    shown = not (arguments.quiet or arguments.no_progress)
    with kernel_store(arguments) as store:
        return only_kernel(wanted.read(store, shown=shown))
