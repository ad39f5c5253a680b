"""Module lists for a machine, from what was seen of it and from the modules of a kernel.

A module gets a line if a device of the machine asks for it, if it was loaded there, or if the
kernel asked for it; what other lines bring along gets none. Aliases say how a module comes to be
loaded, and so to which list it belongs:

* aliases of a bus (``pci:…``, ``virtio:…``): a device asks for it, and coldplug finds it;
* names that the kernel asks for when it needs them (``fs-ext4``, ``net-pf-17``, ``crypto-…``);
* none, or only those of a device node, which is there no sooner than the module: nothing asks
  for it, so it has to be named in ``modules.autoload``.

What asks for firmware as soon as it sees its device would not get any from an initramfs that has
none, and then stays without it. Unless a machine starts from such devices, it is left to the
booted system.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.inspect.companions import companions, has_disk, root_guess
from rdcompose.inspect.devicename import device_role
from rdcompose.inspect.sections import Section, is_of_device, section_of, starts_machine
from rdcompose.kernel.module import modname
from rdcompose.kernel.needs import needs_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from rdcompose.inspect.observed import Observed
    from rdcompose.kernel.depmod import Depmod
    from rdcompose.kernel.module import Module

_BUS: Final = re.compile(r"(?!symbol:|devname:)[A-Za-z0-9_-]+\*?:")
_NODE: Final = ("devname:", "char-major-", "block-major-")


class Way(enum.Enum):
    """How a module comes to be loaded, by its aliases."""

    DEVICE = "a device asks for it"
    REQUEST = "the kernel asks for it"
    NODE = "its device node appears with it"
    NONE = "nothing asks for it"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """A module of a list.

    ``devices`` are the modaliases that it serves, ``asked`` the names by which the kernel asked
    for it. ``guessed``: nothing told of it, but a machine without it may not start.
    """

    name: str
    section: Section
    description: str
    way: Way
    alias: str = ""
    devices: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    firmware: tuple[str, ...] = ()
    guessed: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What the lists are to hold, and what of that which was seen they do not.

    ``ramfs`` is in the order of its sections, ``autoload`` in the order of loading. ``left`` are
    modules that are better loaded by the booted system, because of their firmware. ``brought``
    come along with others; ``builtin`` this kernel has built in, ``missing`` it does not have;
    ``refused`` did not stay when they were loaded. ``unserved`` are devices for disks and network
    that no module of this kernel is for; what is built in tells no aliases in most kernels.
    ``without_disk``: nothing told of any disk.
    """

    ramfs: tuple[Suggested, ...]
    autoload: tuple[Suggested, ...]
    left: tuple[Suggested, ...]
    brought: tuple[str, ...]
    builtin: tuple[str, ...]
    missing: tuple[str, ...]
    refused: tuple[str, ...]
    unserved: tuple[str, ...]
    without_disk: bool

    @property
    def names(self) -> frozenset[str]:
        """The modules that the lists bring into an initramfs, as far as they were seen."""
        listed = (one.name for one in (*self.ramfs, *self.autoload))
        return frozenset((*listed, *self.brought))


def check_modules(depmod: Depmod) -> None:
    """Check that there is something to choose from.

    :raises SpecError: the kernel has everything built in.
    """
    if not depmod.modules:
        raise SpecError("this kernel has no modules, so there is nothing to list")


def suggest(
    depmod: Depmod,
    seen: Observed,
    *,
    refused: Collection[str] = (),
    passed_over: Collection[str] = (),
    driven: Collection[str] = (),
) -> Suggestion:
    """Choose the modules; ``refused`` are those that were tried in vain.

    ``passed_over`` are modules that get in without a list; ``driven`` are devices of which it is
    known that this kernel has a driver.
    """
    found = _Found(depmod, seen, {*refused, *passed_over})
    lines = _Lines(depmod, found)
    listed = [found.describe(name) for name in lines.kept]
    loads = [one for one in listed if one.way in {Way.NODE, Way.NONE} and not one.devices]
    by_itself = {one.name for one in loads if not one.asked}
    order = {name: number for number, name in enumerate(seen.loaded)}
    ramfs = [one for one in listed if one.name not in by_itself]
    guesses = [*root_guess(depmod, {*found.names, *found.builtin})]
    if not seen.devices:
        guesses += companions(depmod, found.names)
    ramfs += [dataclasses.replace(found.describe(name), guessed=True) for name in guesses]
    return Suggestion(
        ramfs=tuple(_in_sections(depmod, ramfs)),
        autoload=tuple(
            sorted(
                (one for one in listed if one.name in by_itself),
                key=lambda one: order.get(one.name, -1),
            )
        ),
        left=tuple(_in_sections(depmod, map(found.describe, lines.left))),
        brought=tuple(sorted(lines.brought)),
        builtin=tuple(sorted(found.builtin)),
        missing=tuple(sorted(found.missing)),
        refused=tuple(sorted(set(refused) & depmod.modules.keys())),
        unserved=tuple(alias for alias in found.unserved if alias not in driven),
        without_disk=not seen.devices and not has_disk(found.names, depmod),
    )


