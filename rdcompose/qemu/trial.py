"""Trial boots: an initramfs that says what its machine has, and what it said.

A script is put in front of the initramfs, in a segment of its own, where init of the built-in
template runs it; the rest of the initramfs stays as it is.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import io
from typing import TYPE_CHECKING, Final

from rdcompose.formats.cpio import write_newc
from rdcompose.tree import Bytes, File, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdcompose.qemu.console import Line

_PREFIX: Final = "rdcompose-trial: "
_HOOKS: Final = "etc/rdcompose.d"
_MOMENTS: Final = ("top", "premount", "bottom")
_MODPROBE: Final = "etc/rdcompose-trial/modprobe"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialFacts:
    """What a machine said before it went over to its root; nothing, if it did not come so far.

    ``devices`` are modaliases, ``driven`` those of devices with a driver, be it a module or built
    in. ``asked`` is what the kernel itself asked modprobe for; ``interfaces`` are those of
    network cards.
    """

    told: bool
    devices: tuple[str, ...] = ()
    driven: frozenset[str] = frozenset()
    loaded: frozenset[str] = frozenset()
    asked: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()


def trial_segment() -> bytes:
    """Return the segment that goes in front of an initramfs."""
    source = importlib.resources.files("rdcompose.qemu") / "guest" / "trial"
    content = Bytes(source.read_bytes())
    tree = Tree()
    for path in (*(f"{_HOOKS}/{moment}/trial" for moment in _MOMENTS), _MODPROBE):
        tree.add(File(path=path, mode=0o755, content=content))
    out = io.BytesIO()
    write_newc(out, tree, mtime=0)
    return out.getvalue()


def read_facts(lines: Iterable[Line]) -> TrialFacts:
    """Return what was said; of what changes, the last that was said to its end."""
    found: dict[str, list[str]] = {}
    facts = TrialFacts(told=False)
    for line in lines:
        if not line.text.startswith(_PREFIX):
            continue
        key, _, value = line.text.removeprefix(_PREFIX).partition(" ")
        if key == "begin":
            found = {}
        elif key == "end":
            facts = _facts(found)
        else:
            found.setdefault(key, []).append(value)
    return facts


def _facts(found: dict[str, list[str]]) -> TrialFacts:
    driven = frozenset(found.get("driven", ()))
    return TrialFacts(
        told=True,
        devices=tuple(sorted(driven.union(found.get("device", ())))),
        driven=driven,
        loaded=frozenset(found.get("loaded", ())),
        asked=tuple(dict.fromkeys(found.get("asked", ()))),
        interfaces=tuple(sorted(found.get("interface", ()))),
    )
