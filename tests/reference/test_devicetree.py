"""The device trees of a real kernel package, as fdtget of the device tree compiler reads them."""

from __future__ import annotations

import pytest

from rdcompose.formats.devicetree import read_device_tree
from tests.support.kernels import unpacked
from tests.support.tools import run, tool

pytestmark = pytest.mark.reference


def test_boards_of_debian() -> None:
    package = unpacked("trixie", "arm64", "linux-image-arm64")
    files = sorted(package.glob("usr/lib/linux-image-*/**/*.dtb*"))
    assert len(files) > 500
    for path in files:
        found = read_device_tree(path.read_bytes())
        assert (path.suffix == ".dtb") == (found.model is not None)
    # fdtget is a process each.
    for path in files[::40]:
        found = read_device_tree(path.read_bytes())
        for name, value in (
            ("model", [] if found.model is None else [found.model]),
            ("compatible", list(found.compatible)),
        ):
            told = run(tool("fdtget"), "-d", "", "-ts", path, "/", name).strip()
            assert told.replace("\n", " ") == " ".join(value)
