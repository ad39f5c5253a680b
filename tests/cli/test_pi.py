"""``rdcompose pi``: boot folders, and changes of them."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.cli.main import main
from tests.support.bootsets import OS_CONFIG, OS_FILES
from tests.support.images import make_arm64, make_zboot
from tests.support.newc import segments
from tests.support.pi_kernels import OTHER, RELEASE, TREES, arm64_kernel, put_inputs

if TYPE_CHECKING:
    from pathlib import Path


class Workshop:
    """Inputs in a directory, and the command that makes boot folders of them."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self.out = path / "boot"
        self.capsys = capsys
        self.common = put_inputs(path)

    def run(self, *options: str, status: int = 0) -> tuple[str, str]:
        assert main(["pi", *options, "-o", str(self.out)]) == status
        printed = self.capsys.readouterr()
        return printed.out, printed.err

    def make(self, *options: str, kernels: tuple[str, ...] = ("kernel",)) -> str:
        files = [str(self.path / f"{name}.deb") for name in kernels]
        return self.run(*files, *self.common, *options)[0]

    def fail(self, *options: str, status: int = 1, kernels: tuple[str, ...] = ("kernel",)) -> str:
        """Run, expect one error and nothing changed, and return its text."""
        before = self.files()
        files = [str(self.path / f"{name}.deb") for name in kernels]
        _, err = self.run(*files, *self.common, *options, status=status)
        return self.refused(err, before)

    def refuse(self, *options: str, status: int = 2) -> str:
        """As ``fail``, of a command without inputs."""
        before = self.files()
        return self.refused(self.run(*options, status=status)[1], before)

    def refused(self, err: str, before: dict[str, bytes]) -> str:
        assert err.startswith("rdcompose: error: "), err
        assert "Traceback" not in err
        assert self.files() == before
        return err

    def files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.out).as_posix(): path.read_bytes()
            for path in self.out.rglob("*")
            if path.is_file()
        }

    def text(self, path: str) -> str:
        return (self.out / path).read_text()

    def manifest(self, release: str = RELEASE) -> dict[str, Any]:
        loaded = json.loads(self.text(f"{release}/manifest-{release}.json"))
        assert isinstance(loaded, dict)
        return loaded

    def foreign(self) -> None:
        """Put a folder there as Raspberry Pi OS has it."""
        self.out.mkdir()
        for name in OS_FILES:
            (self.out / name).write_bytes(b"theirs")
        (self.out / "config.txt").write_text(OS_CONFIG)
        (self.out / "cmdline.txt").write_text("console=tty1 root=PARTUUID=1234-02 rootwait quiet\n")


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Workshop:
    return Workshop(tmp_path, capsys)


def test_a_folder(shop: Workshop) -> None:
    said = shop.make()
    names = {
        *("kernel8.img", "initramfs8", "cmdline.txt", "SHA256SUMS", f"config-{RELEASE}"),
        *(f"{tree}.dtb" for tree in TREES),
        f"manifest-{RELEASE}.json",
    }
    assert shop.files().keys() == {"config.txt"} | {f"{RELEASE}/{name}" for name in names}
    assert f"os_prefix={RELEASE}/\n" in shop.text("config.txt")
    assert shop.text(f"{RELEASE}/cmdline.txt") == (
        "console=tty0 console=ttyAMA10,115200 console=ttyS1,115200 root=/dev/mmcblk0p2 rootwait\n"
    )
    assert f"Raspberry Pi zero2, 3, 4, 5: {RELEASE}/kernel8.img\n" in said
    manifest = shop.manifest()
    assert manifest["options"]["board"] == "zero2 3 4 5"
    assert manifest["disk"] is None
    assert {row["name"] for row in manifest["outputs"]} == names - {
        "SHA256SUMS",
        f"manifest-{RELEASE}.json",
    }
    initramfs = shop.files()[f"{RELEASE}/initramfs8"]
    assert len(initramfs) % 4 == 0
    assert [part.compression for part in segments(initramfs)] == ["zstd"]


