"""Builds with a kernel that was read before give what builds without give."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import threading
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from rdcompose.archive.cache import Cache
from rdcompose.cli import kernel_origin, prepared
from rdcompose.cli.main import main
from rdcompose.cli.prepared import KernelStore
from rdcompose.formats.squashfs import compressors
from rdcompose.kernel.package import read_kernels
from tests.cli.test_build import Workshop
from tests.cli.test_pi import Workshop as PiWorkshop
from tests.support.packages import RELEASE, kernel_deb, module, sample_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATH = "kernel/net/dummy.ko"


class Bench(Workshop):
    """A workshop with a cache, which counts how often a kernel was read."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(path, capsys)
        self.cache = path / "cache"
        self.kernel = path / "kernel.deb"
        self.read = 0

    def lists(self, ramfs: str, autoload: str) -> None:
        self.write("lists/modules.ramfs", f"{ramfs}\n".encode())
        self.write("lists/modules.autoload", f"{autoload}\n".encode())

    def files_of(self, *options: str, kernel: Path | None = None) -> dict[str, bytes]:
        """Build, and return the files."""
        shutil.rmtree(self.out, ignore_errors=True)
        if "--cache" not in options:
            options += ("--cache", str(self.cache))
        given = self.arguments("-q", *options)
        given[1] = str(kernel or self.kernel)
        assert main(given) == 0, self.capsys.readouterr().err
        return self.listing()

    def fresh(self, *options: str, kernel: Path | None = None) -> dict[str, bytes]:
        """Return what a build gives that uses nothing of another."""
        before = self.read
        found = self.files_of("--no-prepared", *options, kernel=kernel)
        self.read = before
        return found

    def kept(self) -> list[Path]:
        return sorted((self.cache / "prepared").glob("*"))

    def stored(self) -> Path:
        """Return the file of the kernel."""
        return next(p for p in self.kept() if b"rdcompose0001" in p.read_bytes()[:1000])

    def blocks(self) -> Path:
        """Return the file with the blocks of the disk."""
        kernel = self.stored()
        return next(path for path in self.kept() if path != kernel)


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    found = Bench(tmp_path, capsys)

    def counting(*arguments: Any, **options: Any) -> Any:
        found.read += 1
        return read_kernels(*arguments, **options)

    with mock.patch.object(kernel_origin, "read_kernels", counting):
        yield found


def test_a_second_build_reads_nothing_and_writes_the_same(bench: Bench) -> None:
    first = bench.files_of()
    assert bench.read == 1
    assert bench.files_of() == first == bench.fresh()
    assert bench.read == 1


def test_another_list_is_built_from_what_was_read(bench: Bench) -> None:
    bench.files_of()
    bench.lists("net/dummy.ko", "dummy")
    found = bench.files_of("--disk", "none")
    assert bench.read == 1
    assert found == bench.fresh("--disk", "none")


def test_without_it_nothing_is_kept(bench: Bench) -> None:
    bench.files_of("--no-prepared")
    bench.files_of("--no-prepared")
    assert bench.read == 2
    assert not bench.cache.exists()


def test_a_kernel_that_changed_is_read_anew(bench: Bench) -> None:
    bench.files_of()
    files = sample_files()
    files[f"lib/modules/{RELEASE}/{PATH}"] = module(description="another")
    bench.kernel.write_bytes(kernel_deb(files))
    assert bench.files_of() == bench.fresh()
    assert bench.read == 2


def test_of_a_kernel_that_looks_the_same_the_digest_counts(bench: Bench) -> None:
    bench.files_of()
    data = bench.kernel.read_bytes()
    files = sample_files()
    files[f"lib/modules/{RELEASE}/{PATH}"] = module(description="another")
    other = kernel_deb(files)
    with mock.patch.object(kernel_origin.Packages, "sketch", return_value=("same",)):
        bench.files_of()
        bench.kernel.write_bytes(other)
        changed = bench.files_of()
        assert changed == bench.fresh()
        bench.kernel.write_bytes(data)
        assert bench.files_of() == bench.fresh() != changed


def _installed(path: Path) -> Path:
    root = path / "root"
    for name, data in sample_files().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
        os.utime(root / name, (1_700_000_000, 1_700_000_000))
    return root


def test_a_directory_is_read_once(bench: Bench) -> None:
    root = _installed(bench.path)
    first = bench.files_of(kernel=root)
    assert bench.files_of(kernel=root) == first == bench.fresh(kernel=root)
    assert bench.read == 1


