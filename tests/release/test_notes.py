from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rdcompose.release.draft import Draft
from rdcompose.release.notes import notes
from rdcompose.release.place import Placed
from rdcompose.release.records import BuildRecord, ReleaseRecord, read_build
from tests.support.artifacts import BLOCK
from tests.support.releases import TIMESTAMP, SampleBuild

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = "6.1.0-7-cloud-amd64", "6.1.0-8-cloud-amd64"
HEAD = f"""\
# My \\<kernel\\>

| kernel | architecture | package | modules of | in the initramfs | on the disk |
|---|---|---|---|---|---|
| {NEW} | amd64 | linux-image-{NEW} 6.1.2-1 | minivm | 1 | 1 |
"""
FILES = f"""
## Files

| file | bytes | SHA-256 |
|---|---|---|
| `initramfs-{NEW}` | 5 | `abc` |

To check them: `sha256sum --check SHA256SUMS`
"""


def build(path: Path, sample: SampleBuild, *disk: str) -> BuildRecord:
    record = read_build(sample.write(path) / f"manifest-{sample.release}.json")
    return dataclasses.replace(record, name=sample.release, disk_modules=disk)


def new(path: Path) -> BuildRecord:
    sample = SampleBuild(
        release=NEW, version="6.1.2-1", modules={"virtio_blk": BLOCK}, initramfs=b"short"
    )
    return build(path, sample, "dummy")


def written(now: BuildRecord, *before: BuildRecord, name: str = "before") -> str:
    draft = Draft(
        name="My\n<kernel>",
        timestamp=TIMESTAMP,
        builds=(),
        files=(Placed(f"initramfs-{NEW}", 5, "abc", ""),),
    )
    previous = ReleaseRecord(builds=before, name=name) if before else None
    return notes(draft, [now], previous).decode()


def test_notes_without_an_earlier_release(tmp_path: Path) -> None:
    assert written(new(tmp_path)) == HEAD + FILES


def test_changes_since_an_earlier_release(tmp_path: Path) -> None:
    options = {"options": {"profile": "minivm", "compress": "xz", "disk": "remaining"}}
    before = build(tmp_path, SampleBuild(release=OLD, disk=b"x", changes=options), "ext4")
    initramfs, image = before.outputs[1].size, before.outputs[3].size
    now = new(tmp_path)
    arm = build(tmp_path, SampleBuild(release="6.1.0-7-arm64", architecture="arm64"))
    changes = f"""
## Changes since before

### {NEW}

- kernel: {OLD}, 6.1.1-1 → {NEW}, 6.1.2-1
- `compress`: xz → gzip:1
- 1 module no longer in the initramfs: `virtio_ring`
- 1 module new in the kernel: `dummy`
- 2 modules no longer in the kernel: `ext4`, `virtio_ring`

| bytes of | before | now |  |
|---|---|---|---|
| `initramfs` | {initramfs} | 5 | {5 - initramfs} |
| `modules.qcow2` | 1 | {now.outputs[2].size} | {now.outputs[2].size - 1:+d} |
| `vmlinuz` | {image} | {image} | +0 |

### No longer built

- 6.1.0-7-arm64
"""
    assert written(now, before, arm) == HEAD + changes + FILES


def test_nothing_changed_and_all_is_new(tmp_path: Path) -> None:
    now = new(tmp_path)
    title = f"\n## Changes since {NEW}\n\n### {NEW}\n\n"
    assert written(now, now, name="") == HEAD + title + "Unchanged.\n" + FILES
    other = build(tmp_path, SampleBuild(release="6.1.0-7-arm64", architecture="arm64"))
    assert f"### {NEW}\n\nNew.\n\n### No longer built\n\n- 6.1.0-7-arm64\n" in written(now, other)


def test_long_lists_are_cut(tmp_path: Path) -> None:
    now = new(tmp_path)
    many = dataclasses.replace(now, modules={f"m{number:02}": "p" for number in range(53)})
    text = written(many, dataclasses.replace(now, modules={}))
    assert "- 53 modules new in the initramfs: `m00`, `m01`, " in text
    assert "`m49` and 3 others\n" in text
