from __future__ import annotations

import sys

import pytest

from rdcompose.errors import OutputError, UsageError
from rdcompose.release.signer import parse_command, sign

SUMS = b"0  file\n"


def script(text: str) -> tuple[str, ...]:
    """Return a command that runs Python with the file as its argument."""
    code = f"import os, pathlib, sys; file = pathlib.Path(sys.argv[1]); {text}"
    return (sys.executable, "-c", code, "{}")


def test_commands_are_taken_apart_as_a_shell_does() -> None:
    assert parse_command("minisign -S -s 'my key' -m {}") == (
        "minisign", "-S", "-s", "my key", "-m", "{}",
    )  # fmt: skip
    assert parse_command("sign --in={} x") == ("sign", "--in={}", "x")
    assert parse_command("sign") == ("sign", "{}")


@pytest.mark.parametrize("text", ["", "  ", "sign 'x", "# sign\\"])
def test_what_is_no_command_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="to sign with"):
        parse_command(text)


def test_what_appears_beside_the_file_is_the_signature() -> None:
    command = script(
        "[file.with_name(file.name + s).write_bytes(file.read_bytes() * 2) for s in ('.a', '.b')]"
    )
    assert sign(command, "SHA256SUMS", SUMS) == {
        "SHA256SUMS.a": SUMS * 2,
        "SHA256SUMS.b": SUMS * 2,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "wrote no signature beside SHA256SUMS"),
        ("sys.exit(3)", "which was to sign, ended with 3"),
        ("os.kill(os.getpid(), 9)", "which was to sign, was ended by signal 9"),
        ("file.write_bytes(b'x')", "changed SHA256SUMS instead of signing it"),
        ("file.unlink()", "changed SHA256SUMS instead of signing it"),
        ("file.with_name('x').touch()", "wrote x, which is no signature of SHA256SUMS"),
        ("file.with_name(file.name + '.d').mkdir()", "wrote SHA256SUMS.d, which is no signature"),
        ("file.with_name(file.name + '.a').touch()", "wrote SHA256SUMS.a of 0 bytes: no signa"),
    ],
    ids=["nothing", "status", "signal", "changed", "removed", "other", "directory", "empty"],
)
def test_signers_that_fail(text: str, said: str) -> None:
    with pytest.raises(OutputError, match=said):
        sign(script(text), "SHA256SUMS", SUMS)


def test_a_signer_that_is_not_there() -> None:
    with pytest.raises(OutputError, match="cannot start /none/sign to sign: No such file"):
        sign(("/none/sign", "{}"), "SHA256SUMS", SUMS)


def test_what_it_prints_is_no_result(capfd: pytest.CaptureFixture[str]) -> None:
    sign(script("file.with_name(file.name + '.a').write_text('s'); print('signed')"), "S", SUMS)
    assert capfd.readouterr() == ("", "signed\n")
