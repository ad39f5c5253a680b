from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from rdcompose.errors import FormatError, ReleaseError, SpecError
from rdcompose.kernel.package import KernelPackage, read_kernels
from rdcompose.kernel.rootfs import TreeSource
from tests.support.images import gzipped, make_arm64, make_bzimage
from tests.support.packages import CONFIG, RELEASE, sample_files

OTHER = "6.1.0-8-cloud-amd64"
MODULES = sorted(path.partition(f"{RELEASE}/")[2] for path in sample_files() if ".ko" in path)


def fill(root: Path, *, boot: str = "boot", modules: str = "lib/modules", name: str = "") -> Path:
    for path, data in sample_files().items():
        place = path.replace("boot/", f"{boot}/").replace("lib/modules/", f"{modules}/")
        file = root / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (0, 1000))
    if name:
        (root / boot / f"vmlinuz-{RELEASE}").rename(root / boot / name)
    return root


def read(root: Path, release: str | None = None) -> KernelPackage:
    source = TreeSource(root, release)
    (found,) = read_kernels([source], release=source.release)
    return found


def paths(package: KernelPackage) -> list[str]:
    return [module.path for module in package.tree.modules]


def test_installed_kernel(tmp_path: Path) -> None:
    found = read(fill(tmp_path))
    assert (found.release, found.architecture.name, found.timestamp) == (RELEASE, "amd64", 1000)
    assert (found.image_name, found.image) == ("vmlinuz", make_bzimage(RELEASE))
    assert found.config_text == CONFIG.encode()
    assert paths(found) == MODULES
    assert found.tree.builtin == ("kernel/fs/ext4/ext4.ko",)
    assert found.controls == ()


@pytest.mark.parametrize(
    ("boot", "modules"), [(".", "lib/modules"), ("boot", "usr/lib/modules"), (".", "x/lib/modules")]
)
def test_staged_kernels(tmp_path: Path, boot: str, modules: str) -> None:
    """INSTALL_PATH is the directory or its boot/, and /usr may be merged."""
    root = fill(tmp_path, boot=boot, modules=modules)
    if modules.startswith("x"):
        (root / "lib").symlink_to("x/lib")
    assert paths(read(root)) == MODULES


def test_wherever_it_lies_it_is_the_same_input(tmp_path: Path) -> None:
    digests = set()
    for number, modules in enumerate(("lib/modules", "usr/lib/modules")):
        source = TreeSource(fill(tmp_path / str(number), modules=modules))
        read_kernels([source])
        digests.add(source.sha256())
    lines = [
        f"{hashlib.sha256(data).hexdigest()}  {path}\n"
        for path, data in sorted(sample_files().items())
    ]
    assert digests == {hashlib.sha256("".join(lines).encode()).hexdigest()}


def test_progress_comes_to_its_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    read_kernels(
        [TreeSource(fill(tmp_path))], progress=lambda done, total: seen.append((done, total))
    )
    total = sum(map(len, sample_files().values()))
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)


def test_links_lead_inside_the_root(tmp_path: Path) -> None:
    """Links of another system do not lead to this one, and none out of the root."""
    root = fill(tmp_path / "root", boot="data/boot", modules="data/lib/modules")
    (root / "boot").symlink_to("/data/boot")
    (root / "lib").symlink_to("../../../data/lib")
    base = root / f"data/lib/modules/{RELEASE}"
    (base / "build").symlink_to("/usr/src/linux")
    (base / "source").symlink_to("..")
    (root / "data/boot/vmlinuz").symlink_to(f"vmlinuz-{RELEASE}")
    (root / "vmlinuz").symlink_to(f"boot/vmlinuz-{RELEASE}")
    assert paths(read(root)) == MODULES


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "boot").symlink_to("b")
    (tmp_path / "b").symlink_to("boot")
    with pytest.raises(SpecError, match="symbolic links"):
        TreeSource(tmp_path)


def test_kernel_in_the_module_directory(tmp_path: Path) -> None:
    root = fill(tmp_path)
    base = root / f"lib/modules/{RELEASE}"
    (root / f"boot/vmlinuz-{RELEASE}").rename(base / "vmlinuz")
    (root / f"boot/config-{RELEASE}").rename(base / "config")
    found = read(root)
    assert (found.image, found.config_text) == (make_bzimage(RELEASE), CONFIG.encode())


