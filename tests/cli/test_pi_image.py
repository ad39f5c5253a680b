"""``rdcompose pi --image``: images of SD cards."""

from __future__ import annotations

import io
import json
import os
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import pytest

from rdcompose.cli.main import main
from rdcompose.formats.ext4.reader import Ext4Image
from rdcompose.formats.fat.reader import read_fat
from rdcompose.formats.mbr import Mbr, read_mbr
from rdcompose.formats.squashfs.reader import SquashfsImage
from rdcompose.formats.window import Window
from rdcompose.tree import File, read_all
from tests.support.pi_kernels import OTHER, RELEASE, arm64_kernel, put_inputs
from tests.support.programs import make_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rdcompose.tree import Tree

MIB: Final = 1 << 20
SMALL: Final = ("--boot-size", "36M")


class Workshop:
    """Inputs in a directory, and the command that makes cards of them."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self.image = path / "out" / "sd.img"
        self.capsys = capsys
        self.common = put_inputs(path)
        root = path / "root"
        (root / "sbin").mkdir(parents=True)
        (root / "sbin" / "init").write_bytes(b"init")

    def arguments(self, *options: str, kernels: tuple[str, ...] = ("kernel",)) -> list[str]:
        files = [str(self.path / f"{name}.deb") for name in kernels]
        image = () if "--image" in options else ("--image", str(self.image))
        return ["pi", *files, *self.common, *image, *options]

    def make(self, *options: str, kernels: tuple[str, ...] = ("kernel",)) -> str:
        assert main(self.arguments(*options, kernels=kernels)) == 0
        return self.capsys.readouterr().out

    def fail(self, *options: str, status: int = 1, kernels: tuple[str, ...] = ("kernel",)) -> str:
        """Run, expect one error and nothing written, and return its text."""
        assert main(self.arguments(*options, kernels=kernels)) == status
        err = self.capsys.readouterr().err
        assert err.startswith("rdcompose: error: "), err
        assert not self.image.parent.exists()
        return err

    def table(self) -> Mbr:
        return read_mbr(self.image.read_bytes()[:512])

    def partition(self, number: int) -> BinaryIO:
        data = self.image.read_bytes()
        row = next(part for part in self.table().partitions if part.number == number)
        return cast("BinaryIO", Window(io.BytesIO(data), row.offset, row.size))

    def boot(self) -> Tree:
        return read_fat(self.partition(1))

    def text(self, path: str) -> str:
        entry = self.boot().get(path)
        assert isinstance(entry, File)
        return read_all(entry.content).decode()


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Workshop:
    return Workshop(tmp_path, capsys)


def test_a_card_without_a_root(shop: Workshop) -> None:
    said = shop.make(*SMALL)
    assert shop.image.stat().st_size == 64 * MIB
    assert [path.name for path in shop.image.parent.iterdir()] == ["sd.img"]
    table = shop.table()
    assert [(row.number, row.offset, row.size) for row in table.partitions] == [
        (1, 4 * MIB, 36 * MIB)
    ]
    uuid = table.part_uuid(2)
    assert f"root=PARTUUID={uuid} rootwait" in shop.text(f"{RELEASE}/cmdline.txt")
    manifest = json.loads(shop.text(f"{RELEASE}/manifest-{RELEASE}.json"))
    assert manifest["options"]["root"] == f"PARTUUID={uuid}"
    assert manifest["options"]["boot-size"] == "36M"
    assert "os_prefix" in shop.text("config.txt")
    assert f"signature {table.signature:08x}" in said
    assert "boot folder" in said
    assert f"kernel {RELEASE} for boards" in said


def test_the_same_twice_and_the_same_as_the_folder(shop: Workshop, tmp_path: Path) -> None:
    shop.make(*SMALL)
    first = shop.image.read_bytes()
    folder = tmp_path / "folder"
    shop.make(*SMALL, "-o", str(folder))
    assert shop.image.read_bytes() == first
    files = {
        entry.path: read_all(entry.content) for entry in shop.boot() if isinstance(entry, File)
    }
    assert files == dict(_files(folder))


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def test_a_flat_folder(shop: Workshop) -> None:
    shop.make(*SMALL, "--flat")
    assert shop.table().part_uuid(2) in shop.text("cmdline.txt")
    assert RELEASE not in shop.boot()


def test_json(shop: Workshop) -> None:
    said = json.loads(shop.make(*SMALL, "--json", "--root-from", str(shop.path / "root")))
    assert [row["release"] for row in said["written"]] == [RELEASE]
    image = said["image"]
    assert (image["path"], image["size"]) == (str(shop.image), 64 * MIB)
    assert image["signature"] == f"{shop.table().signature:08x}"
    assert 30 * MIB < image["boot_free"] < 36 * MIB
    assert image["partitions"] == [
        {"number": 1, "holds": "boot folder", "offset": 4 * MIB, "size": 36 * MIB},
        {"number": 2, "holds": "root", "offset": 40 * MIB, "size": 24 * MIB},
    ]


def test_a_card_that_fails_leaves_the_folder_alone(shop: Workshop, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    shop.fail("--image-size", "100M", "-o", str(folder))
    assert not folder.exists()


def test_a_root_of_a_directory(shop: Workshop) -> None:
    shop.make(*SMALL, "--root-from", str(shop.path / "root"))
    root = shop.partition(2)
    paths = {entry.path for entry in Ext4Image(root).entries()}
    assert "sbin/init" in paths
    [row] = [row for row in shop.table().partitions if row.number == 2]
    assert row.offset + row.size == shop.image.stat().st_size
    manifest = json.loads(shop.text(f"{RELEASE}/manifest-{RELEASE}.json"))
    [found] = [item for item in manifest["inputs"] if item["role"] == "root"]
    assert found["file"] == "root"
    assert "overlay=" not in shop.text(f"{RELEASE}/cmdline.txt")


def test_a_root_that_nothing_is_written_to(shop: Workshop) -> None:
    given = (*SMALL, "--root-from", str(shop.path / "root"), "--root-format", "squashfs")
    shop.make(*given)
    paths = {entry.path for entry in SquashfsImage(shop.partition(2)).entries()}
    assert "sbin/init" in paths
    assert shop.text(f"{RELEASE}/cmdline.txt").endswith(" overlay=tmpfs\n")
    shop.make(*given, "--cmdline", "quiet overlay=tmpfs")
    assert shop.text(f"{RELEASE}/cmdline.txt").endswith(" quiet overlay=tmpfs\n")


def test_a_root_that_the_initramfs_cannot_mount(shop: Workshop) -> None:
    lists = shop.path / "lists" / "modules.ramfs"
    lists.write_text("squashfs\n")
    given = (*SMALL, "--root-from", str(shop.path / "root"), "--root-format", "squashfs")
    message = "a root of squashfs needs the module overlay, which the initramfs of"
    assert message in shop.fail(*given)
    shop.make(*SMALL, "--root-from", str(shop.path / "root"))


def test_a_root_that_the_kernel_cannot_mount(shop: Workshop) -> None:
    image = shop.path / "root.btrfs"
    data = bytearray(1 << 20)
    data[0x10040:0x10048] = b"_BHRfS_M"
    image.write_bytes(data)
    error = shop.fail(*SMALL, "--root-from", str(image))
    assert "cannot mount a root of btrfs: it lacks CONFIG_BTRFS_FS" in error


def test_a_squashfs_that_the_kernel_cannot_unpack(shop: Workshop) -> None:
    deb = arm64_kernel(config="EXT4_FS=y\n# CONFIG_SQUASHFS_ZSTD is not set")
    (shop.path / "kernel.deb").write_bytes(deb)
    given = (*SMALL, "--root-from", str(shop.path / "root"))
    error = shop.fail(*given, "--root-format", "squashfs")
    assert "cannot read a squashfs compressed with zstd: it lacks CONFIG_SQUASHFS_ZSTD" in error
    shop.make(*given)


def test_a_root_of_another_architecture(shop: Workshop) -> None:
    init = shop.path / "root" / "sbin" / "init"
    init.write_bytes(make_program(machine=62))
    error = shop.fail(*SMALL, "--root-from", str(shop.path / "root"))
    assert "the root root is of another architecture: /sbin/init is for 64-bit x86-64" in error
    init.write_bytes(make_program(machine=183))
    shop.make(*SMALL, "--root-from", str(shop.path / "root"))


def test_a_root_without_an_init(shop: Workshop) -> None:
    root = shop.path / "root"
    (root / "sbin" / "init").rename(root / "start")
    assert "the root root has no /sbin/init" in shop.fail(*SMALL, "--root-from", str(root))
    shop.make(*SMALL, "--root-from", str(root), "--cmdline", "init=/start")


def test_another_root_gives_another_signature(shop: Workshop) -> None:
    given = (*SMALL, "--root-from", str(shop.path / "root"))
    shop.make(*given)
    first = shop.table().signature
    (shop.path / "root" / "more").write_bytes(b"")
    shop.make(*given)
    assert shop.table().signature != first


@pytest.mark.parametrize(
    ("options", "root", "signature"),
    [
        (("--root", "PARTUUID=00c0ffee-02"), "root=PARTUUID=00c0ffee-02", 0xC0FFEE),
        (("--root", "/dev/sda2"), "root=/dev/sda2", None),
        (("--cmdline", "root=LABEL=x"), "root=LABEL=x", None),
    ],
)
def test_names_of_the_root(
    shop: Workshop, options: tuple[str, ...], root: str, signature: int | None
) -> None:
    shop.make(*SMALL, *options)
    line = shop.text(f"{RELEASE}/cmdline.txt").split()
    assert [word for word in line if word.startswith("root=")] == [root]
    assert signature in {None, shop.table().signature}


def test_the_modules_of_all_kernels_on_one_partition(shop: Workshop) -> None:
    shop.make(*SMALL, "--disk", "remaining", kernels=("kernel", "other"))
    paths = {entry.path for entry in SquashfsImage(shop.partition(3)).entries()}
    assert {f"{release}/kernel/net/dummy.ko" for release in (RELEASE, OTHER)} <= paths
    assert [row.number for row in shop.table().partitions] == [1, 3]


def test_a_lock_gives_the_same_card(shop: Workshop) -> None:
    given = ("--root-from", str(shop.path / "root"))
    shop.make(*SMALL, *given)
    first = shop.image.read_bytes()
    before = shop.text(f"{RELEASE}/manifest-{RELEASE}.json")
    lock = shop.path / "lock.json"
    lock.write_text(before)
    shop.make("--locked", str(lock), *given)
    assert shop.text(f"{RELEASE}/manifest-{RELEASE}.json") == before
    assert shop.image.read_bytes() == first
    (shop.path / "root" / "sbin" / "init").write_bytes(b"another")
    assert main(shop.arguments("--locked", str(lock), *given)) == 1
    assert "the root is not the one that" in shop.capsys.readouterr().err
    assert shop.image.read_bytes() == first


def test_disks_that_do_not_become_one(shop: Workshop) -> None:
    config = "EXT4_FS=y\n# CONFIG_SQUASHFS_ZSTD is not set"
    (shop.path / "other.deb").write_bytes(arm64_kernel(OTHER, config=config))
    error = shop.fail("--disk", "all", status=2, kernels=("kernel", "other"))
    assert "do not read the same compression of a modules disk" in error
    shop.make(*SMALL, "--disk", "all", "--disk-compress", "gzip", kernels=("kernel", "other"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("root-format", "--root-format: 'much' is none of ext4 and squashfs"),
        ("boot-size", "--boot-size: 'much' is no size"),
    ],
)
def test_a_lock_that_says_something_else(shop: Workshop, name: str, message: str) -> None:
    given = (*SMALL, "--root-from", str(shop.path / "root"))
    shop.make(*given)
    manifest = json.loads(shop.text(f"{RELEASE}/manifest-{RELEASE}.json"))
    manifest["options"][name] = "much"
    lock = shop.path / "lock.json"
    lock.write_text(json.dumps(manifest))
    assert main(shop.arguments("--locked", str(lock), *given[2:])) == 2
    assert message in shop.capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--boot-size", "8M"), "the boot partition is to have 8"),
        (("--boot-size", "much"), "--boot-size: 'much' is no size"),
        (("--image-size", "-1"), "--image-size: '-1' is no size"),
        (("--image-size", "100M"), "the partitions take 260 MiB, and the image is to have 100"),
        (("--root-from", "/nowhere"), "cannot read the root /nowhere: No such file"),
    ],
)
def test_what_cannot_be(shop: Workshop, options: tuple[str, ...], message: str) -> None:
    assert message in shop.fail(*options, status=2 if "no size" in message else 1)


def test_a_directory_in_the_way(shop: Workshop) -> None:
    shop.image.mkdir(parents=True)
    assert main(shop.arguments(*SMALL)) == 1
    assert "it is a directory" in shop.capsys.readouterr().err
    assert [path.name for path in shop.image.parent.iterdir()] == ["sd.img"]


def test_a_device_in_the_way(shop: Workshop) -> None:
    shop.image.parent.mkdir()
    os.mkfifo(shop.image)
    assert main(shop.arguments(*SMALL)) == 1
    assert "it is no file\n  hint: write a file, and copy it" in shop.capsys.readouterr().err
    assert shop.image.is_fifo()
    assert [path.name for path in shop.image.parent.iterdir()] == ["sd.img"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--root-from", "x"), "--root-from is for an image of an SD card"),
        (("--image-size", "1G"), "--image-size is for an image of an SD card"),
        (("--disk", "all"), "a boot folder has no place for a modules disk"),
    ],
)
def test_what_only_a_card_has(
    shop: Workshop, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    folder = tmp_path / "folder"
    given = [*shop.arguments("--image", "-")[:-2], "-o", str(folder), *options]
    assert main(given) == 2
    assert message in shop.capsys.readouterr().err
    assert not folder.exists()


def test_it_must_be_said_where_to(shop: Workshop) -> None:
    assert main(shop.arguments("--image", "-")[:-2]) == 2
    assert "--image FILE" in shop.capsys.readouterr().err
