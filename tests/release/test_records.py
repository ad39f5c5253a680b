from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.errors import SpecError
from rdcompose.release.records import FileRecord, is_plain, read_build, read_record
from tests.support.packages import RELEASE
from tests.support.releases import SampleBuild

if TYPE_CHECKING:
    from pathlib import Path

ROW = {"name": "x", "size": 1, "sha256": "0" * 64}
BUILD = {
    "name": RELEASE,
    "files": {"a": "b"},
    "disk_modules": ["ext4"],
    "manifest": SampleBuild().manifest(),
}


def written(path: Path, data: Any) -> Path:
    """Write data as JSON."""
    file = path / "manifest.json"
    file.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return file


def release_data(**changes: Any) -> dict[str, Any]:
    """Return the manifest of a release of one build."""
    return {
        "kind": "release",
        "name": "mine",
        "builds": [BUILD],
        "files": [ROW],
        "documents": [],
    } | changes


def test_a_build_is_read(tmp_path: Path) -> None:
    sample = SampleBuild()
    record = read_build(sample.write(tmp_path) / f"manifest-{RELEASE}.json")
    assert record.lock.release == RELEASE
    assert record.profile == "minivm"
    assert record.modules == sample.modules
    assert record.outputs[0].name == f"config-{RELEASE}"
    assert (record.added, record.firmware, record.directory) == ({}, {}, None)


def test_what_the_initramfs_was_given_is_read(tmp_path: Path) -> None:
    data = SampleBuild().manifest()
    data["initramfs"] |= {
        "added": [{"path": "/sbin/nbd-client", "package": "nbd-client 1", "why": "asked for"}],
        "firmware": [{"path": "/lib/firmware/a", "source": "firmware-x 1", "why": "b43"}],
        "directory": {"name": "embed-R.d", "sha256": "0" * 64},
    }
    record = read_build(written(tmp_path, data))
    assert record.added == {"/sbin/nbd-client": "nbd-client 1"}
    assert record.firmware == {"/lib/firmware/a": "firmware-x 1"}
    assert record.directory == "embed-R.d"


def test_a_release_is_read(tmp_path: Path) -> None:
    record = read_record(written(tmp_path, release_data()))
    assert (record.name, record.documents) == ("mine", ())
    assert record.files == (FileRecord("x", 1, "0" * 64),)
    (build,) = record.builds
    assert (build.name, build.files, build.disk_modules) == (RELEASE, {"a": "b"}, ("ext4",))


def test_the_manifest_of_a_build_is_a_release_of_it(tmp_path: Path) -> None:
    record = read_record(written(tmp_path, SampleBuild().manifest()))
    assert (record.name, len(record.builds), record.files) == ("", 1, ())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "Expecting value"),
        ([], "has no attribute 'get'"),
        ({}, "it has no 'initramfs'"),
        (release_data(files=[ROW | {"size": -1}]), "size is -1"),
        (release_data(files=[ROW | {"size": True}]), "size is True"),
        (release_data(files=[ROW | {"sha256": "0"}]), "'0' is no SHA-256"),
        (release_data(files=[ROW | {"name": "../x"}]), "it names '../x', which is no file beside"),
        (release_data(name=None), "None is no text"),
        (release_data(builds=[{}]), "it has no 'files'"),
        (release_data(builds=[{"files": []}]), "has no attribute 'items'"),
        (SampleBuild(changes={"own_modules": 5}).manifest(), "'int' object is not iterable"),
        (SampleBuild(changes={"own_modules": [{"name": 5}]}).manifest(), "5 is no text"),
        (release_data(builds=[BUILD | {"name": "../x"}]), "it names '../x', which is no file"),
        (release_data(builds=[BUILD | {"name": "/x"}]), "it names '/x', which is no file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "data",
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, data: Any, said: str) -> None:
    path = written(tmp_path, data)
    with pytest.raises(SpecError, match=f"{re.escape(str(path))} is no manifest: .*{said}"):
        read_record(path)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\nb", "a\rb", "a\0"])
def test_names_lead_nowhere_else(name: str) -> None:
    assert not is_plain(name)


@pytest.mark.parametrize("name", ["a", "a b", "..a", "vmlinuz-6.12+deb13", "ü"])
def test_plain_names(name: str) -> None:
    assert is_plain(name)
