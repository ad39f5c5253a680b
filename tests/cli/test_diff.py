"""The command ``rdcompose diff``: text, JSON, Markdown, exit status."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.cli.main import main
from tests.support.artifacts import (
    BLOCK,
    MODULES,
    Content,
    disk_bytes,
    disk_files,
    initramfs_bytes,
    initramfs_files,
    module,
    sound_files,
)
from tests.support.packages import CONFIG, RELEASE, VERMAGIC
from tests.support.programs import make_program
from tests.support.releases import SampleBuild

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OTHER = "6.1.0-8-cloud-amd64"


def diff(capsys: pytest.CaptureFixture[str], *words: object, status: int = 0) -> str:
    assert main(["diff", *map(str, words)]) == status
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return printed.out if status != 2 and not printed.err else printed.err


def image(
    path: Path, changes: Mapping[str, Content], compressor: str = "none", *, without: str = ""
) -> Path:
    """Write the sound initramfs with other files, without those in a list of paths."""
    files = initramfs_files() | dict(changes)
    for name in without.split():
        del files[name]
    path.write_bytes(initramfs_bytes(files, compressor))
    return path


def loaded(capsys: pytest.CaptureFixture[str], *words: object, status: int = 0) -> dict[str, Any]:
    data = json.loads(diff(capsys, "--json", *words, status=status))
    assert isinstance(data, dict)
    return data


def test_what_is_the_same_gives_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = image(tmp_path / "a", {}), image(tmp_path / "b", {})
    for words in ((), ("--exit-code",), ("--markdown",), ("-v",)):
        assert diff(capsys, *words, one, other) == ""
    assert loaded(capsys, "--exit-code", one, other)["different"] is False


def test_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = image(tmp_path / "a", {})
    now = image(
        tmp_path / "b",
        {
            "init": (0o700, b"other\n"),
            "bin/sh": "ash",
            "conf/x": b"x",
            "more/x": b"x",
            "more/y/z": b"yz",
            "none": None,
            f"{MODULES}/kernel/fresh.ko": _versioned("2"),
            f"{MODULES}/kernel/drivers/virtio/virtio_ring.ko": _ring(),
        },
        "gzip",
        without=f"etc/mtab {MODULES}/{BLOCK}",
    )
    lines = [" ".join(line.split()) for line in diff(capsys, before, now).splitlines()]
    assert lines[0] == "sizes"
    assert lines[1].startswith("~ initramfs ")
    assert lines[2:] == [
        "~ segment 1 none → gzip",
        "modules: 1 new, 1 gone, 1 changed; aliases 0 → 1",
        "+ fresh kernel/fresh.ko, version 2",
        "- virtio_blk kernel/drivers/block/virtio_blk.ko",
        "~ virtio_ring depends +fresh; aliases +1",
        "files in initramfs",
        "+ /more/ 2 files, 3 B",
        "+ /none/",
        "+ /conf/x 1 B",
        "- /etc/mtab link /proc/mounts",
        "~ /bin/sh target busybox → ash",
        "~ /init content, 10 B → 6 B (-4 B); mode 0755 → 0700",
    ]
    assert "files in" not in diff(capsys, "--only", "modules", before, now)
    assert diff(capsys, "--only", "config", "--exit-code", before, now) == ""
    assert diff(capsys, "-q", before, now) == ""
    assert diff(capsys, "-q", "--exit-code", before, now, status=1) == ""


def _versioned(version: str) -> bytes:
    from tests.support.modules import make_ko

    return make_ko({"vermagic": VERMAGIC, "version": version})


def _ring() -> bytes:
    from tests.support.modules import make_ko

    return make_ko({"vermagic": VERMAGIC, "depends": "fresh", "alias": "virtio:d1"})


def test_many_alike_are_told_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"m{number}" for number in range(30)]
    before = image(
        tmp_path / "a",
        {f"{MODULES}/kernel/{name}.ko": module() for name in names}
        | {f"bin/{name}": "old" for name in names}
        | {f"sbin/{name}": f"x{name}".encode() for name in names},
    )
    vermagic = VERMAGIC.replace("preempt", "rt")
    now = image(
        tmp_path / "b",
        {f"{MODULES}/kernel/{name}.ko": module(vermagic=vermagic) for name in names}
        | {f"bin/{name}": "new" for name in names}
        | {f"usr/{name}": "target" for name in names},
    )
    lines = [" ".join(line.split()) for line in diff(capsys, before, now).splitlines()]
    assert "~ 30 modules built anew, with nothing else to tell" in lines
    assert f"~ 30 modules vermagic {VERMAGIC.strip()} → {vermagic.strip()}" in lines
    names_12 = ", ".join(f"/bin/{name}" for name in sorted(names)[:12])
    assert f"~ 30 entries target old → new: {names_12} and 18 others" in lines
    assert "- /sbin/ 30 files, 110 B" in lines
    assert any(line.startswith("+ /usr/ 30 links to target: m0") for line in lines)
    whole = diff(capsys, "-v", before, now)
    assert len(whole.splitlines()) > 120
    assert "more" not in whole
    few = diff(capsys, "--only", "files", before, now)
    assert len(few.splitlines()) < 10


def test_long_lists_are_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = image(tmp_path / "a", {})
    now = image(tmp_path / "b", {f"etc/{number}": f"{number}".encode() for number in range(30)})
    text = diff(capsys, "--only", "files", before, now)
    assert text.endswith("  … 6 more, which --verbose shows\n")
    assert diff(capsys, "--markdown", before, now).endswith("- … and 6 more\n\n")


def test_many_that_moved_are_told_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"m{number:02}" for number in range(25)]
    for side, directory in (("a", "one"), ("b", "two")):
        changes = {f"etc/{directory}/{name}": name.encode() for name in names}
        (tmp_path / side).mkdir()
        image(tmp_path / f"{side}/initramfs-{RELEASE}", changes)
        disk = {f"{RELEASE}/kernel/{name}.ko": module() for name in names} if side == "b" else {}
        held = disk_bytes(disk_files() | disk)
        (tmp_path / f"{side}/modules-{RELEASE}.qcow2").write_bytes(held)
    image(
        tmp_path / f"a/initramfs-{RELEASE}",
        {f"{MODULES}/kernel/{name}.ko": module() for name in names},
    )
    text = diff(capsys, "--only", "modules", tmp_path / "a", tmp_path / "b")
    listed = ", ".join(names[:12])
    assert f"  > 25 modules  initramfs → modules disk: {listed} and 13 others\n" in text
    whole = diff(capsys, "-v", "--only", "modules", tmp_path / "a", tmp_path / "b")
    assert whole.count("initramfs → modules disk\n") == 25


def test_names_cannot_do_anything_to_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = image(tmp_path / "a", {})
    now = image(tmp_path / "b", {"etc/\x1b[2J\udcff": b"", "etc/x": "\x1b]0;"})
    for form in ("--json", "--markdown", "-v"):
        text = diff(capsys, form, before, now)
        assert "\x1b" not in text
        text.encode()


def test_builds_and_their_manifests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = SampleBuild().write(tmp_path / "a")
    files = initramfs_files() | {"bin/busybox": (0o755, make_program(b"busybox, another"))}
    now = SampleBuild(profile="virtio", version="6.1.2-1", initramfs=initramfs_bytes(files)).write(
        tmp_path / "b"
    )
    (now / f"config-{RELEASE}").write_text(CONFIG + "CONFIG_NEW=m\n")
    text = diff(capsys, "--exit-code", before, now, status=1)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert f"~ kernel {RELEASE}, 6.1.1-1 → {RELEASE}, 6.1.2-1" in lines
    assert "~ profile minivm → virtio" in lines
    assert lines[-2:] == ["configuration: 1 option", "~ CONFIG_NEW n → m"]
    data = loaded(capsys, before, now)
    (group,) = data["groups"]
    assert group["manifests"]["options"] == [
        {"what": "profile", "before": "minivm", "now": "virtio"}
    ]
    assert group["config"] == [{"what": "CONFIG_NEW", "before": "n", "now": "m"}]
    names = [name / f"manifest-{RELEASE}.json" for name in (before, now)]
    told = diff(capsys, *names)
    assert "profile" in told
    assert "files in" not in told
    assert diff(capsys, names[0], now) == diff(capsys, *names)
    assert diff(capsys, names[0], names[0], "--exit-code") == ""


def test_several_kernels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for release in (RELEASE, "6.1.0-7-rt-amd64"):
        SampleBuild(release=release).write(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    SampleBuild(release="6.1.0-7-armmp", architecture="armhf").write(tmp_path / "b")
    (tmp_path / f"b/config-{RELEASE}").write_text(CONFIG + "CONFIG_NEW=m\n")
    text = diff(capsys, tmp_path / "a", tmp_path / "b")
    assert text.splitlines()[:3] == ["6.1.0-7-armmp: new", "", RELEASE]
    assert "rt-amd64" not in text
    assert "### 6.1.0-7-armmp: new\n" in diff(capsys, "--markdown", tmp_path / "a", tmp_path / "b")
    assert "6.1.0-7-armmp: gone\n" in diff(capsys, tmp_path / "b", tmp_path / "a")


def test_json_has_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = image(tmp_path / "a", {})
    now = image(
        tmp_path / "b",
        {"init": (0o700, b"x"), "new": b"abc", f"{MODULES}/{BLOCK}": _versioned("3")},
    )
    data = loaded(capsys, before, now, "--exit-code", status=1)
    assert (data["schema"], data["before"], data["now"]) == (1, str(before), str(now))
    (group,) = data["groups"]
    assert group["releases"] == {"before": [RELEASE], "now": [RELEASE]}
    (file,) = group["files"]
    assert file["before"]["kind"] == "initramfs"
    assert [row["path"] for row in file["entries"]["new"]] == ["/new"]
    (changed,) = file["entries"]["changed"]
    assert changed["what"] == ["content", "mode"]
    assert changed["now"]["mode"] == "0700"
    (change,) = group["modules"]["changed"]
    assert change["name"] == "virtio_blk"
    assert {"what": "version", "before": "", "now": "3"} in change["values"]
    assert {"what": "depends", "new": [], "gone": ["virtio_ring"]} in change["lists"]
    other = loaded(capsys, image(tmp_path / "c", {}, without=f"{MODULES}/{BLOCK}"), now)["groups"][
        0
    ]
    (new,) = other["modules"]["new"]
    assert (new["name"], new["version"], new["in"]) == ("virtio_blk", "3", ["initramfs"])


def test_disks_and_initramfs_of_one_build(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        for file, data in sound_files().items():
            if not file.startswith("manifest"):
                (tmp_path / name / file).write_bytes(data)
    disk = disk_files() | {f"{RELEASE}/{BLOCK}": initramfs_files()[f"{MODULES}/{BLOCK}"]}
    (tmp_path / f"b/modules-{RELEASE}.qcow2").write_bytes(disk_bytes(disk))
    text = diff(capsys, "--only", "modules", tmp_path / "a", tmp_path / "b")
    assert text.splitlines()[0] == "modules: 1 moved, 2 the same"
    assert "> virtio_blk  initramfs → initramfs and modules disk" in text


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("gone", "gone"), 1, "cannot read gone: No such file"),
        (("cut", "image"), 1, "cut cannot be compared: "),
        (("image",), 2, "required: B"),
        (("image", "image", "--only", "nope"), 2, "invalid choice"),
        (("image", "image", "--json", "--markdown"), 2, "not allowed with"),
        (("/dev/null", "image"), 1, "it is no file"),
        (("empty", "image"), 0, ""),
    ],
    ids=["gone", "cut", "one", "only", "forms", "device", "empty"],
)
def test_what_cannot_be_compared(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    data = image(tmp_path / "image", {}).read_bytes()
    (tmp_path / "cut").write_bytes(data[: len(data) // 2])
    (tmp_path / "empty").write_bytes(b"")
    try:
        ended = main(["diff", *words])
    except SystemExit as left:
        ended = int(left.code or 0)
    printed = capsys.readouterr()
    assert ended == status
    assert message in printed.err
    assert "Traceback" not in printed.err
