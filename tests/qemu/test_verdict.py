from __future__ import annotations

import dataclasses
import json
from xml.etree import ElementTree as ET

import pytest

from rdcompose.qemu.console import Line
from rdcompose.qemu.process import Run
from rdcompose.qemu.report import Report
from rdcompose.qemu.verdict import Expected, Verdict, died_early, is_last, judge
from tests.support.fakeqemu import GOOD, PANIC, RELEASE

EXPECTED = Expected(
    release=RELEASE,
    autoload=("loop",),
    root_kinds=("squashfs",),
    modules_disk=True,
    init="/sbin/init",
)


def lines(text: str) -> tuple[Line, ...]:
    return tuple(Line(0.1 * n, line) for n, line in enumerate(text.splitlines()))


def judged(text: str, expected: Expected = EXPECTED, status: int | None = 0) -> Verdict:
    return judge(Run(lines=lines(text), status=status, seconds=9.0), expected, limit=60)


def states(verdict: Verdict) -> list[bool | None]:
    return [step.passed for step in verdict.steps]


def test_good_boot() -> None:
    verdict = judged(GOOD)
    assert (verdict.passed, verdict.reason) == (True, "")
    assert [(step.name, step.detail) for step in verdict.steps] == [
        ("kernel release", RELEASE),
        ("autoload modules", "1 loaded"),
        ("root filesystem", "squashfs on /dev/vda, ro"),
        ("modules disk", "/dev/vdb, shown as overlay"),
        ("module from the disk", "dummy loads"),
        ("switched to init", "/sbin/init of the root"),
    ]


def test_what_comes_behind_the_end_does_not_count() -> None:
    """As on a Raspberry Pi of QEMU, which cannot be switched off."""
    panic = "[    6.8] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000000"
    assert judged(f"{GOOD}\n{panic}\n").passed
    before = GOOD.replace("rdcompose-check: end", f"{panic}\nrdcompose-check: end")
    assert judged(before).reason.startswith("the kernel panicked: Attempted")


def test_what_is_not_expected_is_not_demanded() -> None:
    text = "\n".join(
        line
        for line in GOOD.splitlines()
        if not line.startswith(
            ("rdcompose-check: mod", "rdcompose-check: disk", "rdcompose-check: loads")
        )
    )
    assert not judged(text).passed
    modest = dataclasses.replace(EXPECTED, autoload=(), modules_disk=False, root_kinds=())
    verdict = judged(text, modest)
    assert verdict.passed
    assert states(verdict) == [True, None, True, None, None, True]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (f"check: release {RELEASE}", "check: release 6.2", "kernel release: it is 6.2, not "),
        ("module loop loaded", "module loop missing", "autoload modules: not loaded: loop"),
        ("root /dev/vda squashfs", "root /dev/vda ext4", "root filesystem: it is ext4 on /dev/vda"),
        ("root /dev/vda squashfs", "root none rootfs", "root filesystem: it is rootfs on none"),
        ("rdcompose-check: modules overlay overlay\n", "", "modules disk: nothing is mounted"),
        ("rdcompose-check: disk /dev/vdb\n", "", "modules disk: no disk holds the modules"),
        ("loads dummy", "does not load dummy", "module from the disk: dummy does not load"),
        ("loads dummy", "no module", "module from the disk: modules.dep names none"),
        ("init /sbin/init there", "init /sbin/init missing", "switched to init: the root has no"),
        ("check: process 1", "check: process 7", "switched to init: the check is process 7"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, reason: str) -> None:
    assert old in GOOD
    verdict = judged(GOOD.replace(old, new))
    assert verdict.reason.startswith(reason)
    assert states(verdict).count(False) == 1


def test_reason_of_init_is_taken_for_a_missing_disk() -> None:
    said = "there is no modules disk for 6.1; /dev/vdb is for 6.2"
    text = GOOD.replace("modules are on /dev/vdb and in the initramfs", said)
    text = text.replace("rdcompose-check: modules overlay overlay\n", "")
    assert judged(text).reason == f"modules disk: {said}"


