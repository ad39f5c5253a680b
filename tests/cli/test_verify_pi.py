"""The command ``rdcompose verify`` on what a Raspberry Pi boots."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rdcompose.cli.main import main
from tests.support.pifolders import CONFIG_TXT, OLD, RELEASE, boot_set, sd_image, sound, write

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def verify(capsys: pytest.CaptureFixture[str], *arguments: str, status: int) -> tuple[str, str]:
    assert main(["verify", *arguments]) == status
    printed = capsys.readouterr()
    return printed.out, printed.err


def test_a_sound_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, sound())
    out, err = verify(capsys, str(tmp_path), status=0)
    lines = out.splitlines()
    assert lines[0] == f"boot folder {tmp_path}: Raspberry Pi 3, 4"
    assert lines[1] == "  ok      config.txt    5 settings that count"
    assert any(line.startswith(f"{RELEASE}, arm64: R/kernel8.img, R/initramfs8") for line in lines)
    assert "FAILED" not in out
    assert "remark" not in out
    assert err == ""


def test_a_set_is_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, sound() | {"R/initramfs8": boot_set(OLD)["R/initramfs8"]})
    out, err = verify(capsys, str(tmp_path), status=1)
    assert err == (
        f"rdcompose: error: the kernel in R/kernel8.img is of {RELEASE}, but R/initramfs8 has "
        f"modules of {OLD}\n"
    )
    assert "FAILED  manifest" in out
    assert "FAILED  checksums" in out


def test_a_device_tree_of_another_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = {name.replace("R/", f"{OLD}/"): data for name, data in boot_set(OLD).items()}
    text = CONFIG_TXT + f"[pi4]\ndevice_tree=/{OLD}/bcm2711-rpi-4-b.dtb\n"
    write(tmp_path, sound() | old | {"config.txt": text.encode()})
    out, err = verify(capsys, str(tmp_path), status=1)
    assert f"is loaded with the kernel {RELEASE}" in err
    assert "FAILED  release" in out


def test_a_set_that_nobody_loads_is_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sound() | boot_set(OLD, "S/")
    write(tmp_path, files)
    out, _ = verify(capsys, str(tmp_path), status=0)
    assert f"{OLD}, arm64: S/" in out
    write(tmp_path, {"S/kernel8.img": files["R/kernel8.img"]})
    _, err = verify(capsys, str(tmp_path), status=1)
    assert OLD in err
    verify(capsys, str(tmp_path), "--release", RELEASE, "-q", status=0)
    _, err = verify(capsys, str(tmp_path), "--release", "6.0-x", status=1)
    assert err.startswith("rdcompose: error: there is nothing of 6.0-x")


def test_what_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = CONFIG_TXT.replace("initramfs initramfs8", "initramfs=initramfs8")
    write(tmp_path, sound() | {"config.txt": text.encode()})
    out, err = verify(capsys, str(tmp_path), status=1)
    assert "line 5 is passed over" in err
    # And so the kernel has no driver for its root.
    assert "FAILED  root" in out


def test_an_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sd.img"
    path.write_bytes(sd_image(sound()))
    out, _ = verify(capsys, str(path), status=0)
    assert out.startswith(f"boot partition {path}, partition 1: Raspberry Pi 3, 4\n")
    files = sound()
    files["R/kernel8.img"] = boot_set(OLD)["R/kernel8.img"]
    path.write_bytes(sd_image(files))
    out, _ = verify(capsys, str(path), status=1)
    assert "FAILED  checksums" in out


def test_a_tftp_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "1234abcd", sound())
    (tmp_path / "5678ef01").symlink_to("1234abcd")
    out, _ = verify(capsys, str(tmp_path), status=0)
    assert out.startswith(f"TFTP directory {tmp_path / '1234abcd, 5678ef01'}: Raspberry Pi 3, 4\n")
    assert "  ok      TFTP          1" in out
    text = CONFIG_TXT + "# filler\n" * 500
    write(tmp_path / "1234abcd", {"config.txt": text.encode()})
    _, err = verify(capsys, str(tmp_path), status=1)
    assert "only the first 4096 count" in err


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, sound())
    out, _ = verify(capsys, str(tmp_path), "--json", status=0)
    data = json.loads(out)
    [folder] = data["folders"]
    assert (folder["kind"], folder["ok"], folder["name"]) == ("boot folder", True, str(tmp_path))
    assert folder["boards"][0] == {
        "board": "3",
        "variant": "3 B",
        "bits": 64,
        "os_prefix": "R/",
        "kernel": "R/kernel8.img",
        "initramfs": ["R/initramfs8"],
        "device_tree": "R/bcm2837-rpi-3-b.dtb",
        "cmdline": "R/cmdline.txt",
    }
    assert [check["name"] for check in folder["checks"]] == [
        *("config.txt", "kernel", "initramfs", "device tree", "firmware", "command line"),
        *("partitions", "root", "stamp", "TFTP"),
    ]
    assert data["sets"][0]["release"] == RELEASE