def test_the_sums_of_a_set_are_right(shop: Workshop) -> None:
    shop.make()
    lines = shop.text(f"{RELEASE}/SHA256SUMS").splitlines()
    assert [line[66:] for line in lines] == sorted(line[66:] for line in lines)
    found = {row["name"]: row["sha256"] for row in shop.manifest()["outputs"]}
    sums = {line[66:]: line[:64] for line in lines}
    assert sums.pop(f"manifest-{RELEASE}.json")
    assert sums == found


def test_the_same_twice(shop: Workshop) -> None:
    shop.make()
    first = shop.files()
    for path in sorted(shop.out.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    shop.make("--threads", "1")
    assert shop.files() == first


def test_boards(shop: Workshop) -> None:
    shop.make("--board", "3")
    trees = {name for name in shop.files() if name.endswith(".dtb")}
    assert trees == {
        f"{RELEASE}/{name}.dtb" for name in ("bcm2837-rpi-3-b", "bcm2837-rpi-3-b-plus")
    }
    assert "console=tty0 console=ttyS1,115200 root" in shop.text(f"{RELEASE}/cmdline.txt")


def test_several_kernels(shop: Workshop) -> None:
    said = shop.make(kernels=("kernel", "other"))
    assert {name.partition("/")[0] for name in shop.files()} == {RELEASE, OTHER, "config.txt"}
    assert f"os_prefix={RELEASE}/\n" in shop.text("config.txt")
    assert OTHER not in shop.text("config.txt")
    assert OTHER in said
    shop.run("--switch", OTHER)
    assert shop.text("config.txt") == shop.text("config.previous.txt").replace(RELEASE, OTHER)


def test_a_new_kernel_a_rollback_and_what_is_stale(shop: Workshop) -> None:
    shop.make()
    first = shop.text("config.txt")
    shop.make(kernels=("other",))
    assert shop.text("config.previous.txt") == first
    said, _ = shop.run("--rollback")
    assert shop.text("config.txt") == first
    assert f"{RELEASE}/kernel8.img" in said
    shop.run("--rollback")
    assert f"os_prefix={OTHER}/" in shop.text("config.txt")
    shop.make("--cmdline", "quiet", "--remove-stale", kernels=("other",))
    names = {path.name for path in shop.out.iterdir()}
    assert names == {OTHER, f"{OTHER}.2", "config.txt", "config.previous.txt"}
    shop.run("--remove-stale")
    assert {path.name for path in shop.out.iterdir()} == names


def test_lines_of_a_user_stay(shop: Workshop) -> None:
    shop.make()
    with (shop.out / "config.txt").open("a") as file:
        file.write("dtparam=i2c_arm=on\n[pi4]\nmax_framebuffers=2\nkernel=kernel7l.img\n")
    shop.make("--board", "3,4", kernels=("other",))
    text = shop.text("config.txt")
    assert text.endswith("dtparam=i2c_arm=on\n[pi4]\nmax_framebuffers=2\n")
    assert f"os_prefix={OTHER}/\n" in text
    assert RELEASE not in text
    shop.make("--board", "3,4", kernels=("other",))
    assert shop.text("config.txt") == text


def test_flat(shop: Workshop) -> None:
    tree = ("--device-tree", "broadcom/bcm2837-rpi-3-b.dtb")
    shop.make("--flat", "--kernel-name", "vmlinuz", *tree)
    names = shop.files().keys()
    assert {"config.txt", "vmlinuz", "initramfs-vmlinuz", "bcm2711-rpi-4-b.dtb"} <= names
    text = shop.text("config.txt")
    assert "os_prefix" not in text
    assert "kernel=vmlinuz\ninitramfs initramfs-vmlinuz followkernel\n" in text
    assert "device_tree=bcm2837-rpi-3-b.dtb\n" in text


def test_options_are_in_the_manifest_and_a_lock_has_them(shop: Workshop, tmp_path: Path) -> None:
    given = ("--board", "4,3", "--root", "LABEL=root", "--cmdline", "quiet ro")
    shop.make(*given, "--kernel-name", "vmlinuz")
    options = shop.manifest()["options"]
    assert {name: options[name] for name in ("board", "root", "cmdline", "kernel-name")} == {
        "board": "3 4",
        "root": "LABEL=root",
        "cmdline": "quiet ro",
        "kernel-name": "vmlinuz",
    }
    first = shop.files()
    lock = tmp_path / "lock.json"
    lock.write_text(shop.text(f"{RELEASE}/manifest-{RELEASE}.json"))
    shop.out = tmp_path / "again"
    shop.make("--locked", str(lock))
    assert shop.files() == first


def test_a_lock_for_each_kernel(shop: Workshop, tmp_path: Path) -> None:
    shop.make(kernels=("kernel", "other"))
    first = shop.files()
    locks = []
    for release in (RELEASE, OTHER):
        path = tmp_path / f"{release}.json"
        path.write_text(shop.text(f"{release}/manifest-{release}.json"))
        locks += ["--locked", str(path)]
    shop.out = tmp_path / "again"
    shop.make(*locks, kernels=("other", "kernel"))
    assert shop.files() == first
    err = shop.fail(*locks[:2], kernels=("other",))
    assert RELEASE in err
    (tmp_path / "third.deb").write_bytes((tmp_path / "kernel.deb").read_bytes())
    err = shop.fail(*locks[2:], kernels=("kernel", "other"), status=2)
    assert "kernel.deb is of no release that --locked names" in err


def test_a_lock_of_other_firmware_is_refused(shop: Workshop, tmp_path: Path) -> None:
    firmware = tmp_path / "firmware"
    firmware.mkdir()
    for name in ("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat"):
        (firmware / name).write_bytes(name.encode())
    given = ("--pi-firmware", str(firmware))
    shop.make(*given)
    assert shop.text("start4.elf") == "start4.elf"
    assert shop.manifest()["options"]["pi-firmware"] == "./firmware"
    lock = tmp_path / "lock.json"
    lock.write_text(shop.text(f"{RELEASE}/manifest-{RELEASE}.json"))
    (firmware / "start.elf").write_bytes(b"other")
    err = shop.fail("--locked", str(lock), *given)
    assert "the pi-firmware" in err
    assert "is not the one that" in err


def test_editing_changes_what_must_change(shop: Workshop) -> None:
    shop.foreign()
    before = shop.files()
    said = shop.make("--edit", "--cmdline", "verbose")
    after = shop.files()
    text = shop.text("config.txt")
    assert text.startswith(OS_CONFIG)
    assert f"[pi3]\nos_prefix={RELEASE}/\n" in text
    assert after["config.previous.txt"] == before.pop("config.txt")
    assert before.items() <= after.items()
    line = "console=tty1 root=PARTUUID=1234-02 rootwait quiet verbose\n"
    assert shop.text(f"{RELEASE}/cmdline.txt") == line
    assert "Raspberry Pi 2: kernel7.img\n" in said
    assert f"Raspberry Pi zero2, 3, 4, 5: {RELEASE}/kernel8.img\n" in said
    rows = [row for row in shop.manifest()["inputs"] if row["role"] == "cmdline"]
    assert [row["file"] for row in rows] == ["cmdline.txt"]
    shop.run("--rollback")
    assert shop.text("config.txt") == OS_CONFIG


def test_editing_gives_another_root(shop: Workshop) -> None:
    shop.foreign()
    shop.make("--edit", "--root", "/dev/sda2")
    line = "console=tty1 root=/dev/sda2 rootwait quiet\n"
    assert shop.text(f"{RELEASE}/cmdline.txt") == line


def test_editing_a_folder_without_a_command_line(shop: Workshop) -> None:
    shop.foreign()
    (shop.out / "cmdline.txt").unlink()
    shop.make("--edit")
    assert shop.text(f"{RELEASE}/cmdline.txt").endswith("root=/dev/mmcblk0p2 rootwait\n")


def test_json(shop: Workshop) -> None:
    data = json.loads(shop.make("--json", "--board", "3"))
    assert data["written"] == [
        {
            "release": RELEASE,
            "architecture": "arm64",
            "directory": f"{RELEASE}/",
            "boards": ["3"],
        }
    ]
    assert data["boots"]["3"] == f"{RELEASE}/kernel8.img"
    assert shop.make("-q") == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--board", "6"), "there is no Raspberry Pi '6'"),
        (("--board", "2"), "runs on no board that --board names"),
        (("--board", "2,3"), "no kernel that is given runs on a Raspberry Pi 2"),
        (("--kernel-name", "a/b"), "--kernel-name 'a/b' is no file name"),
        (("--kernel-name", ""), "--kernel-name '' is no file name"),
        (("--kernel-name", "cmdline.txt"), "is no file name that the firmware takes"),
        (("--kernel-name", f"config-{RELEASE}"), "another file has it"),
        (("--edit", "--flat"), "--edit goes without --flat"),
        (("--switch", "x"), "--switch makes nothing new, and a KERNEL is given"),
        (("--rollback",), "--rollback makes nothing new, and a KERNEL is given"),
        (("--root", "/dev/sda2", "--cmdline", "quiet root=/dev/sdb2"), "are two roots"),
        (("--edit",), "is no boot folder: it has no config.txt"),
        (("--edit", "--image", "sd.img"), "--edit changes a boot folder, and --image makes a new"),
    ],
)
def test_options_that_do_not_go(shop: Workshop, options: tuple[str, ...], message: str) -> None:
    assert message in shop.fail(*options, status=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--device-tree", "none.dtb"), "has no device tree 'none.dtb'"),
        (("--device-tree", "../bcm2711-rpi-4-b.dtb"), "has no device tree '../bcm2711"),
        (("--root", "a b"), "--root 'a b' is no root"),
        (("--root", ""), "--root '' is no root"),
        (("--cmdline", "a\nb"), "has to be one line of printable ASCII"),
        (("--disk", "all"), "a boot folder has no place for a modules disk"),
    ],
)
def test_what_cannot_be_done(shop: Workshop, options: tuple[str, ...], message: str) -> None:
    assert message in shop.fail(*options, status=2 if options[0] == "--disk" else 1)