class _Found:
    """Modules of the kernel that belong to what was seen, with the reasons."""

    def __init__(self, depmod: Depmod, seen: Observed, without: Collection[str]) -> None:
        self._depmod = depmod
        self._without = without
        self.names: dict[str, None] = {}
        self.devices: dict[str, list[str]] = {}
        self.asked: dict[str, list[str]] = {}
        self.builtin: set[str] = set()
        self.missing: set[str] = set()
        self.unserved: list[str] = []
        loaded = frozenset(seen.loaded)
        for name in seen.loaded:
            if not self._add(self._behind(name)):
                (self.builtin if depmod.is_builtin(name) else self.missing).add(name)
        for alias in seen.devices:
            self._add_device(alias, loaded)
        for written in seen.asked:
            for name in self._add(self._behind(written)):
                self.asked.setdefault(name, []).append(written)

    def _behind(self, written: str) -> tuple[str, ...]:
        name = modname(written)
        if name in self._depmod.modules:
            return (name,)
        return () if name in self._depmod.builtin else self._depmod.resolve(written)

    def _add_device(self, alias: str, loaded: frozenset[str]) -> None:
        served = self._depmod.resolve(alias)
        # Of several drivers, those that a machine took are the right ones.
        taken = tuple(name for name in served if name in loaded)
        for name in self._add(taken or served):
            self.devices.setdefault(name, []).append(alias)
        if not served and device_role(alias) and not self._depmod.is_builtin(alias):
            self.unserved.append(alias)

    def _add(self, names: Iterable[str]) -> tuple[str, ...]:
        """Add modules; returns those that are to be thought of."""
        every = tuple(names)
        self.names.update(dict.fromkeys(name for name in every if name not in self._without))
        return every

    def describe(self, name: str) -> Suggested:
        """Return what is known of a module."""
        module = self._depmod.modules[name]
        way, alias = _way(module)
        return Suggested(
            name=name,
            section=section_of(module.path),
            description=" ".join(" ".join(module.elf.values("description")[:1]).split()),
            way=way,
            alias=alias,
            devices=tuple(self.devices.get(name, ())),
            asked=tuple(self.asked.get(name, ())),
            firmware=module.elf.values("firmware"),
        )

    def is_wanted_itself(self, name: str) -> bool:
        """Whether there is a reason for a module other than that one needs it."""
        return name in self.devices or name in self.asked


class _Lines:
    """Which of the modules get a line: those that no other one brings along."""

    def __init__(self, depmod: Depmod, found: _Found) -> None:
        self._depmod = depmod
        needs = {name: frozenset(depmod.dependencies(name)) for name in found.names}
        left = {name for name in found.names if self._waits_for_firmware(name, needs[name])}
        stays = [name for name in found.names if name not in left]
        brought = frozenset[str]().union(*(needs[name] for name in stays))
        # What only a module needs that is left out is left out with it.
        idle = frozenset[str]().union(*(needs[name] for name in left))
        kept = [
            name
            for name in stays
            if name not in brought and (name not in idle or found.is_wanted_itself(name))
        ]
        self.kept = self._without_wished(kept, found)
        self.left = sorted(left - brought - idle)
        reached = frozenset[str]().union(*map(self._reached, self.kept))
        self.brought = (found.names.keys() & reached) - set(self.kept)

    def _waits_for_firmware(self, name: str, needs: Iterable[str]) -> bool:
        if self._has_firmware(name):
            return not starts_machine(self._section(name))
        # kvm_amd needs a driver that can do without its firmware; a driver of WLAN needs one
        # that cannot.
        return any(
            is_of_device(self._section(other)) for other in needs if self._has_firmware(other)
        )

    def _has_firmware(self, name: str) -> bool:
        return bool(self._depmod.modules[name].elf.values("firmware"))

    def _section(self, name: str) -> Section:
        return section_of(self._depmod.modules[name].path)

    def _without_wished(self, names: list[str], found: _Found) -> list[str]:
        """Take out what others bring along as soft or weak dependencies."""
        kept = sorted(names)
        for name in sorted(names):
            if found.is_wanted_itself(name):
                continue
            if any(name in self._reached(other) for other in kept if other != name):
                kept.remove(name)
        return kept

    def _reached(self, name: str) -> frozenset[str]:
        """Return all that a module brings along, softly or not."""
        seen: set[str] = set()
        todo = [name]
        while todo:
            fresh = {need.name for need in needs_of(self._depmod, todo.pop())} - seen
            seen |= fresh
            todo += fresh
        return frozenset(seen)


def _way(module: Module) -> tuple[Way, str]:
    """Return how a module comes to be loaded, and an alias of that kind."""
    aliases = module.elf.values("alias")
    for way, of_way in _WAYS.items():
        if (alias := next(filter(of_way, aliases), None)) is not None:
            return way, alias
    return Way.NONE, ""


def _is_of_bus(alias: str) -> bool:
    return _BUS.match(alias) is not None


def _is_of_node(alias: str) -> bool:
    return alias.startswith(_NODE)


# The first that a module has an alias for. Who opens /dev/fuse has to find it, so of several the
# node comes before what the kernel asks for.
_WAYS: Final = {
    Way.DEVICE: _is_of_bus,
    Way.NODE: _is_of_node,
    Way.REQUEST: lambda _alias: True,
}


def _in_sections(depmod: Depmod, modules: Iterable[Suggested]) -> list[Suggested]:
    order = {section: number for number, section in enumerate(Section)}
    paths: Mapping[str, Module] = depmod.modules
    return sorted(modules, key=lambda one: (order[one.section], paths[one.name].path))
