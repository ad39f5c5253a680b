"""``rdcompose build --add``: programs with their libraries, from an archive of the tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import rdcompose.cli.archive
from rdcompose.cli.main import main
from rdcompose.formats.compression import decompress
from rdcompose.formats.cpio import read_newc
from rdcompose.tree import Tree
from tests.support.additions import LOADER, TRIPLET
from tests.support.archive_packages import package
from tests.support.debs import make_deb
from tests.support.farm import ARM, NEW
from tests.support.pi_kernels import MODULES, RELEASE, arm64_kernel
from tests.support.programs import make_library, make_program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shop
    from tests.support.debs import Content

LIB = f"usr/lib/{TRIPLET}"


def deb(name: str, files: dict[str, Content], version: str = "1.0-1", **fields: str) -> bytes:
    return package(name, version, "amd64", files, Source="tool", **fields)


def program(*needed: str) -> tuple[int, bytes]:
    return 0o755, make_program(kind=3, interpreter=LOADER, needed=["libc.so.6", *needed])


def library(soname: str, *needed: str) -> tuple[int, bytes]:
    return 0o644, make_library(soname, needed)


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """The archive has a C library, and programs that need it and more."""
    suite = shop.farm.bookworm
    loader = f"{LIB}/ld-linux-x86-64.so.2"
    for data in (
        deb(
            "libc6",
            {
                f"{LIB}/libc.so.6": library("libc.so.6"),
                loader: library("ld-linux-x86-64.so.2"),
                "usr/lib64/ld-linux-x86-64.so.2": f"/{loader}",
            },
        ),
        deb("libfoo1", {f"{LIB}/libfoo.so.1": library("libfoo.so.1")}, Depends="libc6"),
        deb("tool-data", {"usr/share/foo": b"data"}),
        deb(
            "tool",
            {"usr/sbin/tool": program("libfoo.so.1"), "usr/sbin/script": (0o755, b"#!/bin/sh\n")},
            Depends="libfoo1 (>= 1.0), tool-data",
            Pre_Depends="libc6",
        ),
        deb(
            "e2fsprogs",
            {"sbin/e2fsck": program(), "sbin/fsck.ext4": "e2fsck"},
            Depends="libc6",
        ),
        deb("kmod", {"bin/kmod": program(), "sbin/modprobe": "/bin/kmod"}, Depends="libc6"),
        deb("broken", {"bin/broken": program("libgone.so.5")}, Depends="libc6"),
    ):
        suite.add(data)
    suite.write()
    return shop


def initramfs(shop: Shop, release: str = NEW) -> Tree:
    tree = Tree()
    data = (shop.out / f"initramfs-{release}").read_bytes()
    for entry in read_newc(decompress(data, limit=1 << 30)):
        tree.add(entry)
    return tree


def added(manifest: dict[str, Any]) -> dict[str, Any]:
    return {row["path"]: (row["package"], row["why"]) for row in manifest["initramfs"]["added"]}


def packages(manifest: dict[str, Any]) -> list[str]:
    return [row["package"] for row in manifest["inputs"] if row["role"] == "added"]


def test_program(stocked: Shop) -> None:
    stocked.run("build", NEW, "--add", "tool")
    manifest = stocked.manifest(NEW)
    assert added(manifest) == {
        "/lib64/ld-linux-x86-64.so.2": (
            "libc6",
            "another name of /usr/lib64/ld-linux-x86-64.so.2",
        ),
        "/sbin/script": ("tool", "another name of /usr/sbin/script"),
        "/sbin/tool": ("tool", "another name of /usr/sbin/tool"),
        f"/{LIB}/ld-linux-x86-64.so.2": (
            "libc6",
            "where /usr/lib64/ld-linux-x86-64.so.2 leads to",
        ),
        f"/{LIB}/libc.so.6": ("libc6", "needed by /usr/sbin/tool"),
        f"/{LIB}/libfoo.so.1": ("libfoo1", "needed by /usr/sbin/tool"),
        "/usr/lib64/ld-linux-x86-64.so.2": ("libc6", "the dynamic linker of /usr/sbin/tool"),
        "/usr/sbin/script": ("tool", "asked for: --add tool"),
        "/usr/sbin/tool": ("tool", "asked for: --add tool"),
    }
    tree = initramfs(stocked)
    assert all(path.removeprefix("/") in tree for path in added(manifest))
    assert manifest["options"]["add"] == "tool"
    assert packages(manifest) == ["libc6", "libfoo1", "tool"]
    item = next(row for row in manifest["inputs"] if row.get("package") == "libfoo1")
    assert item["archive"] == {
        "label": "Debian",
        "suite": "bookworm",
        "path": "pool/main/t/tool/libfoo1_1.0-1_amd64.deb",
        "verified": True,
    }
    assert not any("tool-data" in name for name in stocked.downloads())


def test_without_additions_nothing_changes(stocked: Shop) -> None:
    stocked.run("build", NEW)
    manifest = stocked.manifest(NEW)
    assert manifest["initramfs"]["added"] == []
    assert "add" not in manifest["options"]


def test_several(stocked: Shop) -> None:
    stocked.run("build", NEW, "--add", "tool:/sbin/tool", "--add", f"libfoo1:/{LIB}/*.so.1")
    assert "usr/sbin/script" not in initramfs(stocked)
    why = added(stocked.manifest(NEW))[f"/{LIB}/libfoo.so.1"][1]
    assert why in {"needed by /usr/sbin/tool", f"asked for: --add libfoo1:/{LIB}/*.so.1"}


def test_e2fsck_takes_the_place_of_the_static_one(stocked: Shop) -> None:
    stocked.run("build", NEW, "--add", "e2fsprogs")
    roles = [row["role"] for row in stocked.manifest(NEW)["inputs"]]
    assert "e2fsck" not in roles
    assert "busybox" in roles


def test_e2fsck_twice(stocked: Shop) -> None:
    static = next(path for path in stocked.farm.debs() if path.name.startswith("e2fsck-static"))
    message = stocked.error("build", NEW, "--add", "e2fsprogs", "--e2fsck", str(static))
    assert "another file at /sbin/e2fsck than --e2fsck" in message


def test_kmod_finds_its_indexes(stocked: Shop) -> None:
    stocked.run("build", NEW)
    index = f"lib/modules/{NEW}/modules.dep.bin"
    assert index not in initramfs(stocked)
    plain = initramfs(stocked).get(f"lib/modules/{NEW}/modules.dep")
    stocked.run("build", NEW, "--add", "kmod")
    tree = initramfs(stocked)
    assert index in tree
    assert tree.get(f"lib/modules/{NEW}/modules.dep") == plain
    # busybox's link of that name gives way.
    modprobe = tree.get("sbin/modprobe")
    assert getattr(modprobe, "target", "") == "/bin/kmod"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("broken", "the library libgone.so.5, which /bin/broken of broken 1.0-1 needs"),
        ("nothing", "there is no package nothing for amd64"),
        ("tool:/sbin/tol", "there is no /sbin/tol in tool 1.0-1"),
        ("libfoo1", "libfoo1 1.0-1 has no programs"),
        ("Tool", "no name of a package"),
        ("./gone.deb", "cannot read the file gone.deb"),
    ],
)
def test_errors(stocked: Shop, request_: str, message: str) -> None:
    assert message in stocked.error("build", NEW, "--add", request_)


def test_wrong_architecture(stocked: Shop) -> None:
    tool = next(path for path in stocked.farm.debs() if path.name.startswith("tool_"))
    message = stocked.error("build", ARM, "--add", str(tool))
    assert "is for amd64, but the kernel is for arm64" in message
    own = stocked.path / "own"
    own.write_bytes(make_program())
    message = stocked.error("build", ARM, "--add", str(own))
    assert "/usr/bin/own is for 64-bit x86-64, but the kernel is arm64" in message


def test_local_files(stocked: Shop) -> None:
    own = stocked.path / "own"
    own.write_bytes(program("libfoo.so.1")[1])
    other = stocked.path / "other.deb"
    other.write_bytes(
        make_deb(
            {"bin/other": program("libfoo.so.1")},
            control={"Package": "other", "Depends": "libfoo1, libc6"},
        )
    )
    options = ("--add", "./own:/sbin/own", "--add", str(other))
    stocked.run("build", NEW, *options)
    manifest = stocked.manifest(NEW)
    assert {"sbin/own", "bin/other", f"{LIB}/libfoo.so.1"} <= {e.path for e in initramfs(stocked)}
    assert added(manifest)["/sbin/own"] == ("own", "asked for: --add ./own:/sbin/own")
    assert str(stocked.path) not in json.dumps(manifest)
    rows = [row for row in manifest["inputs"] if row["role"] == "added"]
    assert [(row["file"], row["source"]) for row in rows] == [
        ("own", "local file"),
        ("libc6_1.0-1_amd64.deb", "archive"),
        ("libfoo1_1.0-1_amd64.deb", "archive"),
        ("other.deb", "local file"),
    ]
    # In the directory of the files, the manifest alone is enough.
    stocked.out.rename(stocked.path / "first")
    lock = str(stocked.path / "first" / f"manifest-{NEW}.json")
    stocked.run("build", "--locked", lock, "--offline")
    assert same(stocked)
    own.write_bytes(program()[1])
    stocked.out.rename(stocked.path / "before")
    message = stocked.error("build", "--locked", lock, "--offline")
    assert "own with SHA-256" in message
    assert "give the file itself" in message


def test_static_local_program_needs_no_archive(
    stocked: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a suite asked for, it is that of this machine, if the archive has it.
    monkeypatch.setattr(rdcompose.cli.archive, "codename_of_host", lambda: "bookworm")
    (stocked.path / "own").write_bytes(make_program())
    kernel, busybox = (
        str(next(stocked.farm.directory.rglob(f"{name}_*_amd64.deb")))
        for name in ("linux-image-" + NEW, "busybox-static")
    )
    command = ["build", kernel, "--busybox", busybox, "--e2fsck", "none", "--add", "./own"]
    mirror = ["--mirror", f"{stocked.server.url}/debian", "--no-snapshot"]
    options = ["--keyring", str(stocked.farm.keyring), "--cache", str(stocked.cache)]
    assert main([*command, *mirror, *options, "-q", "-o", str(stocked.out)]) == 0
    assert "usr/bin/own" in initramfs(stocked)
    assert stocked.server.requests == []


@pytest.fixture
def lock(stocked: Shop) -> Path:
    stocked.run("build", NEW, "--add", "tool", "--add", "e2fsprogs:/sbin/e2fsck", "-o", "first")
    return stocked.path / "first" / f"manifest-{NEW}.json"


def same(shop: Shop) -> bool:
    first = {path.name: path.read_bytes() for path in (shop.path / "first").iterdir()}
    return first == {path.name: path.read_bytes() for path in shop.out.iterdir()}


def test_locked(stocked: Shop, lock: Path) -> None:
    stocked.run("build", "--locked", str(lock), "--offline")
    assert same(stocked)


def test_locked_when_the_archive_went_on(stocked: Shop, lock: Path) -> None:
    stocked.run("cache", "clean")
    suite = stocked.farm.bookworm
    suite.date = suite.date.replace(year=2025)
    suite.add(deb("libfoo1", {f"{LIB}/libfoo.so.1": library("new")}, "2.0-1"))
    suite.add(deb("tool", {"usr/sbin/tool": program("libc.so.6")}, "2.0-1", Depends="libc6"))
    suite.write()
    stocked.run("build", NEW, "--locked", str(lock))
    assert same(stocked)
    stocked.run("build", NEW, "--add", "tool")
    assert not same(stocked)


def test_locked_with_other_additions(stocked: Shop, lock: Path) -> None:
    message = stocked.error("build", "--locked", str(lock), "--add", "kmod")
    assert "the package kmod is not among what" in message
    message = stocked.error("build", "--locked", str(lock), "--add", "tool")
    assert "locks the added e2fsprogs, which is not used here" in message


def profile(path: Path, add: str) -> str:
    folder = path / "mine"
    folder.mkdir(exist_ok=True)
    (folder / "modules.ramfs").write_text("@include minivm\n")
    (folder / "add").write_text(add)
    return str(folder)


def test_profile(stocked: Shop) -> None:
    mine = profile(stocked.path, "# what this machine needs\ntool:/sbin/tool # with foo\n./own\n")
    (stocked.path / "mine" / "own").write_bytes(make_program())
    stocked.run("build", NEW, "--profile", mine)
    manifest = stocked.manifest(NEW)
    assert added(manifest)["/usr/sbin/tool"] == ("tool", "asked for: mine/add:2: tool:/sbin/tool")
    assert added(manifest)["/usr/bin/own"] == ("own", "asked for: mine/add:3: ./own")
    assert "add" not in manifest["options"]
    lists = [row["file"] for row in manifest["inputs"] if row["role"] == "module list"]
    assert "mine/add" in lists
    stocked.out.rename(stocked.path / "first")
    lock = str(stocked.path / "first" / f"manifest-{NEW}.json")
    stocked.run("build", "--locked", lock, "--profile", mine)
    assert same(stocked)


def test_malformed_profile(stocked: Shop) -> None:
    mine = profile(stocked.path, "tool\nTool\n")
    assert "mine/add:2: 'Tool' is no name" in stocked.error("build", NEW, "--profile", mine)


def test_template(stocked: Shop) -> None:
    """A template with directories linked as in Debian 13, and a library of its own."""
    template = stocked.path / "template"
    (template / LIB).mkdir(parents=True)
    (template / "lib").symlink_to("usr/lib")
    (template / "lib64").symlink_to("usr/lib64")
    (template / "usr" / "lib64").mkdir()
    (template / "init").write_text("#!/bin/sh\n")
    (template / LIB / "libfoo.so.1").write_bytes(make_library("libfoo.so.1", []))
    stocked.run("build", NEW, "--template", str(template), "--add", "tool")
    manifest = stocked.manifest(NEW)
    assert packages(manifest) == ["libc6", "tool"]
    assert f"/{LIB}/libfoo.so.1" not in added(manifest)
    tree = initramfs(stocked)
    assert "usr/lib64/ld-linux-x86-64.so.2" in tree
    assert "lib64/ld-linux-x86-64.so.2" not in tree


NBD_CLIENT = "usr/sbin/nbd-client"


def nbd_kernel(shop: Shop) -> str:
    """A package of a kernel that has nbd; the archive has a client, but not in its busybox."""
    path = shop.path / "kernel.deb"
    path.write_bytes(arm64_kernel(modules=(*MODULES, "drivers/block/nbd"), config="NBD=m"))
    client = {NBD_CLIENT: (0o755, make_program(machine=183))}
    shop.farm.bookworm.add(package("nbd-client", "1:3.24-1.1", "arm64", {**client}, Source="nbd"))
    shop.farm.bookworm.write()
    lists = shop.path / "lists"
    lists.mkdir()
    (lists / "modules.ramfs").write_text("net/dummy\n")
    return str(path)


def test_a_feature_brings_the_program_that_busybox_lacks(shop: Shop) -> None:
    words = ("build", nbd_kernel(shop), "--profile", "./lists", "--feature", "nbd")
    shop.run(*words)
    assert NBD_CLIENT in initramfs(shop, RELEASE)
    manifest = shop.manifest(RELEASE)
    assert manifest["options"]["add"] == "nbd-client"
    before = (shop.out / f"initramfs-{RELEASE}").read_bytes()
    lock = str((shop.out / f"manifest-{RELEASE}.json").rename(shop.path / "lock.json"))
    shop.run("build", words[1], "--profile", "./lists", "--locked", lock)
    assert (shop.out / f"initramfs-{RELEASE}").read_bytes() == before


def test_a_feature_brings_no_program_twice(shop: Shop) -> None:
    kernel = nbd_kernel(shop)
    template = shop.path / "template" / "sbin"
    template.mkdir(parents=True)
    (template / "nbd-client").write_bytes(make_program(machine=183))
    for options in (["--template", "./template"], ["--add", f"nbd-client:/{NBD_CLIENT}"]):
        words = ("build", kernel, "--profile", "./lists", "--feature", "nbd", *options)
        shop.run(*words)
        added = shop.manifest(RELEASE)["options"].get("add", "")
        assert added == (options[1] if options[0] == "--add" else "")


def test_a_busybox_of_ones_own_is_not_added_to(shop: Shop) -> None:
    kernel = nbd_kernel(shop)
    (busybox,) = (path for path in shop.farm.debs() if path.match("busybox-static_*_arm64.deb"))
    words = ("build", kernel, "--profile", "./lists", "--feature", "nbd")
    message = shop.error(*words, "--busybox", str(busybox))
    assert "the feature nbd needs nbd-client, which the busybox here lacks" in message
