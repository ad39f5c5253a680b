"""The support for real tools says what is missing, and what went wrong."""

from __future__ import annotations

import pytest

from tests.support import tools


def test_a_missing_tool_skips_and_names_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.delenv("RDCOMPOSE_REQUIRE_TOOLS", raising=False)
    monkeypatch.setattr(tools, "search_path", lambda: str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match=r"unsquashfs .*package squashfs-tools\)"):
        tools.tool("unsquashfs")


def test_a_missing_tool_fails_where_tools_are_required(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("RDCOMPOSE_REQUIRE_TOOLS", "1")
    monkeypatch.setattr(tools, "search_path", lambda: str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match="unsquashfs is not installed"):
        tools.tool("unsquashfs")


def test_run_gives_the_output_in_the_c_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    script = 'cat; echo "$LC_ALL $X"; printf "\\377"'
    assert tools.run("sh", "-c", script, stdin=b"in ", env={"X": "y"}) == "in C y\n\udcff"


def test_run_shows_a_failure() -> None:
    with pytest.raises(pytest.fail.Exception) as failure:
        tools.run("sh", "-c", "echo out; echo wrong >&2; exit 3")
    for part in ("ended with 3", "stdout: out", "stderr: wrong", "sh -c"):
        assert part in str(failure.value)
    assert tools.run("sh", "-c", "exit 3", status=3) == ""
