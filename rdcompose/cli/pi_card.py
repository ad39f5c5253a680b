"""``rdcompose pi --image``: the image of an SD card."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from rdcompose.boards.localroot import check_programs, check_root
from rdcompose.boards.rootfs import RootFilesystem, RootFormat, root_filesystem
from rdcompose.boards.sdcard import (
    BOOT,
    MODULES,
    ROOT,
    Card,
    CardSpec,
    disk_signature,
    root_by_uuid,
    signature_of,
    write_card,
)
from rdcompose.cli.terminal import progress, size_text
from rdcompose.compose.spec import DiskFormat
from rdcompose.errors import OutputError, UsageError
from rdcompose.outputs import write_disk
from rdcompose.publish import Publication
from rdcompose.tree import Tree

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rdcompose.compose.inputs import Input
    from rdcompose.compose.plan import DiskPlan, Plan

# Options as the manifest of a set names them, and as the parser does.
OPTIONS: Final = {
    "boot-size": "boot_size",
    "image-size": "image_size",
    "root-format": "root_format",
}
# For a root that nothing can be written to.
_OVERLAY: Final = "overlay=tmpfs"
_CONTENTS: Final = {BOOT: "boot folder", ROOT: "root", MODULES: "modules"}
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE: Final = re.compile(r"(\d{1,15})([KMGT]?)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a card adds to its sets: the name of its root, words for it, and inputs."""

    root: str | None = None
    words: str = ""
    inputs: tuple[Input, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CardJob:
    """A card that is to be written."""

    path: Path
    beside: Beside
    spec: CardSpec
    root: RootFilesystem | None
    modules: Callable[[BinaryIO], object] | None
    _publication: Publication

    def write(self, boot: Tree, *, shown: bool) -> Card:
        """Write the image with its boot folder, all of it or nothing.

        :raises OutputError: it cannot be written.
        :raises SpecError: what is to be in it does not fit.
        """
        with progress(f"writing {self.path.name}", shown=shown):
            with self._publication.file(self.path.name) as out:
                card = write_card(
                    cast("BinaryIO", out),
                    boot,
                    self.spec,
                    root=self.root,
                    modules=self.modules,
                )
            with self._publication.locked():
                self._publication.publish()
        return card


def check_card(arguments: argparse.Namespace) -> None:
    """Check the options of a card, before anything is fetched.

    :raises UsageError: one is wrong, or there is no card.
    :raises OutputError: the image cannot be a file of that name.
    """
    path: Path | None = arguments.card
    for option in ("root_from", *OPTIONS.values()):
        value = getattr(arguments, option)
        name = f"--{option.replace('_', '-')}"
        if path is None and value is not None:
            raise UsageError(f"{name} is for an image of an SD card", hint="add --image FILE")
        if option in {"boot_size", "image_size"}:
            _size(name, value)
    if path is not None:
        _check_place(path)


@contextlib.contextmanager
def open_card(
    arguments: argparse.Namespace, options: Mapping[str, str], plans: Sequence[Plan]
) -> Iterator[CardJob | None]:
    """Prepare the card that is asked for, if one is.

    ``options`` are those that count, a lock's too.

    :raises UsageError: the options contradict each other.
    """
    path: Path | None = arguments.card
    if path is None:
        _refuse_disks(plans)
        yield None
        return
    mtime = max(plan.timestamp for plan in plans)
    with contextlib.ExitStack() as stack:
        publication = stack.enter_context(Publication(path.parent))
        root = None
        if arguments.root_from is not None:
            wanted = options.get("root-format")
            root = stack.enter_context(
                root_filesystem(
                    arguments.root_from,
                    None if wanted is None else _root_format(wanted),
                    mtime=mtime,
                    scratch=path.parent,
                    threads=arguments.threads,
                )
            )
            for plan in plans:
                check_root(plan, root, packed=wanted == RootFormat.SQUASHFS.value)
                check_programs(plan, root, init="init=" in options.get("cmdline", ""))
        inputs = () if root is None else (root.input,)
        signature = signature_of(options.get("root", ""))
        if signature is None:
            signature = disk_signature(plans, inputs)
        yield CardJob(
            path=path,
            beside=Beside(
                root=root_by_uuid(signature),
                words=_OVERLAY if root is not None and root.read_only else "",
                inputs=inputs,
            ),
            spec=CardSpec(
                signature=signature,
                mtime=mtime,
                boot_size=_size("--boot-size", options.get("boot-size")),
                size=_size("--image-size", options.get("image-size")),
            ),
            root=root,
            modules=_modules(plans, threads=arguments.threads),
            _publication=publication,
        )


def card_rows(path: Path, card: Card) -> list[tuple[str, str, str]]:
    """Return what is said of a card: name, size, remark."""
    rows = [(str(path), size_text(card.size), f"an SD card, signature {card.table.signature:08x}")]
    for part in sorted(card.table.partitions, key=lambda part: part.number):
        remark = _CONTENTS[part.number]
        if part.number == BOOT:
            remark += f", {size_text(card.boot_free)} free"
        rows.append((f"  partition {part.number}", size_text(part.size), remark))
    return rows


def card_summary(path: Path, card: Card) -> dict[str, object]:
    """Return a card as JSON has it; sizes and places are in bytes."""
    return {
        "path": str(path),
        "size": card.size,
        "signature": f"{card.table.signature:08x}",
        "boot_free": card.boot_free,
        "partitions": [
            {
                "number": part.number,
                "holds": _CONTENTS[part.number],
                "offset": part.offset,
                "size": part.size,
            }
            for part in sorted(card.table.partitions, key=lambda part: part.number)
        ],
    }


def _size(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    found = _SIZE.fullmatch(text.upper().removesuffix("IB"))
    if found is None:
        raise UsageError(f"{option}: {text!r} is no size", hint="give one as 512M or 2G")
    return int(found[1]) * _UNITS[found[2]]


def _root_format(text: str) -> RootFormat:
    try:
        return RootFormat(text)
    except ValueError:
        names = " and ".join(kind.value for kind in RootFormat)
        raise UsageError(f"--root-format: {text!r} is none of {names}") from None


def _check_place(path: Path) -> None:
    """Refuse devices: the image would take the place of their names."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OutputError(
            f"cannot write {path}: it is no file",
            hint="write a file, and copy it to the card: dd if=sd.img of=/dev/sdX bs=4M conv=fsync",
        )


def _refuse_disks(plans: Sequence[Plan]) -> None:
    if any(plan.disk is not None for plan in plans):
        raise UsageError(
            "a boot folder has no place for a modules disk",
            hint="leave --disk out, or write an --image, which has a partition for it",
        )


def _modules(plans: Sequence[Plan], *, threads: int) -> Callable[[BinaryIO], object] | None:
    """Return what writes one disk with the modules of all kernels, each in its directory."""
    disks: list[DiskPlan] = [plan.disk for plan in plans if plan.disk is not None]
    if not disks:
        return None
    compression = disks[0].compression
    if any(disk.compression != compression for disk in disks):
        raise UsageError(
            "the kernels do not read the same compression of a modules disk",
            hint="choose one that all read: --disk-compress gzip",
        )
    tree = Tree()
    left_out = {path: size for disk in disks for path, size in disk.left_out.items()}
    for disk in disks:
        for entry in disk.tree:
            tree.add(entry)
    mtime = max(plan.timestamp for plan in plans)

    def write(out: BinaryIO) -> None:
        write_disk(
            out,
            tree,
            DiskFormat.SQUASHFS,
            compression,
            mtime=mtime,
            threads=threads,
            left_out=left_out,
        )

    return write
