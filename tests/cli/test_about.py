from __future__ import annotations

from pathlib import Path

import pytest

from rdcompose.cli.about import About, told_apart
from rdcompose.errors import SpecError, UsageError

FILES = {
    "linux-image.deb": b"!<arch>\nx",
    "linux-modules.deb": b"!<arch>\ny",
    "initrd.img": b"070701",
    "modules.qcow2": b"QFI",
    "ext4.ko": b"a module",
    "root/boot/vmlinuz-6.1": b"",
    "root/lib/modules/6.1/modules.dep": b"",
    "new/usr/lib/modules/7.0/vmlinuz": b"",
    "tree/usr/lib/modules/7.0/modules.dep": b"",
    "boot/vmlinuz-6.1": b"",
}


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "kernel", "files", "asked"),
    [
        ("cloud-amd64 ext4", "cloud-amd64", "", "ext4"),
        ("6.1.0-44-amd64 ext4 initrd.img", "6.1.0-44-amd64", "", "ext4 initrd.img"),
        ("linux-image.deb ext4", "linux-image.deb", "", "ext4"),
        (
            "linux-image.deb ./linux-modules.deb initrd.img",
            "linux-image.deb ./linux-modules.deb",
            "",
            "initrd.img",
        ),
        ("initrd.img ext4", "", "initrd.img", "ext4"),
        ("initrd.img modules.qcow2 ext4", "", "initrd.img modules.qcow2", "ext4"),
        # A module's path is what is asked, also where there is such a file.
        ("initrd.img ext4.ko", "", "initrd.img", "ext4.ko"),
        ("./root ext4", "./root", "", "ext4"),
        ("./new ext4", "./new", "", "ext4"),
        ("tree ext4", "", "tree", "ext4"),
        ("boot ext4", "", "boot", "ext4"),
        ("boot initrd.img ext4", "", "boot", "initrd.img ext4"),
    ],
)
def test_words(words: str, kernel: str, files: str, asked: str) -> None:
    assert told_apart(words.split()) == About(
        tuple(kernel.split()), tuple(map(Path, files.split())), tuple(asked.split())
    )


@pytest.mark.parametrize(
    ("words", "kind", "problem"),
    [
        (["gone.deb", "x"], SpecError, "cannot read gone.deb: No such file or directory"),
        (["gone/initrd.img", "x"], SpecError, "cannot read gone/initrd.img: No such file"),
        (["initrd.img", "modules.qcow2"], UsageError, "what about initrd.img, modules.qcow2?"),
        (["", "x"], UsageError, "an empty word"),
    ],
)
def test_words_that_make_no_question(
    words: list[str], kind: type[SpecError | UsageError], problem: str
) -> None:
    with pytest.raises(kind) as caught:
        told_apart(words)
    assert caught.value.message.startswith(problem)