@pytest.mark.parametrize("boards", ["", ","])
def test_no_boards(shop: Workshop, boards: str) -> None:
    with pytest.raises(SystemExit) as ended:
        shop.make("--board", boards)
    assert ended.value.code == 2
    assert "names no board" in shop.capsys.readouterr().err


def test_without_a_kernel_or_a_place(shop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no KERNEL is given" in shop.refuse()
    assert main(["pi", "arm64"]) == 2
    assert "it is not said where to" in capsys.readouterr().err
    assert "is no boot folder" in shop.refuse("--rollback")
    assert "is no boot folder" in shop.refuse("--remove-stale")
    assert "has no set 6.1" in shop.refuse("--switch", "6.1")


@pytest.mark.parametrize(
    "what", [("--switch", RELEASE), ("--rollback",), ("--remove-stale",)], ids=lambda what: what[0]
)
def test_a_change_alone_takes_nothing_that_is_for_a_kernel(
    shop: Workshop, what: tuple[str, ...]
) -> None:
    shop.make()
    shop.make("--board", "4")
    for given in (("--board", "4"), ("--cmdline", "quiet"), ("--flat",), ("--root", "none")):
        error = shop.refuse(*what, *given)
        assert f"{what[0]} without a KERNEL makes nothing new, and {given[0]} is for" in error


def test_a_folder_of_someone_else_is_not_taken(shop: Workshop) -> None:
    shop.foreign()
    err = shop.fail(status=2)
    assert "has a config.txt that rdcompose did not make" in err
    assert "--edit" in err


def test_a_flat_folder_has_room_for_one(shop: Workshop) -> None:
    err = shop.fail("--flat", kernels=("kernel", "other"), status=2)
    assert "--flat has room for one kernel, and there are 2" in err


def test_a_kernel_with_the_name_of_a_file_of_the_firmware(shop: Workshop) -> None:
    firmware = shop.path / "firmware"
    firmware.mkdir()
    for name in ("start4.elf", "fixup4.dat"):
        (firmware / name).write_bytes(b"x")
    given = ("--flat", "--board", "4", "--pi-firmware", str(firmware))
    err = shop.fail(*given, "--kernel-name", "start4.elf", status=2)
    assert "the firmware has a file start4.elf, and so has the kernel's set" in err


def test_a_package_that_is_none(shop: Workshop) -> None:
    (shop.path / "broken.deb").write_bytes(b"no package")
    assert "broken.deb" in shop.fail(kernels=("kernel", "broken"))
    assert "cannot read the kernel package" in shop.fail(kernels=("kernel", "missing"))


def test_a_kernel_that_only_efi_starts_is_unpacked(shop: Workshop) -> None:
    plain = make_arm64(RELEASE)
    (shop.path / "kernel.deb").write_bytes(arm64_kernel(image=make_zboot(gzip.compress(plain))))
    shop.make()
    assert shop.files()[f"{RELEASE}/kernel8.img"] == plain


def test_a_packed_kernel_stays_as_the_firmware_knows_it(shop: Workshop) -> None:
    packed = gzip.compress(make_arm64(RELEASE))
    (shop.path / "kernel.deb").write_bytes(arm64_kernel(image=packed))
    shop.make()
    assert shop.files()[f"{RELEASE}/kernel8.img"] == packed


def test_overlays_of_the_package(shop: Workshop) -> None:
    trees = {"overlays/spi.dtbo": b"overlay", "broadcom/bcm2710-rpi-3-b.dtb": b"downstream"}
    (shop.path / "kernel.deb").write_bytes(arm64_kernel(trees=trees))
    shop.make("--board", "3")
    names = {name.removeprefix(f"{RELEASE}/") for name in shop.files()}
    assert {"overlays/spi.dtbo", "overlays/README", "bcm2710-rpi-3-b.dtb"} <= names
    # One that only Raspberry Pi's own kernel has tells whose kernel it is.
    assert "upstream_kernel" not in shop.text("config.txt")
    assert "console=serial0,115200" in shop.text(f"{RELEASE}/cmdline.txt")


def test_overlays_of_others_stay_in_a_flat_folder(shop: Workshop) -> None:
    for data in (b"first", b"second"):
        deb = arm64_kernel(trees={"overlays/spi.dtbo": data})
        (shop.path / "kernel.deb").write_bytes(deb)
        shop.make("--flat")
        (shop.out / "overlays" / "mine.dtbo").write_bytes(b"mine")
    shop.make("--flat")
    files = shop.files()
    assert (files["overlays/spi.dtbo"], files["overlays/mine.dtbo"]) == (b"second", b"mine")


def test_a_flat_folder_has_one_kernel_at_a_time(shop: Workshop) -> None:
    shop.make("--flat", "--kernel-name", "first.img")
    (shop.out / "manifest-mine.json").write_bytes(b"[]")
    built = {"outputs": [{"name": "initrd.mine"}], "options": {"profile": "pi"}}
    (shop.out / "manifest-built.json").write_text(json.dumps(built))
    (shop.out / "initrd.mine").write_bytes(b"mine")
    shop.make("--flat", "--board", "4", kernels=("other",))
    names = shop.files().keys()
    assert names == {
        *("config.txt", "config.previous.txt", "cmdline.txt", "SHA256SUMS"),
        *("kernel8.img", "initramfs8", "bcm2711-rpi-4-b.dtb", f"config-{OTHER}"),
        *(f"manifest-{OTHER}.json", "manifest-mine.json", "initrd.mine"),
        "manifest-built.json",
    }


def test_a_kernel_without_device_trees(shop: Workshop) -> None:
    (shop.path / "kernel.deb").write_bytes(arm64_kernel(names=()))
    err = shop.fail()
    assert f"the package of the kernel {RELEASE} has no device tree for any Raspberry Pi" in err
    (shop.path / "kernel.deb").write_bytes(arm64_kernel(names=("bcm2711-rpi-4-b",)))
    err = shop.fail("--board", "3,4")
    assert "has no device tree for a Raspberry Pi 3" in err
    shop.make()
    assert shop.manifest()["options"]["board"] == "4"
