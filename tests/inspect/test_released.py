from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.inspect.collection import collect
from rdcompose.inspect.released import ReleasedFiles, read_released
from rdcompose.inspect.verify import verify
from rdcompose.release.writing import ReleaseSpec, write_release
from tests.support.packages import RELEASE
from tests.support.releases import SampleBuild

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Return a release of two builds of a kernel."""
    one = SampleBuild().write(tmp_path / "one")
    two = SampleBuild(profile="virtio", more={f"embed-{RELEASE}.list": b"dir /x\n"})
    two.initramfs += bytes(512)
    out = tmp_path / "release"
    directories = (one, two.write(tmp_path / "two"))
    write_release(ReleaseSpec(directories=directories, output=out, sbom=False))
    return out


def messages(directory: Path) -> list[str]:
    """Return what contradicts itself in a directory."""
    return [row.message for row in verify(collect([directory])).contradictions]


def test_each_build_of_a_release_is_a_set(release: Path) -> None:
    collection = collect([release])
    assert [[row.name for row in one.artifacts] for one in collection.sets] == [
        [
            f"config-{RELEASE}",
            f"initramfs-{RELEASE}.one",
            f"manifest-{RELEASE}.one.json",
            f"modules-{RELEASE}.qcow2",
            f"vmlinuz-{RELEASE}",
            "SHA256SUMS",
        ],
        [
            f"config-{RELEASE}",
            f"initramfs-{RELEASE}.two",
            f"manifest-{RELEASE}.two.json",
            f"modules-{RELEASE}.qcow2",
            f"vmlinuz-{RELEASE}",
        ],
    ]
    assert [one.release for one in collection.sets] == [RELEASE, RELEASE]
    assert [row.name for row in collection.left_over] == [f"embed-{RELEASE}.list"]
    assert messages(release) == []


def test_what_is_wrong_with_a_build_is_found(release: Path) -> None:
    (release / f"initramfs-{RELEASE}.two").write_bytes(b"damaged")
    assert any(f"initramfs-{RELEASE} " in text for text in messages(release))
    (release / f"initramfs-{RELEASE}.two").unlink()
    assert f"initramfs-{RELEASE} is not there, but manifest-{RELEASE}.two.json names it" in (
        messages(release)
    )


def test_files_beside_a_release_are_judged_by_their_names(release: Path) -> None:
    SampleBuild(release="6.1.0-8-amd64").write(release)
    named = [one.named for one in collect([release]).sets]
    assert named == [RELEASE, RELEASE, "6.1.0-8-amd64"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        {"kind": "other"},
        {"kind": "release"},
        {"kind": "release", "builds": [1], "documents": []},
        {"kind": "release", "builds": [{"release": "1", "files": 1}], "documents": []},
        {
            "kind": "release",
            "builds": [{"release": "1", "files": {"a": "../a"}}],
            "documents": [],
        },
    ],
    ids=range(8),
)
def test_what_is_no_release(tmp_path: Path, data: Any) -> None:
    content = data if isinstance(data, bytes) else json.dumps(data).encode()
    (tmp_path / "manifest.json").write_bytes(content)
    assert read_released(tmp_path) == ReleasedFiles()
    assert read_released(tmp_path / "none") == ReleasedFiles()
