from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.cases import TOP, Bench, Case, environment, lacks, run_cases, shown
from bench.measure import RunError

if TYPE_CHECKING:
    from pathlib import Path


def make_bench(scratch: Path, runs: int = 2, minivm: Path | None = None) -> Bench:
    return Bench(
        runs=runs,
        scratch=scratch,
        packages={"cloud": "/pool/linux-image.deb"},
        lacking={"generic": "no mirror"},
        minivm=minivm,
        tell=lambda _: None,
    )


def shell(text: str) -> tuple[str, ...]:
    return "sh", "-c", text


def test_cases_run_in_turns_each_in_an_empty_directory(tmp_path: Path) -> None:
    log = tmp_path / "log"
    note = f'[ -z "$(ls)" ] && echo "$1" >>{log} && echo data >out-1'
    cases = [
        Case(name=name, group="g", words=(*shell(note), "sh", name), sizes=("out-*",))
        for name in ("a", "b")
    ]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    first, second = run_cases(make_bench(scratch), cases)
    assert log.read_text().split() == ["a", "b"] * 3
    assert (first.name, first.group, first.sizes) == ("a", "g", {"out-1": 5})
    assert [set(run) for run in second.runs] == [{"wall", "cpu", "memory"}] * 2
    assert list(scratch.iterdir()) == []


def test_prepared_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    words, prepare = (shell(f"echo {word} >>{log}") for word in ("run", "prepare"))
    run_cases(make_bench(tmp_path), [Case(name="a", words=words, prepare=(prepare,))])
    assert log.read_text().split() == ["prepare", "run", "run", "run"]


@pytest.mark.parametrize(
    ("changes", "counted", "all_runs"),
    [({"runs": 1}, 1, 2), ({"runs": 9}, 2, 3), ({"runs": 0}, 0, 1), ({"once": True}, 1, 1)],
)
def test_fewer_runs(tmp_path: Path, changes: dict[str, int], counted: int, all_runs: int) -> None:
    log = tmp_path / "log"
    case = Case(name="a", words=shell(f"echo x >>{log}"), **changes)  # type: ignore[arg-type]
    (row,) = run_cases(make_bench(tmp_path), [case])
    assert (len(row.runs), len(log.read_text().split())) == (counted, all_runs)


def test_what_fails_says_why_and_the_others_go_on(tmp_path: Path) -> None:
    cases = [
        Case(name="bad", words=shell("echo no >&2; exit 4")),
        Case(name="good", words=shell("exit 3"), status=3),
    ]
    bad, good = run_cases(make_bench(tmp_path), cases)
    assert (bad.error, bad.runs) == ("sh ended with 4, not 0: no", ())
    assert (good.error, len(good.runs)) == ("", 2)


def test_a_later_failure_takes_no_figures_from_the_earlier_runs(tmp_path: Path) -> None:
    words = shell(f"[ ! -e {tmp_path}/mark ] || exit 1; touch {tmp_path}/mark")
    (row,) = run_cases(make_bench(tmp_path), [Case(name="a", words=words, sizes=("*",))])
    assert row.error
    assert (row.runs, row.memory, row.sizes) == ((), None, {})


def test_packages_that_are_not_there(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    assert bench.package("cloud") == "/pool/linux-image.deb"
    with pytest.raises(RunError, match="no mirror"):
        bench.package("generic")
    with pytest.raises(RunError, match="there is no busybox-static:bookworm:amd64"):
        bench.build("cloud")


def test_commands_are_shown_without_paths_of_the_machine(tmp_path: Path) -> None:
    minivm = tmp_path / "checkout"
    bench = make_bench(tmp_path / "scratch", minivm=minivm)
    words = [
        f"{TOP}/bin/rdcompose",
        "build",
        "/pool/linux-image_1_amd64.deb",
        "--cache",
        str(bench.scratch / "warm"),
        "--busybox",
        f"{minivm}/bin/busybox",
        "/elsewhere/tree",
        "-o",
        "out",
    ]
    assert shown(words, bench) == (
        "bin/rdcompose build linux-image_1_amd64.deb --cache warm --busybox minivm/bin/busybox "
        "tree -o out"
    )


def test_long_commands_are_cut(tmp_path: Path) -> None:
    text = shown([str(number) for number in range(40)], make_bench(tmp_path))
    assert text.split()[-3:] == ["…", "8", "more"]
    assert text.split()[:-3] == [str(number) for number in range(32)]


def test_commands_keep_compiled_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("RDCOMPOSE_CACHE", "/somewhere")
    monkeypatch.setenv("PATH", "/opt/bin:/usr/sbin")
    found = environment()
    assert not {"PYTHONDONTWRITEBYTECODE", "RDCOMPOSE_CACHE"} & found.keys()
    assert found["PATH"] == "/opt/bin:/usr/sbin:/usr/local/sbin:/sbin"


def test_programs_that_are_lacking() -> None:
    assert lacks("sh") == ""
    assert lacks("sh", "no-such-program", "none-either") == "no-such-program, none-either"
