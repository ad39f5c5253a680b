"""``rdcompose find``: modules of a kernel by name, alias, modalias or firmware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.cli.about import one_kernel, told_apart
from rdcompose.cli.terminal import warn
from rdcompose.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from rdcompose.cli.about import About
    from rdcompose.inspect.catalogue import Source
    from rdcompose.inspect.holdings import Holdings


def find(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    about = told_apart((arguments.word, *arguments.rest))
    source = _of_files(arguments, about) if about.files else _of_kernel(arguments, about)
    from rdcompose.inspect.catalogue import Catalogue, FoundAs
    from rdcompose.inspect.findtext import as_data, as_text

    catalogue = Catalogue(source)
    found = [catalogue.find(word) for word in about.words]
    if arguments.json:
        import json

        print(json.dumps(as_data(source.release, found), indent=2, ensure_ascii=False))
    elif not arguments.quiet:
        print(as_text(found, whole=arguments.verbose), end="")
    return int(any(one.kind is FoundAs.NOTHING for one in found))


def _of_kernel(arguments: argparse.Namespace, about: About) -> Source:
    from rdcompose.compose.layout import depmod_of
    from rdcompose.inspect.catalogue import Source

    package = one_kernel(arguments, about.kernel)
    depmod = depmod_of(package.tree)
    return Source(
        release=package.release,
        graph=depmod,
        modinfo={name: module.elf.modinfo for name, module in depmod.modules.items()},
        builtin_modinfo=package.tree.builtin_modinfo,
    )


def _of_files(arguments: argparse.Namespace, about: About) -> Source:
    from rdcompose.inspect.holdings import read_holdings

    if arguments.arch:
        raise UsageError("--arch has no meaning for files: they are what they are")

    def read(wanted: Callable[[str], bool]) -> Holdings:
        return read_holdings(about.files, arguments.release, wanted=wanted)

    held = read(lambda _name: False)
    for problem in held.problems:
        warn(f"note: {problem}")
    source = _source(held)
    missing = _unread(source, about.words)
    # Which modules are asked about shows in indexes, which lie behind the modules.
    return _source(read(missing.__contains__)) if missing else source


def _unread(source: Source, words: Sequence[str]) -> frozenset[str]:
    """Return the modules at hand that are asked about, and were not read."""
    from rdcompose.inspect.catalogue import Catalogue

    catalogue = Catalogue(source)
    names = {name for word in words for name in catalogue.names(word)}
    return frozenset(name for name in names if name in source.places).difference(source.modinfo)


def _source(held: Holdings) -> Source:
    from rdcompose.inspect.catalogue import Source

    return Source(
        release=held.release,
        graph=held.graph,
        modinfo={name: elf.modinfo for name, elf in held.elf.items()},
        builtin_modinfo=held.modinfo,
        places={**held.disk, **held.initramfs},
    )
