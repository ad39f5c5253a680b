from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.compose.profile import load_profile
from rdcompose.compose.spec import DiskMode
from rdcompose.errors import SpecError
from rdcompose.inspect.explain import Explainer
from rdcompose.inspect.explained import State
from rdcompose.inspect.holdings import read_holdings
from rdcompose.inspect.subjects import files_subject, kernel_subject, load_lists
from rdcompose.kernel.package import read_kernels
from rdcompose.kernel.source import DebSource
from tests.support.artifacts import manifest, sound_files
from tests.support.packages import CONFIG, RELEASE, kernel_deb, sample_files

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.inspect.explained import Subject
    from rdcompose.kernel.package import KernelPackage


def kernel(files: dict[str, bytes] | None = None) -> KernelPackage:
    (package,) = read_kernels([DebSource(io.BytesIO(kernel_deb(files)))])
    return package


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    (tmp_path / "p").mkdir()
    (tmp_path / "p/modules.ramfs").write_text("virtio_blk\n")
    return tmp_path / "p"


@pytest.mark.parametrize("mode", DiskMode)
def test_a_kernel(profile: Path, mode: DiskMode) -> None:
    found = kernel_subject(kernel(), load_lists(str(profile), (), mode))
    required = {"squashfs"} if mode is not DiskMode.NONE else set()
    required |= {"overlay"} if mode is DiskMode.REMAINING else set()
    assert set(found.initramfs) == {"virtio_blk", "virtio_ring"} | required
    assert ("dummy" in found.disk) == (mode is not DiskMode.NONE)
    assert (found.release, found.profile, found.builtin_profile) == (RELEASE, "p", False)
    assert found.whole


def test_a_builtin_profile() -> None:
    assert load_lists("minivm", (), DiskMode.NONE).is_builtin


def test_a_kernel_without_modules(profile: Path) -> None:
    files = sample_files(modules={})
    files[f"boot/config-{RELEASE}"] = CONFIG.replace("=m", "=y").encode()
    found = kernel_subject(kernel(files), load_lists(str(profile), (), DiskMode.NONE))
    assert (found.initramfs, found.disk, found.reasons) == ({}, {}, {})


def built(directory: Path, profile: str, **changes: Any) -> Subject:
    """Return what was made by a profile, as far as its manifest tells."""
    lists = load_profile(profile)
    files = sound_files()
    why = "listed: 'virtio_blk' in p/modules.ramfs:1"
    told = {
        "options": {"profile": profile, "disk": "none"},
        "inputs": [
            {"role": "module list", "file": file.name, "sha256": _sha256(file.data)}
            for file in lists.files
        ],
        "initramfs": {
            "modules": [
                {"name": "virtio_blk", "why": why},
                {"name": "virtio_ring", "why": "dependency of virtio_blk"},
                {"name": "gone", "why": why},
            ]
        },
    }
    files[f"manifest-{RELEASE}.json"] = manifest(files, **(told | changes))
    for name, data in files.items():
        (directory / name).write_bytes(data)
    return files_subject(read_holdings([directory]), None)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_files_with_a_manifest(tmp_path: Path, profile: Path) -> None:
    found = built(tmp_path, str(profile))
    assert found.notes == ()
    assert {name: str(why) for name, why in found.reasons.items()} == {
        "virtio_blk": "listed: 'virtio_blk' in p/modules.ramfs:1",
        "virtio_ring": "dependency of virtio_blk",
    }
    assert found.choice is not None
    assert [entry.pattern for entry in found.choice.entries] == ["virtio_blk"]


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"options": {"profile": "gone", "disk": "none"}}, "are not at hand"),
        ({"options": {"profile": "minivm"}}, "are not at hand"),
        ({"options": ["x"]}, "are not at hand"),
        ({"inputs": []}, "are not those that this was made by"),
        ({"inputs": "x"}, "are not those that this was made by"),
        ({"options": {"profile": "minivm", "disk": "remaining"}}, "are not those that this"),
    ],
)
def test_lists_that_are_not_known(
    tmp_path: Path, profile: Path, changes: dict[str, Any], note: str
) -> None:
    found = built(tmp_path, str(profile), **changes)
    assert found.choice is None
    (said,) = found.notes
    assert note in said


def test_lists_that_choose_other_modules(tmp_path: Path, profile: Path) -> None:
    (profile / "modules.ramfs").write_text("virtio_ring\n")
    assert built(tmp_path, str(profile)).notes == (
        "the lists choose other modules than the initramfs has",
    )
    (profile / "modules.ramfs").write_text("gone\n")
    (note,) = built(tmp_path, str(profile)).notes
    assert note.startswith("the lists do not fit what is here: p/modules.ramfs:1: 'gone'")


def test_a_disk_alone(tmp_path: Path, profile: Path) -> None:
    built(tmp_path, str(profile))
    files = [tmp_path / f"modules-{RELEASE}.qcow2", tmp_path / f"manifest-{RELEASE}.json"]
    found = files_subject(read_holdings(files), None)
    assert found.notes == ("without the initramfs it is not known what else lists would do",)
    [virtio_blk] = Explainer(found).explain("virtio_blk")
    assert (virtio_blk.state, virtio_blk.is_known) == (State.NOT_THERE, False)


def test_a_profile_that_is_none(tmp_path: Path, profile: Path) -> None:
    built(tmp_path, str(profile))
    with pytest.raises(SpecError, match="there is no profile 'nowhere'"):
        files_subject(read_holdings([tmp_path]), "nowhere")


def test_files_without_a_manifest(tmp_path: Path) -> None:
    for name, data in sound_files().items():
        if not name.endswith(".json"):
            (tmp_path / name).write_bytes(data)
    found = files_subject(read_holdings([tmp_path]), None)
    assert found.notes == (
        "no module lists are known: chains begin where no other module needs one",
    )
    assert (found.reasons, found.choice) == ({}, None)


def test_a_manifest_of_nonsense(tmp_path: Path) -> None:
    files = sound_files()
    files[f"manifest-{RELEASE}.json"] = json.dumps(
        {"schema": 1, "release": RELEASE, "outputs": [], "initramfs": {"modules": [1]}}
    ).encode()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    assert files_subject(read_holdings([tmp_path]), None).reasons == {}