@pytest.mark.parametrize("change", ["content", "time", "more", "less"])
def test_a_directory_that_changed_is_read_anew(bench: Bench, change: str) -> None:
    root = _installed(bench.path)
    bench.files_of(kernel=root)
    file = root / "lib/modules" / RELEASE / PATH
    if change == "content":
        # Size and time stay as they were.
        for each in (root / "lib/modules" / RELEASE).rglob("*.ko"):
            data = bytearray(each.read_bytes())
            at = data.index(b"mod_unload")
            data[at] ^= 0x20
            each.write_bytes(bytes(data))
            os.utime(each, (1_700_000_000, 1_700_000_000))
    elif change == "time":
        os.utime(file, (1_800_000_000, 1_800_000_000))
    elif change == "more":
        file.with_name("dummy2.ko").write_bytes(file.read_bytes())
    else:
        file.unlink()
    assert bench.files_of(kernel=root) == bench.fresh(kernel=root)
    assert bench.read == 2


def test_another_choice_is_another_kernel(bench: Bench) -> None:
    bench.files_of()
    bench.files_of("--release", RELEASE)
    assert bench.read == 2
    bench.files_of("--arch", "amd64")
    assert bench.read == 3
    bench.files_of("--arch", "amd64")
    assert bench.read == 3


def test_locked_builds_are_checked_as_ever(bench: Bench, tmp_path: Path) -> None:
    bench.files_of()
    manifest = tmp_path / "manifest.json"
    shutil.copy(tmp_path / "out" / f"manifest-{RELEASE}.json", manifest)
    assert bench.files_of("--locked", str(manifest)) == bench.files_of()
    data = json.loads(manifest.read_bytes())
    for item in data["inputs"]:
        if item["role"] == "kernel":
            item["sha256"] = "0" * 64
    manifest.write_text(json.dumps(data), encoding="utf-8")
    assert "is not the one" in bench.fail("--locked", str(manifest), "--cache", str(bench.cache))


@pytest.mark.parametrize("place", [0, 5, 20, 60, 110, 400, 0.3, 0.5, 0.9, 0.999])
def test_damage_never_shows(bench: Bench, place: float) -> None:
    first = bench.files_of()
    path = bench.stored()
    data = bytearray(path.read_bytes())
    at = place if isinstance(place, int) else int(place * len(data))
    data[at] ^= 0xFF
    path.write_bytes(bytes(data))
    assert bench.files_of() == first
    assert bench.files_of() == first


@pytest.mark.parametrize("size", [0, 3, 100, 0.5, 0.99])
def test_a_cut_file_never_shows(bench: Bench, size: float) -> None:
    first = bench.files_of()
    path = bench.stored()
    whole = path.stat().st_size
    os.truncate(path, size if isinstance(size, int) else int(whole * size))
    assert bench.files_of() == first
    assert bench.read == 2
    assert bench.stored().stat().st_size == whole
    assert bench.files_of() == first
    assert bench.read == 2


def test_what_is_cut_while_it_is_used_never_shows(bench: Bench) -> None:
    first = bench.files_of()
    path = bench.stored()
    obtain = KernelStore.obtain

    def cutting(*arguments: Any, **options: Any) -> Any:
        found = obtain(*arguments, **options)
        os.truncate(path, 1000)
        return found

    with mock.patch.object(KernelStore, "obtain", cutting):
        assert bench.files_of("--disk", "none") == bench.fresh("--disk", "none")
    assert bench.files_of() == first


def test_a_kernel_that_has_gone_when_it_is_read_again_is_named(bench: Bench) -> None:
    bench.files_of()
    obtain = KernelStore.obtain

    def cutting(*arguments: Any, **options: Any) -> Any:
        found = obtain(*arguments, **options)
        os.truncate(bench.stored(), 1000)
        bench.kernel.unlink()
        return found

    with mock.patch.object(KernelStore, "obtain", cutting):
        said = bench.fail("--disk", "all", "--cache", str(bench.cache))
    assert f"cannot read the kernel again: {bench.kernel}: No such file" in said


def test_the_same_blocks_are_not_compressed_again(bench: Bench) -> None:
    first = bench.files_of()
    compressed: list[bytes] = []
    make = compressors.compress_function

    def counting(*arguments: Any) -> Any:
        compress = make(*arguments)

        def counted(data: bytes) -> bytes:
            compressed.append(data)
            return compress(data)

        return counted

    with mock.patch("rdcompose.formats.squashfs.writer.compress_function", counting):
        assert bench.files_of() == first
        # The tables of the image are made anew; no module is in them.
        assert not any(b"vermagic" in data for data in compressed)
        assert bench.fresh() == first
        assert any(b"vermagic" in data for data in compressed)


@pytest.mark.parametrize("place", [0, 10, 40, 60, 0.3, 0.6, 0.99])
def test_damaged_blocks_never_show(bench: Bench, place: float) -> None:
    first = bench.files_of()
    path = bench.blocks()
    data = bytearray(path.read_bytes())
    at = place if isinstance(place, int) else int(place * len(data))
    data[at] ^= 0xFF
    path.write_bytes(bytes(data))
    assert bench.files_of() == first
    assert bench.files_of() == first


