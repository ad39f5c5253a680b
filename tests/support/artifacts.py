"""Artifacts that fit together, in memory or as files, for tests to break in one place."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rdcompose.formats.compression import compress
from rdcompose.formats.cpio import write_newc
from rdcompose.formats.image import read_image
from rdcompose.formats.qcow2 import Qcow2Writer
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.inspect.artifact import Artifact, Disk, Initramfs, Kind, SegmentFacts
from rdcompose.inspect.collection import ArtifactSet, release_of_name
from rdcompose.inspect.contents import examine
from rdcompose.kernel.config import KernelConfig
from rdcompose.tree import Bytes, Directory, File, Symlink, Tree
from tests.support.images import make_bzimage
from tests.support.modules import make_ko
from tests.support.packages import CONFIG, RELEASE, VERMAGIC
from tests.support.programs import make_library, make_program

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rdcompose.inspect.findings import Check
    from rdcompose.tree import Entry

# A file, one with a mode, the target of a link, or a directory.
Content = bytes | tuple[int, bytes] | str | None

MODULES: Final = f"lib/modules/{RELEASE}"
RING: Final = "kernel/drivers/virtio/virtio_ring.ko"
BLOCK: Final = "kernel/drivers/block/virtio_blk.ko"
DUMMY: Final = "kernel/net/dummy.ko"
CRC: Final = 0x11223344


def module(
    *,
    vermagic: str = VERMAGIC,
    depends: str = "",
    exports: Mapping[str, int] | None = None,
    versions: Mapping[str, int] | None = None,
    machine: int = 62,
) -> bytes:
    """Return a module of the sample kernel."""
    return make_ko(
        {"depends": depends, "vermagic": vermagic},
        exports=exports or {},
        versions={"module_layout": CRC} | dict(versions or {}),
        machine=machine,
    )


def entry(path: str, content: Content) -> Entry:
    """Return one entry of a tree."""
    if content is None:
        return Directory(path=path)
    if isinstance(content, str):
        return Symlink(path=path, target=content)
    mode, data = content if isinstance(content, tuple) else (0o644, content)
    return File(path=path, mode=mode, content=Bytes(data))


def tree_of(files: Mapping[str, Content]) -> Tree:
    """Return a tree with all parents."""
    tree = Tree()
    for path, content in files.items():
        tree.add(entry(path, content))
    return tree


def initramfs_files() -> dict[str, Content]:
    """Return the files of a sound initramfs."""
    return {
        "init": (0o755, b"#!/bin/sh\n"),
        "bin/busybox": (0o755, make_program(b"busybox")),
        "bin/sh": "busybox",
        "bin/mount": (
            0o755,
            make_program(interpreter="/lib64/ld.so.2", needed=["libc.so.6"]),
        ),
        "lib64": "usr/lib64",
        "usr/lib64/ld.so.2": (0o755, make_library("ld.so.2")),
        "usr/lib64/libc.so.6": make_library("libc.so.6", ["ld.so.2"]),
        f"{MODULES}/{RING}": module(exports={"virtqueue_kick": 7}),
        f"{MODULES}/{BLOCK}": module(depends="virtio_ring", versions={"virtqueue_kick": 7}),
        f"{MODULES}/modules.dep": f"{BLOCK}: {RING}\n{RING}:\n".encode(),
        f"{MODULES}/modules.builtin": b"kernel/fs/ext4/ext4.ko\n",
        "etc/mtab": "/proc/mounts",
    }


def disk_files() -> dict[str, Content]:
    """Return the files of a sound modules disk beside that initramfs."""
    return {
        f"{RELEASE}/{DUMMY}": module(depends="ext4", versions={"virtqueue_kick": 7}),
        f"{RELEASE}/modules.dep": f"{BLOCK}: {RING}\n{RING}:\n{DUMMY}:\n".encode(),
        f"{RELEASE}/modules.builtin": b"kernel/fs/ext4/ext4.ko\n",
    }


def cpio(entries: Iterable[Entry]) -> bytes:
    """Return a plain newc segment of entries in their order."""
    out = io.BytesIO()
    write_newc(out, entries, mtime=0)
    return out.getvalue()


def initramfs_bytes(files: Mapping[str, Content], compressor: str = "gzip") -> bytes:
    """Return an initramfs of one segment."""
    return compress(compressor, cpio(tree_of(files)), 1 if compressor != "none" else None)


def disk_bytes(
    files: Mapping[str, Content], *, container: str = "qcow2", compressor: str = "gzip"
) -> bytes:
    """Return a modules disk."""
    out = io.BytesIO()
    qcow2 = Qcow2Writer(out) if container == "qcow2" else None
    write_squashfs(qcow2 or out, tree_of(files), mtime=0, compressor=compressor, level=1, threads=1)
    if qcow2 is not None:
        qcow2.finish()
    return out.getvalue()


def sound_files() -> dict[str, bytes]:
    """Return the files of a composition, without its checksums, by name."""
    files = {
        f"config-{RELEASE}": CONFIG.encode(),
        f"initramfs-{RELEASE}": initramfs_bytes(initramfs_files()),
        f"modules-{RELEASE}.qcow2": disk_bytes(disk_files()),
        f"vmlinuz-{RELEASE}": make_bzimage(RELEASE),
    }
    return files | {f"manifest-{RELEASE}.json": manifest(files)}


def manifest(files: Mapping[str, bytes], **changes: Any) -> bytes:
    """Return a manifest of these files."""
    data = {
        "schema": 1,
        "release": RELEASE,
        "initramfs": {"modules": [{"path": RING}, {"path": BLOCK}]},
        "outputs": [
            {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
        ],
    }
    return json.dumps(data | changes).encode()


def checksums(files: Mapping[str, bytes]) -> bytes:
    """Return ``SHA256SUMS`` of these files."""
    rows = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()]
    return "".join(rows).encode()


def write_sound(directory: Path) -> dict[str, bytes]:
    """Write a sound composition with its checksums; returns the files by name."""
    files = sound_files()
    files["SHA256SUMS"] = checksums(files)
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (directory / name).write_bytes(data)
    return files


def kernel(release: str = RELEASE, name: str = "", data: bytes | None = None) -> Artifact:
    """Return a kernel as an artifact."""
    image = read_image(make_bzimage(release) if data is None else data)
    return artifact(name or f"vmlinuz-{release}", Kind.KERNEL, image=image)


def initramfs(
    files: Mapping[str, Content] | None = None,
    *,
    name: str = f"initramfs-{RELEASE}",
    compressions: Iterable[str] = ("zstd",),
) -> Artifact:
    """Return an initramfs as an artifact, by default a sound one."""
    contents = examine(tree_of(initramfs_files() if files is None else files), disk=False)
    segments = tuple(SegmentFacts(0, 1, compression, 1) for compression in compressions)
    return artifact(name, Kind.INITRAMFS, initramfs=Initramfs(segments, contents))


def disk(
    files: Mapping[str, Content] | None = None,
    *,
    name: str = f"modules-{RELEASE}.qcow2",
    filesystem: str = "squashfs",
    compressor: str | None = "zstd",
) -> Artifact:
    """Return a modules disk as an artifact, by default a sound one."""
    contents = examine(tree_of(disk_files() if files is None else files), disk=True)
    return artifact(name, Kind.DISK, disk=Disk("qcow2", filesystem, compressor, contents))


def config(text: str = CONFIG, name: str = f"config-{RELEASE}") -> Artifact:
    """Return a configuration as an artifact."""
    return artifact(name, Kind.CONFIG, config=KernelConfig.parse(text.encode()))


def artifact(name: str, kind: Kind, **fields: Any) -> Artifact:
    """Return an artifact that is no file."""
    claimed = release_of_name(name)
    return Artifact(path=Path(name), name=name, kind=kind, size=1, claimed=claimed, **fields)


def group(*artifacts: Artifact, named: str | None = None) -> ArtifactSet:
    """Return a set; without artifacts a sound one."""
    return ArtifactSet(named, artifacts or (kernel(), initramfs(), disk(), config()))


def contradictions(check: Check) -> list[str]:
    """Return the messages of what cannot be."""
    return [finding.message for finding in check.contradictions]


def remarks(check: Check) -> list[str]:
    """Return the messages of the rest."""
    return [row.message for row in check.findings if row not in check.contradictions]
