"""What the firmware of a Raspberry Pi would load from a boot folder.

Source: Raspberry Pi's documentation, "config.txt", Boot options: ``kernel``, ``arm_64bit``,
``initramfs``, ``auto_initramfs``, ``os_prefix``, ``overlay_prefix``, ``upstream_kernel``; release
notes of rpi-eeprom for the rule of ``auto_initramfs``. The firmware is not free: this is what
is documented of it, and what it does beyond that is not imitated.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

from rdcompose.boards.configtxt import Applies, ConfigTxt, Line, LineKind
from rdcompose.boards.models import KERNEL_BITS, Model, Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Exists = Callable[[str], bool]

_ADDRESS: Final = re.compile(r"followkernel|0|0[xX][0-9A-Fa-f]+|[0-9A-Fa-f]+")
_KERNEL_NAME: Final = re.compile(r"kernel(.*?)(?:\.img)?")


@dataclasses.dataclass(frozen=True, slots=True)
class Ignored:
    """A line that the firmware passes over, and why.

    ``line`` is where it stands: ``line 3``. ``depends``: not always, but where a monitor, a pin or
    the like does not say otherwise.
    """

    line: str
    text: str
    reason: str
    depends: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BootView:
    """What a board loads. Paths are relative to the folder, without a leading slash.

    ``prefix`` is the ``os_prefix`` in effect, and ``prefix_asked`` what was asked for: they
    differ where the firmware finds no kernel or device tree under it. ``kernel`` and
    ``device_tree`` are ``None`` if there is none; ``kernel_asked`` and ``device_tree_asked`` are
    the paths that were looked for, in order. ``initramfs`` are the files that are there, in the
    order in which they are joined, ``initramfs_missing`` the others; ``initramfs_automatic``:
    they are looked for because of ``auto_initramfs``, so that none at all is no fault. ``bits``
    is the width that the kernel is started in. ``cmdline`` is the file of the command line,
    ``None`` if it is missing. ``overlays`` are the overlays that are asked for and the directory
    has; ``firmware`` are the firmware's own files that this boot needs, there or not.
    """

    model: Model
    variant: Variant
    bits: int
    prefix: str
    prefix_asked: str
    kernel: str | None
    kernel_asked: tuple[str, ...]
    initramfs: tuple[str, ...]
    initramfs_missing: tuple[str, ...]
    initramfs_automatic: bool
    cmdline: str | None
    cmdline_asked: str
    device_tree: str | None
    device_tree_asked: tuple[str, ...]
    overlay_directory: str
    overlays: tuple[str, ...]
    overlays_missing: tuple[str, ...]
    firmware: tuple[str, ...]
    ignored: tuple[Ignored, ...]


def view(
    config: ConfigTxt, model: Model, exists: Exists, *, variant: Variant | None = None
) -> BootView:
    """Return what a board of a model loads; without ``variant`` the model's first.

    ``exists`` says whether there is a file at a path relative to the folder. Settings that apply
    only where a monitor, a pin, a serial number or the like says so are taken not to apply.
    """
    board = variant or model.variants[0]
    return _View(config, model, board, exists).result()


class _View:
    """The settings of one board, and where they lead."""

    def __init__(self, config: ConfigTxt, model: Model, variant: Variant, exists: Exists) -> None:
        self.config = config
        self.model = model
        self.variant = variant
        self.exists = exists
        self.filters = {*variant.filters, *board_types(variant)}
        self.settings = config.values(self.filters)

    def result(self) -> BootView:
        asked = self.text("os_prefix", "upstream/" if self.flag("upstream_kernel") else "")
        prefix = asked if asked and self.viable(asked) else ""
        bits, kernel, looked = self.kernel(prefix)
        tree, trees = self.device_tree(prefix)
        names, automatic = self.initramfs(kernel)
        files = [located(name, prefix) for name in names]
        cmdline = located(self.text("cmdline", "cmdline.txt"), prefix)
        directory, overlays = self.overlays(prefix)
        return BootView(
            model=self.model,
            variant=self.variant,
            bits=bits,
            prefix=prefix,
            prefix_asked=asked,
            kernel=kernel,
            kernel_asked=looked,
            initramfs=tuple(file for file in files if self.exists(file)),
            initramfs_missing=tuple(file for file in files if not self.exists(file)),
            initramfs_automatic=automatic,
            cmdline=cmdline if self.exists(cmdline) else None,
            cmdline_asked=cmdline,
            device_tree=tree,
            device_tree_asked=trees,
            overlay_directory=directory,
            overlays=tuple(path for path in overlays if self.exists(path)),
            overlays_missing=tuple(path for path in overlays if not self.exists(path)),
            firmware=firmware_files(self.model, self.settings),
            ignored=ignored_lines(self.config, self.filters),
        )

    def text(self, key: str, default: str) -> str:
        line = self.settings.get(key)
        return default if line is None else line.value

    def flag(self, key: str) -> bool:
        return bool(number(self.text(key, "0")))

    def viable(self, prefix: str) -> bool:
        """Whether the firmware takes a prefix: kernel and device tree are there."""
        return self.kernel(prefix)[1] is not None and (
            self.device_tree(prefix)[0] is not None or self.without_tree
        )

    @property
    def without_tree(self) -> bool:
        return self.text("device_tree", "-") == ""

    def kernel(self, prefix: str) -> tuple[int, str | None, tuple[str, ...]]:
        """Return the width, the kernel, and the paths that are looked for."""
        named = self.text("kernel", "")
        wanted = number(self.text("arm_64bit", ""))
        bits = self.model.bits[0]
        if wanted is not None and (64 if wanted else 32) in self.model.bits:
            bits = 64 if wanted else 32
        if named:
            known = KERNEL_BITS.get(named.rpartition("/")[2], bits)
            path = located(named, prefix)
            width = known if known in self.model.bits else bits
            return width, path if self.exists(path) else None, (path,)
        # What is not asked for in so many words is taken where nothing else is there.
        widths = (
            [bits] if wanted is not None else [bits, *(w for w in self.model.bits if w != bits)]
        )
        looked = [(w, located(name, prefix)) for w in widths for name in self.model.kernels[w]]
        paths = tuple(path for _, path in looked)
        for width, path in looked:
            if self.exists(path):
                return width, path, paths
        return bits, None, paths

    def device_tree(self, prefix: str) -> tuple[str | None, tuple[str, ...]]:
        if self.without_tree:
            return None, ()
        named = self.text("device_tree", "")
        upstream = self.flag("upstream_kernel")
        names = (named,) if named else self.variant.device_trees(upstream=upstream)
        paths = tuple(located(name, prefix) for name in names)
        return next(filter(self.exists, paths), None), paths

    def initramfs(self, kernel: str | None) -> tuple[tuple[str, ...], bool]:
        """Return the names of the initramfs files, and whether they follow from the kernel's."""
        lines = [
            line.value
            for line, how in self.config.walk(self.filters)
            if line.key == "initramfs" and how is Applies.YES
        ]
        # A line that it passes over does not undo the one before.
        valid = [value for value in lines if initramfs_fault(value) is None]
        if valid:
            return tuple(valid[-1].split()[0].split(",")), False
        if self.text("ramfsfile", ""):
            return tuple(self.text("ramfsfile", "").split(",")), False
        if self.flag("auto_initramfs") and kernel is not None:
            name = automatic_initramfs(kernel.rpartition("/")[2])
            return ((name,) if name else ()), True
        return (), False

    def overlays(self, prefix: str) -> tuple[str, list[str]]:
        """Return the directory that overlays are taken from, and those that are asked for."""
        own = self.text("overlay_prefix", "overlays/")
        directory = prefix + own if self.exists(f"{prefix}{own}README") else own
        found: dict[str, None] = {}
        for line, how in self.config.walk(self.filters):
            if line.key in {"dtoverlay", "device_tree_overlay"} and how is Applies.YES:
                name = line.value.partition(",")[0].partition(":")[0].strip()
                if name:
                    found[f"{directory}{name.removesuffix('.dtbo')}.dtbo"] = None
        return directory.lstrip("/"), [path.lstrip("/") for path in found]


