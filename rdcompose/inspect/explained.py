"""What there is to say of a module in an initramfs, or missing from it, as data."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from rdcompose.kernel.chains import Chain
    from rdcompose.kernel.choice import Choice
    from rdcompose.kernel.config import KernelConfig
    from rdcompose.kernel.modlist import Line
    from rdcompose.kernel.needs import Need
    from rdcompose.kernel.selection import ModuleGraph, Why


class State(enum.StrEnum):
    """Where a module is."""

    INITRAMFS = "in the initramfs"
    DISK = "on the modules disk"
    NEITHER = "in neither initramfs nor modules disk"
    BUILT_IN = "built in"
    UNKNOWN = "not in this kernel"
    NOT_THERE = "not in these files"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A kernel, and what an initramfs has of it.

    ``initramfs`` and ``disk`` say, by module name, in which file a module is; of a kernel alone
    these are no names of files. ``reasons`` are those for modules of the initramfs, from a
    selection or a manifest; of others, ``loaded`` has the file that loads a module at boot.
    ``choice`` are the lists, ``profile`` the name of the profile and ``builtin_profile`` whether
    it came with rdcompose. ``aliased`` are the modules that the kernel, or a device, can ask for
    by an alias; ``None`` where that is not known. Unless ``whole``, the kernel has more modules
    than ``graph`` knows. ``notes`` say what is not known, and why.
    """

    release: str | None
    graph: ModuleGraph
    initramfs: Mapping[str, str]
    disk: Mapping[str, str]
    reasons: Mapping[str, Why] = dataclasses.field(default_factory=dict)
    loaded: Mapping[str, str] = dataclasses.field(default_factory=dict)
    choice: Choice | None = None
    profile: str = ""
    builtin_profile: bool = False
    config: KernelConfig | None = None
    aliased: Container[str] | None = None
    whole: bool = True
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Removal:
    """What leaves the initramfs without a line of a list, in path order.

    ``problem`` says why that line cannot just be taken out, else it is empty.
    """

    line: Line
    modules: tuple[str, ...] = ()
    problem: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """An option of the configuration, without ``CONFIG_``, that a module probably belongs to."""

    name: str
    value: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """What to write to have a module: lines by file name, and the modules that come with it.

    The lines belong to the end of a file; ``takes_out`` is one that has to go before, since it
    leaves out what the module needs. ``problem`` says why it does not go even so, or is empty.
    """

    lines: Mapping[str, tuple[str, ...]]
    brings: tuple[str, ...] = ()
    takes_out: Line | None = None
    problem: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What there is to say of a module, or of a name behind which there is none.

    ``asked`` is the word that led here. ``where`` is the file that holds the module, if it is one;
    of one in the initramfs, ``also`` is the disk that has it, too.
    ``chains`` has the reason first; ``more`` tells that there are chains beyond those.
    """

    asked: str
    name: str
    state: State
    path: str = ""
    where: str = ""
    also: str = ""
    chains: tuple[Chain, ...] = ()
    more: bool = False
    removals: tuple[Removal, ...] = ()
    loaded: str = ""
    needs: tuple[Need, ...] = ()
    needed_by: tuple[Need, ...] = ()
    left_out: Line | None = None
    addition: Addition | None = None
    option: Option | None = None
    near: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether it is anywhere."""
        return self.state not in {State.UNKNOWN, State.NOT_THERE}
