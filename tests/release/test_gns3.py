from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.errors import SpecError, UsageError
from rdcompose.release.builds import find_builds, named
from rdcompose.release.draft import Draft
from rdcompose.release.gns3 import appliance, check_url, images_alone
from rdcompose.release.place import Placed
from tests.support.packages import RELEASE
from tests.support.releases import TIMESTAMP, SampleBuild

if TYPE_CHECKING:
    from pathlib import Path

ROOT = {"filename": "root.qcow2", "version": "1", "md5sum": "0" * 32, "filesize": 5}
FIRST = {
    "name": "1",
    "images": {
        "kernel_image": "vmlinuz-@R@",
        "initrd": "initramfs-@R@",
        "hda_disk_image": "root.qcow2",
        "hdb_disk_image": "modules-@R@.qcow2",
    },
}


def template(path: Path, **changes: Any) -> Path:
    """Write the template of an appliance."""
    data = {
        "appliance_id": "00000000-0000-0000-0000-000000000000",
        "name": "Mine",
        "category": "guest",
        "registry_version": 6,
        "qemu": {"arch": "x86_64", "ram": 256},
        "images": [ROOT],
        "versions": [FIRST],
    } | changes
    file = path / "mine.gns3a"
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


def draft(*directories: Path) -> Draft:
    """Return a release of builds."""
    builds = named(find_builds(directories))
    found = {}
    for build in builds:
        for file in build.files:
            data = (build.directory / file.name).read_bytes()
            md5 = hashlib.md5(data).hexdigest()
            name = build.names[file.name]
            found[name] = Placed(name, file.size, file.sha256, md5)
    return Draft(name="x", timestamp=TIMESTAMP, builds=builds, files=tuple(found.values()))


def made(path: Path, release: Draft, url: str | None = None) -> dict[str, Any]:
    """Return the appliance, which stands the checks of GNS3's registry."""
    data: dict[str, Any] = json.loads(appliance(path, release, url))
    check_appliance(data)
    return data


def check_appliance(data: dict[str, Any]) -> None:
    """Check what the registry's own script and schema check of images and versions."""
    images = {}
    sums = set()
    for image in data["images"]:
        assert image.keys() >= {"filename", "version", "md5sum", "filesize"}
        assert re.fullmatch("[a-f0-9]{32}", image["md5sum"])
        assert isinstance(image["filesize"], int)
        assert image["md5sum"] not in sums
        assert image["filename"] not in images
        sums.add(image["md5sum"])
        images[image["filename"]] = image["version"]
    names = [version["name"] for version in data["versions"]]
    assert len(set(names)) == len(names)
    for version in data["versions"]:
        assert set(version["images"].values()) <= images.keys()


def test_a_template_gets_a_version_of_the_release(tmp_path: Path) -> None:
    build = SampleBuild().write(tmp_path / "out")
    data = made(template(tmp_path), draft(build))
    rows = [
        {
            "filename": name,
            "version": RELEASE,
            "md5sum": hashlib.md5((build / name).read_bytes()).hexdigest(),
            "filesize": (build / name).stat().st_size,
        }
        for name in (f"vmlinuz-{RELEASE}", f"initramfs-{RELEASE}", f"modules-{RELEASE}.qcow2")
    ]
    assert data["images"] == [*rows, ROOT]
    # The version of the template is of files that there are none of.
    assert data["versions"] == [
        {
            "name": RELEASE,
            "images": {
                "kernel_image": f"vmlinuz-{RELEASE}",
                "initrd": f"initramfs-{RELEASE}",
                "hda_disk_image": "root.qcow2",
                "hdb_disk_image": f"modules-{RELEASE}.qcow2",
            },
        }
    ]
    assert (data["name"], data["qemu"]) == ("Mine", {"arch": "x86_64", "ram": 256})


def test_the_next_release_is_made_from_the_appliance_of_the_last(tmp_path: Path) -> None:
    first = made(template(tmp_path), draft(SampleBuild().write(tmp_path / "one")))
    (tmp_path / "mine.gns3a").write_text(json.dumps(first), encoding="utf-8")
    again = made(tmp_path / "mine.gns3a", draft(SampleBuild().write(tmp_path / "again")))
    assert again == first
    later = "6.1.0-8-cloud-amd64"
    sample = SampleBuild(release=later, initramfs=b"another", disk=b"other", timestamp=5)
    data = made(tmp_path / "mine.gns3a", draft(sample.write(tmp_path / "two")))
    assert [row["name"] for row in data["versions"]] == [later, RELEASE]
    assert len(data["images"]) == 7
    assert data["versions"][1] == first["versions"][0]


def test_earlier_versions_whose_files_are_listed_otherwise_go(tmp_path: Path) -> None:
    first = made(template(tmp_path), draft(SampleBuild().write(tmp_path / "one")))
    (tmp_path / "mine.gns3a").write_text(json.dumps(first), encoding="utf-8")
    two = SampleBuild(profile="virtio", initramfs=b"x", disk=b"y").write(tmp_path / "two")
    data = made(tmp_path / "mine.gns3a", draft(tmp_path / "one", two))
    assert [row["name"] for row in data["versions"]] == [f"{RELEASE}.one", f"{RELEASE}.two"]


