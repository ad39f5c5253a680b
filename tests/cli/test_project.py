"""``rdcompose.toml``: what it sets, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from rdcompose.cli.project import Project, read_project
from rdcompose.errors import SpecError
from tests.support.farm import NEW, OLD, SECURE, TRIXIE

if TYPE_CHECKING:
    from tests.cli.conftest import Shop


def write(directory: Path, text: str | bytes) -> Path:
    path = directory / "rdcompose.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refused(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        read_project(path)
    assert caught.value.message.isprintable()
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "mirror", "suite"),
    [
        ("", (), None),
        ('mirror = "http://a/debian"', ("http://a/debian",), None),
        ('mirror = ["a", "b"]', ("a", "b"), None),
        ("mirror = []", (), None),
        ('suite = "buster/updates"', (), "buster/updates"),
        ('# c\nsuite = "sid"\nmirror = "a"\n', ("a",), "sid"),
    ],
)
def test_what_is_set(tmp_path: Path, text: str, mirror: tuple[str, ...], suite: str | None) -> None:
    assert read_project(write(tmp_path, text)) == Project(mirror=mirror, suite=suite)


@pytest.mark.parametrize(
    ("keyring", "path"), [("k.gpg", "{}/k.gpg"), ("a/k.gpg", "{}/a/k.gpg"), ("/k.gpg", "/k.gpg")]
)
def test_keyring_is_beside_the_file(tmp_path: Path, keyring: str, path: str) -> None:
    found = read_project(write(tmp_path, f'keyring = "{keyring}"'))
    assert found == Project(keyring=Path(path.format(tmp_path)))


def test_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_project(tmp_path / "none.toml") == Project()
    monkeypatch.chdir(tmp_path)
    assert read_project() == Project()
    write(tmp_path, 'suite = "sid"')
    assert read_project() == Project(suite="sid")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mirror = 5", "mirror = 5 is neither"),
        ('mirror = ["a", 5]', "mirror = ['a', 5] is neither"),
        ('mirror = ["http://me:word@a/", 5]', "mirror = ['http://a/', 5] is neither"),
        ('mirror = ["a", ""]', "mirror"),
        ('mirror = { a = "b" }', "mirror"),
        ('mirror = ""', "mirror = '' is neither"),
        ('suite = ""', "suite = '' is no text"),
        ("suite = 13", "suite = 13 is no text"),
        ('suite = "../x"', "suite = '../x' is no name of a suite"),
        ('suite = "a b"', "suite = 'a b' is no name of a suite"),
        ('keyring = ["a"]', "keyring = ['a'] is no text"),
        ('mirrors = "x"', "unknown key 'mirrors'"),
        ('"\\u001b" = "x"', "unknown key '\\x1b'"),
        ("mirror = ", "rdcompose.toml: "),
        (b'suite = "\xff"', "rdcompose.toml: "),
        pytest.param(f"suite = {'[' * 10_000}", "nested too deep", id="deep"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str | bytes, expected: str) -> None:
    message = refused(write(tmp_path, text))
    assert message.startswith(f"{tmp_path}/rdcompose.toml: ")
    assert expected in message


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    message = refused(tmp_path)
    assert message == f"cannot read {tmp_path}: Is a directory"


# In a command.


def command(shop: Shop, *arguments: str) -> list[str]:
    """Return a command with no options but what keeps it off this machine."""
    return [*arguments, "--cache", str(shop.cache), "--no-snapshot"]


def test_project_file(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    (shop.path / "own.pgp").write_bytes(shop.farm.keyring.read_bytes())
    mirror = f"{shop.server.url}/debian"
    write(shop.path, f'mirror = "{mirror}"\nsuite = "bookworm"\nkeyring = "own.pgp"\n')
    assert main(command(shop, "build", NEW, "-o", str(shop.out))) == 0
    assert (shop.out / f"vmlinuz-{NEW}").exists()
    capsys.readouterr()
    assert main(command(shop, "kernels", "--arch", "amd64")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [SECURE, NEW, OLD]


def test_options_count_more(shop: Shop) -> None:
    (shop.path / "own.pgp").write_bytes(b"none")
    write(shop.path, 'mirror = "http://127.0.0.1:1"\nsuite = "sid"\nkeyring = "own.pgp"\n')
    shop.run("build", TRIXIE, "--suite", "trixie")
    assert (shop.out / f"vmlinuz-{TRIXIE}").exists()


def test_error_in_a_command(shop: Shop) -> None:
    write(shop.path, "mirror = 5")
    assert "rdcompose.toml: mirror = 5" in shop.error("build", NEW)
    assert shop.server.requests == []
