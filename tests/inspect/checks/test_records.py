from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.errors import SpecError
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.checks.records import (
    check_checksums,
    check_device_trees,
    check_manifest,
)
from rdcompose.inspect.collection import ArtifactSet, collect
from tests.support.artifacts import (
    BLOCK,
    DUMMY,
    RING,
    contradictions,
    group,
    kernel,
    manifest,
    sound_files,
    write_sound,
)
from tests.support.devicetrees import make_dtb
from tests.support.images import make_bzimage
from tests.support.packages import RELEASE

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = f"manifest-{RELEASE}.json"
OTHER = "6.1.0-8-cloud-amd64"


def read(directory: Path) -> ArtifactSet:
    [one] = collect([directory]).sets
    return one


class TestManifest:
    def test_sound(self, tmp_path: Path) -> None:
        write_sound(tmp_path)
        check = check_manifest(read(tmp_path))
        assert (check.findings, check.summary) == ((), "4 files as the manifest names them")
        assert not check_manifest(group(kernel())).done

    def test_files_that_are_others(self, tmp_path: Path) -> None:
        write_sound(tmp_path)
        config = tmp_path / f"config-{RELEASE}"
        size = config.stat().st_size
        config.write_text(config.read_text().replace("=y", "=m"))
        kernel_file = tmp_path / f"vmlinuz-{RELEASE}"
        kernel_file.write_bytes(make_bzimage(RELEASE, payload=bytes(4096)))
        (tmp_path / f"modules-{RELEASE}.qcow2").unlink()
        assert contradictions(check_manifest(read(tmp_path))) == [
            f"config-{RELEASE} is not the file whose SHA-256 {MANIFEST} has",
            f"modules-{RELEASE}.qcow2 is not there, but {MANIFEST} names it",
            (
                f"vmlinuz-{RELEASE} has {kernel_file.stat().st_size} bytes, but 1104 by "
                f"{MANIFEST}: it is another file"
            ),
        ]
        assert config.stat().st_size == size

    def test_modules_of_another_release_are_not_compared(self, tmp_path: Path) -> None:
        files = sound_files()
        del files[MANIFEST]
        data = manifest(files, release=OTHER, initramfs={"modules": [{"path": DUMMY}]})
        for name, content in (files | {MANIFEST: data}).items():
            (tmp_path / name).write_bytes(content)
        assert contradictions(check_manifest(read(tmp_path))) == []

    def test_modules_that_are_others(self, tmp_path: Path) -> None:
        files = sound_files()
        del files[MANIFEST]
        listed = {"modules": [{"path": RING}, {"path": DUMMY}]}
        for name, data in (files | {MANIFEST: manifest(files, initramfs=listed)}).items():
            (tmp_path / name).write_bytes(data)
        assert contradictions(check_manifest(read(tmp_path))) == [
            f"initramfs-{RELEASE} lacks 1 module compared with {MANIFEST}: {DUMMY}",
            f"initramfs-{RELEASE} also has 1 module compared with {MANIFEST}: {BLOCK}",
        ]

    @pytest.mark.parametrize(
        "output",
        [
            1,
            {"name": "x"},
            {"name": "../x", "size": 1, "sha256": "a" * 64},
            {"name": "/x", "size": 1, "sha256": "a" * 64},
            {"name": "x", "size": "1", "sha256": "a" * 64},
            {"name": "x", "size": 1, "sha256": "a" * 63},
        ],
    )
    def test_what_is_no_manifest(self, tmp_path: Path, output: Any) -> None:
        write_sound(tmp_path)
        (tmp_path / MANIFEST).write_bytes(manifest({}, outputs=[output]))
        [message] = contradictions(check_manifest(read(tmp_path)))
        assert message.startswith(f"{MANIFEST} is no manifest: of an output it says ")

    def test_outputs_that_are_no_list(self, tmp_path: Path) -> None:
        write_sound(tmp_path)
        (tmp_path / MANIFEST).write_bytes(manifest({}, outputs={"a": 1}))
        assert len(contradictions(check_manifest(read(tmp_path)))) == 1

    @pytest.mark.parametrize("part", [None, 1, {}, {"modules": 3}])
    def test_no_list_of_modules(self, tmp_path: Path, part: Any) -> None:
        write_sound(tmp_path)
        (tmp_path / MANIFEST).write_bytes(manifest({}, initramfs=part))
        assert check_manifest(read(tmp_path)).findings == ()

    def test_a_directory_in_place_of_a_file(self, tmp_path: Path) -> None:
        write_sound(tmp_path)
        data = json.loads((tmp_path / MANIFEST).read_bytes())
        data["outputs"].append({"name": "folder", "size": 4096, "sha256": "a" * 64})
        (tmp_path / "folder").mkdir()
        data["outputs"][-1]["size"] = (tmp_path / "folder").stat().st_size
        (tmp_path / MANIFEST).write_text(json.dumps(data))
        with pytest.raises(SpecError, match=r"cannot read .*folder: Is a directory"):
            check_manifest(read(tmp_path))


class TestChecksums:
    def test_sound(self, tmp_path: Path) -> None:
        write_sound(tmp_path)
        check = check_checksums(read(tmp_path), frozenset())
        assert (check.findings, check.summary) == ((), "5 files as SHA256SUMS has them")
        assert not check_checksums(group(kernel()), frozenset()).done

    def test_what_is_not_as_it_says(self, tmp_path: Path) -> None:
        write_sound(tmp_path)
        (tmp_path / f"config-{RELEASE}").write_text("CONFIG_X=y\n")
        with (tmp_path / "SHA256SUMS").open("a") as out:
            out.write(f"{'a' * 64}  gone\nrubbish\n{'a' * 64}  ../outside\n")
        assert contradictions(check_checksums(read(tmp_path), frozenset())) == [
            "line 7 of SHA256SUMS is none that sha256sum writes",
            f"config-{RELEASE} is not the file whose SHA-256 SHA256SUMS has",
            "gone is not there, but SHA256SUMS names it",
            "SHA256SUMS names '../outside', outside of its directory",
        ]

    def test_lines_of_other_releases(self, tmp_path: Path) -> None:
        write_sound(tmp_path)
        with (tmp_path / "SHA256SUMS").open("a") as out:
            out.write(f"{'a' * 64}  vmlinuz-{OTHER}\n")
        assert len(contradictions(check_checksums(read(tmp_path), frozenset()))) == 1
        assert check_checksums(read(tmp_path), frozenset({OTHER})).findings == ()


def test_device_trees(tmp_path: Path) -> None:
    (tmp_path / "dtbs").mkdir()
    write_sound(tmp_path)
    (tmp_path / "dtbs/a.dtb").write_bytes(make_dtb({"model": b"A board\0"}))
    (tmp_path / "dtbs/b.dtbo").write_bytes(make_dtb({}))
    one = read(tmp_path)
    assert len(one.of(Kind.DEVICE_TREE)) == 2
    assert check_device_trees(one).summary == "1 machine, 1 overlay"
    assert not check_device_trees(group()).done
