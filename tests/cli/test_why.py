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

    from tests.cli.conftest import Shop

    Capture = pytest.CaptureFixture[str]

NOTE = "no module lists are known: chains begin where no other module needs one"
LISTED = "listed: 'virtio_blk' in lists/modules.ramfs:2"


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel, its lists, and a composition of both."""
    monkeypatch.chdir(tmp_path)
    files = sample_files()
    for name, needs in (("virtio_blk", "virtio_ring"), ("virtio_ring", "")):
        path = next(path for path in files if path.endswith(f"/{name}.ko"))
        modinfo = {"vermagic": VERMAGIC, "depends": needs, "alias": f"virtio:{name}"}
        symbol = ["virtqueue_kick"]
        files[path] = make_ko(modinfo, [] if needs else symbol, symbol if needs else [])
    (tmp_path / "kernel.deb").write_bytes(kernel_deb(files))
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/modules.ramfs").write_text("# first\nvirtio_blk\n")
    (tmp_path / "lists/init").write_text("#!/bin/sh\n")
    (tmp_path / "lists/init").chmod(0o755)
    return tmp_path


@pytest.fixture
def built(work: Path, capsys: Capture) -> Path:
    given = ["--profile", "lists", "--template", "lists", "--busybox", "none", "--e2fsck", "none"]
    assert main(["build", "kernel.deb", *given, "-o", "out", "-q"]) == 0
    capsys.readouterr()
    return work / "out"


def asked(capsys: Capture, *words: str, status: int = 0) -> str:
    assert main(["why", *words]) == status
    return capsys.readouterr().out


def data(capsys: Capture, *words: str, status: int = 0) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(asked(capsys, *words, "--json", status=status))
    return loaded


def failure(capsys: Capture, *words: str, status: int) -> str:
    assert main(["why", *words]) == status
    found = capsys.readouterr()
    assert found.out == ""
    return found.err.removeprefix("rdcompose: error: ").partition("\n")[0]


def test_a_kernel_with_lists(capsys: Capture) -> None:
    assert asked(capsys, "kernel.deb", "virtio_ring", "dummy", "--profile", "lists") == (
        "virtio_ring, kernel/drivers/virtio/virtio_ring.ko: in the initramfs\n"
        f"  why        {LISTED}\n"
        "             virtio_blk needs virtio_ring (dependency)\n"
        "  without    'virtio_blk' in lists/modules.ramfs:2: 2 modules would leave: "
        "virtio_blk, virtio_ring\n"
        "  needed by  virtio_blk (dependency)\n"
        "\n"
        "dummy, kernel/net/dummy.ko: on the modules disk\n"
        "  to have it put at the end of lists/modules.ramfs: 'dummy'\n"
        "             no alias leads to dummy: to have it loaded at boot,\n"
        "             put at the end of lists/modules.autoload: 'dummy'\n"
    )


def test_what_was_built(built: Path, capsys: Capture) -> None:
    """Its lists are found by the name in the manifest, here as a directory that is still there."""
    found = data(capsys, str(built), "virtio_ring", "dummy")
    assert (found["release"], found["notes"]) == (RELEASE, [])
    ring, dummy = found["modules"]
    assert ring["chains"][0]["reason"] == LISTED
    assert ring["where"] == f"initramfs-{RELEASE}"
    assert ring["without"][0]["leaves"] == ["virtio_blk", "virtio_ring"]
    assert (dummy["where"], dummy["state"]) == (f"modules-{RELEASE}.qcow2", "disk")
    assert dummy["add"]["lines"]["lists/modules.ramfs"] == ["dummy"]
    same = data(capsys, "kernel.deb", "virtio_ring", "--profile", "lists")["modules"][0]
    assert same | {"where": None} == ring | {"where": None}


def test_what_was_built_without_its_lists(
    built: Path, work: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built)
    found = data(capsys, str(built), "virtio_ring")
    assert found["notes"] == [
        "the lists of the profile lists are not at hand: give them with --profile"
    ]
    (ring,) = found["modules"]
    assert [chain["reason"] for chain in ring["chains"]] == [LISTED]
    assert ring["without"] == []
    (work / "lists/modules.ramfs").write_text("virtio_blk\n")
    (note,) = data(capsys, str(built), "virtio_ring", "--profile", "../lists")["notes"]
    assert note == "the lists of the profile ../lists are not those that this was made by"
    (built / f"modules-{RELEASE}.qcow2").unlink()
    (work / "lists/modules.ramfs").write_text("# first\nvirtio_blk\n")
    (note,) = data(capsys, str(built), "virtio_ring", "--profile", "../lists")["notes"]
    assert note.startswith("without the modules disk")


def test_images_of_others(work: Path, capsys: Capture) -> None:
    write_sound(work)
    (work / f"manifest-{RELEASE}.json").unlink()
    files = [f"initramfs-{RELEASE}", f"modules-{RELEASE}.qcow2"]
    assert asked(capsys, *files, "virtio_ring", "virtio:x", status=1) == (
        f"note: {NOTE}\n\n"
        f"virtio_ring, kernel/drivers/virtio/virtio_ring.ko: in the initramfs ({files[0]})\n"
        "  why        no other module there needs virtio_blk\n"
        "             virtio_blk needs virtio_ring (dependency)\n"
        "  needed by  virtio_blk (dependency)\n"
        "\n"
        "virtio:x: not in this kernel\n"
    )


def test_graph(capsys: Capture) -> None:
    drawn = asked(capsys, "kernel.deb", "virtio_ring", "--profile", "lists", "--dot")
    assert drawn.startswith("digraph modules {\n")
    assert '  "module virtio_blk" -> "module virtio_ring" [style=solid];\n' in drawn


def test_by_the_name_of_a_kernel(shop: Shop) -> None:
    (shop.path / "lists").mkdir()
    (shop.path / "lists/modules.ramfs").write_text("virtio_blk\n")
    out, _ = shop.run("why", "cloud-amd64", "virtio_blk", "--profile", "lists")
    assert "why        listed: 'virtio_blk' in lists/modules.ramfs:1\n" in out


def test_no_such_module(capsys: Capture) -> None:
    said = asked(capsys, "kernel.deb", "virtio_rong", "--profile", "lists", status=1)
    assert said == "virtio_rong: not in this kernel\n  near       virtio_ring\n"
    assert asked(capsys, "kernel.deb", "virtio_rong", "-q", "--profile", "lists", status=1) == ""


def test_by_path_and_alias(capsys: Capture) -> None:
    names = ["kernel/drivers/virtio/virtio_ring.ko", "virtio:virtio_blk", "ext4"]
    found = data(capsys, "kernel.deb", *names, "--profile", "lists")["modules"]
    assert [(one["asked"], one["name"], one["state"]) for one in found] == [
        (names[0], "virtio_ring", "initramfs"),
        (names[1], "virtio_blk", "initramfs"),
        ("ext4", "ext4", "built-in"),
    ]


@pytest.mark.parametrize(
    ("words", "status", "problem"),
    [
        (("kernel.deb",), 2, ""),
        (("gone.deb", "x"), 1, "cannot read gone.deb: No such file or directory"),
        (("kernel.deb", "kernel.deb"), 2, "what about kernel.deb, kernel.deb?"),
        (("lists", "x"), 1, "lists: there are no modules"),
        (("somewhere", "x"), 2, "the name 'somewhere' does not tell its architecture"),
        (("kernel.deb", ""), 2, "an empty word is nothing to ask about"),
        (("kernel.deb", "x", "--dot", "--json"), 2, "--dot and --json are two forms: choose one"),
        (("kernel.deb", "x", "--profile", "gone"), 1, "there is no profile 'gone'"),
        (("kernel.deb", "x", "--profile", "lists", "--release", "6.2"), 1, ""),
    ],
)
def test_wrong_use(words: tuple[str, ...], status: int, problem: str, capsys: Capture) -> None:
    if len(words) == 1:
        with pytest.raises(SystemExit):
            main(["why", *words])
        return
    assert failure(capsys, *words, status=status).startswith(problem)


def test_options_that_mean_nothing_for_files(built: Path, capsys: Capture) -> None:
    said = failure(capsys, str(built), "x", "--disk", "all", status=2)
    assert said == "--disk has no meaning for files: they are what they are"


def test_a_root_with_a_kernel(work: Path, capsys: Capture) -> None:
    for path, content in sample_files().items():
        (work / "root" / path).parent.mkdir(parents=True, exist_ok=True)
        (work / "root" / path).write_bytes(content)
    found = data(capsys, "./root", "virtio_ring", "--profile", "lists", "--disk", "none")
    assert found["modules"][0]["state"] == "initramfs"
    found = data(capsys, "./root", "dummy", "--profile", "lists", "--disk", "none")
    assert found["modules"][0]["state"] == "neither"
