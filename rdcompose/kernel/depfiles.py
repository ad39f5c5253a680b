"""The ``modules.*`` files that depmod makes, one function each.

Text files are byte for byte what kmod writes (``tools/depmod.c``; ``modules.weakdep``
since version 33), and so are the binary ones up to version 30.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rdcompose.formats.modindex import write_index
from rdcompose.kernel.kmodhash import hash_order
from rdcompose.kernel.module import has_matched_brackets, modname, normalize_alias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rdcompose.kernel.builtin import Builtin
    from rdcompose.kernel.depgraph import DepGraph

# Buckets of depmod's table of symbols.
_SYMBOL_BUCKETS: Final = 2048
_BINARY: Final = ".bin"
_MAJOR_MINOR: Final = re.compile(r"(char|block)-major-(\d+)-(\d+)", re.ASCII)


def index_files(graph: DepGraph, builtin: Builtin) -> dict[str, bytes]:
    """Return all files by name."""
    made = {name: make(graph) for name, make in _OF_MODULES}
    return made | {name: make(builtin) for name, make in _OF_BUILTIN}


def text_files(graph: DepGraph) -> dict[str, bytes]:
    """Return the text files that depmod makes of modules, by name."""
    return {name: make(graph) for name, make in _OF_MODULES if not name.endswith(_BINARY)}


def text(lines: Iterable[str]) -> bytes:
    """Return lines as the content of a file."""
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def aliases(graph: DepGraph) -> Iterator[tuple[str, str]]:
    """Yield ``(pattern, name)`` of all modules, by priority, patterns as written."""
    return _values(graph, "alias")


def symbols(graph: DepGraph) -> list[str]:
    """Return the exported symbols in the order of ``modules.symbols``."""
    return hash_order(graph.symbols, _SYMBOL_BUCKETS)


def _values(graph: DepGraph, key: str) -> Iterator[tuple[str, str]]:
    """Yield ``(value, module name)`` of one key of the modules' metadata."""
    for name, module in graph.modules.items():
        for field, value in module.elf.modinfo:
            if field == key:
                yield value, name


def _dependencies(graph: DepGraph) -> Iterator[tuple[str, str]]:
    """Yield module names and their lines of ``modules.dep``."""
    paths = {name: module.path for name, module in graph.modules.items()}
    for name, path in paths.items():
        yield name, "".join([path, ":", *(f" {paths[other]}" for other in graph.needs(name))])


def _dep(graph: DepGraph) -> bytes:
    return text(line for _, line in _dependencies(graph))


def _dep_bin(graph: DepGraph) -> bytes:
    return write_index(
        (name, line, number) for number, (name, line) in enumerate(_dependencies(graph))
    )


def _alias(graph: DepGraph) -> bytes:
    lines = [f"alias {pattern} {name}" for pattern, name in aliases(graph)]
    return text(["# Aliases extracted from modules themselves.", *lines])


def _alias_bin(graph: DepGraph) -> bytes:
    priority = {name: number for number, name in enumerate(graph.modules)}
    return write_index(
        (normalize_alias(pattern), name, priority[name])
        for pattern, name in aliases(graph)
        if has_matched_brackets(pattern)
    )


def _softdep(graph: DepGraph) -> bytes:
    lines = [f"softdep {name} {value}" for value, name in _values(graph, "softdep")]
    return text(["# Soft dependencies extracted from modules themselves.", *lines])


def _weakdep(graph: DepGraph) -> bytes:
    lines = [f"weakdep {name} {value}" for value, name in _values(graph, "weakdep")]
    return text(["# Weak dependencies extracted from modules themselves.", *lines])


def _symbols(graph: DepGraph) -> bytes:
    lines = [f"alias symbol:{symbol} {graph.symbols[symbol]}" for symbol in symbols(graph)]
    return text(["# Aliases for symbols, used by symbol_request().", *lines])


def _symbols_bin(graph: DepGraph) -> bytes:
    priority = {name: number for number, name in enumerate(graph.modules)}
    return write_index(
        (f"symbol:{symbol}", name, priority[name]) for symbol, name in graph.symbols.items()
    )


def _devname(graph: DepGraph) -> bytes:
    lines: list[str] = []
    for name, module in graph.modules.items():
        node = _device_node(module.elf.values("alias"))
        if node is not None:
            lines.append(f"{name} {node}")
    # Without any node there is no header either.
    header = ["# Device nodes to trigger on-demand module loading."] if lines else []
    return text([*header, *lines])


def _device_node(patterns: Iterable[str]) -> str | None:
    """Return name, type and number of the device node that loads a module, if any.

    They stand in two aliases; the scan ends where both have been seen.
    """
    name = number = None
    for pattern in patterns:
        if pattern.startswith("devname:"):
            name = pattern.removeprefix("devname:")
        elif (found := _MAJOR_MINOR.match(pattern)) is not None:
            kind, major, minor = found.groups()
            number = f"{kind[0]}{int(major)}:{int(minor)}"
        if name is not None and number is not None:
            return f"{name} {number}"
    return None


def _builtin_bin(builtin: Builtin) -> bytes:
    return write_index((modname(path), "", 0) for path in builtin.paths)


def _builtin_alias_bin(builtin: Builtin) -> bytes:
    return write_index((pattern, name, 0) for pattern, name in builtin.aliases)


_OF_MODULES: Final[tuple[tuple[str, Callable[[DepGraph], bytes]], ...]] = (
    ("modules.dep", _dep),
    ("modules.dep.bin", _dep_bin),
    ("modules.alias", _alias),
    ("modules.alias.bin", _alias_bin),
    ("modules.softdep", _softdep),
    ("modules.weakdep", _weakdep),
    ("modules.symbols", _symbols),
    ("modules.symbols.bin", _symbols_bin),
    ("modules.devname", _devname),
)
_OF_BUILTIN: Final[tuple[tuple[str, Callable[[Builtin], bytes]], ...]] = (
    ("modules.builtin.bin", _builtin_bin),
    ("modules.builtin.alias.bin", _builtin_alias_bin),
)
