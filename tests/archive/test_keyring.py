"""Which keyring is used, and the one that is shipped."""

from __future__ import annotations

import hashlib
import importlib.resources
from typing import TYPE_CHECKING, Final

import pytest

import rdcompose.archive
from rdcompose.archive.keyring import debian_keyring, load_keyring
from rdcompose.errors import TrustError
from tests.support.signing import make_key

if TYPE_CHECKING:
    from pathlib import Path

DATA: Final = importlib.resources.files(rdcompose.archive) / "data"
NAME: Final = "debian-archive-keyring"


def write_system(root: Path, suffix: str, data: bytes) -> Path:
    path = root / "usr" / "share" / "keyrings" / f"{NAME}.{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.asc"
    path.write_bytes(make_key().armoured)
    keyring = load_keyring(path)
    assert keyring.name == str(path)
    assert make_key().fingerprint in keyring.fingerprints


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match=r"own\.gpg cannot be read: No such file or directory"):
        load_keyring(tmp_path / "own.gpg")


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="cannot be read: Is a directory"):
        load_keyring(tmp_path)


@pytest.mark.parametrize("suffix", ["pgp", "gpg"])
def test_the_keyring_of_the_system(tmp_path: Path, suffix: str) -> None:
    path = write_system(tmp_path, suffix, make_key().certificate)
    keyring = debian_keyring(tmp_path)
    assert keyring == load_keyring(path)
    assert keyring.name == str(path)


def test_the_new_name_comes_first(tmp_path: Path) -> None:
    write_system(tmp_path, "gpg", make_key("other").certificate)
    path = write_system(tmp_path, "pgp", make_key().certificate)
    assert debian_keyring(tmp_path) == load_keyring(path)


def test_a_damaged_keyring_of_the_system_is_not_passed_over(tmp_path: Path) -> None:
    path = write_system(tmp_path, "gpg", make_key().certificate[:-5])
    with pytest.raises(TrustError, match=f"^{path} is not an OpenPGP keyring, or is damaged"):
        debian_keyring(tmp_path)


def test_the_shipped_keyring(tmp_path: Path) -> None:
    keyring = debian_keyring(tmp_path)
    assert keyring.name == "the Debian keyring shipped with rdcompose"
    certificates = {
        "1F89983E0081FDE018F3CC9673A4F27B8DD47936",
        "AC530D520F2F3269F5E98313A48449044AAD5C5D",
        "A4285295FC7B1A81600062A9605C66F00D6C9793",
        "4D64FEC119C2029067D6E791F8D2585B8783D481",
        "B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8",
        "05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0",
        "04B54C3CDCA79751B16BC6B5225629DF75B188BD",
        "5E04A1E3223A19A20706E20F9904613D4CCE68C6",
        "41587F7DB8C774BCCF131416762F67A0B2C39DE4",
    }
    assert {row.fingerprint for row in keyring.certificates} == certificates
    # Six of them sign with a subkey.
    assert len(keyring.fingerprints) == 15


def test_the_readme_tells_the_digest() -> None:
    digest = hashlib.sha256((DATA / f"{NAME}.gpg").read_bytes()).hexdigest()
    assert f"SHA-256:  {digest}\n" in (DATA / "README").read_text(encoding="utf-8")
