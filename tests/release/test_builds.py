from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError
from rdcompose.release.builds import build_directories, find_builds, named
from tests.support.packages import RELEASE
from tests.support.releases import SampleBuild

if TYPE_CHECKING:
    from pathlib import Path


def names(*directories: Path) -> dict[str, dict[str, str]]:
    """Return what the files of builds are called, by the builds' names."""
    return {build.name: dict(build.names) for build in named(find_builds(directories))}


def test_files_of_one_build_keep_their_names(tmp_path: Path) -> None:
    own = {
        name: name
        for name in (
            f"config-{RELEASE}",
            f"initramfs-{RELEASE}",
            f"modules-{RELEASE}.qcow2",
            f"vmlinuz-{RELEASE}",
            f"manifest-{RELEASE}.json",
        )
    }
    assert names(SampleBuild().write(tmp_path)) == {RELEASE: own}


def test_files_that_differ_have_their_builds_names(tmp_path: Path) -> None:
    SampleBuild().write(tmp_path / "one")
    SampleBuild(profile="virtio", disk=None, initramfs=b"other", more={"sd.img": b"x"}).write(
        tmp_path / "two"
    )
    SampleBuild(release="6.1.0-8-amd64").write(tmp_path / "other")
    SampleBuild(profile="pi", disk=b"", more={"sd.img": b"y"}).write(tmp_path / "three")
    found = names(*(tmp_path / name for name in ("one", "two", "other", "three")))
    assert found[f"{RELEASE}.one"] == {
        f"config-{RELEASE}": f"config-{RELEASE}",
        f"initramfs-{RELEASE}": f"initramfs-{RELEASE}.one",
        f"modules-{RELEASE}.qcow2": f"modules-{RELEASE}.one.qcow2",
        f"vmlinuz-{RELEASE}": f"vmlinuz-{RELEASE}",
        f"manifest-{RELEASE}.json": f"manifest-{RELEASE}.one.json",
    }
    assert found[f"{RELEASE}.two"]["sd.img"] == "two.sd.img"
    assert set(found["6.1.0-8-amd64"]) == set(found["6.1.0-8-amd64"].values())


def test_a_build_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    one = SampleBuild().write(tmp_path / "one")
    same = SampleBuild().write(tmp_path / "same")
    assert [build.directory for build in find_builds([one, same, one])] == [one]


def test_builds_in_one_directory_are_all_found(tmp_path: Path) -> None:
    SampleBuild(release="6.1.0-9-amd64").write(tmp_path)
    SampleBuild().write(tmp_path)
    assert list(names(tmp_path)) == [RELEASE, "6.1.0-9-amd64"]


def test_the_directory_is_known_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SampleBuild().write(tmp_path / "minivm")
    monkeypatch.chdir(tmp_path / "minivm")
    (build,) = find_builds([type(tmp_path)()])
    assert build.label == "minivm"


def test_builds_of_a_kernel_need_directories_that_tell_them_apart(tmp_path: Path) -> None:
    one = SampleBuild().write(tmp_path / "a" / "out")
    two = SampleBuild(profile="virtio").write(tmp_path / "b" / "out")
    with pytest.raises(SpecError, match="both have a file for manifest-"):
        named(find_builds([one, two]))


@pytest.mark.parametrize("name", ["my build", "-x", ".x", "ü"])
def test_only_names_that_every_service_takes_are_used(tmp_path: Path, name: str) -> None:
    one = SampleBuild().write(tmp_path / name)
    assert list(names(one)) == [RELEASE]
    two = SampleBuild(profile="virtio").write(tmp_path / "b")
    with pytest.raises(SpecError, match=re.escape(f"{name!r}, the directory of one, cannot")):
        named(find_builds([one, two]))


def test_builds_below_a_directory_are_found(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    one = SampleBuild().write(dist / "cloud")
    two = SampleBuild(profile="virtio").write(dist / "arm" / "virtio")
    # Neither deeper nor hidden, nor beside a build.
    for name in ("arm/virtio/x", "a/b/c", ".x"):
        SampleBuild().write(dist / name)
    assert build_directories([dist]) == (two, one)
    assert build_directories([one, dist, two]) == (one, two)
    assert build_directories([dist / "arm" / "virtio"]) == (two,)


def test_what_holds_no_build_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpecError, match=r"holds no build: it has no manifest-R\.json"):
        build_directories([tmp_path])
    with pytest.raises(SpecError, match=r"cannot read .*: No such file or directory"):
        build_directories([tmp_path / "none"])
