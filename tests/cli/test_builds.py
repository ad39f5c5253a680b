"""``rdcompose build`` of several builds: of a project, and of several profiles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.cli.main import main
from rdcompose.kernel.source import DebSource
from tests.support.projects import AMD, ARM, PROJECT, TITLES, make_project, written

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read of kernels from now on."""
    names = []
    begin = DebSource.__init__

    def begin_noted(source: DebSource, stream: Any, **options: Any) -> None:
        names.append(stream.name)
        begin(source, stream, **options)

    monkeypatch.setattr(DebSource, "__init__", begin_noted)
    return names


def command(*options: str, status: int = 0) -> None:
    assert main(["build", *options]) == status


def failed(capsys: pytest.CaptureFixture[str], *options: str, status: int = 1) -> str:
    """Run a command that writes nothing; returns its one message."""
    command(*options, status=status)
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


def test_all_of_a_project(yard: Path, reads: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    command()
    found = written(yard / "out")
    assert {name.rpartition("/")[0] for name in found} == set(TITLES)
    assert f"cloud/modules-{AMD}.qcow2" in found
    assert f"bare/one/modules-{AMD}.qcow2" not in found
    assert f"arm/vmlinuz-{ARM}" in found
    # Of each kernel once, whatever stands between its builds.
    assert reads == ["amd64.deb", "arm64.deb"]
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert [line.split()[0] for line in lines] == [*TITLES, "4"]
    assert f"out/arm/: {ARM}, initramfs " in lines[1]
    assert lines[-1] == "4 of 4 builds made"


def test_each_is_as_if_built_alone(yard: Path) -> None:
    command()
    options = ("--busybox", "busybox-amd64.deb", "--e2fsck", "none")
    command("amd64.deb", "--profile", "lists/one", *options, "-o", "alone")
    command("amd64.deb", "--profile", "lists/two", *options, "--disk", "none", "-o", "other")
    assert written(yard / "alone") == written(yard / "out" / "cloud")
    assert written(yard / "other") == written(yard / "out" / "bare" / "two")


def test_beside_each_other(yard: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command("-q")
    command("--jobs", "2", "-o", "beside")
    printed = capsys.readouterr()
    assert written(yard / "beside") == written(yard / "out")
    assert [line.split()[0] for line in printed.out.splitlines()] == [*TITLES, "4"]
    assert printed.err == ""


def test_only_some(yard: Path) -> None:
    command("--only", "bare", "--only", "arm", "--profile", "lists/two")
    assert sorted(path.name for path in (yard / "out").iterdir()) == ["arm", "bare"]
    assert (yard / "out" / "bare" / f"initramfs-{AMD}").exists()


def test_json(yard: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (yard / "arm64.deb").write_bytes(b"")
    command("--json", status=1)
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    assert [row["name"] for row in rows] == list(TITLES)
    assert rows[0]["kernels"][0]["release"] == AMD
    assert rows[0]["kernels"][0]["files"][0]["path"] == f"out/cloud/config-{AMD}"
    assert [row["error"] is None for row in rows] == [True, False, True, True]
    assert rows[1]["kernels"] == []
    assert "arm64.deb" in rows[1]["error"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_failed_build_stops_no_other(
    yard: Path, jobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PROJECT.replace('name = "cloud"', 'name = "cloud"\nadd = "./missing"')
    (yard / "rdcompose.toml").write_text(
        text + '\n[[build]]\nname = "gone"\nkernel = "gone.deb"\n', encoding="utf-8"
    )
    (yard / "arm64.deb").write_bytes(b"")
    command("--jobs", jobs, status=1)
    assert {name.rpartition("/")[0] for name in written(yard / "out")} == {"bare/one", "bare/two"}
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "2 of 5 builds made"
    *lines, last = printed.err.splitlines()
    assert last == "rdcompose: error: not made: cloud, arm, gone"
    errors = [line for line in lines if not line.startswith("  hint: ")]
    starts = sorted(line.removeprefix("rdcompose: error: ").split(":")[0] for line in errors)
    assert starts == ["arm", "cloud", "gone"]


def test_a_kernel_that_cannot_be_read_is_read_once(
    yard: Path, reads: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (yard / "amd64.deb").write_bytes(b"")
    command("--only", "cloud", "--only", "bare", status=1)
    assert reads == ["amd64.deb"]
    assert capsys.readouterr().err.count("amd64.deb") == 3


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ('profile = "lists/none"', "there is no profile"),
        ('feature = "x"', "x"),
        ('compress = "zip"', "--compress"),
        ('kernel = ["a", "b"]', "one kernel at a time"),
        ('kernel = "name"', "does not tell its architecture"),
        ('locked = "none.json"', "none.json"),
        ('output = "out/cloud"', "would write to out/cloud, as 'cloud' does"),
    ],
)
def test_mistakes_are_found_before_anything_is_built(
    yard: Path, key: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = "" if key.startswith("kernel") else 'kernel = "amd64.deb"\n'
    (yard / "rdcompose.toml").write_text(
        f'{PROJECT}\n[[build]]\nname = "last"\n{kernel}{key}\n', encoding="utf-8"
    )
    assert main(["build"]) in {1, 2}
    err = capsys.readouterr().err
    assert err.startswith("rdcompose: error: rdcompose.toml: build 'last': ")
    assert message in err
    assert not (yard / "out").exists()


def test_unknown_build(yard: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = failed(capsys, "--only", "claud", status=2)
    assert message == (
        "rdcompose: error: rdcompose.toml has no build 'claud'\n  hint: did you mean 'cloud'?\n"
    )
    assert not (yard / "out").exists()


@pytest.mark.parametrize("option", ["--only", "--jobs"])
def test_options_of_a_project(yard: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    message = failed(capsys, "amd64.deb", option, "1", status=2)
    assert f"{option} is for the builds that rdcompose.toml names" in message
    (yard / "rdcompose.toml").unlink()
    assert f"{option} is for the builds" in failed(capsys, option, "1", status=2)


def test_without_builds(yard: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (yard / "rdcompose.toml").write_text('suite = "sid"\n', encoding="utf-8")
    assert "no KERNEL is given" in failed(capsys, status=2)


def test_several_profiles(yard: Path, reads: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--busybox", "busybox-amd64.deb", "--e2fsck", "none")
    command("amd64.deb", *options, "--profile", "lists/one", "--profile", "lists/two", "-o", "all")
    assert reads == ["amd64.deb"]
    found = written(yard / "all")
    assert {name.rpartition("/")[0] for name in found} == {"one", "two"}
    command("amd64.deb", *options, "--profile", "lists/two", "-o", "two")
    assert written(yard / "two") == written(yard / "all" / "two")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["one", "two", "2"]


def test_profiles_of_one_name(yard: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (yard / "one").mkdir()
    (yard / "one" / "modules.ramfs").write_text("", encoding="utf-8")
    message = failed(capsys, "amd64.deb", "--profile", "lists/one", "--profile", "one", status=2)
    assert "profile 'one': it would write to one, as 'one' does" in message