def board_types(variant: Variant) -> tuple[str, ...]:
    """Return the spellings of a board's ``[board-type=…]``."""
    number_ = variant.board_type
    return tuple(
        dict.fromkeys(
            f"board-type={text}"
            for text in (
                f"0x{number_:x}",
                f"0x{number_:X}",
                f"0x{number_:02x}",
                f"0x{number_:02X}",
                str(number_),
            )
        )
    )


def located(name: str, prefix: str) -> str:
    """Return where a file of the operating system is: an absolute path passes by the prefix."""
    return (name if name.startswith("/") else prefix + name).lstrip("/")


def number(text: str) -> int | None:
    """Return the number that a value is, ``None`` if it is none."""
    try:
        return int(text.strip(), 0)
    except ValueError:
        return None


def automatic_initramfs(kernel: str) -> str | None:
    """Return what ``auto_initramfs`` looks for beside a kernel; ``None``: its name fits no rule.

    ``kernel8.img`` has ``initramfs8``.
    """
    found = _KERNEL_NAME.fullmatch(kernel)
    if found is None or kernel not in KERNEL_BITS:
        return None
    return f"initramfs{found[1]}"


def initramfs_fault(value: str) -> str | None:
    """Return why the firmware passes over an ``initramfs`` line with this value."""
    words = value.split()
    if not words:
        return "it names no file"
    if len(words) > 2:
        return "it has more words than a file and an address; several files are joined by commas"
    if words[0].startswith("=") or "" in words[0].split(","):
        return "its file name is none"
    if len(words) == 2 and _ADDRESS.fullmatch(words[1]) is None:
        return f"{words[1]!r} is no address: it is to be followkernel"
    return None


