from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from rdcompose.release.builds import find_builds, named
from rdcompose.release.draft import Draft
from rdcompose.release.inventory import take_inventory
from rdcompose.release.place import Placed
from rdcompose.release.sbom import sbom
from tests.support.artifacts import (
    BLOCK,
    MODULES,
    RING,
    disk_bytes,
    disk_files,
    initramfs_bytes,
    initramfs_files,
)
from tests.support.modules import make_ko
from tests.support.packages import RELEASE, VERMAGIC
from tests.support.programs import make_program
from tests.support.releases import TIMESTAMP, SampleBuild

if TYPE_CHECKING:
    from pathlib import Path

INITRAMFS = f"initramfs-{RELEASE}"
DISK = f"modules-{RELEASE}.qcow2"


def bill(*directories: Path) -> bytes:
    """Return the bill of materials of builds."""
    builds = named(find_builds(directories))
    files = {
        build.names[file.name]: Placed(build.names[file.name], file.size, file.sha256, "")
        for build in builds
        for file in build.files
    }
    draft = Draft(
        name="My kernels",
        timestamp=TIMESTAMP,
        builds=builds,
        files=tuple(files[name] for name in sorted(files)),
    )
    return sbom(draft, [take_inventory(build) for build in builds])


def read(*directories: Path) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    """Return all components and dependencies by their references; the bill fits its schema."""
    data = bill(*directories)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode()) is None
    document = json.loads(data)
    parts: dict[str, dict[str, Any]] = {}
    todo = [document["metadata"]["component"], *document["components"]]
    while todo:
        part = todo.pop()
        assert part["bom-ref"] not in parts
        todo += part.pop("components", [])
        parts[part.pop("bom-ref")] = part
    needs = {row["ref"]: row.get("dependsOn", []) for row in document["dependencies"]}
    assert {name for row in needs.values() for name in row} <= parts.keys()
    return parts, needs


def test_files_hold_what_was_read_from_them(tmp_path: Path) -> None:
    info = {
        "version": "1.2",
        "license": "Dual BSD/GPL",
        "description": "a driver",
        "depends": "virtio_ring",
        "vermagic": VERMAGIC,
    }
    disk = disk_bytes(disk_files() | {f"{RELEASE}/kernel/a.ko": make_ko(info)})
    parts, needs = read(SampleBuild(disk=disk).write(tmp_path))
    driver = parts[f"{DISK}/{RELEASE}/kernel/a.ko"]
    assert [row["alg"] for row in driver.pop("hashes")] == ["SHA-256"]
    assert driver == {
        "name": "a",
        "type": "device-driver",
        "version": "1.2",
        "description": "a driver",
        "licenses": [{"license": {"acknowledgement": "declared", "name": "Dual BSD/GPL"}}],
    }
    ring = f"{INITRAMFS}/{MODULES}/{RING}"
    assert parts[ring]["version"] == RELEASE
    assert needs[f"{DISK}/{RELEASE}/kernel/a.ko"] == [ring]
    assert needs[f"{INITRAMFS}/{MODULES}/{BLOCK}"] == [ring]
    assert needs["release"] == sorted(
        [f"config-{RELEASE}", INITRAMFS, f"manifest-{RELEASE}.json", DISK, f"vmlinuz-{RELEASE}"]
    )


def test_inputs_are_packages_with_licences_and_addresses(tmp_path: Path) -> None:
    parts, needs = read(SampleBuild().write(tmp_path))
    (kernel,) = needs[f"vmlinuz-{RELEASE}"]
    part = parts[kernel]
    assert (part["name"], part["version"]) == (f"linux-image-{RELEASE}", "6.1.1-1")
    assert part["purl"] == (
        f"pkg:deb/debian/linux-image-{RELEASE}@6.1.1-1?arch=amd64&distro=bookworm"
    )
    assert part["licenses"] == [{"expression": "GPL-2.0-only WITH Linux-syscall-note"}]
    busybox = f"{INITRAMFS}/bin/busybox"
    assert parts[busybox]["version"] == "1:1.35.0-4"
    (package,) = needs[busybox]
    assert parts[package]["name"] == "busybox-static"
    assert set(needs[INITRAMFS]) > {kernel, package}
    assert needs[DISK] == [kernel]
    assert needs.get(f"manifest-{RELEASE}.json", []) == []


def test_added_programs_are_of_their_packages(tmp_path: Path) -> None:
    sample = SampleBuild(
        initramfs=initramfs_bytes(
            initramfs_files()
            | {"sbin/nbd-client": (0o755, make_program()), "lib/firmware/x.bin": b"blob"}
        )
    )
    data = sample.manifest()
    added = {"path": "/sbin/nbd-client", "package": "nbd-client", "why": "asked for"}
    initramfs = data["initramfs"] | {"added": [added]}
    item = data["inputs"][1] | {"role": "added", "package": "nbd-client", "version": "1:3.24-1"}
    sample.changes = {"initramfs": initramfs, "inputs": [*data["inputs"], item]}
    parts, needs = read(sample.write(tmp_path))
    assert parts[f"{INITRAMFS}/sbin/nbd-client"]["version"] == "1:3.24-1"
    (package,) = needs[f"{INITRAMFS}/sbin/nbd-client"]
    assert parts[package]["type"] == "application"
    assert parts[f"{INITRAMFS}/lib/firmware/x.bin"]["type"] == "firmware"


def test_builds_share_what_is_the_same(tmp_path: Path) -> None:
    one = SampleBuild().write(tmp_path / "one")
    two = SampleBuild(profile="virtio", disk=None).write(tmp_path / "two")
    parts, needs = read(one, two)
    names = [part["name"] for part in parts.values() if part["type"] == "operating-system"]
    assert sorted(names) == ["My kernels", f"linux-image-{RELEASE}"]
    assert len(needs["release"]) == 6


def test_a_bill_is_a_function_of_the_release(tmp_path: Path) -> None:
    one = SampleBuild().write(tmp_path / "one")
    again = SampleBuild().write(tmp_path / "again")
    first = json.loads(bill(one))
    assert bill(one) == bill(again)
    assert first["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    SampleBuild(profile="virtio").write(one)
    assert json.loads(bill(one))["serialNumber"] != first["serialNumber"]