def test_first_of_what_the_console_says() -> None:
    wrong = "this initramfs is for 6.1, the kernel is 6.2"
    text = (
        GOOD.partition("rdcompose: loading")[0]
        + f"rdcompose: warning: {wrong}: none of its modules can be loaded\n"
        + "rdcompose: error: the root device /dev/vda is not there\n"
        + PANIC
    )
    verdict = judged(text)
    assert verdict.reason == wrong
    assert states(verdict) == [True, False, None, None, None, None]
    assert judged(text.replace("warning: this", "this?")).reason.startswith("the root device /dev")
    # An init that tells the time of its steps.
    timed = text.replace(f"rdcompose: warning: {wrong}", "").replace(": error", ": [  1.25] error")
    assert judged(timed).reason == "the root device /dev/vda is not there"


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (
            Run(lines=lines("Booting\nstuck"), status=None, seconds=60.0, timed_out=True),
            "the machine did not come to the end of the check in 60 s, after 'stuck'",
        ),
        (
            Run(lines=(), status=None, seconds=60.0, timed_out=True),
            "the machine did not come to the end of the check in 60 s, and nothing was printed",
        ),
        (Run(lines=(), status=1, seconds=0.1), "QEMU ended with status 1 and nothing was printed"),
        (
            Run(lines=lines("qemu: no such machine"), status=1, seconds=0.1),
            "the machine ended (QEMU's status 1) after 'qemu: no such machine'",
        ),
        (
            Run(lines=lines("xx"), status=None, seconds=3.0, too_much=True),
            "the console printed without end",
        ),
        (Run(lines=lines(PANIC), status=0, seconds=3.0), "the kernel panicked: Fatal exception in"),
        (
            Run(lines=lines("rdcompose-check: lost"), status=0, seconds=3.0),
            "the disk with the check cannot be mounted in the booted root",
        ),
    ],
)
def test_boot_that_did_not_come_to_its_end(run: Run, reason: str) -> None:
    verdict = judge(run, EXPECTED, limit=60)
    assert verdict.reason.startswith(reason)
    assert states(verdict).count(False) == 1
    assert True not in states(verdict)[1:]


def test_tail_is_the_end() -> None:
    verdict = judged("\n".join(str(n) for n in range(100)))
    assert verdict.tail == tuple(str(n) for n in range(70, 100))


def test_early_crash_is_one_before_init() -> None:
    assert died_early(lines(PANIC))
    assert not died_early(lines(GOOD))
    assert not died_early(lines("[ 1.0] Run /init as init process\n" + PANIC))
    assert not died_early(lines("rdcompose: loading drivers\n" + PANIC))


def test_last_lines() -> None:
    assert [line.text for line in lines(GOOD) if is_last(line)] == [
        "rdcompose-check: end",
        "[    2.000000] reboot: Power down",
    ]
    assert [is_last(line) for line in lines(PANIC)] == [False, False, True]
    # What a Raspberry Pi says that is to start again.
    assert is_last(lines("[   40.140695] Reboot failed -- System halted\n")[0])


def report(verdict: Verdict, crashes: int = 0) -> Report:
    return Report(
        release=RELEASE,
        architecture="amd64",
        machine="pc",
        accelerator="tcg",
        verdict=verdict,
        crashes=crashes,
        seconds=9.0,
    )


def test_line_of_a_report() -> None:
    assert report(judged(GOOD), 1).line() == (
        f"passed: {RELEASE} on pc (amd64, tcg): kernel release: {RELEASE}; autoload modules: "
        "1 loaded; root filesystem: squashfs on /dev/vda, ro; modules disk: /dev/vdb, shown as "
        "overlay; module from the disk: dummy loads; switched to init: /sbin/init of the root; "
        "the emulated kernel crashed once before init"
    )
    assert report(judged(PANIC), 2).line() == (
        f"failed: {RELEASE} on pc (amd64, tcg): the kernel panicked: Fatal exception in "
        "interrupt; the emulated kernel crashed 2 times before init"
    )


def test_json_of_a_report() -> None:
    data = json.loads(json.dumps(report(judged(GOOD)).to_json()))
    assert (data["passed"], data["reason"], data["crashes"]) == (True, None, 0)
    assert data["steps"][4] == {
        "name": "module from the disk",
        "passed": True,
        "detail": "dummy loads",
    }


def test_junit_of_a_report() -> None:
    verdict = judged(GOOD.replace("loads dummy", "does not load dummy"))
    suite = ET.fromstring(report(verdict, 1).to_junit(["a\x1b[1m<b>&", "\ufffe"]))
    assert suite.tag == "testsuite"
    counts = [suite.attrib[key] for key in ("tests", "failures", "errors", "skipped")]
    assert counts == ["6", "1", "0", "0"]
    [failed] = [case for case in suite.findall("testcase") if case.find("failure") is not None]
    assert failed.attrib["name"] == "module from the disk"
    assert suite.findtext("system-out") == "a\ufffd[1m<b>&\n\ufffd"
    assert suite.findtext("system-err") == "crashes before init: 1"


def test_junit_of_a_boot_that_stopped() -> None:
    suite = ET.fromstring(report(judged(PANIC)).to_junit([]))
    assert [suite.attrib[key] for key in ("failures", "skipped")] == ["1", "4"]
