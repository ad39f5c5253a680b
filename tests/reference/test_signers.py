"""Signatures of minisign and OpenSSH, as docs/release.md has them made, checked by themselves."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from rdcompose.release.signer import parse_command, sign
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

SUMS = b"0  file\n"


def test_ssh_keygen_signs(tmp_path: Path) -> None:
    keygen = tool("ssh-keygen")
    key = tmp_path / "my key"
    run(keygen, "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", key)
    command = parse_command(f"{keygen} -q -Y sign -f {shlex.quote(str(key))} -n file")
    ((name, signature),) = sign(command, "SHA256SUMS", SUMS).items()
    assert name == "SHA256SUMS.sig"
    (tmp_path / name).write_bytes(signature)
    public = key.with_suffix(".pub").read_text(encoding="utf-8")
    (tmp_path / "allowed").write_text(f"me {public}", encoding="utf-8")
    options = ("-f", str(tmp_path / "allowed"), "-I", "me", "-n", "file")
    subprocess.run(
        [keygen, "-q", "-Y", "verify", *options, "-s", str(tmp_path / name)],
        input=SUMS,
        check=True,
        capture_output=True,
    )


def test_minisign_signs(tmp_path: Path) -> None:
    minisign = tool("minisign")
    secret, public = tmp_path / "secret.key", tmp_path / "public.key"
    run(minisign, "-G", "-W", "-s", secret, "-p", public)
    command = parse_command(f"{minisign} -S -s {shlex.quote(str(secret))} -m {{}}")
    ((name, signature),) = sign(command, "SHA256SUMS", SUMS).items()
    assert name == "SHA256SUMS.minisig"
    (tmp_path / "SHA256SUMS").write_bytes(SUMS)
    (tmp_path / name).write_bytes(signature)
    run(minisign, "-V", "-q", "-p", public, "-m", tmp_path / "SHA256SUMS")
