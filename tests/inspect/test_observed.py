from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError
from rdcompose.inspect.observed import (
    Observed,
    parse_lsmod,
    parse_modaliases,
    read_machine,
    read_saved,
)

if TYPE_CHECKING:
    from pathlib import Path

KMOD = b"""\
Module                  Size  Used by
virtio_net             86016  0
net_failover           20480  1 virtio_net
failover               12288  1 net_failover
"""
BUSYBOX = b"""\
Module                  Size  Used by    Tainted: G
virtio_net             86016  0
net_failover           20480  1 virtio_net
failover               12288  1 net_failover
"""
PROC = b"""\
virtio_net 86016 0 - Live 0xffffffffc0a31000
net_failover 20480 1 virtio_net, Live 0x0000000000000000
failover 12288 1 net_failover, Live 0x0000000000000000 (E)
"""
CARD = "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00"


@pytest.mark.parametrize("text", [KMOD, BUSYBOX, PROC], ids=["kmod", "busybox", "proc"])
def test_lsmod_oldest_first(text: bytes) -> None:
    assert parse_lsmod(text, name="x") == ("failover", "net_failover", "virtio_net")
    assert parse_lsmod(text.replace(b"\n", b"\r\n"), name="x")[0] == "failover"


def test_lsmod_of_a_kernel_that_unloads_nothing() -> None:
    assert parse_lsmod(b"Module  Size  Used by\nfat 81920 -\nvfat 20480 -2\n", name="x") == (
        "vfat",
        "fat",
    )
    assert parse_lsmod(b"snd-hda 81920\n", name="x") == ("snd_hda",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "x names no module"),
        (b"Module  Size  Used by\n", "x names no module"),
        (KMOD + b"\x1b[1mroot@host\n", r"x:5: '\\x1b\[1mroot@host' is no line of lsmod"),
        (b"\xff\xfe\0", "x:1: .* is no line of lsmod"),
        (b"a" * 100, "x:1: '" + "a" * 60 + "'… is no line of lsmod"),
        (f"{CARD}\n".encode(), "x:1: 'pci:.* is no line of lsmod"),
    ],
    ids=["empty", "header", "prompt", "bytes", "long", "modalias"],
)
def test_what_is_no_lsmod(text: bytes, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_lsmod(text, name="x")


@pytest.mark.parametrize(
    "text",
    [
        f"{CARD}\n\nacpi:PNP0C0C:\n{CARD}\n",
        f"/sys/devices/pci0000:00/0000:00:03.0/modalias:{CARD}\nx/modalias:acpi:PNP0C0C:\n",
        f"DRIVER=virtio-pci\nMODALIAS={CARD}\n\nMODALIAS=acpi:PNP0C0C:\n",
        f"P: /devices/x\nE: DEVPATH=/devices/x\nE: MODALIAS={CARD}\nE: MODALIAS=acpi:PNP0C0C:\n",
    ],
    ids=["cat", "grep", "uevent", "udevadm"],
)
def test_texts_of_modaliases(text: str) -> None:
    assert parse_modaliases(text.encode(), name="x") == (CARD, "acpi:PNP0C0C:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "x has no modalias"),
        (b"DRIVER=x\nMODALIAS=\n", "x has no modalias"),
        (KMOD, "x:1: 'Module .* is no modalias"),
        (b"pci: \n", "x:1: 'pci:' is no modalias"),
    ],
    ids=["empty", "uevent", "lsmod", "bare"],
)
def test_what_is_no_text_of_modaliases(text: bytes, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_modaliases(text, name="x")


def sysfs(top: Path) -> Path:
    """Make a small /sys with what is in the way: links in circles, files that are no text."""
    card = top / "devices/pci0000:00/0000:00:03.0"
    files = {
        card / "modalias": f"{CARD}\n",
        card / "uevent": f"DRIVER=virtio-pci\nMODALIAS={CARD}\n",
        top / "devices/platform/serial/modalias": "",
        top / "devices/mmc0:0001/uevent": "MODALIAS=mmc:block\n",
        top / "module/virtio_pci/initstate": "live\n",
        top / "module/8250/parameters/nr_uarts": "4\n",
        # Drivers have attributes of the same name.
        top / "bus/pci/drivers/x/uevent": "MODALIAS=pci:never\n",
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (card / "subsystem").symlink_to("../..")
    (card / "driver").mkdir()
    (card / "driver" / "modalias").symlink_to("../modalias")
    return top


SEEN = Observed(loaded=("virtio_pci",), devices=("mmc:block", CARD))


def test_a_directory(tmp_path: Path) -> None:
    assert read_machine(sysfs(tmp_path / "sys")) == SEEN


def test_a_copy_of_a_part(tmp_path: Path) -> None:
    sysfs(tmp_path / "sys")
    found = read_machine(tmp_path / "sys/devices/pci0000:00")
    assert found == Observed(devices=(CARD,))


def archive(top: Path, *, page: int = 0) -> bytes:
    """An archive of it, with each file filled up to a page, as tar has it of a real one."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for path in sorted(top.rglob("*")):
            info = made.gettarinfo(path, f"sys/{path.relative_to(top)}")
            data = path.read_bytes().ljust(page, b"\0") if info.isfile() else b""
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize("page", [0, 4096])
def test_an_archive(tmp_path: Path, page: int) -> None:
    data = archive(sysfs(tmp_path / "sys"), page=page)
    # Below bus/ no links are in the archive: what is there is taken for devices.
    assert set(read_saved(data, name="x").devices) >= set(SEEN.devices)
    assert read_saved(data, name="x").loaded == SEEN.loaded
    (tmp_path / "sys.tgz").write_bytes(gzip.compress(data))
    assert read_machine(tmp_path / "sys.tgz") == read_saved(data, name="x")


def test_a_text_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "aliases").write_text(f"{CARD}\n")
    assert read_machine(tmp_path / "aliases") == Observed(devices=(CARD,))


def test_what_is_no_machine(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot read .*gone: No such file"):
        read_machine(tmp_path / "gone")
    with pytest.raises(SpecError, match=r"holds no modalias of a device, so it is no /sys"):
        read_machine(tmp_path)
    data = archive(sysfs(tmp_path / "sys"))
    with pytest.raises(SpecError, match=r"^x: "):
        read_saved(data[:700], name="x")
    with pytest.raises(SpecError, match=r"^x: the gzip data "):
        read_saved(gzip.compress(data)[:-20], name="x")
    with pytest.raises(SpecError, match="is over 64 MiB"):
        read_saved(bytes((64 << 20) + 1), name="x")
    with pytest.raises(SpecError, match=r"^x: .* unpacks to more"):
        read_saved(gzip.compress(bytes((64 << 20) + 1), 1), name="x")


def test_more_than_any_machine_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("rdcompose.inspect.observed._MOST", 1)
    with pytest.raises(SpecError, match="names more than 1, as no machine has them"):
        read_machine(sysfs(tmp_path / "sys"))
    with pytest.raises(SpecError, match="x names more than 1"):
        parse_lsmod(KMOD, name="x")
    with pytest.raises(SpecError, match="x names more than 1"):
        parse_modaliases(f"{CARD}\nacpi:X:\n".encode(), name="x")


def test_names_that_nothing_has() -> None:
    """Long ones would take their time to look up."""
    with pytest.raises(SpecError, match=r"x:1: 'aaa.* is no line of lsmod"):
        parse_lsmod(b"a" * 129 + b" 1 0\n", name="x")
    with pytest.raises(SpecError, match=r"x:1: 'pci:aaa.* is no modalias"):
        parse_modaliases(b"pci:" + b"a" * 4096, name="x")


def test_together() -> None:
    both = SEEN.and_also(Observed(loaded=("fat", "virtio_pci"), asked=("fs-ext4",)))
    assert both == Observed(loaded=("virtio_pci", "fat"), devices=SEEN.devices, asked=("fs-ext4",))