def test_settings_of_the_model_are_kept(tmp_path: Path) -> None:
    machines = [
        {"template_type": "docker", "template_properties": {"image": "x"}},
        {"template_type": "qemu", "template_properties": {"platform": "aarch64"}},
    ]
    first = FIRST | {"settings": "big", "usage": "log in"}
    path = template(tmp_path, registry_version=8, settings=machines, qemu=None, versions=[first])
    arm = SampleBuild(release="6.1.0-8-arm64", architecture="arm64", disk=None)
    amd = SampleBuild().write(tmp_path / "amd")
    (version,) = made(path, draft(amd, arm.write(tmp_path / "arm")))["versions"]
    assert (version["settings"], version["usage"]) == ("big", "log in")
    # What the build does not have is left out.
    assert version["images"] == {
        "kernel_image": "vmlinuz-6.1.0-8-arm64",
        "initrd": "initramfs-6.1.0-8-arm64",
        "hda_disk_image": "root.qcow2",
    }


def test_a_template_without_versions(tmp_path: Path) -> None:
    build = draft(SampleBuild().write(tmp_path / "out"))
    data = made(template(tmp_path, versions=[], images=[]), build)
    assert data["versions"][0]["images"] == {
        "kernel_image": f"vmlinuz-{RELEASE}",
        "initrd": f"initramfs-{RELEASE}",
        "hdb_disk_image": f"modules-{RELEASE}.qcow2",
    }
    alone = json.loads(images_alone(build, None))
    assert alone == {"images": data["images"], "versions": data["versions"]}


def test_addresses_are_quoted(tmp_path: Path) -> None:
    build = SampleBuild(release="6.12.1+deb13-amd64").write(tmp_path / "out")
    data = made(template(tmp_path), draft(build), "https://example.org/v1/")
    image = data["images"][0]
    assert image["filename"] == "vmlinuz-6.12.1+deb13-amd64"
    assert image["download_url"] == "https://example.org/v1"
    assert image["direct_download_url"] == ("https://example.org/v1/vmlinuz-6.12.1%2Bdeb13-amd64")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": 1}, "it has no name"),
        ({"registry_version": 3}, "its registry_version is 3"),
        ({"registry_version": "6"}, "its registry_version is '6'"),
        ({"images": {}}, "its images are no list of objects"),
        ({"versions": [1]}, "its versions are no list of objects"),
        ({"images": [{}]}, "it has an image without filename"),
        ({"images": [{"filename": "a", "md5sum": []}]}, "a md5sum among its images is no text"),
        ({"images": [{"filename": "a", "checksum": {}}]}, "a checksum among its images is no"),
        ({"versions": [{"name": {}, "images": {}}]}, "a name among its versions is no text"),
        ({"versions": [{"name": "1"}]}, "the images of its version '1' are no names"),
        ({"versions": [{"images": {"a": 1}}]}, "the images of its version None are no names"),
        ({"qemu": {"arch": "aarch64"}}, "is an appliance for aarch64, and no build is"),
        ({"qemu": {"arch": "sparc"}}, "is an appliance for sparc, and no build is"),
        ({"qemu": None}, "describes no machine of QEMU"),
        ({"settings": [1], "qemu": None}, "describes no machine of QEMU"),
        ({"images": []}, "the first version in .* uses root.qcow2, which its images do not list"),
        (
            {"versions": [{"name": "1", "images": {"hda_disk_image": "root.qcow2"}}]},
            "the first version in .* uses no file of a build",
        ),
    ],
)
def test_templates_that_are_none(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    release = draft(SampleBuild().write(tmp_path / "out"))
    with pytest.raises(SpecError, match=said):
        appliance(template(tmp_path, **changes), release, None)


def test_files_that_are_no_templates(tmp_path: Path) -> None:
    release = draft(SampleBuild().write(tmp_path / "out"))
    file = tmp_path / "x.gns3a"
    for text, said in (("", "Expecting value"), ("[]", "it has no name"), ("[" * 9999, "nest|rec")):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(SpecError, match=f"is no appliance of GNS3: .*(?:{said})"):
            appliance(file, release, None)
    other = template(tmp_path).rename(tmp_path / "mine.json")
    with pytest.raises(SpecError, match=r"its name does not end in \.gns3a"):
        appliance(other, release, None)
    with pytest.raises(SpecError, match="cannot read the template"):
        appliance(tmp_path / "none.gns3a", release, None)


def test_urls() -> None:
    assert check_url("https://example.org/a%20b") == "https://example.org/a%20b"
    for text in ("", "example.org", "ftp://example.org", "https://a b"):
        with pytest.raises(UsageError, match="is no http or https address"):
            check_url(text)
