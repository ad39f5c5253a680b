from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from rdcompose.cli.main import main
from rdcompose.formats.compression import BY_NAME, decompress
from rdcompose.formats.cpio import read_newc
from rdcompose.formats.squashfs.compressors import find
from rdcompose.kernel.package import read_kernels
from rdcompose.kernel.source import DebSource
from tests.support.debs import make_deb, make_tar
from tests.support.disks import QCOW2_DATA, disk_files
from tests.support.dump import digest, dump
from tests.support.images import make_bzimage
from tests.support.packages import (
    CONFIG,
    RELEASE,
    VERMAGIC,
    kernel_deb,
    module,
    sample_files,
)
from tests.support.programs import APPLETS, make_busybox, make_e2fsck
from tests.support.unmeasured import run_limited, unmeasured

OTHER = "6.1.0-8-cloud-amd64"
NAMES = {
    "SHA256SUMS",
    f"config-{RELEASE}",
    f"initramfs-{RELEASE}",
    f"manifest-{RELEASE}.json",
    f"modules-{RELEASE}.qcow2",
    f"vmlinuz-{RELEASE}",
}


class Workshop:
    """Inputs in a directory, and the command that composes them."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self.out = path / "out"
        self.capsys = capsys
        self.write("kernel.deb", kernel_deb())
        applets = dict.fromkeys(
            sorted({*APPLETS, *_applets_of_init()}, key=lambda name: name.encode()), "bin"
        )
        applets |= {name: APPLETS[name] for name in APPLETS if name in applets}
        self.write("busybox", make_busybox(applets))
        self.write("e2fsck", make_e2fsck())
        self.write("lists/modules.ramfs", b"drivers/block/virtio_blk.ko\n")
        self.write("lists/modules.autoload", b"virtio_blk\n")

    def write(self, name: str, data: bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def arguments(self, *options: str) -> list[str]:
        given = ["build", str(self.path / "kernel.deb"), "-o", str(self.out)]
        for name in ("busybox", "e2fsck"):
            if f"--{name}" not in options:
                given += [f"--{name}", str(self.path / name)]
        if "--profile" not in options:
            given += ["--profile", str(self.path / "lists")]
        return [*given, *options]

    def build(self, *options: str) -> None:
        assert main(self.arguments(*options)) == 0

    def fail(self, *options: str, status: int = 1) -> str:
        """Build, expect one error, and return its text."""
        self.capsys.readouterr()
        before = self.listing()
        assert main(self.arguments(*options)) == status
        streams = self.capsys.readouterr()
        assert streams.out == ""
        first, *hints = streams.err.splitlines()
        assert all(line.startswith("  hint: ") for line in hints)
        assert len(hints) <= 1
        assert self.listing() == before
        return first.removeprefix("rdcompose: error: ")

    def listing(self) -> dict[str, bytes]:
        if not self.out.exists():
            return {}
        return {path.name: path.read_bytes() for path in sorted(self.out.iterdir())}

    def initramfs(self) -> dict[str, str]:
        data = (self.out / f"initramfs-{RELEASE}").read_bytes()
        return dump(read_newc(decompress(data, limit=1 << 30)))

    def disk(self) -> dict[str, bytes]:
        data = (self.out / f"modules-{RELEASE}.qcow2").read_bytes()
        return disk_files(data[QCOW2_DATA:])

    def manifest(self) -> dict[str, object]:
        data = json.loads((self.out / f"manifest-{RELEASE}.json").read_bytes())
        assert isinstance(data, dict)
        return data


def _applets_of_init() -> tuple[str, ...]:
    from rdcompose.compose.userspace import INIT_APPLETS

    return INIT_APPLETS


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Workshop:
    return Workshop(tmp_path, capsys)


def test_all_files_are_written(shop: Workshop) -> None:
    shop.build()
    assert set(shop.listing()) == NAMES
    assert shop.listing()[f"vmlinuz-{RELEASE}"] == make_bzimage(RELEASE)
    assert shop.listing()[f"config-{RELEASE}"] == CONFIG.encode()


def test_the_initramfs_holds_the_selection_and_nothing_of_the_rest(shop: Workshop) -> None:
    shop.build()
    base = f"lib/modules/{RELEASE}"
    found = shop.initramfs()
    files = sample_files()
    modules = {
        path: text for path, text in found.items() if path.startswith(base) and "file" in text
    }
    wanted = [
        f"{base}/kernel/drivers/block/virtio_blk.ko",
        f"{base}/kernel/drivers/virtio/virtio_ring.ko",
        f"{base}/kernel/fs/overlayfs/overlay.ko",
        f"{base}/kernel/fs/squashfs/squashfs.ko",
    ]
    assert [path for path in modules if path.endswith(".ko")] == wanted
    assert {modules[path] for path in wanted} == {
        f"file 0644 {digest(files[path])}" for path in wanted
    }
    assert {path.rpartition("/")[2] for path in modules if ".ko" not in path} == {
        "modules.alias",
        "modules.builtin",
        "modules.dep",
        "modules.symbols",
    }
    assert found["init"].startswith("file 0755 ")
    assert found["etc/modules.autoload"] == f"file 0644 {digest(b'virtio_blk' + bytes([10]))}"
    assert found["etc/rdcompose/disk"] == f"file 0644 {digest(b'remaining' + bytes([10]))}"
    assert found["etc/rdcompose/release"] == f"file 0644 {digest(RELEASE.encode() + bytes([10]))}"
    assert found["sbin/modprobe"] == "symlink ../bin/busybox"
    assert found["sbin/fsck.ext4"] == "symlink e2fsck"


def test_the_disk_holds_the_remaining_modules_and_all_indexes(shop: Workshop) -> None:
    shop.build()
    found = shop.disk()
    assert {path for path in found if path.endswith(".ko")} == {f"{RELEASE}/kernel/net/dummy.ko"}
    names = {path.removeprefix(f"{RELEASE}/") for path in found if ".ko" not in path}
    assert names >= {"modules.dep", "modules.dep.bin", "modules.order", "modules.builtin"}
    assert b"kernel/fs/squashfs/squashfs.ko:" in found[f"{RELEASE}/modules.dep"]


def test_a_disk_with_all_modules(shop: Workshop) -> None:
    shop.build("--disk", "all")
    files = sample_files()
    prefix = "lib/modules/"
    assert {path: data for path, data in shop.disk().items() if path.endswith(".ko")} == {
        path.removeprefix(prefix): data for path, data in files.items() if path.endswith(".ko")
    }
    assert f"lib/modules/{RELEASE}/kernel/fs/overlayfs/overlay.ko" not in shop.initramfs()


def test_no_disk(shop: Workshop) -> None:
    shop.build("--disk", "none")
    assert set(shop.listing()) == NAMES - {f"modules-{RELEASE}.qcow2"}
    assert shop.manifest()["disk"] is None


def test_a_disk_of_an_earlier_composition_does_not_stay(shop: Workshop) -> None:
    shop.build()
    shop.build("--disk-format", "squashfs")
    assert set(shop.listing()) == NAMES - {f"modules-{RELEASE}.qcow2"} | {
        f"modules-{RELEASE}.squashfs"
    }
    raw = shop.listing()[f"modules-{RELEASE}.squashfs"]
    assert f"{RELEASE}/kernel/net/dummy.ko" in disk_files(raw)
    shop.build("--disk", "none")
    assert set(shop.listing()) == NAMES - {f"modules-{RELEASE}.qcow2"}


def test_checksums_of_other_releases_stay(shop: Workshop) -> None:
    shop.build()
    old = shop.listing()
    shop.write("kernel.deb", kernel_deb(other_files(), package=f"linux-image-{OTHER}"))
    shop.build()
    lines = {line[66:]: line[:64] for line in (shop.out / "SHA256SUMS").read_text().splitlines()}
    found = shop.listing()
    found.pop("SHA256SUMS")
    assert lines == {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
    assert {name: data for name, data in found.items() if RELEASE in name} == {
        name: data for name, data in old.items() if RELEASE in name
    }


def other_files() -> dict[str, bytes]:
    modules = {
        path.removeprefix(f"lib/modules/{RELEASE}/"): data.replace(RELEASE.encode(), OTHER.encode())
        for path, data in sample_files().items()
        if path.endswith(".ko")
    }
    return sample_files(OTHER, modules=modules)


@pytest.mark.parametrize("compressor", ["gzip:6", "xz", "zstd:3", "lz4", "none"])
def test_compressors_of_the_initramfs(shop: Workshop, compressor: str) -> None:
    shop.build()
    wanted = shop.initramfs()
    shop.build("--compress", compressor)
    if compressor == "none":
        data = shop.listing()[f"initramfs-{RELEASE}"]
        assert dump(read_newc(data)) == wanted
    else:
        assert shop.initramfs() == wanted


@pytest.mark.parametrize("compressor", ["gzip", "xz:3", "zstd:1"])
def test_compressors_of_the_disk(shop: Workshop, compressor: str) -> None:
    shop.build()
    wanted = shop.disk()
    shop.build("--disk-compress", compressor)
    assert shop.disk() == wanted


def test_a_kernel_with_everything_built_in(shop: Workshop) -> None:
    files = sample_files(modules={})
    files[f"boot/config-{RELEASE}"] = CONFIG.replace("=m", "=y").encode()
    shop.write("kernel.deb", kernel_deb(files))
    shop.build("--profile", "generic")
    assert set(shop.listing()) == NAMES - {f"modules-{RELEASE}.qcow2"}
    assert shop.manifest()["notes"] == [
        "the kernel has no modules: the module lists have no effect"
    ]


def test_a_vmlinux_keeps_its_name(shop: Workshop) -> None:
    files = {path.replace("vmlinuz-", "vmlinux-"): data for path, data in sample_files().items()}
    shop.write("kernel.deb", kernel_deb(files))
    shop.build()
    assert set(shop.listing()) == NAMES - {f"vmlinuz-{RELEASE}"} | {f"vmlinux-{RELEASE}"}


def test_the_manifest_tells_inputs_choices_and_outputs(shop: Workshop) -> None:
    shop.build("--compress", "zstd:3", "--disk-compress", "zstd:1")
    data = shop.manifest()
    listing = shop.listing()
    kernel = (shop.path / "kernel.deb").read_bytes()
    assert data["release"] == RELEASE
    assert data["architecture"] == "amd64"
    assert data["options"] == {
        "profile": "lists",
        "image": "package",
        "compress": "zstd:3",
        "disk": "remaining",
        "disk-format": "qcow2",
        "disk-compress": "zstd:1",
    }
    inputs = data["inputs"]
    assert isinstance(inputs, list)
    assert [item["role"] for item in inputs] == [
        "kernel",
        "template",
        "busybox",
        "e2fsck",
        "module list",
        "module list",
    ]
    assert inputs[0] == {
        "role": "kernel",
        "file": "kernel.deb",
        "sha256": hashlib.sha256(kernel).hexdigest(),
        "size": len(kernel),
        "source": "local file",
        "package": f"linux-image-{RELEASE}",
        "version": "6.1.99-1",
        "architecture": "amd64",
    }
    initramfs = data["initramfs"]
    assert isinstance(initramfs, dict)
    assert {item["name"]: item["why"] for item in initramfs["modules"]} == {
        "overlay": "required by the boot to lay the modules of the initramfs over the modules disk",
        "squashfs": "required by the boot to read the modules disk",
        "virtio_blk": "listed: 'drivers/block/virtio_blk.ko' in lists/modules.ramfs:1",
        "virtio_ring": "dependency of virtio_blk",
    }
    assert initramfs["segments"] == [
        {
            "name": "main",
            "compression": initramfs["compression"],
            "size": len(listing[f"initramfs-{RELEASE}"]),
        }
    ]
    assert data["outputs"] == [
        {
            "name": name,
            "size": len(listing[name]),
            "sha256": hashlib.sha256(listing[name]).hexdigest(),
        }
        for name in sorted(NAMES - {"SHA256SUMS", f"manifest-{RELEASE}.json"})
    ]
    assert data["disk"] == {
        "format": "qcow2",
        "compression": "zstd:1",
        "holds": "remaining",
        "modules": 1,
    }


def test_the_same_bytes_whatever_the_surroundings(shop: Workshop) -> None:
    shop.build("--threads", "1")
    first = shop.listing()
    elsewhere = shop.path / "elsewhere"
    elsewhere.mkdir()
    for name in ("kernel.deb", "busybox", "e2fsck"):
        shutil.copy(shop.path / name, elsewhere)
    shutil.copytree(shop.path / "lists", elsewhere / "lists")
    environment = {**os.environ, "TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "77"}
    subprocess.run(
        [
            *(sys.executable, "-m", "rdcompose", "build", "kernel.deb", "--busybox", "./busybox"),
            *("--e2fsck", "./e2fsck", "--profile", "./lists", "-o", "out", "--threads", "4"),
        ],
        cwd=elsewhere,
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        umask=0o077,
        check=True,
        capture_output=True,
    )
    assert {path.name: path.read_bytes() for path in (elsewhere / "out").iterdir()} == first


def test_the_time_comes_from_the_package_or_the_environment(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.build()
    with (shop.path / "kernel.deb").open("rb") as stream:
        (kernel,) = read_kernels([DebSource(stream)])
    assert shop.manifest()["timestamp"] == kernel.timestamp
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    shop.build()
    assert shop.manifest()["timestamp"] == 1_700_000_000


@pytest.mark.parametrize("value", ["-1", "1e9", "tomorrow", "4294967296", "٣"])
def test_a_wrong_source_date_epoch(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    message = shop.fail(status=2)
    assert message == f"SOURCE_DATE_EPOCH={value!r} is no number of seconds below 2^32"


def test_what_is_printed(shop: Workshop) -> None:
    shop.capsys.readouterr()
    shop.build()
    streams = shop.capsys.readouterr()
    lines = streams.out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [
        f"config-{RELEASE}",
        f"initramfs-{RELEASE}",
        f"modules-{RELEASE}.qcow2",
        f"vmlinuz-{RELEASE}",
        f"manifest-{RELEASE}.json",
        "SHA256SUMS",
    ]
    assert lines[1].endswith(f"4 modules, zstd:{BY_NAME['zstd'].default_level}")
    assert lines[2].endswith(f"1 modules, zstd:{find('zstd').default_level}")
    assert lines[-1].startswith(f"amd64 kernel {RELEASE} in ")
    assert streams.err == ""


def test_quiet_prints_nothing(shop: Workshop) -> None:
    shop.capsys.readouterr()
    shop.build("-q")
    assert shop.capsys.readouterr() == ("", "")


def test_verbose_prints_the_notes(shop: Workshop) -> None:
    shop.write("lists/modules.ramfs", b"fs/ext4/ext4.ko\ndummy\nnever?\n")
    shop.capsys.readouterr()
    shop.build()
    streams = shop.capsys.readouterr()
    assert streams.out.endswith("2 notes (shown by -v)\n")
    assert streams.err == ""
    shop.build("-v")
    notes = shop.capsys.readouterr().err.splitlines()
    assert len(notes) == 2
    assert all(note.startswith("note: ") for note in notes)


def test_json(shop: Workshop) -> None:
    shop.capsys.readouterr()
    shop.build("--json")
    data = json.loads(shop.capsys.readouterr().out)
    files = data.pop("files")
    assert data == {
        "release": RELEASE,
        "architecture": "amd64",
        "initramfs_modules": 4,
        "disk_modules": 1,
        "own_modules": [],
        "notes": [],
    }
    assert {item["name"] for item in files} == NAMES
    assert {item["path"] for item in files} == {str(shop.out / name) for name in NAMES}


def test_no_kernel_file(shop: Workshop) -> None:
    (shop.path / "kernel.deb").unlink()
    path = shop.path / "kernel.deb"
    assert shop.fail() == f"cannot read the kernel package {path}: No such file or directory"


def test_a_directory_as_kernel(shop: Workshop) -> None:
    (shop.path / "kernel.deb").unlink()
    (shop.path / "kernel.deb").mkdir()
    assert shop.fail().endswith("kernel.deb: the tree holds no kernel")


def test_a_wrong_package_is_named(shop: Workshop) -> None:
    path = shop.write("kernel.deb", b"#!/bin/sh\n")
    assert shop.fail().startswith(f"{path}: ")


@pytest.mark.parametrize("cut", [1, 60, 1000, 4000])
def test_cut_packages(shop: Workshop, cut: int) -> None:
    path = shop.write("kernel.deb", kernel_deb()[:-cut])
    assert shop.fail().startswith(f"{path}: ")


def test_a_mismatch_writes_nothing(shop: Workshop) -> None:
    files = sample_files()
    files[f"lib/modules/{RELEASE}/kernel/net/dummy.ko"] = module(VERMAGIC.replace(RELEASE, OTHER))
    shop.write("kernel.deb", kernel_deb(files))
    assert f"but 1 of 5 modules is of {OTHER}: kernel/net/dummy.ko" in shop.fail()
    assert not shop.out.exists()


@pytest.mark.parametrize(
    ("option", "config", "missing", "options"),
    [
        ("RD_ZSTD", "cannot unpack", "CONFIG_RD_ZSTD", ["--compress", "zstd"]),
        ("SQUASHFS_XZ", "cannot read", "CONFIG_SQUASHFS_XZ", ["--disk-compress", "xz"]),
        ("OVERLAY_FS", "cannot lay", "CONFIG_OVERLAY_FS", []),
        ("SQUASHFS", "cannot read", "CONFIG_SQUASHFS", ["--disk", "all"]),
        ("DEVTMPFS", "cannot run the init script", "CONFIG_DEVTMPFS", []),
        ("MODULES", "cannot run the init script", "CONFIG_MODULES", []),
        ("BLK_DEV_INITRD", "cannot unpack", "CONFIG_BLK_DEV_INITRD", []),
    ],
)
def test_what_the_kernel_lacks(
    shop: Workshop, option: str, config: str, missing: str, options: list[str]
) -> None:
    lines = [line for line in CONFIG.splitlines() if not line.startswith(f"CONFIG_{option}=")]
    gone = {"SQUASHFS": "squashfs.ko", "OVERLAY_FS": "overlay.ko"}.get(option, "-")
    files = {path: data for path, data in sample_files().items() if not path.endswith(gone)}
    files[f"boot/config-{RELEASE}"] = "\n".join(lines).encode()
    shop.write("kernel.deb", kernel_deb(files))
    message = shop.fail(*options)
    assert config in message
    assert missing in message


def test_the_best_compressor_that_the_kernel_has(shop: Workshop) -> None:
    files = sample_files()
    text = CONFIG.replace("CONFIG_RD_ZSTD=y\n", "").replace("CONFIG_SQUASHFS_ZSTD=y\n", "")
    files[f"boot/config-{RELEASE}"] = text.encode()
    shop.write("kernel.deb", kernel_deb(files))
    shop.build()
    options = shop.manifest()["options"]
    assert isinstance(options, dict)
    assert (options["compress"], options["disk-compress"]) == ("xz:6", "xz:6")


def compressions(shop: Workshop) -> tuple[object, object]:
    options = shop.manifest()["options"]
    assert isinstance(options, dict)
    assert not {"fast", "small", "preset"} & options.keys()
    return options["compress"], options["disk-compress"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], ("zstd:9", "zstd:6")),
        (["--fast"], ("zstd:3", "zstd:1")),
        (["--small"], ("zstd:19", "zstd:19")),
        (["--fast", "--compress", "gzip:2"], ("gzip:2", "zstd:1")),
        (["--small", "--compress", "zstd", "--disk-compress", "xz:0"], ("zstd:9", "xz:0")),
    ],
)
def test_presets(shop: Workshop, options: list[str], found: tuple[str, str]) -> None:
    shop.build(*options)
    assert compressions(shop) == found
    plain = (shop.initramfs(), shop.disk())
    # What was chosen is in the manifest, and holds until something else is asked for.
    manifest = shop.write("locked.json", shop.listing()[f"manifest-{RELEASE}.json"])
    locked = ["--locked", str(manifest)]
    shop.build(*locked)
    assert compressions(shop) == found
    shop.build(*locked, "--fast")
    assert compressions(shop) == ("zstd:3", "zstd:1")
    assert (shop.initramfs(), shop.disk()) == plain


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fast", "--small"], "--fast and --small contradict each other"),
        (["--compress", "rar"], "--compress: "),
        (["--compress", "zstd:99"], "--compress: "),
        (["--disk-compress", "none"], "--disk-compress: "),
        (["--disk-compress", "zstd:99"], "--disk-compress: "),
        (["--disk", "none", "--disk-compress", "xz"], "--disk-compress has no meaning"),
    ],
)
def test_options_that_do_not_go(shop: Workshop, options: list[str], message: str) -> None:
    assert shop.fail(*options, status=2).startswith(message)


@pytest.mark.parametrize(
    "options", [["--disk", "some"], ["--threads", "0"], ["--threads", "many"], ["--nonsense"]]
)
def test_wrong_usage(shop: Workshop, options: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(shop.arguments(*options))
    assert caught.value.code == 2
    assert not shop.out.exists()


def test_an_entry_that_matches_nothing(shop: Workshop) -> None:
    shop.write("lists/modules.ramfs", b"# first\ndrivers/block/virtio_blc.ko\n")
    message = shop.fail()
    assert "lists/modules.ramfs:2" in message
    assert "virtio_blk" in message


def test_a_busybox_of_another_machine(shop: Workshop) -> None:
    path = shop.write("busybox", make_busybox(machine=183))
    assert shop.fail().startswith(f"{path} is for 64-bit AArch64, but the kernel is amd64")


def test_a_busybox_without_what_init_calls(shop: Workshop) -> None:
    applets = {name: place for name, place in APPLETS.items() if name != "switch_root"}
    shop.write("busybox", make_busybox(applets))
    assert "switch_root" in shop.fail()


def test_no_busybox(shop: Workshop) -> None:
    assert shop.fail("--busybox", "none") == "the built-in init script needs busybox"


def test_no_program_at_all_with_a_template_that_needs_none(shop: Workshop) -> None:
    shop.write("template/init", b"\x7fELF anything").chmod(0o755)
    template = str(shop.path / "template")
    shop.build("--busybox", "none", "--e2fsck", "none", "--template", template)
    found = shop.initramfs()
    assert "bin/busybox" not in found
    assert found["init"] == f"file 0755 {digest(b'%cELF anything' % 0x7F)}"
    assert found["proc"] == "dir 0755"


def test_a_template_without_init_is_laid_over_the_built_in_one(shop: Workshop) -> None:
    shop.build()
    plain = shop.initramfs()
    shop.write("template/etc/motd", b"hello\n")
    shop.write("template/bin/cat", b"my cat").chmod(0o755)
    shop.build("--template", str(shop.path / "template"))
    added = {"etc/motd": f"file 0644 {digest(b'hello' + bytes([10]))}"}
    changed = {"bin/cat": f"file 0755 {digest(b'my cat')}"}
    assert shop.initramfs() == {**plain, **added, **changed}


def test_without_e2fsck(shop: Workshop) -> None:
    shop.build("--e2fsck", "none")
    assert not any("fsck" in path for path in shop.initramfs())


def test_an_output_that_cannot_be_written(shop: Workshop) -> None:
    shop.out.write_bytes(b"a file")
    shop.capsys.readouterr()
    assert main(shop.arguments()) == 1
    error = shop.capsys.readouterr().err.splitlines()[0]
    assert error == f"rdcompose: error: cannot write {shop.out}: Not a directory"


def test_an_interrupt_leaves_the_old_files(shop: Workshop) -> None:
    shop.build()
    before = shop.listing()
    padding = os.urandom(1 << 20)
    modules = {
        f"kernel/m{number}.ko": module(filler=padding.hex()[number : number + 400_000])
        for number in range(60)
    }
    modules |= {
        path.partition(f"{RELEASE}/")[2]: data
        for path, data in sample_files().items()
        if path.endswith(".ko")
    }
    shop.write("kernel.deb", kernel_deb(sample_files(modules=modules)))
    command = [sys.executable, "-m", "rdcompose", *shop.arguments("--disk-compress", "xz:9")]
    process = subprocess.Popen(
        command,
        env=unmeasured(),
        stderr=subprocess.PIPE,
        text=True,
    )
    limit = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < limit:
        if any(path.name.endswith(".tmp") for path in shop.out.iterdir()):
            process.terminate()
            break
        time.sleep(0.01)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (128 + 15, "rdcompose: interrupted\n")
    assert shop.listing() == before


def test_a_reader_that_goes_away(shop: Workshop) -> None:
    command = [sys.executable, "-m", "rdcompose", *shop.arguments()]
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (128 + 13, "")
    assert set(shop.listing()) == NAMES


def test_an_output_that_is_full(shop: Workshop) -> None:
    command = [sys.executable, "-m", "rdcompose", *shop.arguments()]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    message = "rdcompose: error: cannot write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, message)
    assert set(shop.listing()) == NAMES


def test_gzip_output_tells_no_time(shop: Workshop) -> None:
    shop.build("--compress", "gzip")
    data = shop.listing()[f"initramfs-{RELEASE}"]
    assert data[:10] == b"\x1f\x8b\x08\x00\0\0\0\0\x02\xff" or data[4:8] == bytes(4)
    assert gzip.decompress(data).startswith(b"070701")


def test_a_template_with_a_program_of_another_architecture(shop: Workshop) -> None:
    shop.write("template/init", b"#!/bin/sh\n").chmod(0o755)
    shop.write("template/bin/tool", make_busybox(machine=183))
    message = shop.fail("--template", str(shop.path / "template"))
    assert message == (
        f"bin/tool in the template {shop.path / 'template'} is for 64-bit AArch64, "
        "but the kernel is amd64 (64-bit x86-64)"
    )


def test_inputs_that_came_with_rdcompose_are_named_so(shop: Workshop) -> None:
    files = sample_files(modules={})
    files[f"boot/config-{RELEASE}"] = CONFIG.replace("=m", "=y").encode()
    shop.write("kernel.deb", kernel_deb(files))
    shop.build("--profile", "virtio")
    inputs = shop.manifest()["inputs"]
    assert isinstance(inputs, list)
    sources = {(item["role"], item["file"]): item["source"] for item in inputs}
    assert sources["template", "ramdisk-template"] == "built in"
    assert sources["module list", "virtio/modules.ramfs"] == "built in"


@pytest.mark.parametrize("size", [0, 100, 20_000, 200_000])
def test_a_disk_that_fills_up(shop: Workshop, size: int) -> None:
    shop.build()
    before = shop.listing()
    done = run_limited(["-m", "rdcompose", *shop.arguments()], size)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"rdcompose: error: cannot write {shop.out}/")
    assert line.endswith(": File too large")
    assert shop.listing() == before


HOSTILE = {
    "a name that climbs": make_tar({"../../etc/cron.d/x": b"x"}, prefix="", parents=False),
    "an absolute name": make_tar({"/etc/cron.d/x": b"x"}, prefix="", parents=False),
    "ten thousand levels": make_tar(
        {"a/" * 10_000 + "x": b"x"}, prefix="", parents=False, tar_format=tarfile.PAX_FORMAT
    ),
    "a negative size": make_tar({"x": b"x"}).replace(b"00000000001\0", b"-0000000001\0", 1),
    "a cut archive": make_tar({"boot/vmlinuz-1": b"x" * 5000})[:3000],
    "nothing": b"",
}


@pytest.mark.parametrize("tar", HOSTILE.values(), ids=[name.replace(" ", "-") for name in HOSTILE])
def test_hostile_packages(shop: Workshop, tar: bytes) -> None:
    path = shop.write("kernel.deb", make_deb({}, data_tar=tar))
    assert shop.fail().startswith(f"{path}: ")
    assert not shop.out.exists()


def test_a_template_with_linked_directories(shop: Workshop) -> None:
    shop.build()
    plain = shop.initramfs()
    template = shop.path / "template"
    shop.write("template/init", b"#!/bin/sh\n").chmod(0o755)
    (template / "usr/lib").mkdir(parents=True)
    (template / "bin").mkdir()
    (template / "lib").symlink_to("usr/lib")
    (template / "sbin").symlink_to("/bin")
    (template / "usr/bin").symlink_to("../bin")
    (template / "usr/sbin").symlink_to("bin")
    shop.build("--template", str(template))
    found = shop.initramfs()
    assert (found["lib"], found["usr/bin"]) == ("symlink usr/lib", "symlink ../bin")
    links = {path for path, text in found.items() if text == "symlink busybox"}
    assert {"bin/sh", "bin/modprobe", "bin/awk"} <= links
    modules = {path.removeprefix("lib/") for path in plain if path.startswith("lib/modules/")}
    assert {path.removeprefix("usr/lib/") for path in found if "/modules/" in path} == modules


def test_no_busybox_file(shop: Workshop) -> None:
    (shop.path / "busybox").unlink()
    assert shop.fail() == (
        f"cannot read the busybox {shop.path / 'busybox'}: No such file or directory"
    )


@pytest.mark.parametrize(
    "manifest", [None, b"{", b"[]", b'{"outputs": [5]}', b'{"outputs": [{"name": "../x"}]}']
)
def test_files_of_others_stay(shop: Workshop, manifest: bytes | None) -> None:
    shop.out.mkdir()
    own = {f"vmlinux-{RELEASE}": b"mine", f"modules-{RELEASE}.squashfs": b"mine, too"}
    for name, data in own.items():
        (shop.out / name).write_bytes(data)
    shop.write("x", b"outside")
    if manifest is not None:
        (shop.out / f"manifest-{RELEASE}.json").write_bytes(manifest)
    shop.build()
    assert set(shop.listing()) == NAMES | own.keys()
    assert {name: shop.listing()[name] for name in own} == own
    assert (shop.path / "x").read_bytes() == b"outside"


def _feature_files(shop: Workshop) -> list[str]:
    return [path for path in shop.initramfs() if path.startswith("etc/rdcompose/features/")]


def test_features_are_asked_for(shop: Workshop) -> None:
    shop.build()
    assert _feature_files(shop) == []
    shop.build("--feature", "ram")
    assert _feature_files(shop) == ["etc/rdcompose/features/ram.sh"]
    manifest = shop.manifest()
    assert isinstance(manifest["options"], dict)
    assert manifest["options"]["features"] == "ram"
    assert isinstance(manifest["inputs"], list)
    [found] = [item for item in manifest["inputs"] if item["role"] == "feature"]
    assert (found["file"], found["source"]) == ("ram", "built in")


def test_profile_names_features(shop: Workshop) -> None:
    shop.write("lists/features", b"ram  # lives in memory\n")
    shop.build()
    assert _feature_files(shop) == ["etc/rdcompose/features/ram.sh"]


def test_feature_that_cannot_be(shop: Workshop) -> None:
    assert shop.fail("--feature", "nosuch") == "there is no feature 'nosuch'"


def test_features_are_locked(shop: Workshop) -> None:
    shop.build("--feature", "ram")
    lock = shop.write("lock.json", (shop.out / f"manifest-{RELEASE}.json").read_bytes())
    before = shop.listing()
    shop.build("--locked", str(lock))
    assert shop.listing() == before
