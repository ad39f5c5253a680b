"""The table of flavours against the names of all kernels that the mirror offers."""

from __future__ import annotations

import json
import sys
from typing import Final

import pytest

from rdcompose.kernel.release import (
    ARCHITECTURES,
    architecture_of_release,
    flavour_of_release,
)
from tests.support.kernels import cache_directory, mirrors
from tests.support.tools import run

pytestmark = pytest.mark.reference

# Machines of both MIPS architectures: the name tells neither.
IN_SEVERAL: Final = {"octeon", "loongson-3"}


@pytest.mark.parametrize(
    "architecture",
    [
        "amd64",
        "arm64",
        "armel",
        "armhf",
        "i386",
        "mips64el",
        "mipsel",
        "ppc64el",
        "riscv64",
        "s390x",
    ],
)
def test_every_name_tells_its_architecture(architecture: str) -> None:
    mirrors()
    out = run(
        *(sys.executable, "-m", "rdcompose", "kernels", "--all", "--arch", architecture, "--json"),
        *("--no-progress", "--no-snapshot", "--cache", cache_directory() / "archive"),
    )
    releases = [row["release"] for row in json.loads(out)]
    assert releases
    told = {flavour_of_release(name): architecture_of_release(name) for name in releases}
    expected = {
        flavour: None if flavour in IN_SEVERAL else ARCHITECTURES[architecture] for flavour in told
    }
    assert told == expected
