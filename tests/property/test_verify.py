from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import RdcomposeError
from rdcompose.inspect.collection import collect
from rdcompose.inspect.identify import identify
from rdcompose.inspect.verify import as_json, as_lines, verify
from tests.support.artifacts import (
    checksums,
    disk_bytes,
    disk_files,
    initramfs_bytes,
    initramfs_files,
    sound_files,
)
from tests.support.devicetrees import make_dtb
from tests.support.efi import make_pe
from tests.support.images import make_arm64, make_bzimage, make_zimage

FILES: Final = {
    **sound_files(),
    "initrd.img": initramfs_bytes(initramfs_files(), "none"),
    "initrd": initramfs_bytes(initramfs_files(), "zstd"),
    "disk": disk_bytes(disk_files(), container="squashfs", compressor="lz4"),
    "board.dtb": make_dtb({"model": b"x\0"}),
    "Image": make_arm64(),
    "zImage": make_zimage(b"\x1f\x8b\x08"),
    "boot.efi": make_pe({".linux": make_bzimage(), ".initrd": b"x"}),
    "SHA256SUMS": checksums({"vmlinuz": b"x"}),
}
DAMAGE: Final = st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(FILES)), DAMAGE, st.none() | st.integers(0, 3000))
def test_damaged_files_end_in_a_report_or_an_error(
    name: str, damage: list[tuple[int, int]], cut: int | None
) -> None:
    data = bytearray(FILES[name][:cut])
    for place, value in damage if data else []:
        # Mostly where headers are.
        data[place % (512 if value % 2 else len(data)) % len(data)] = value
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(data)
        for paths in ([Path(folder)], [Path(folder) / name]):
            try:
                report = verify(collect(paths))
            except RdcomposeError as error:
                assert "\n" not in error.message  # noqa: PT017
                continue
            text = "\n".join(as_lines(report, verbose=True)) + json.dumps(as_json(report))
            # What can be printed, on any terminal.
            assert all(char.isprintable() or char == "\n" for char in text)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        [b"", *(data[:8] for data in FILES.values()), b"\x89LZO", b"MZ", b"\x7fELF", b"hsqs"]
    ),
    st.binary(max_size=2000),
)
def test_any_file_is_something_or_nothing(start: bytes, rest: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(start + rest)
        assert identify(path, "file").size == len(start + rest)
