"""The reader for Alpine's packages against GNU tar, which takes the parts for one archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.formats.apk import Apk, read_apk_file
from rdcompose.formats.tarstream import Kind
from tests.support.debs import Content, make_apk
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

FILES: dict[str, Content] = {
    "bin/busybox.static": (0o755, b"program" * 9999),
    "bin/sh": "busybox.static",
    "etc/" + "long-name/" * 15 + "x": b"deep",
}


@pytest.mark.parametrize("signed", [True, False])
def test_members(tmp_path: Path, signed: bool) -> None:
    path = tmp_path / "sample.apk"
    path.write_bytes(make_apk(FILES, signed=signed))
    names = run(tool("tar"), "--warning=none", "-tzf", path).splitlines()
    with path.open("rb") as stream:
        members = list(Apk.open(stream).members())
        content = read_apk_file(stream, "bin/busybox.static")
    found = [m.path + "/" * (m.kind is Kind.DIRECTORY) for m in members]
    assert found == [name for name in names if not name.startswith(".")]
    options = ["--warning=none", "-xzOf", str(path), "bin/busybox.static"]
    assert content == run_bytes(tool("tar"), *options)