def test_profiles_of_one_call_share_what_is_kept(bench: Bench) -> None:
    bench.write("more/modules.ramfs", b"net/dummy.ko\n")
    bench.write("more/modules.autoload", b"dummy\n")
    profiles = ("--profile", str(bench.path / "lists"), "--profile", str(bench.path / "more"))
    for _ in range(2):
        shutil.rmtree(bench.out, ignore_errors=True)
        given = bench.arguments("-q", "--cache", str(bench.cache), *profiles)
        assert main(given) == 0
        assert bench.read == 1
    found = {
        path.name: {file.name: file.read_bytes() for file in path.iterdir()}
        for path in bench.out.iterdir()
    }
    assert found["lists"] == bench.fresh()
    assert found["more"] == bench.fresh("--profile", str(bench.path / "more"))


def test_an_interrupt_while_a_kernel_is_kept_leaves_it_out(bench: Bench) -> None:
    def ended(*_arguments: Any) -> Any:
        raise KeyboardInterrupt

    with (
        mock.patch("rdcompose.compose.plan.make_plan", ended),
        mock.patch.object(prepared, "_batches", side_effect=_slowly),
    ):
        assert main(bench.arguments("-q", "--cache", str(bench.cache))) == 130
    assert [path.name for path in bench.kept() if path.name.endswith(".new")] == []
    assert bench.files_of() == bench.fresh()


def test_an_interrupt_while_the_end_is_waited_for_leaves_nothing(bench: Bench) -> None:
    join = threading.Thread.join
    interrupts = [KeyboardInterrupt()]

    def interrupted(thread: threading.Thread, *arguments: Any) -> None:
        if thread.name == "prepared" and interrupts:
            raise interrupts.pop()
        join(thread, *arguments)

    with (
        mock.patch.object(threading.Thread, "join", interrupted),
        # More than is written by then.
        mock.patch.object(prepared, "_batches", return_value=itertools.repeat([b"x"], 500_000)),
    ):
        assert main(bench.arguments("-q", "--cache", str(bench.cache))) == 130
        assert "prepared" not in {thread.name for thread in threading.enumerate()}
    assert interrupts == []
    assert [path.name for path in bench.kept() if path.name.endswith(".new")] == []


def _slowly(pieces: Any) -> Iterator[list[bytes]]:
    for piece in pieces:
        yield [piece]


def test_code_that_changed_reads_anew(bench: Bench) -> None:
    bench.files_of()
    with mock.patch.object(prepared, "_code", return_value="changed"):
        bench.files_of()
    assert bench.read == 2


def test_without_a_place_for_a_cache_builds_go_on(bench: Bench) -> None:
    file = bench.path / "file"
    file.touch()
    first = bench.files_of("--cache", str(file / "cache"))
    assert bench.files_of("--cache", str(file / "cache")) == first
    assert bench.read == 2


def test_without_a_home_builds_go_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RDCOMPOSE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "")
    first = bench.fresh()
    with mock.patch("platformdirs.user_cache_path", side_effect=RuntimeError):
        bench.build("-q")
    assert bench.listing() == first


def test_an_error_leaves_nothing_unfinished(
    bench: Bench,
) -> None:
    bench.lists("net/none.ko", "virtio_blk")
    assert "net/none.ko" in bench.fail("--cache", str(bench.cache))
    assert [path.name for path in bench.kept() if path.suffix == ".new"] == []
    bench.lists("net/dummy.ko", "dummy")
    assert bench.files_of() == bench.fresh()


def test_the_cache_shows_it_by_its_release(bench: Bench) -> None:
    bench.files_of()
    entries = Cache(bench.cache).prepared()
    assert {entry.name for entry in entries} == {RELEASE}
    assert main(["cache", "clean", "--cache", str(bench.cache)]) == 0
    assert bench.kept() == []


def test_supports_reads_a_kernel_once(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["supports", str(bench.kernel), "squashfs", "--cache", str(bench.cache)]
    said = []
    for _ in range(2):
        assert main(given) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert bench.read == 1
    assert bench.files_of() == bench.fresh()
    assert bench.read == 1


def test_device_trees_of_boot_folders_are_kept_with_the_kernel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = PiWorkshop(tmp_path, capsys)
    read: list[object] = []

    def counting(*arguments: Any, **options: Any) -> Any:
        read.append(arguments)
        return read_kernels(*arguments, **options)

    def made(*options: str) -> dict[str, bytes]:
        shutil.rmtree(folders.out, ignore_errors=True)
        folders.make(*options)
        return folders.files()

    cache = ("--cache", str(tmp_path / "cache"))
    with mock.patch.object(kernel_origin, "read_kernels", counting):
        first = made(*cache)
        assert any(path.endswith(".dtb") for path in first)
        assert made(*cache) == first
        assert len(read) == 1
        fresh = made("--no-prepared")
        assert fresh == first
        # What was read without device trees has none.
        shutil.rmtree(tmp_path / "cache")
        assert main(["supports", str(tmp_path / "kernel.deb"), "squashfs", *cache]) in {0, 1}
        assert made(*cache) == first
        assert len(read) == 4
        assert made(*cache) == first
        assert len(read) == 4
