"""The result of a check for people, for programs, and for continuous integration."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdcompose.qemu.verdict import Verdict

# What XML 1.0 cannot hold, escaped or not.
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A check that was made. ``crashes`` are boots that the emulator broke off before init."""

    release: str
    architecture: str
    machine: str
    accelerator: str
    verdict: Verdict
    crashes: int
    seconds: float

    def line(self) -> str:
        """Return the result as one line."""
        what = f"{self.release} on {self.machine} ({self.architecture}, {self.accelerator})"
        again = ""
        if self.crashes:
            times = "once" if self.crashes == 1 else f"{self.crashes} times"
            again = f"; the emulated kernel crashed {times} before init"
        if not self.verdict.passed:
            return f"failed: {what}: {self.verdict.reason}{again}"
        done = [f"{step.name}: {step.detail}" for step in self.verdict.steps if step.passed]
        return f"passed: {what}: {'; '.join(done)}{again}"

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON-ready data."""
        return {
            "release": self.release,
            "architecture": self.architecture,
            "machine": self.machine,
            "accelerator": self.accelerator,
            "passed": self.verdict.passed,
            "reason": self.verdict.reason or None,
            "crashes": self.crashes,
            "seconds": round(self.seconds, 3),
            "steps": [dataclasses.asdict(step) for step in self.verdict.steps],
            "console": list(self.verdict.tail),
        }

    def to_junit(self, console: Iterable[str]) -> bytes:
        """Return the result as a JUnit file: a case for each step, and the whole console."""
        steps = self.verdict.steps
        failed = [step for step in steps if step.passed is False]
        suite = Element(
            "testsuite",
            name=f"rdcompose boot {self.release}",
            tests=str(len(steps)),
            failures=str(max(len(failed), int(not self.verdict.passed))),
            errors="0",
            skipped=str(sum(step.passed is None for step in steps)),
            time=f"{self.seconds:.3f}",
        )
        for step in steps:
            case = SubElement(suite, "testcase", classname=self.release, name=step.name)
            if step.passed is None:
                SubElement(case, "skipped", message=_xml(step.detail))
            elif not step.passed:
                failure = SubElement(case, "failure", message=_xml(step.detail))
                failure.text = _xml(self.verdict.reason)
        if self.crashes:
            SubElement(suite, "system-err").text = f"crashes before init: {self.crashes}"
        SubElement(suite, "system-out").text = _xml("\n".join(console))
        data: bytes = tostring(suite, encoding="utf-8", xml_declaration=True)
        return data + b"\n"


def _xml(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)
