from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.cli.main import main
from tests.support.artifacts import write_sound
from tests.support.modules import make_ko
from tests.support.packages import RELEASE, VERMAGIC, kernel_deb, sample_files

if TYPE_CHECKING:
    from pathlib import Path

    Capture = pytest.CaptureFixture[str]

PCI = "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00"


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel, and files of another."""
    monkeypatch.chdir(tmp_path)
    files = sample_files()
    path = next(path for path in files if path.endswith("/dummy.ko"))
    files[path] = make_ko(
        [
            ("vermagic", VERMAGIC),
            ("description", "Dummy"),
            ("alias", "pci:v00001AF4d*sv*sd*bc*sc*i*"),
            ("firmware", "dummy/fw.bin"),
        ]
    )
    (tmp_path / "kernel.deb").write_bytes(kernel_deb(files))
    (tmp_path / "out").mkdir()
    write_sound(tmp_path / "out")
    return tmp_path


def asked(capsys: Capture, *words: str, status: int = 0) -> str:
    assert main(["find", *words]) == status
    return capsys.readouterr().out


def data(capsys: Capture, *words: str, status: int = 0) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(asked(capsys, *words, "--json", status=status))
    return loaded


@pytest.mark.parametrize("word", ["dummy", PCI, "dummy/fw.bin", "kernel/net/dummy.ko", "d*"])
def test_one_module(word: str, capsys: Capture) -> None:
    start = "" if word in {"dummy", "kernel/net/dummy.ko"} else f"{word}: "
    assert asked(capsys, "kernel.deb", word) == (
        f"{start}dummy, kernel/net/dummy.ko: module\n"
        "  description Dummy\n"
        "  firmware    dummy/fw.bin\n"
        "  aliases     pci:v00001AF4d*sv*sd*bc*sc*i*\n"
    )


def test_several(capsys: Capture) -> None:
    assert asked(capsys, "kernel.deb", "virtio_*", "ext4", "virtio_rong", status=1) == (
        "virtio_*, pattern:\n"
        "  virtio_blk   kernel/drivers/block/virtio_blk.ko\n"
        "  virtio_ring  kernel/drivers/virtio/virtio_ring.ko\n"
        "\n"
        "ext4, kernel/fs/ext4/ext4.ko: built in\n"
        "  license     GPL\n"
        "\n"
        "virtio_rong: nothing has this name or alias; near it are virtio_ring\n"
    )
    assert asked(capsys, "kernel.deb", "virtio_rong", "-q", status=1) == ""


def test_symbols(capsys: Capture) -> None:
    assert asked(capsys, "kernel.deb", "symbol:virtqueue_kick") == (
        "symbol:virtqueue_kick: virtio_ring, kernel/drivers/virtio/virtio_ring.ko: module\n"
        "  needed by   virtio_blk (dependency)\n"
    )


def test_files(capsys: Capture) -> None:
    """Modules of a disk are read if they are asked about."""
    found = data(capsys, "out", "dummy", "virtio_ring")
    assert found["release"] == RELEASE
    dummy, ring = (one["modules"][0] for one in found["found"])
    assert (dummy["where"], dummy["aliases"]) == (f"modules-{RELEASE}.qcow2", [])
    assert ring["where"] == f"initramfs-{RELEASE}"
    assert [need["by"] for need in ring["needed_by"]] == ["virtio_blk"]
    one = data(capsys, f"out/modules-{RELEASE}.qcow2", "virtio_ring")["found"][0]["modules"][0]
    assert (one["where"], one["aliases"]) == (None, None)


def test_damaged_files(work: Path, capsys: Capture) -> None:
    path = work / "out" / f"initramfs-{RELEASE}"
    path.write_bytes(path.read_bytes()[:-400])
    assert main(["find", str(path), "virtio_blk"]) in {0, 1}
    assert f"note: {path.name}: " in capsys.readouterr().err


def test_wrong_use(capsys: Capture) -> None:
    assert main(["find", "out", "x", "--arch", "amd64"]) == 2
    assert "--arch has no meaning for files" in capsys.readouterr().err
