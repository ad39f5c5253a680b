"""Microcode against Intel's tool and Debian's hooks, and the segments against Debian's scripts."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.filesource import MICROCODE, Source, SourceRequest
from rdcompose.compose.inputs import InputFile
from rdcompose.compose.microcode import load_microcode
from rdcompose.formats.cpio import read_newc, write_newc
from rdcompose.formats.microcode import read_intel
from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.release import architecture_by_name
from tests.support.kernels import lsinitramfs, package, unpacked
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from rdcompose.compose.microcode import Microcode

pytestmark = pytest.mark.reference

CONFIG = KernelConfig(
    {"BLK_DEV_INITRD": "y", "MICROCODE": "y", "CPU_SUP_INTEL": "y", "CPU_SUP_AMD": "y"}
)
INTEL = "kernel/x86/microcode/GenuineIntel.bin"
AMD = "kernel/x86/microcode/AuthenticAMD.bin"


def load(*paths: Path) -> Microcode:
    sources = [
        Source(SourceRequest(MICROCODE, str(path), "", path), InputFile(path=path))
        for path in paths
    ]
    return load_microcode(sources, architecture_by_name("amd64"), CONFIG)


def test_intel(tmp_path: Path) -> None:
    directory = unpacked("bookworm", "amd64", "intel-microcode") / "lib/firmware/intel-ucode"
    early = tmp_path / "early.cpio"
    run(tool("iucode_tool"), "-q", f"--write-earlyfw={early}", directory)
    theirs = early.read_bytes()
    record = next(each for each in read_newc(theirs).records if each.name == INTEL)
    updates = read_intel(theirs[record.data_start : record.data_start + record.data_size])
    [blob] = load(package("bookworm", "amd64", "intel-microcode")).blobs
    ours = read_intel(blob.data)
    assert len(ours) == blob.count > 100
    assert {update.data for update in ours} == {update.data for update in updates}
    # Their archive is as good a source, with their order.
    [again] = load(early).blobs
    assert [update.data for update in read_intel(again.data)] == [each.data for each in updates]
    # And ours is one for their tool, which checks each update.
    (tmp_path / "ours.bin").write_bytes(blob.data)
    listing = run(tool("iucode_tool"), "-q", "-tb", "-L", tmp_path / "ours.bin")
    assert f"001/{blob.count}: sig" in listing
    named = re.findall(r"sig 0x([0-9a-f]+), pf_mask 0x([0-9a-f]+),", listing)
    processors = {(int(signature, 16), int(flags, 16)) for signature, flags in named}
    assert processors == set().union(*(update.processors for update in ours))


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_amd(suite: str) -> None:
    content = unpacked(suite, "amd64", "amd64-microcode")
    # As the hook of the package joins them.
    files = [path for path in content.rglob("amd-ucode/*") if path.suffix in {".bin", ""}]
    hook = b"".join(path.read_bytes() for path in sorted(files))
    [blob] = load(package(suite, "amd64", "amd64-microcode")).blobs
    assert (blob.path, blob.data) == (AMD, hook)


def test_segments(tmp_path: Path) -> None:
    out = tmp_path / "out"
    sources = ("intel-microcode", "amd64-microcode")
    options = [
        word for name in sources for word in ("--microcode", package("bookworm", "amd64", name))
    ]
    run(
        *(sys.executable, "-m", "rdcompose", "build", "-q", "-o", out, *options),
        package("trixie", "amd64", "linux-image-cloud-amd64"),
        *("--busybox", package("trixie", "amd64", "busybox-static")),
        *("--e2fsck", package("trixie", "amd64", "e2fsck-static")),
    )
    [initramfs] = out.glob("initramfs-*")
    listing = run(lsinitramfs(), initramfs).splitlines()
    assert {INTEL, AMD, "init", "bin/busybox"} <= set(listing)
    run(Path(lsinitramfs()).with_name("unmkinitramfs"), initramfs, tmp_path / "unpacked")
    blobs = load(*(package("bookworm", "amd64", name) for name in sources)).blobs
    for blob in blobs:
        [found] = (tmp_path / "unpacked").glob(f"early*/{blob.path}")
        assert found.read_bytes() == blob.data
    assert (tmp_path / "unpacked" / "main" / "init").is_file()
    with initramfs.open("rb") as stream:
        names = run_bytes(tool("cpio"), "-it", "--quiet", stdin=stream.read()).decode().split()
    assert {INTEL, AMD} <= set(names)
    assert "init" not in names


def test_cpio_unpacks_the_early_segment(tmp_path: Path) -> None:
    found = load(package("bookworm", "amd64", "amd64-microcode"))
    segment = io.BytesIO()
    write_newc(segment, found.tree, mtime=0)
    run(tool("cpio"), "-idm", "--quiet", cwd=tmp_path, stdin=segment.getvalue())
    assert found.blobs[0].data == (tmp_path / AMD).read_bytes()
