"""Whether the kernel of a boot folder can mount its root, and whether all is of one set.

The types of file systems are those of ``rootfstype=``, or what lies in the partition of an image
that ``root=`` names. Which drivers a kernel has is in its configuration or, of what is built in,
in the ``modules.builtin`` that an initramfs or a modules disk has.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.checks.bootconfig import command_line
from rdcompose.inspect.findings import Check, Finding, contradiction, count, remark, some
from rdcompose.kernel.module import modname

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from rdcompose.boards.cmdlinetxt import CommandLine
    from rdcompose.inspect.artifact import Artifact
    from rdcompose.inspect.bootfolder import Volume
    from rdcompose.inspect.boots import BootFacts
    from rdcompose.inspect.collection import ArtifactSet

# The driver of a file system, where its module is called otherwise; and its option.
_DRIVERS: Final = {"ext2": "ext4", "ext3": "ext4", "nfs4": "nfs"}
_OPTIONS: Final = {
    "btrfs": "BTRFS_FS",
    "erofs": "EROFS_FS",
    "ext4": "EXT4_FS",
    "f2fs": "F2FS_FS",
    "nbd": "BLK_DEV_NBD",
    "nfs": "NFS_FS",
    "overlay": "OVERLAY_FS",
    "squashfs": "SQUASHFS",
    "vfat": "VFAT_FS",
    "xfs": "XFS_FS",
}
# Of memory, and built into every kernel.
_ALWAYS: Final = frozenset({"ramfs", "tmpfs", "rootfs", "auto"})
# Those that a root on a disk can have, and what names such a root.
_ON_DISKS: Final = ("btrfs", "erofs", "ext4", "f2fs", "squashfs", "vfat", "xfs")
_DISK: Final = re.compile(r"/dev/(?:mmcblk|sd|nvme|disk/)|(?:PART)?(?:UUID|LABEL)=", re.ASCII)
_PARTITION: Final = re.compile(r"/dev/mmcblk\d+p(\d+)")


def check_root(facts: BootFacts) -> Check:
    """Look whether the kernel finds the driver of its root file system."""
    findings: list[Finding] = []
    seen: list[str] = []
    for kernel, group in facts.active.items():
        for driver, why in _needed(facts, kernel).items():
            seen.append(driver)
            finding = _judged(group, driver, why)
            if finding is not None and finding not in findings:
                findings.append(finding)
        if not findings and (finding := _without_initramfs(facts, kernel, group)) is not None:
            findings.append(finding)
    if not (seen or findings):
        summary = "nothing tells the type of the root file system, as rootfstype= would"
        return Check(name="root", summary=summary, done=False)
    names = ", ".join(dict.fromkeys(seen)) or "file systems of disks"
    return Check(name="root", summary=f"{names}: driver there", findings=tuple(findings))


def _needed(facts: BootFacts, kernel: str) -> dict[str, str]:
    """Return the drivers that mounting the root takes, and what says so."""
    found: dict[str, str] = {}
    for boot in facts.loading(kernel):
        line = command_line(facts, boot.view)
        if line is None:
            continue
        for kind, why in _types(facts, line).items():
            if kind not in _ALWAYS:
                found.setdefault(_DRIVERS.get(kind, kind), why)
        root = line.get("root") or ""
        if root.startswith("/dev/nbd") or "nbdroot" in line:
            found["nbd"] = "the root is a network block device"
        if (line.get("overlay") or "").startswith("tmpfs"):
            found["overlay"] = "the root is to lie under an overlay"
        if root == "/dev/nfs" or "nfsroot" in line:
            found["nfs"] = "the root is on NFS"
    return found


def _types(facts: BootFacts, line: CommandLine) -> dict[str, str]:
    named = line.get("rootfstype")
    if named:
        kinds = [name for name in named.split(",") if name]
        # Of several, one that is there is enough, and which one is not known.
        return {kinds[0]: f"rootfstype={named}"} if len(kinds) == 1 else {}
    root = line.get("root") or ""
    for volume in facts.folder.volumes:
        if _is_root(volume, root):
            # ext2, ext3 and ext4 have one driver.
            return {kind: f"partition {volume.number} is {kind}" for kind in volume.kinds[-1:]}
    return {}


def _without_initramfs(facts: BootFacts, kernel: str, group: ArtifactSet) -> Finding | None:
    """Return what is to be said of a kernel that is alone and can mount no disk whatever."""
    if any(boot.view.initramfs for boot in facts.loading(kernel)):
        return None
    lines = (command_line(facts, boot.view) for boot in facts.loading(kernel))
    roots = [line.get("root") or "" for line in lines if line is not None]
    root = next((root for root in roots if _DISK.match(root)), None)
    configs = [row for row in group.of(Kind.CONFIG) if row.config is not None]
    if root is None or not configs:
        return None
    if any(_built_in(group, name)[0] for name in _ON_DISKS):
        return None
    return contradiction(
        f"{kernel} cannot mount its root {root}: no initramfs is loaded, and {configs[0].name} has "
        "no file system of disks built in; config.txt wants a line 'initramfs FILE followkernel'"
    )


def _judged(group: ArtifactSet, driver: str, why: str) -> Finding | None:
    """Return what is to be said of a driver, ``None`` if the kernel has it in time."""
    held = {module.name for where, module in group.modules if where.kind is Kind.INITRAMFS}
    if modname(driver) in held:
        return None
    kernel = next((row.name for row in group.of(Kind.KERNEL)), "the kernel")
    built_in, source = _built_in(group, driver)
    if built_in:
        return None
    if source is None:
        return remark(
            f"{why}, and nothing tells whether {driver} is built into {kernel}: {_nowhere(group)}"
        )
    return contradiction(
        f"{kernel} cannot mount its root: {why}, {driver} is not built in by {source}, and "
        f"{_nowhere(group)}"
    )


def check_partitions(facts: BootFacts) -> Check:
    """Look whether the partitions of an image are whole, and the root is one of them."""
    volumes = facts.folder.volumes
    if not volumes:
        return Check(name="partitions", summary="there is no partition table", done=False)
    findings = [
        contradiction(
            f"partition {row.number} is cut: the image lacks its last {row.missing} bytes"
        )
        for row in volumes
        if row.missing
    ]
    roots = {
        line.get("root") or ""
        for boot in facts.boots
        if (line := command_line(facts, boot.view)) is not None
    }
    findings += [
        remark(f"root={root} is no partition of this image")
        for root in sorted(roots)
        if _names_partition(root) and not any(_is_root(row, root) for row in volumes)
    ]
    kinds = [
        f"{row.number} {row.kinds[-1] if row.kinds else 'of no known kind'}" for row in volumes
    ]
    return Check(name="partitions", summary=", ".join(kinds), findings=tuple(findings))


def _names_partition(root: str) -> bool:
    return _PARTITION.fullmatch(root) is not None or root.lower().startswith("partuuid=")


def _is_root(volume: Volume, root: str) -> bool:
    """Whether ``root=`` means a partition of the first card."""
    place = _PARTITION.fullmatch(root)
    if place is not None:
        return int(place[1]) == volume.number
    return root.lower() == f"partuuid={volume.part_uuid}"


def _built_in(group: ArtifactSet, driver: str) -> tuple[bool, str | None]:
    """Return whether a driver is built in, and which file tells; ``None`` if none does."""
    option = _OPTIONS.get(driver)
    for row in group.of(Kind.CONFIG):
        if row.config is not None and option is not None:
            return row.config.builtin(option), row.name
    for row, lines in group.index("modules.builtin"):
        return any(modname(line) == modname(driver) for line in lines), row.name
    return False, None


def _nowhere(group: ArtifactSet) -> str:
    held = group.of(Kind.INITRAMFS)
    return f"{held[0].name} does not hold it" if held else "there is no initramfs"


def check_stamp(facts: BootFacts) -> Check:
    """Look whether what boards load is what one manifest or list of checksums names."""
    stamps = dict(_stamps(facts))
    if not stamps:
        return Check(name="stamp", summary="nothing tells what the sets are made of", done=False)
    findings: list[Finding] = []
    number = 0
    for kernel, group in facts.active.items():
        loaded = facts.loaded(kernel)
        number += len(loaded)
        mine = [row for row in stamps.values() if row in group.artifacts]
        foreign = _foreign(loaded, group.release, stamps.values())
        findings += [contradiction(text) for text in foreign]
        covered = set().union(*(_covered(row) for row in mine)) if mine else set()
        bare = [path for path in loaded if path not in covered]
        if mine and bare and not foreign:
            findings.append(
                remark(
                    f"{count(len(bare), 'file')} that {'is' if len(bare) == 1 else 'are'} loaded "
                    f"with {kernel} {'is' if len(bare) == 1 else 'are'} in no stamp: {bare[0]}"
                )
            )
    return Check(
        name="stamp", summary=f"{count(number, 'file')} of their own sets", findings=tuple(findings)
    )


def _stamps(facts: BootFacts) -> Iterator[tuple[str, Artifact]]:
    for group in facts.sets:
        for row in (*group.of(Kind.MANIFEST), *group.of(Kind.CHECKSUMS)):
            yield row.name, row


def _foreign(
    loaded: Collection[str], release: str | None, stamps: Collection[Artifact]
) -> list[str]:
    found = []
    for row in stamps:
        theirs = None if row.manifest is None else str(row.manifest.get("release"))
        if theirs is None or release is None or theirs == release:
            continue
        paths = sorted(_covered(row) & set(loaded))
        if len(paths) == 1:
            found.append(
                f"{paths[0]} is loaded with the kernel {release}, and by {row.name} it is of "
                f"{theirs}"
            )
        elif paths:
            found.append(
                f"{len(paths)} files are loaded with the kernel {release}, and by {row.name} they "
                f"are of {theirs}: {some(paths)}"
            )
    return found


def _covered(row: Artifact) -> set[str]:
    """Return the paths of the files that a stamp names."""
    directory = row.name.rpartition("/")[0]
    prefix = f"{directory}/" if directory else ""
    names: set[str] = set()
    if row.manifest is not None and isinstance(row.manifest.get("outputs"), list):
        names = {
            str(entry.get("name")) for entry in row.manifest["outputs"] if isinstance(entry, dict)
        }
    if row.checksums is not None:
        names = {line.name for line in row.checksums.lines}
    return {prefix + name.removeprefix("./") for name in names}
