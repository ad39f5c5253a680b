"""Directories as ``rdcompose build`` leaves them, made without building, to release."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from tests.support.artifacts import BLOCK, RING, disk_bytes, disk_files, initramfs_bytes
from tests.support.artifacts import initramfs_files as sound_initramfs
from tests.support.images import make_bzimage
from tests.support.packages import CONFIG, RELEASE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIMESTAMP: Final = 1_700_000_000
ARCHIVE: Final = {
    "label": "Debian",
    "suite": "bookworm",
    "path": "pool/main/l/linux/linux-image.deb",
    "verified": True,
}


@functools.cache
def image_bytes(release: str) -> bytes:
    """Return a kernel of a release."""
    return make_bzimage(release)


@functools.cache
def _initramfs() -> bytes:
    return initramfs_bytes(sound_initramfs())


@functools.cache
def _disk() -> bytes:
    return disk_bytes(disk_files())


@dataclasses.dataclass(kw_only=True)
class SampleBuild:
    """A build to be written; fields are changed before."""

    release: str = RELEASE
    architecture: str = "amd64"
    profile: str = "minivm"
    version: str = "6.1.1-1"
    timestamp: int = TIMESTAMP
    modules: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {"virtio_blk": BLOCK, "virtio_ring": RING}
    )
    # The disk and the initramfs; None is no disk.
    initramfs: bytes = dataclasses.field(default_factory=_initramfs)
    disk: bytes | None = dataclasses.field(default_factory=_disk)
    changes: dict[str, Any] = dataclasses.field(default_factory=dict)
    more: dict[str, bytes] = dataclasses.field(default_factory=dict)

    def files(self) -> dict[str, bytes]:
        """Return the outputs by name."""
        found = {
            f"config-{self.release}": CONFIG.encode(),
            f"initramfs-{self.release}": self.initramfs,
            f"vmlinuz-{self.release}": image_bytes(self.release),
            **self.more,
        }
        if self.disk is not None:
            found[f"modules-{self.release}.qcow2"] = self.disk
        return dict(sorted(found.items()))

    def manifest(self) -> dict[str, Any]:
        """Return the manifest."""
        return {
            "schema": 1,
            "tool": {"name": "rdcompose", "version": "0.1.0"},
            "release": self.release,
            "architecture": self.architecture,
            "timestamp": self.timestamp,
            "options": {"profile": self.profile, "compress": "gzip:1", "disk": "remaining"},
            "inputs": [
                self._package("kernel", f"linux-image-{self.release}", self.version),
                self._package("busybox", "busybox-static", "1:1.35.0-4"),
                {
                    "role": "template",
                    "file": "ramdisk-template",
                    "sha256": "a" * 64,
                    "source": "built in",
                },
            ],
            "initramfs": {
                "compression": "gzip:1",
                "modules": [
                    {"name": name, "path": path, "why": "listed"}
                    for name, path in self.modules.items()
                ],
                "directory": None,
                "microcode": [],
                "firmware": [],
                "added": [],
            },
            "disk": None if self.disk is None else {"format": "qcow2", "modules": 1},
            "outputs": [
                {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                for name, data in self.files().items()
            ],
        } | self.changes

    def _package(self, role: str, package: str, version: str) -> dict[str, Any]:
        return {
            "role": role,
            "file": f"{package}_{version}_{self.architecture}.deb",
            "sha256": hashlib.sha256(f"{package} {version}".encode()).hexdigest(),
            "size": 1000,
            "source": "archive",
            "package": package,
            "version": version,
            "architecture": self.architecture,
            "archive": ARCHIVE,
        }

    def write(self, directory: Path) -> Path:
        """Write the build into a directory; returns this."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in self.files().items():
            (directory / name).write_bytes(data)
        name = f"manifest-{self.release}.json"
        (directory / name).write_text(json.dumps(self.manifest(), indent=2), encoding="utf-8")
        return directory
