from __future__ import annotations

import json

from rdcompose.inspect.artifact import Artifact, Kind
from rdcompose.inspect.collection import Collection
from rdcompose.inspect.verify import SCHEMA, Report, as_json, as_lines, verify
from tests.support.artifacts import artifact, disk, group, initramfs, kernel
from tests.support.packages import RELEASE

OTHER = "6.1.0-8-cloud-amd64"
NAMES = [
    *("files", "release", "configuration", "machine", "vermagic", "symbols", "dependencies"),
    *("init", "programs", "links", "device trees", "manifest", "checksums"),
]


def report(*artifacts: Artifact, left_over: tuple[Artifact, ...] = ()) -> Report:
    return verify(Collection((group(*artifacts),), left_over))


def test_every_check_is_made_in_its_order() -> None:
    [one] = report().sets
    assert [check.name for check in one.checks] == NAMES
    assert one.architecture == "amd64"
    assert report().contradictions == ()


def test_contradictions_of_all_sets_in_order() -> None:
    sets = (group(kernel(), disk(name=f"modules-{OTHER}")), group(kernel(OTHER), initramfs()))
    messages = [finding.message for finding in verify(Collection(sets, ())).contradictions]
    assert messages[0].endswith(f"by its name, is of {OTHER}")
    assert f"is of {OTHER}, but initramfs-{RELEASE} has modules of {RELEASE}" in messages[1]


def test_checksums_of_other_sets_are_passed_over() -> None:
    # Both sets of a directory look at the same file.
    sums = artifact("SHA256SUMS", Kind.CHECKSUMS, problem="none")
    sets = (group(kernel(), sums, named=RELEASE), group(kernel(OTHER), sums, named=OTHER))
    assert len(verify(Collection(sets, ())).sets) == 2


def test_lines() -> None:
    left_over = (artifact("README", Kind.UNKNOWN, problem="it is empty"),)
    lines = list(as_lines(report(left_over=left_over), verbose=False))
    assert lines[0] == (
        f"{RELEASE}, amd64: vmlinuz-{RELEASE}, initramfs-{RELEASE}, modules-{RELEASE}.qcow2, "
        f"config-{RELEASE}"
    )
    assert lines[1] == "  ok      files         4 files can be read"
    assert lines[-1] == "left over: README (it is empty)"
    assert len(lines) == 12
    verbose = list(as_lines(report(), verbose=True))
    assert "  -       manifest      there is no manifest" in verbose
    assert len(verbose) == 1 + len(NAMES)


def test_lines_of_findings() -> None:
    lines = list(as_lines(report(disk(name=f"modules-{OTHER}")), verbose=False))
    failed = [line for line in lines if line.startswith("  FAILED")]
    # Nothing but the name tells another release.
    assert len(failed) == 1
    assert "  remark  release       there is no kernel among the files" in lines
    assert not any(line.startswith("  ok      release") for line in lines)
    assert next(iter(as_lines(report(artifact("x", Kind.SYMBOLS)), verbose=False))) == (
        "of no release that can be told: x"
    )


def test_json() -> None:
    data = as_json(report(kernel(OTHER), disk(), left_over=(artifact("k.deb", Kind.PACKAGE),)))
    assert json.loads(json.dumps(data)) == data
    assert (data["schema"], data["ok"]) == (SCHEMA, False)
    assert data["left_over"] == [
        {"name": "k.deb", "kind": "Debian package", "why": "it is a Debian package"}
    ]
    [one] = data["sets"]
    assert (one["release"], one["architecture"], one["ok"]) == (OTHER, "amd64", False)
    assert one["files"][0] == {"name": f"vmlinuz-{OTHER}", "kind": "kernel", "size": 1}
    results = {check["name"]: check["result"] for check in one["checks"]}
    assert list(results) == NAMES
    assert results["release"] == results["vermagic"] == "failed"
    assert (results["symbols"], results["manifest"]) == ("passed", "skipped")
    [release] = [check for check in one["checks"] if check["name"] == "release"]
    assert release["findings"][0]["severity"] == "contradiction"
    assert as_json(report())["ok"] is True
