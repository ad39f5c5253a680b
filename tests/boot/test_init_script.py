"""The init script as a text: checked without a machine."""

from __future__ import annotations

import re
import subprocess

import pytest

from rdcompose.compose.template import builtin_template_path
from tests.support.kernels import unpacked
from tests.support.tools import run, tool

SCRIPT = builtin_template_path() / "init"


@pytest.mark.reference
def test_shellcheck_has_nothing_to_say() -> None:
    assert run(tool("shellcheck"), "--shell=sh", "--severity=style", SCRIPT) == ""


@pytest.mark.reference
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_options_are_read_as_the_kernel_reads_them(suite: str) -> None:
    # The functions alone, run by the shell that will run them.
    text = SCRIPT.read_text()
    functions = "\n".join(
        match[0] for match in re.finditer(r"^\w+\(\) \{\n.*?^\}", text, re.MULTILINE | re.DOTALL)
    )
    package = unpacked(suite, "amd64", "busybox-static")
    [busybox] = [path for path in package.rglob("bin/busybox") if path.is_file()]
    cases = {
        "root=/dev/vda ro": "/dev/vda|ro|10||",
        'root="/dev/vda" rw': "/dev/vda|rw|10||",
        '"root=LABEL=my root" rw': "LABEL=my root|rw|10||",
        "root=UUID=a=b rootwait": "UUID=a=b||forever||",
        "root=a root=b rootwait=30": "b||30||",
        "rootdelay=5 rootwait=x": "||5||",
        'x="root=/dev/no rw" root=/dev/yes': "/dev/yes||10||",
        "root=/dev/vda -- root=/dev/no": "/dev/vda||10||",
        "rootflags=noatime,subvol=@ single": "||10|noatime,subvol=@|y",
        'root=$(poweroff) `x` * "?"': "$(poweroff)||10||",
        "": "||10||",
    }
    for line, expected in cases.items():
        program = (
            f"{functions}\nwait=10; warn() {{ :; }}\n"
            'read_options "$1"; echo "$root|$access|$wait|$rootflags|$single"\n'
        )
        done = subprocess.run(
            [busybox, "sh", "-c", program, "sh", line], capture_output=True, text=True, check=True
        )
        assert done.stdout.rstrip("\n") == expected, line
        assert done.stderr == ""
