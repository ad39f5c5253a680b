from __future__ import annotations

import pytest

from rdcompose.kernel.builtin import Builtin


def test_lines_of_modules_builtin() -> None:
    lines = ["kernel/fs/ext4/ext4.ko", "kernel/lib/my-lib.ko\n", "", "# no", "7/x.ko", "ü/y.ko"]
    builtin = Builtin.parse(lines, b"")
    assert builtin.paths == ("kernel/fs/ext4/ext4.ko", "kernel/lib/my-lib.ko")
    assert builtin.names() == {
        "ext4": "kernel/fs/ext4/ext4.ko",
        "my_lib": "kernel/lib/my-lib.ko",
    }


@pytest.mark.parametrize(
    ("record", "aliases"),
    [
        (b"ext4.alias=fs-ext4\0", [("fs_ext4", "ext4")]),
        (b"a.alias=x[0-9]-*\0", [("x[0-9]_*", "a")]),
        (b"a.alias=k=v.w\0", [("k=v.w", "a")]),
        (b"a.license=GPL\0a.alias=x\0", [("x", "a")]),
        (b"a.alias=\0", []),
        (b"a.alias\0", []),
        (b".alias=x\0", []),
        (b"no_dot=x\0", []),
        (b"a.alias=x[0\0", []),
        (b"a.alias=cut", []),
        (b"\0\0", []),
        (b"", []),
    ],
)
def test_records_of_modules_builtin_modinfo(record: bytes, aliases: list[tuple[str, str]]) -> None:
    assert list(Builtin.parse([], record).aliases) == aliases


def test_firmware() -> None:
    record = b"a.firmware=x/a.fw\0a.alias=y\0b.firmware=x/*.bin\0.firmware=z\0c.firmware=\0"
    assert Builtin.parse([], record).firmware == (("x/a.fw", "a"), ("x/*.bin", "b"))
