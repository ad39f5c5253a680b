"""The command ``rdcompose verify`` on files, sound ones and ones that are wrong in one place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from rdcompose.formats.compression import compress
from tests.support.artifacts import (
    BLOCK,
    MODULES,
    RING,
    Content,
    checksums,
    disk_bytes,
    disk_files,
    initramfs_bytes,
    initramfs_files,
    manifest,
    module,
    write_sound,
)
from tests.support.images import make_bzimage
from tests.support.packages import RELEASE, VERMAGIC
from tests.support.programs import make_program

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "6.1.0-8-cloud-amd64"


def verify(capsys: pytest.CaptureFixture[str], *arguments: str, status: int) -> tuple[str, str]:
    assert main(["verify", *arguments]) == status
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return printed.out, printed.err


def remade(directory: Path, **parts: bytes) -> None:
    """A composition with other parts, whose manifest and checksums are right nevertheless."""
    names = {
        "kernel": f"vmlinuz-{RELEASE}",
        "initramfs": f"initramfs-{RELEASE}",
        "disk": f"modules-{RELEASE}.qcow2",
        "config": f"config-{RELEASE}",
    }
    files = write_sound(directory)
    files |= {names[part]: data for part, data in parts.items()}
    described = {name: files[name] for name in names.values()}
    files[f"manifest-{RELEASE}.json"] = manifest(described, initramfs=None)
    files["SHA256SUMS"] = checksums({n: d for n, d in files.items() if n != "SHA256SUMS"})
    for name, data in files.items():
        (directory / name).write_bytes(data)


def early(**changes: Content) -> bytes:
    return initramfs_bytes(initramfs_files() | changes)


def test_a_sound_composition(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sound(tmp_path)
    out, err = verify(capsys, str(tmp_path), status=0)
    lines = out.splitlines()
    assert lines[0].startswith(f"{RELEASE}, amd64: ")
    assert {line.split()[0] for line in lines[1:]} == {"ok"}
    assert err == ""
    out, err = verify(capsys, "-q", str(tmp_path), status=0)
    assert out == err == ""
    out, err = verify(capsys, "--json", "--release", RELEASE, str(tmp_path), status=0)
    assert json.loads(out)["ok"] is True


OTHER_VERMAGIC = module(vermagic=VERMAGIC.replace(RELEASE, OTHER))
FAULTS: dict[str, tuple[dict[str, bytes], str]] = {
    "files": ({"kernel": make_bzimage()[:1100]}, "cannot be read: the x86 bzImage is cut"),
    "release": ({"kernel": make_bzimage(OTHER)}, f"is of {OTHER}, but "),
    "configuration": (
        {"config": b"# Linux/x86 6.12.1 Kernel Configuration\nCONFIG_64BIT=y\n"},
        "it is of Linux 6.12.1",
    ),
    "machine": ({"initramfs": early(probe=(0o755, make_program(machine=40, bits=32)))}, "ARM"),
    "vermagic": (
        {"initramfs": early(**{f"{MODULES}/{RING}": OTHER_VERMAGIC})},
        f"1 of 2 modules in initramfs-{RELEASE} is of {OTHER}",
    ),
    "symbols": (
        {
            "disk": disk_bytes(
                disk_files() | {f"{RELEASE}/x.ko": module(versions={"module_layout": 1})}
            )
        },
        "is of another build: it wants 1 symbol in other versions",
    ),
    "dependencies": (
        {"initramfs": early(**{f"{MODULES}/{BLOCK}": module(depends="nothing")})},
        "needs nothing, which is nowhere",
    ),
    "init": ({"initramfs": early(init=b"#!/bin/sh\n")}, "its mode is 0644"),
    "programs": (
        {"initramfs": early(probe=(0o755, make_program(interpreter="/lib/ld.so")))},
        "probe in",
    ),
    "links": ({"initramfs": early(**{"bin/ls": "nowhere"})}, "bin/ls to nowhere"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_contradiction_is_the_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    parts, message = FAULTS[name]
    remade(tmp_path, **parts)
    out, err = verify(capsys, str(tmp_path), status=1)
    failed = [line for line in out.splitlines() if line.startswith("  FAILED")]
    assert failed[0].split()[1] == name
    assert message in failed[0]
    # The error is the first contradiction, and nothing else is on standard error.
    assert err == f"rdcompose: error: {failed[0][24:]}\n"
    assert {line.split()[1] for line in failed} == {name} or name in {"files", "release"}


def test_a_contradiction_in_json_and_quietly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sound(tmp_path)
    (tmp_path / f"vmlinuz-{RELEASE}").write_bytes(make_bzimage(OTHER))
    out, err = verify(capsys, "--json", str(tmp_path), status=1)
    data = json.loads(out)
    assert data["ok"] is False
    first = next(check for check in data["sets"][0]["checks"] if check["result"] == "failed")
    assert err == f"rdcompose: error: {first['findings'][0]['message']}\n"
    out, quiet = verify(capsys, "-q", str(tmp_path), status=1)
    assert (out, quiet) == ("", err)


@pytest.mark.parametrize("compressor", ["gzip", "xz", "zstd", "lz4", "none"])
@pytest.mark.parametrize("container", ["qcow2", "squashfs"])
def test_files_of_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], compressor: str, container: str
) -> None:
    """Microcode in front, usr-merged, compressed modules, other names."""
    files: dict[str, Content] = {
        path.replace("lib/modules", "usr/lib/modules"): data
        for path, data in initramfs_files().items()
        if path != "lib64"
    }
    files |= {"lib": "usr/lib", "lib64": "usr/lib64"}
    microcode = initramfs_bytes({"kernel/x86/microcode/GenuineIntel.bin": b"x"}, "none")
    data = microcode + initramfs_bytes(files, compressor)
    (tmp_path / "initrd.img").write_bytes(data)
    (tmp_path / "vmlinuz").write_bytes(make_bzimage(RELEASE))
    squashed = compressor if compressor != "none" else "xz"
    image = disk_bytes(disk_files(), container=container, compressor=squashed)
    (tmp_path / "disk").write_bytes(image)
    out, _ = verify(capsys, str(tmp_path), status=0)
    assert out.splitlines()[0] == f"{RELEASE}, amd64: disk, initrd.img, vmlinuz"
    assert "remark" not in out


def test_named_files_are_to_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sound(tmp_path / "a")
    (tmp_path / f"vmlinuz-{OTHER}").write_bytes(make_bzimage(OTHER))
    names = [str(tmp_path / f"vmlinuz-{OTHER}"), str(tmp_path / "a" / f"initramfs-{RELEASE}")]
    _, err = verify(capsys, *names, status=1)
    assert err == (
        f"rdcompose: error: the kernel in vmlinuz-{OTHER} is of {OTHER}, but initramfs-{RELEASE} "
        f"has modules of {RELEASE}\n"
    )
    _, err = verify(capsys, names[1], "--release", OTHER, status=1)
    assert f"all is to be of {OTHER}, but initramfs-{RELEASE} has modules of {RELEASE}" in err


def test_an_xz_that_the_kernel_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import lzma

    plain = initramfs_bytes(initramfs_files(), "none")
    (tmp_path / "initrd.img").write_bytes(lzma.compress(plain))
    _, err = verify(capsys, str(tmp_path), status=1)
    assert "initrd.img would not be unpacked: the kernel knows no check of .xz data" in err
    (tmp_path / "initrd.img").write_bytes(compress("xz", plain, 1))
    verify(capsys, str(tmp_path), status=0)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["{}/none"], 1, "cannot read {}/none: No such file or directory"),
        (["{}/text"], 1, "{}/text cannot be verified: it is a text of no known kind"),
        (["{}"], 1, "{} holds no kernel, no initramfs and no modules disk"),
        (["{}/text", "--release", "../x"], 1, "'../x' is no kernel release"),
    ],
)
def test_wrong_input(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    (tmp_path / "text").write_text("text\n")
    given = [argument.format(tmp_path) for argument in arguments]
    out, err = verify(capsys, *given, status=status)
    assert out == ""
    assert err.startswith(f"rdcompose: error: {message.format(tmp_path)}")


def test_nothing_to_verify(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["verify"])
    assert caught.value.code == 2
    assert "DIR|FILE" in capsys.readouterr().err
