from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from tests.support.packages import CONFIG, RELEASE, kernel_deb, sample_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kernel(tmp_path: Path) -> str:
    path = tmp_path / "kernel.deb"
    path.write_bytes(kernel_deb(sample_files()))
    return str(path)


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A kernel that is installed somewhere, with everything built in."""
    files = sample_files(modules={})
    text = CONFIG.replace("=m", "=y") + "CONFIG_BLK_DEV_NBD=y\n"
    files[f"boot/config-{RELEASE}"] = text.encode()
    for path, data in files.items():
        (tmp_path / "root" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / path).write_bytes(data)
    return str(tmp_path / "root")


def lines(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    return [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]


def test_what_pinet_needs(kernel: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["supports", kernel]) == 1
    assert lines(capsys) == [
        [f"{RELEASE},", "amd64"],
        ["nbd", "lacking", "CONFIG_BLK_DEV_NBD"],
        ["squashfs", "module", "squashfs"],
        ["overlay", "module", "overlay"],
    ]


def test_features_by_name(kernel: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["supports", kernel, "squashfs", "overlayfs", "CONFIG_PROC_FS"]) == 0
    assert lines(capsys)[1:] == [
        ["squashfs", "module", "squashfs"],
        ["overlay", "module", "overlay; overlayfs is called overlay since Linux 3.18"],
        ["CONFIG_PROC_FS", "built", "in"],
    ]


def test_several_kernels_as_json(
    kernel: str, root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that lacks something decides the status."""
    assert main(["supports", root, "nbd", kernel, "--json"]) == 1
    first, second = json.loads(capsys.readouterr().out)
    assert (first["release"], first["architecture"]) == (RELEASE, "amd64")
    assert first["features"] == [
        {
            "feature": "nbd",
            "status": "built in",
            "missing": [],
            "modules": [],
            "absent": [],
            "remark": "",
        }
    ]
    assert second["features"][0]["missing"] == ["CONFIG_BLK_DEV_NBD"]
    assert main(["supports", root, "nbd", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first


def test_a_module_that_is_in_no_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {path: data for path, data in sample_files().items() if "squashfs" not in path}
    (tmp_path / "kernel.deb").write_bytes(kernel_deb(files))
    assert main(["supports", str(tmp_path / "kernel.deb"), "squashfs"]) == 1
    assert lines(capsys)[1] == [
        "squashfs",
        "lacking",
        "squashfs in none of the packages that are given",
    ]


def test_quiet(kernel: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["supports", "-q", kernel, "nbd"]) == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nbd"], "no KERNEL is given"),
        (["{kernel}", "nbdd"], "'nbdd' is no feature that is known"),
        (["6.1.0-1", "nbd"], "the name '6.1.0-1' does not tell its architecture"),
        (["{kernel}", "--release", "wrong/name"], "wrong/name"),
    ],
)
def test_wrong_words(
    kernel: str, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["supports", *(word.format(kernel=kernel) for word in words)]) in {1, 2}
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err


def test_a_damaged_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kernel.deb").write_bytes(b"none")
    assert main(["supports", str(tmp_path / "kernel.deb")]) == 1
    assert "kernel.deb: " in capsys.readouterr().err
