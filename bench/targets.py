"""What rdcompose is to reach, and whether the newest figures do."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from bench import boot, commands, growth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.results import Row, Section

MB: Final = 1e6


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A figure that is not to be exceeded; ``measured`` takes it from the sections, if there."""

    what: str
    limit: float
    unit: str
    measured: Callable[[Mapping[str, Section]], float | None]

    def text(self, value: float) -> str:
        """Return a value with its unit."""
        return f"{value:.{0 if self.unit == 'ms' else 2}f} {self.unit}"


def _row(sections: Mapping[str, Section], section: str, name: str, group: str = "") -> Row | None:
    found = sections.get(section)
    return None if found is None else found.row(name, group)


def _wall(section: str, name: str, group: str = "") -> Callable[..., float | None]:
    def measured(sections: Mapping[str, Section]) -> float | None:
        row = _row(sections, section, name, group)
        return None if row is None else row.median("wall")

    return measured


def _size(section: str, name: str, file: str, group: str = "") -> Callable[..., float | None]:
    def measured(sections: Mapping[str, Section]) -> float | None:
        row = _row(sections, section, name, group)
        size = None if row is None else file_size(row, file)
        return None if size is None else size / MB

    return measured


def file_size(row: Row, kind: str) -> int | None:
    """Return the bytes of the file of a kind: initramfs, modules or vmlinuz."""
    return next((size for name, size in row.sizes.items() if name.startswith(kind)), None)


def _peak(*groups: str) -> Callable[..., float | None]:
    def measured(sections: Mapping[str, Section]) -> float | None:
        section = sections.get("builds")
        rows = [] if section is None else section.rows
        ours = [r for r in rows if r.group in groups and r.name.startswith(commands.OURS)]
        peaks = [row.peak() for row in ours]
        # One that is missing could have been the largest.
        if not peaks or None in peaks:
            return None
        return max(peak for peak in peaks if peak is not None) / MB

    return measured


def _startup(sections: Mapping[str, Section]) -> float | None:
    section = sections.get("startup")
    if section is None:
        return None
    walls = {row.name: row.median("wall") for row in section.rows}
    bare = walls.pop(commands.BARE, None)
    if bare is None or not walls or None in walls.values():
        return None
    return (max(wall for wall in walls.values() if wall is not None) - bare) * 1000


def _generic_disk(sections: Mapping[str, Section]) -> float | None:
    ours = _size("builds", commands.COLD, "modules", commands.GENERIC)(sections)
    theirs = _size("builds", commands.MINIVM, "modules", commands.GENERIC)(sections)
    return None if ours is None or theirs is None else ours / theirs


def _boot_share(sections: Mapping[str, Section]) -> float | None:
    shares = []
    for name, group in ((boot.DEFAULT, boot.OURS), (boot.MINIVM, boot.PEERS)):
        row = _row(sections, "boot", name, group)
        init, root = (None, None) if row is None else (row.median("init"), row.median("root"))
        if init is None or root is None:
            return None
        shares.append(root - init)
    return shares[0] / shares[1]


def _boot_root(sections: Mapping[str, Section]) -> float | None:
    row = _row(sections, "boot", boot.DEFAULT, boot.OURS)
    return None if row is None else row.median("root")


_CLOUD: Final = f"whole build, {commands.CLOUD}"
_ALPINE: Final = "rdcompose, profile minivm, Alpine's busybox"
TARGETS: Final = (
    Target(_CLOUD, 2.2, "s", _wall("builds", commands.COLD, commands.CLOUD)),
    Target("the same with `--fast`", 1.2, "s", _wall("presets", "--fast")),
    Target("initramfs alone, from the package", 1.2, "s", _wall("initramfs", commands.COLD)),
    Target(
        "another list on a kernel seen before",
        0.35,
        "s",
        _wall("relist", f"{commands.WARM}, without a disk"),
    ),
    Target(
        f"whole build, {commands.GENERIC}",
        5.5,
        "s",
        _wall("builds", commands.COLD, commands.GENERIC),
    ),
    Target("its disk, as a share of that of MiniVM's steps", 1.0, "x", _generic_disk),
    Target(
        f"whole build, {commands.ARM64}", 9.0, "s", _wall("builds", commands.COLD, commands.ARM64)
    ),
    Target(
        "peak memory of these builds, all processes",
        350.0,
        "MB",
        _peak(*commands.GROUPS.values()),
    ),
    Target(f"the same of `{commands.PI}`", 350.0, "MB", _peak(commands.RASPBERRY)),
    Target("start-up, slowest of all, over a bare Python's", 60.0, "ms", _startup),
    Target("each further profile of one kernel in one call", 0.4, "s", growth.further),
    Target("initramfs with Alpine's busybox", 2.2, "MB", _size("sizes", _ALPINE, "initramfs")),
    Target(
        "initramfs with Debian's busybox",
        2.6,
        "MB",
        _size("builds", commands.COLD, "initramfs", commands.CLOUD),
    ),
    Target("modules disk", 20.5, "MB", _size("builds", commands.COLD, "modules", commands.CLOUD)),
    Target("modules disk with `--small`", 18.0, "MB", _size("presets", "--small", "modules")),
    Target("QEMU's start to the root's init", 2.6, "s", _boot_root),
    Target("“Run /init” to the root's init, as a share of MiniVM's", 0.5, "x", _boot_share),
)


def table(sections: Mapping[str, Section]) -> list[str]:
    """Return the targets as lines of a Markdown table."""
    lines = ["| what | at most | measured | |", "|---|---|---|---|"]
    for target in TARGETS:
        value = target.measured(sections)
        if value is None:
            told, verdict = "", "not measured"
        else:
            told, verdict = target.text(value), "met" if value <= target.limit else "**missed**"
        lines.append(f"| {target.what} | {target.text(target.limit)} | {told} | {verdict} |")
    return lines