def firmware_files(model: Model, settings: Mapping[str, Line]) -> tuple[str, ...]:
    """Return the firmware's own files that a boot with these settings needs.

    The pair of ``start`` and ``fixup`` follows from the settings of the same names, from
    ``start_x``, ``start_debug`` and ``gpu_mem``.
    """
    if not model.firmware:
        return ()
    *first, _, _ = model.firmware
    four = "4" if "start4.elf" in model.firmware else ""

    def value(key: str) -> str:
        return settings[key].value if key in settings else ""

    kind = ""
    if number(value("gpu_mem")) == 16:
        kind = "cd" if four else "_cd"
    if number(value("start_debug")):
        kind = "db" if four else "_db"
    if number(value("start_x")):
        kind = "x" if four else "_x"
    start = value("start_file") or f"start{four}{kind}.elf"
    fixup = value("fixup_file") or f"fixup{four}{kind}.dat"
    return (*first, start.lstrip("/"), fixup.lstrip("/"))


def ignored_lines(config: ConfigTxt, filters: set[str]) -> tuple[Ignored, ...]:
    """Return the lines that have no effect on a board although they were meant to."""
    found = []
    for line, how in config.walk(filters):
        if how is Applies.NO:
            continue
        reason = _reason(line, how)
        if reason is not None:
            found.append(
                Ignored(line.where, line.text.strip(), reason, depends=how is Applies.DEPENDS)
            )
    return tuple(found)


def _reason(line: Line, how: Applies) -> str | None:
    if how is Applies.DEPENDS:
        return f"it counts only where {' and '.join(f'[{name}]' for name in line.section)} holds"
    if line.key == "initramfs":
        return initramfs_fault(line.value)
    if line.kind is LineKind.SETTING and line.value.startswith((" ", "\t")):
        return "the blank behind '=' is part of the value"
    if line.kind is LineKind.OTHER:
        return _malformed(line.text.strip())
    return None


def _malformed(text: str) -> str:
    if re.match(r"initramfs\s*=", text):
        return "initramfs takes no '=': initramfs FILE followkernel"
    if re.match(r"[^=]*\S\s+=", text):
        return "there may be no blank before '='"
    if text.startswith("["):
        return "it is no filter, because something is behind it"
    return "it is no setting: key=value"
