"""``rdcompose build --uki``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.formats.pe import content_of, read_pe
from tests.cli.test_build import NAMES, Workshop
from tests.support.debs import make_deb
from tests.support.efi import ARM64, make_efi_kernel, make_pe
from tests.support.farm import NEW
from tests.support.packages import RELEASE, kernel_deb, sample_files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shop

UKI = f"{RELEASE}.efi"
STUB_PATH = "usr/lib/systemd/boot/efi/linuxx64.efi.stub"


@pytest.fixture
def workshop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Workshop:
    made = Workshop(tmp_path, capsys)
    files = sample_files() | {f"boot/vmlinuz-{RELEASE}": make_efi_kernel(RELEASE)}
    made.write("kernel.deb", kernel_deb(files))
    made.write("x.efi.stub", make_pe())
    return made


def uki(workshop: Workshop, *options: str) -> list[str]:
    return ["--uki", "--uki-stub", str(workshop.path / "x.efi.stub"), *options]


def contents(data: bytes) -> dict[str, bytes]:
    return {row.name: content_of(data, row) for row in read_pe(data).sections}


def test_the_image_holds_the_other_files(workshop: Workshop) -> None:
    workshop.build(*uki(workshop, "--cmdline", "root=/dev/vda  quiet "))
    files = workshop.listing()
    assert set(files) == NAMES | {UKI}
    found = contents(files[UKI])
    assert found[".linux"] == files[f"vmlinuz-{RELEASE}"]
    assert found[".initrd"] == files[f"initramfs-{RELEASE}"]
    assert found[".cmdline"] == b"root=/dev/vda  quiet"
    assert found[".uname"] == RELEASE.encode()
    manifest: Any = workshop.manifest()
    assert manifest["uki"] == {
        "stub": "systemd-stub 257.13-1~deb13u1",
        "cmdline": "root=/dev/vda  quiet",
    }
    assert manifest["options"]["uki-stub"] == "./x.efi.stub"
    assert manifest["options"]["cmdline"] == "root=/dev/vda  quiet"
    assert UKI in [row["name"] for row in manifest["outputs"]]
    assert UKI in files["SHA256SUMS"].decode()


def test_the_other_forms_go_with_it(workshop: Workshop) -> None:
    workshop.build(*uki(workshop), "--image", "package", "--compress", "gzip", "--disk", "none")
    found = contents(workshop.listing()[UKI])
    assert found[".initrd"] == workshop.listing()[f"initramfs-{RELEASE}"]
    assert ".cmdline" not in found
    manifest: Any = workshop.manifest()
    assert manifest["uki"]["cmdline"] is None
    assert "cmdline" not in manifest["options"]


def test_an_earlier_image_does_not_stay(workshop: Workshop) -> None:
    workshop.build(*uki(workshop))
    workshop.build()
    assert set(workshop.listing()) == NAMES
    assert workshop.manifest()["uki"] is None


def test_an_image_that_is_not_ours_stays(workshop: Workshop) -> None:
    workshop.write(f"out/{UKI}", b"somebody's")
    workshop.build()
    assert workshop.listing()[UKI] == b"somebody's"


def test_a_lock_makes_the_same_image(workshop: Workshop) -> None:
    release = workshop.write("os-release", b"NAME=mine\n")
    mine = ("--os-release", str(release))
    workshop.build(*uki(workshop, "--cmdline", "quiet", *mine))
    before = workshop.listing()
    lock = workshop.write("lock.json", before[f"manifest-{RELEASE}.json"])
    stub = ("--uki-stub", str(workshop.path / "x.efi.stub"))
    workshop.build("--locked", str(lock), *stub, *mine)
    assert workshop.listing() == before
    assert "locks the os-release, which is not used here" in workshop.fail(
        "--locked", str(lock), *stub
    )
    workshop.write("x.efi.stub", make_pe(characteristics=0))
    assert "the uki-stub x.efi.stub is not the one" in workshop.fail(
        "--locked", str(lock), *stub, *mine
    )


def test_a_lock_without_an_image_takes_none(workshop: Workshop) -> None:
    workshop.build()
    lock = workshop.write("lock.json", workshop.listing()[f"manifest-{RELEASE}.json"])
    message = workshop.fail("--locked", str(lock), *uki(workshop))
    assert "the uki-stub x.efi.stub is not among what" in message


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--uki-stub", "x"], 2, "--uki-stub has no meaning without --uki"),
        (["--cmdline", ""], 2, "--cmdline has no meaning without --uki"),
        (["--os-release", "x"], 2, "--os-release has no meaning without --uki"),
        (["--uki", "--uki-stub", "a b"], 1, "--uki-stub 'a b' has blanks in it"),
        (["--uki", "--uki-stub", "./gone.stub"], 1, "cannot read the stub gone.stub: No such"),
        (["--uki", "--uki-stub", "No_Name"], 1, "--uki-stub 'No_Name' is no name of a package"),
        (["--uki", "--uki-stub", "."], 1, "cannot read the stub .: Is a directory"),
        (["--uki", "--uki-stub", "./"], 1, "cannot read the stub .: Is a directory"),
    ],
)
def test_wrong_usage(workshop: Workshop, options: list[str], status: int, message: str) -> None:
    assert message in workshop.fail(*options, status=status)


@pytest.mark.parametrize("line", ["root=/dev/vda\nquiet", "root=LABEL=Größe", "x" * 3000])
def test_wrong_command_lines(workshop: Workshop, line: str) -> None:
    assert "--cmdline h" in workshop.fail(*uki(workshop, "--cmdline", line))


@pytest.mark.parametrize(
    ("stub", "message"),
    [
        (b"no program", "no EFI program"),
        (make_pe(machine=ARM64), "is for another machine (0xaa64)"),
        (make_pe({}), "but not systemd-stub"),
        (make_pe(headers=0x200), "have no room for all of"),
    ],
)
def test_wrong_stubs(workshop: Workshop, stub: bytes, message: str) -> None:
    workshop.write("x.efi.stub", stub)
    assert message in workshop.fail(*uki(workshop))


def _stub_package(version: str = "252-1", name: str = "systemd-boot-efi") -> bytes:
    control = {"Package": name, "Version": version, "Architecture": "amd64"}
    return make_deb({STUB_PATH: make_pe()}, control=control)


@pytest.mark.parametrize(
    ("name", "options"), [("systemd-boot-efi", []), ("other-efi", ["--uki-stub", "other-efi"])]
)
def test_the_stub_of_the_archive(shop: Shop, name: str, options: list[str]) -> None:
    shop.farm.bookworm.add(_stub_package())
    shop.farm.bookworm.add(_stub_package(name="other-efi"))
    files = sample_files() | {f"boot/vmlinuz-{RELEASE}": make_efi_kernel(RELEASE)}
    shop.farm.bookworm.add(kernel_deb(files))
    shop.farm.publish()
    lists = shop.path / "lists"
    lists.mkdir()
    (lists / "modules.ramfs").write_bytes(b"virtio_blk\n")
    shop.run("build", RELEASE, "--uki", "-o", "first", "--profile", str(lists), *options)
    lock = shop.path / "first" / f"manifest-{RELEASE}.json"
    manifest = json.loads(lock.read_bytes())
    assert manifest["options"]["uki-stub"] == name
    [item] = [row for row in manifest["inputs"] if row["role"] == "uki-stub"]
    assert (item["package"], item["version"], item["source"]) == (
        name,
        "252-1",
        "archive",
    )
    assert item["archive"]["verified"]
    # Whatever is newer by now.
    shop.farm.bookworm.add(_stub_package("252-2", name))
    shop.farm.publish()
    shop.run("build", "--locked", str(lock), "--profile", str(lists))
    first = {path.name: path.read_bytes() for path in (shop.path / "first").iterdir()}
    assert first == {path.name: path.read_bytes() for path in shop.out.iterdir()}


def test_a_kernel_that_efi_does_not_start(shop: Shop) -> None:
    shop.farm.bookworm.add(_stub_package())
    shop.farm.publish()
    assert f"EFI cannot start vmlinuz-{NEW}" in shop.error("build", NEW, "--uki")


def test_an_archive_without_a_stub(shop: Shop) -> None:
    message = shop.error("build", NEW, "--uki")
    assert "--uki-stub systemd-boot-efi: no package systemd-boot-efi for amd64" in message