@pytest.mark.parametrize("name", ["vmlinuz", "vmlinux", "kernel.img", "kernel_2712.img"])
def test_kernel_that_only_itself_tells_its_release(tmp_path: Path, name: str) -> None:
    root = fill(tmp_path, name=name)
    assert read(root).release == read(root, RELEASE).release == RELEASE
    with pytest.raises(SpecError, match=f"no kernel {OTHER}"):
        TreeSource(root, OTHER)


def test_kernel_that_is_none(tmp_path: Path) -> None:
    root = fill(tmp_path, name="kernel.img")
    (root / "boot/kernel.img").write_bytes(b"x")
    with pytest.raises(FormatError, match=r"the kernel boot/kernel.img: no kernel image"):
        TreeSource(root)


def test_kernel_below_firmware(tmp_path: Path) -> None:
    root = fill(tmp_path, name="kernel8.img")
    (root / "boot/firmware").mkdir()
    (root / "boot/kernel8.img").rename(root / "boot/firmware/kernel8.img")
    assert read(root).release == RELEASE


def test_several_kernels(tmp_path: Path) -> None:
    root = fill(tmp_path)
    boot = root / "boot"
    (boot / f"vmlinuz-{OTHER}").write_bytes(b"never looked at")
    shutil.copy(boot / f"vmlinuz-{RELEASE}", boot / f"vmlinuz-{RELEASE}.old")
    with pytest.raises(SpecError) as caught:
        TreeSource(root)
    assert caught.value.message == f"the tree holds several kernels: {RELEASE}, {OTHER}"
    assert caught.value.hint == "choose one with --release"
    assert read(root, RELEASE).release == RELEASE
    with pytest.raises(SpecError) as caught:
        TreeSource(root, "6.1.0-9")
    assert caught.value.hint == f"there is {RELEASE}, {OTHER}"


def test_modules_of_other_releases_are_not_looked_at(tmp_path: Path) -> None:
    root = fill(tmp_path)
    (root / f"lib/modules/{OTHER}").mkdir()
    (root / f"lib/modules/{OTHER}/bad.ko").write_bytes(b"no module")
    (root / f"boot/config-{OTHER}").write_bytes(b"no configuration")
    assert paths(read(root)) == MODULES


def test_nothing(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "none"):
        with pytest.raises(SpecError, match="the tree holds no kernel"):
            TreeSource(root)


def test_kernel_of_another_release_than_its_name(tmp_path: Path) -> None:
    root = fill(tmp_path)
    (root / f"boot/vmlinuz-{RELEASE}").write_bytes(make_bzimage(OTHER))
    with pytest.raises(ReleaseError, match=f"is of {RELEASE}, but the kernel inside"):
        read(root)


def test_configuration_and_modules_are_missing(tmp_path: Path) -> None:
    root = fill(tmp_path)
    shutil.rmtree(root / "lib")
    with pytest.raises(FormatError, match="the tree holds no modules, but the configuration has"):
        read(root)
    (root / f"boot/config-{RELEASE}").unlink()
    with pytest.raises(FormatError, match=f"the tree holds no boot/config-{RELEASE}"):
        read(root)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        (f"boot/vmlinuz-{RELEASE}", "sudo chmod 0644 {path}"),
        (f"lib/modules/{RELEASE}/modules.order", "run this as root"),
    ],
)
def test_files_that_only_root_may_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    path = fill(tmp_path) / name
    plain = Path.read_bytes

    def read_bytes(wanted: Path) -> bytes:
        if wanted == path:
            raise PermissionError(13, "Permission denied", str(path))
        return plain(wanted)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(SpecError) as caught:
        read(tmp_path)
    assert caught.value.message == f"cannot read {path}: Permission denied"
    assert hint.format(path=path) in (caught.value.hint or "")


def test_file_too_large_to_be_a_module(tmp_path: Path) -> None:
    root = fill(tmp_path)
    path = root / f"lib/modules/{RELEASE}/kernel/huge.ko"
    path.write_bytes(b"")
    os.truncate(path, (1 << 29) + 1)
    with pytest.raises(FormatError, match=r"huge\.ko is too large"):
        read(root)


def test_image_of_arm64_in_gzip(tmp_path: Path) -> None:
    """As ``make install`` and bindeb-pkg have it."""
    release = "6.12.0-rc3-next-20241004-dirty"
    (tmp_path / f"vmlinuz-{release}").write_bytes(gzipped(make_arm64(release)))
    config = "# Linux/arm64 6.12.0-rc3 Kernel Configuration\nCONFIG_64BIT=y\n"
    (tmp_path / f"config-{release}").write_text(config)
    found = read(tmp_path)
    assert (found.release, found.architecture.name) == (release, "arm64")
    assert found.tree.modules == ()
