"""Why the modules of an image are there, as far as anything tells.

A manifest of rdcompose names the line of a list, or the module that needs it. Of what others made,
no list is known: then it is said which modules there need a module, and what loads it at boot.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Final

from rdcompose.kernel.module import modname
from rdcompose.kernel.needs import Needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rdcompose.kernel.needs import Need
    from rdcompose.kernel.selection import ModuleGraph

_SHOWN: Final = 3
# Files in an image with names of modules that its init loads, one a line: rdcompose and MiniVM;
# initramfs-tools; systemd in dracut's, modules-load.d(5).
_LOADED: Final = re.compile(
    r"etc/modules\.autoload|conf/modules|etc/modules|(?:usr/|etc/|run/)?(?:lib/)?modules-load\.d/[^/]+\.conf"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a module is in an image; ``str()`` tells it in a few words.

    ``recorded`` is what a manifest says, ``loaded`` the file in the image that has the module
    loaded at boot; both empty where nothing does. ``needs`` and ``needed_by`` are about modules of
    the image alone.
    """

    name: str
    recorded: str = ""
    loaded: str = ""
    needs: tuple[Need, ...] = ()
    needed_by: tuple[Need, ...] = ()

    def __str__(self) -> str:
        if self.recorded:
            return self.recorded
        if self.loaded:
            return f"loaded by {self.loaded}"
        users = tuple(dict.fromkeys(need.by for need in self.needed_by))
        if not users:
            return "no other module there needs it"
        rest = f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else ""
        return f"needed by {', '.join(users[:_SHOWN])}{rest}"


def reasons(
    graph: ModuleGraph,
    present: Iterable[str],
    *,
    recorded: Mapping[str, str] | None = None,
    loaded: Mapping[str, str] | None = None,
) -> dict[str, Reason]:
    """Return a reason for each of the modules ``present`` in an image, in their order.

    ``graph`` is a :class:`~rdcompose.kernel.depmod.Depmod` of a kernel, or an
    :class:`~rdcompose.kernel.indexed.IndexedModules` of an image. ``recorded`` is what
    :func:`recorded_reasons` read from a manifest, ``loaded`` has, by module name, the file that
    :func:`loaded_names` read it from.
    """
    names = [name for name in dict.fromkeys(present) if name in graph.modules]
    needs = Needs(graph, names)
    return {
        name: Reason(
            name=name,
            recorded=(recorded or {}).get(name, ""),
            loaded=(loaded or {}).get(name, ""),
            needs=needs.of(name),
            needed_by=needs.by(name),
        )
        for name in names
    }


def recorded_reasons(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the reasons that a manifest has, by module name; what is none is passed over."""
    initramfs = manifest.get("initramfs")
    rows: Sequence[Any] = initramfs.get("modules", ()) if isinstance(initramfs, dict) else ()
    return {
        row["name"]: row["why"]
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict)
        and isinstance(row.get("name"), str)
        and isinstance(row.get("why"), str)
    }


def loads_modules(path: str) -> bool:
    """Whether a file of an image, by its path, says which modules are loaded at boot."""
    return _LOADED.fullmatch(path) is not None


def loaded_names(data: bytes) -> tuple[str, ...]:
    """Return the modules that such a file names; options behind a name do not count."""
    words = (line.split() for line in data.decode("utf-8", "surrogateescape").splitlines())
    return tuple(modname(row[0]) for row in words if row and row[0][0] not in "#;")
