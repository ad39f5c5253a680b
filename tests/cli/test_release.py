from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.cli.main import main
from tests.support.artifacts import BLOCK, disk_bytes, module
from tests.support.packages import RELEASE
from tests.support.releases import TIMESTAMP, SampleBuild
from tests.support.tools import tool

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = {
    "NOTES.md",
    "SHA256SUMS",
    "manifest.json",
    f"provenance-{RELEASE}.json",
    "sbom.cdx.json",
}
OWN = {
    f"config-{RELEASE}",
    f"initramfs-{RELEASE}",
    f"manifest-{RELEASE}.json",
    f"modules-{RELEASE}.qcow2",
    f"vmlinuz-{RELEASE}",
}


class Desk:
    """A directory with builds in it, and the command line."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self.out = path / "release"
        self._capsys = capsys

    def run(self, *arguments: object, status: int = 0) -> tuple[str, str]:
        """Run ``rdcompose release``; returns what it printed and its errors."""
        assert main(["release", *map(str, arguments)]) == status
        printed = self._capsys.readouterr()
        return printed.out, printed.err

    def release(self, *arguments: object) -> dict[str, Any]:
        """Release into ``out``; returns the manifest."""
        self.run(*arguments, "-o", self.out, "-q")
        return self.manifest()

    def manifest(self) -> dict[str, Any]:
        """Return the manifest of the release."""
        data: dict[str, Any] = json.loads((self.out / "manifest.json").read_bytes())
        return data

    def contents(self, directory: Path | None = None) -> dict[str, bytes]:
        """Return the files of a directory by name, by default of the release."""
        return {path.name: path.read_bytes() for path in (directory or self.out).iterdir()}


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def test_one_build_is_released_where_it_lies(desk: Desk) -> None:
    build = SampleBuild().write(desk.path / "out")
    before = desk.contents(build)
    out, err = desk.run(build)
    after = desk.contents(build)
    assert set(after) == OWN | DOCUMENTS
    assert {name: after[name] for name in OWN} == before
    assert [line.split()[0] for line in out.splitlines()] == sorted(OWN | DOCUMENTS)
    assert err == ""


def test_checksums_name_every_other_file(desk: Desk) -> None:
    desk.release(SampleBuild().write(desk.path / "out"), "--md5")
    for name, program in (("SHA256SUMS", "sha256sum"), ("MD5SUMS", "md5sum")):
        done = subprocess.run(
            [tool(program), "--check", "--strict", name],
            cwd=desk.out,
            capture_output=True,
            text=True,
            check=True,
        )
        checked = {line.removesuffix(": OK") for line in done.stdout.splitlines()}
        assert checked == set(desk.contents()) - {"SHA256SUMS", name}


def test_the_manifest_holds_those_of_all_builds(desk: Desk) -> None:
    one, two = SampleBuild(), SampleBuild(profile="virtio", timestamp=TIMESTAMP + 5)
    data = desk.release(one.write(desk.path / "one"), two.write(desk.path / "two"))
    assert (data["schema"], data["kind"], data["name"]) == (1, "release", RELEASE)
    assert data["timestamp"] == TIMESTAMP + 5
    assert [build["manifest"] for build in data["builds"]] == [one.manifest(), two.manifest()]
    assert [build["name"] for build in data["builds"]] == [f"{RELEASE}.one", f"{RELEASE}.two"]
    files = desk.contents()
    for row in data["files"] + data["documents"]:
        content = files[row["name"]]
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        assert row["size"] == len(content)
    listed = {row["name"] for row in data["files"] + data["documents"]}
    assert listed == set(files) - {"manifest.json", "SHA256SUMS"}


def test_a_release_is_the_same_wherever_it_is_made(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = SampleBuild().write(desk.path / "one")
    two = SampleBuild(profile="virtio").write(desk.path / "two")
    desk.release(one, two)
    first = desk.contents()
    desk.out = desk.path / "elsewhere" / "again"
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.chdir(desk.path / "one")
    desk.release(".", "../two")
    assert desk.contents() == first


def test_the_manifest_says_what_is_on_the_disk(desk: Desk) -> None:
    (build,) = desk.release(SampleBuild().write(desk.path / "one"))["builds"]
    assert build["disk_modules"] == ["dummy"]
    (build,) = desk.release(SampleBuild(disk=None).write(desk.path / "two"))["builds"]
    assert build["disk_modules"] == []


def test_notes_say_what_changed(desk: Desk) -> None:
    desk.release(SampleBuild().write(desk.path / "one"))
    disk = disk_bytes({f"{RELEASE}/modules.dep": b""} | {f"{RELEASE}/{BLOCK}": module()})
    later = SampleBuild(release="6.1.0-8-cloud-amd64", disk=disk).write(desk.path / "two")
    desk.release(later, "--previous", desk.out / "manifest.json")
    notes = desk.contents()["NOTES.md"].decode()
    assert f"## Changes since {RELEASE}\n" in notes
    assert "- 1 module no longer in the kernel: `dummy`\n" in notes
    desk.release(later, "--previous", desk.path / "one" / f"manifest-{RELEASE}.json")
    assert "in the kernel" not in desk.contents()["NOTES.md"].decode()
    none = desk.path / "none.json"
    _, err = desk.run(later, "-o", desk.out, "--previous", none, status=1)
    assert err == f"rdcompose: error: cannot read the manifest {none}: No such file or directory\n"


def test_directories_are_left_out(desk: Desk) -> None:
    sample = SampleBuild()
    initramfs = sample.manifest()["initramfs"]
    directory = {"name": f"embed-{RELEASE}.d", "sha256": "0" * 64}
    sample.changes = {"initramfs": initramfs | {"directory": directory}}
    build = sample.write(desk.path / "out")
    (build / f"embed-{RELEASE}.d").mkdir()
    _, err = desk.run(build, "-o", desk.out, "--no-sbom")
    said = f"{build}/embed-{RELEASE}.d is a directory, and no part of the release"
    assert err == f"rdcompose: warning: {said}\n"
    assert f"embed-{RELEASE}.d" not in {path.name for path in desk.out.iterdir()}


def test_who_built_can_be_named(desk: Desk) -> None:
    build = SampleBuild().write(desk.path / "out")
    desk.release(build, "--builder-id", "https://ci.example.org/kernels")
    statement = json.loads(desk.contents()[f"provenance-{RELEASE}.json"])
    builder = statement["predicate"]["runDetails"]["builder"]["id"]
    assert builder == "https://ci.example.org/kernels"
    _, err = desk.run(build, "--builder-id", "me", status=2)
    assert err.startswith("rdcompose: error: 'me' is no URI\n  hint: ")


def test_without_the_library_there_is_no_bill_of_materials(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = SampleBuild().write(desk.path / "out")
    monkeypatch.setitem(sys.modules, "rdcompose.release.sbom", None)
    _, err = desk.run(build, "-o", desk.out, status=1)
    assert "error: a bill of materials needs a library that is not installed" in err
    assert "--no-sbom" in err
    assert not desk.out.exists()
    desk.release(build, "--no-sbom")
    assert "sbom.cdx.json" not in desk.contents()


def test_checksums_are_signed(desk: Desk) -> None:
    build = SampleBuild().write(desk.path / "out")
    desk.release(build, "--sign-command", "cp {} {}.sig")
    files = desk.contents()
    assert files["SHA256SUMS.sig"] == files["SHA256SUMS"]
    before = dict(files)
    _, err = desk.run(build, "-o", desk.out, "--md5", "--sign-command", "false", status=1)
    assert err == "rdcompose: error: false, which was to sign, ended with 1\n"
    assert desk.contents() == before
    desk.release(build)
    assert "SHA256SUMS.sig" not in desk.contents()
    _, err = desk.run(build, "--sign-command", "", status=2)
    assert err == "rdcompose: error: the command to sign with is empty\n"


def test_appliances_of_gns3(desk: Desk) -> None:
    build = SampleBuild().write(desk.path / "out")
    template = desk.path / "mine.gns3a"
    data = {"name": "Mine", "registry_version": 4, "qemu": {"arch": "x86_64"}}
    template.write_text(json.dumps(data), encoding="utf-8")
    url = "https://example.org/v1"
    desk.release(build, "--gns3a", template, "--gns3a-images", "--download-url", url)
    files = desk.contents()
    appliance = json.loads(files["mine.gns3a"])
    image = appliance["images"][0]
    assert image["md5sum"] == hashlib.md5(files[image["filename"]]).hexdigest()
    assert image["direct_download_url"] == f"{url}/vmlinuz-{RELEASE}"
    alone = json.loads(files["gns3a-images.json"])
    assert alone == {key: appliance[key] for key in ("images", "versions")}


def test_the_time_can_be_given(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert desk.release(SampleBuild().write(desk.path / "out"))["timestamp"] == 0


def test_a_later_release_replaces_the_earlier(desk: Desk) -> None:
    desk.release(SampleBuild().write(desk.path / "one"), "--md5")
    (desk.out / "SHA256SUMS.sig").write_text("of the earlier one", encoding="utf-8")
    (desk.out / "mine").write_text("stays", encoding="utf-8")
    other = "6.1.0-8-amd64"
    desk.release(SampleBuild(release=other).write(desk.path / "two"))
    assert set(desk.contents()) == {
        "mine",
        *(name.replace(RELEASE, other) for name in OWN | DOCUMENTS),
    }


def test_a_release_among_its_builds_is_made_again(desk: Desk) -> None:
    for name, profile in (("a", "minivm"), ("b", "virtio")):
        SampleBuild(profile=profile).write(desk.path / name)
    first = desk.release(desk.path)
    before = desk.contents()
    assert desk.release(desk.path) == first
    assert desk.contents() == before
    # Nor is it a build for one that is made elsewhere.
    desk.run(desk.path, "-o", desk.path / "x/release")
    assert desk.contents(desk.path / "x/release") == before
    # Of a single build it could be one.
    desk.out = desk.path / "x/one"
    first = desk.release(desk.path / "a")
    SampleBuild(timestamp=5).write(desk.path / "x/build")
    assert desk.release(desk.path / "x")["timestamp"] == 5


def test_a_release_where_the_builds_lie_removes_none_of_them(desk: Desk) -> None:
    build = SampleBuild().write(desk.path / "out")
    desk.run(build, "--md5")
    (build / f"manifest-{RELEASE}.json").unlink()
    SampleBuild(release="6.1.0-8-amd64").write(build)
    desk.run(build, "-o", build)
    assert set(desk.contents(build)) >= OWN - {f"manifest-{RELEASE}.json"}
    assert "MD5SUMS" not in desk.contents(build)


@pytest.mark.parametrize("there", ["", "[]", "[" * 100_000], ids=["empty", "list", "deep"])
def test_what_is_no_manifest_of_a_release_is_replaced(desk: Desk, there: str) -> None:
    desk.out.mkdir()
    (desk.out / "manifest.json").write_text(there, encoding="utf-8")
    assert desk.release(SampleBuild().write(desk.path / "one"))["kind"] == "release"


@pytest.mark.parametrize("damage", ["cut", "changed", "missing"])
def test_a_build_that_is_not_as_its_manifest_says_is_refused(desk: Desk, damage: str) -> None:
    build = SampleBuild().write(desk.path / "out")
    file = build / f"initramfs-{RELEASE}"
    data = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(data[:-1] if damage == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
    before = desk.contents(build)
    _, err = desk.run(build, "-o", desk.out, status=1)
    said = {
        "missing": f"cannot read {file}: No such file or directory\n",
    }.get(damage, f"{file} is not the file that manifest-{RELEASE}.json names\n  hint: build it")
    assert err.startswith(f"rdcompose: error: {said}")
    assert not desk.out.exists()
    desk.run(build, status=1)
    assert desk.contents(build) == before


def test_each_build_s_own_copy_of_a_file_is_checked(desk: Desk) -> None:
    one = SampleBuild().write(desk.path / "one")
    two = SampleBuild(profile="virtio").write(desk.path / "two")
    (two / f"vmlinuz-{RELEASE}").write_bytes(b"another")
    _, err = desk.run(one, two, "-o", desk.out, status=1)
    assert f"{two}/vmlinuz-{RELEASE} is not the file" in err


def test_several_directories_need_one_for_the_release(desk: Desk) -> None:
    one = SampleBuild().write(desk.path / "one")
    two = SampleBuild(release="6.1.0-8-amd64").write(desk.path / "two")
    _, err = desk.run(one, two, status=2)
    assert err == (
        "rdcompose: error: a release of several directories needs one of its own\n"
        "  hint: name it with --output DIR\n"
    )
    _, err = desk.run(desk.path, status=2)
    assert "a release of several directories needs one of its own" in err
    _, err = desk.run(one, two, "-o", two, status=2)
    assert "holds one of the builds" in err


def test_the_result_as_json(desk: Desk) -> None:
    build = SampleBuild().write(desk.path / "out")
    out, _ = desk.run(build, "--json", "--name", "My kernel")
    data = json.loads(out)
    assert (data["directory"], data["name"]) == (str(build), "My kernel")
    assert data["builds"] == [RELEASE]
    assert {row["name"] for row in data["files"]} == OWN | DOCUMENTS
