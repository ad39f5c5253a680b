"""The contents of ``lib/modules/R``, whether from a package or a directory.

Module files are taken as ``.ko``, ``.ko.xz``, ``.ko.zst`` or ``.ko.gz``, unpacked and
parsed side by side while the next are being read, and kept as plain files: the outer
compressor of an initramfs or a disk does better on those, and old busybox versions
cannot load compressed ones. Their bytes, signature included, are never altered.
"""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self

from rdcompose.errors import FormatError, RdcomposeError
from rdcompose.formats.compression import decompress
from rdcompose.formats.elf import read_module
from rdcompose.kernel.held import Held, Store, give_back, share_heap
from rdcompose.kernel.module import Module, modname
from rdcompose.tree import encode_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from rdcompose.tree import Content

# What the build of a kernel puts beside the modules, as against what depmod makes of it.
SHIPPED_FILES: Final = frozenset(
    {"modules.order", "modules.builtin", "modules.builtin.modinfo", "modules.builtin.ranges"}
)
# The text files that depmod makes of the modules (``depfiles`` in kmod's tools/depmod.c).
INDEX_FILES: Final = frozenset(
    {
        "modules.alias",
        "modules.dep",
        "modules.devname",
        "modules.softdep",
        "modules.symbols",
        "modules.weakdep",
    }
)
# The largest modules there are, with debugging information, stay below this.
MAX_MODULE: Final = 1 << 29
# What may wait to be parsed: bounds the memory whatever the size of the package.
MAX_WAITING: Final = 8 << 20
# What is held uncompressed: the modules of a kernel for virtual machines, with room to spare.
MAX_PLAIN: Final = 100 << 20

_PACKED_SUFFIXES: Final = (".xz", ".zst", ".gz")


def plain_module_path(path: str) -> str | None:
    """Return the path without a compression suffix, or ``None`` if it is no module."""
    for suffix in _PACKED_SUFFIXES:
        if path.endswith(suffix):
            path = path.removesuffix(suffix)
            break
    return path if path.endswith(".ko") else None


def named_module(word: str) -> str | None:
    """Return the name of a module that somebody wrote, by itself or as a path.

    ``None`` for what cannot be one, as the name of another file.
    """
    base = word.rpartition("/")[2]
    return modname(base) if "." not in base or plain_module_path(base) is not None else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModuleTree:
    """All modules of one release, in byte order of their paths, and what describes them.

    ``files`` holds the :data:`SHIPPED_FILES` that are there, by name, and ``indexes`` the
    :data:`INDEX_FILES`. The latter are only compared with what is made anew.
    """

    release: str
    modules: tuple[Module, ...]
    files: Mapping[str, bytes]
    indexes: Mapping[str, bytes] = dataclasses.field(default_factory=dict)

    @property
    def order(self) -> tuple[str, ...]:
        """The lines of ``modules.order``: module paths, most important first."""
        return self._lines("modules.order")

    @property
    def builtin(self) -> tuple[str, ...]:
        """The lines of ``modules.builtin``: paths of what is built in."""
        return self._lines("modules.builtin")

    @property
    def builtin_modinfo(self) -> bytes:
        """``modules.builtin.modinfo``: NUL-terminated ``module.key=value`` strings."""
        return self.files.get("modules.builtin.modinfo", b"")

    def _lines(self, name: str) -> tuple[str, ...]:
        text = self.files.get(name, b"").decode("utf-8", "surrogateescape")
        return tuple(line.strip() for line in text.splitlines() if line.strip())


class ModuleIntake:
    """Takes module files one by one, in any number of threads' time, and parses them.

    They can be of several releases. A context manager: leaving it, also by an error, ends
    the threads.
    """

    def __init__(self, *, threads: int) -> None:
        share_heap()
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="modules")
        self._futures: dict[str, dict[str, Future[Module]]] = {}
        self._waiting = 0
        self._store = Store(plain=MAX_PLAIN)
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        # Files have come and gone that were larger than all that is left of them.
        give_back()

    def add(self, release: str, path: str, data: bytes) -> None:
        """Take the file at ``path`` below ``lib/modules/R``, compressed or not.

        Waits while too much is unparsed already.

        :raises FormatError: the module is there twice.
        """
        plain = plain_module_path(path)
        assert plain is not None
        futures = self._futures.setdefault(release, {})
        if plain in futures:
            raise FormatError(f"the module {plain} is there twice, the second time as {path}")
        size = len(data)
        with self._changed:
            while self._waiting and self._waiting + size > MAX_WAITING:
                self._changed.wait()
            self._waiting += size
        future = self._pool.submit(parse_module, path, plain, data, self._store.hold)
        future.add_done_callback(lambda _: self._done(size))
        futures[plain] = future

    def _done(self, size: int) -> None:
        with self._changed:
            self._waiting -= size
            self._changed.notify()

    def modules(self, release: str) -> tuple[Module, ...]:
        """Wait for all that was taken of a release, and return it in byte order of the paths.

        :raises FormatError: a file is damaged or no module; the first by path.
        """
        futures = self._futures.get(release, {})
        paths = sorted(futures, key=encode_name)
        return tuple(futures[path].result() for path in paths)


def parse_module(
    path: str, plain: str, data: bytes, hold: Callable[[bytes], Content] = Held
) -> Module:
    """Read a module file, compressed or not; ``plain`` is where it is to be.

    ``hold`` makes its content.

    :raises FormatError: it is damaged or no module.
    """
    try:
        if not path.endswith(".ko"):
            data = decompress(data, limit=MAX_MODULE)
        elf = read_module(data)
    except RdcomposeError as error:
        raise type(error)(f"the module {path}: {error.message}", hint=error.hint) from error
    return Module(path=plain, elf=elf, content=hold(data))
