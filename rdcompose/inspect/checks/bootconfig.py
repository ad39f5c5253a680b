"""What in config.txt and cmdline.txt the firmware passes over without a word.

Source: Raspberry Pi's documentation, "config.txt": File format, Conditional filters, ``os_prefix``;
"Kernel command line". The length of a command line is COMMAND_LINE_SIZE of Linux on ARM.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rdcompose.boards.cmdlinetxt import CommandLine
from rdcompose.boards.configtxt import MAX_LINE, LineKind, filter_type
from rdcompose.boards.firmware_view import ignored_lines, number
from rdcompose.boards.models import MODELS
from rdcompose.boards.tftp_limits import LIMITS, limit_passed, size_problem
from rdcompose.inspect.bootfolder import CONFIG, FolderKind
from rdcompose.inspect.boots import BOOT_KEYS
from rdcompose.inspect.checks.bootfiles import told
from rdcompose.inspect.findings import Check, Finding, contradiction, count, remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.boards.configtxt import Line
    from rdcompose.boards.firmware_view import BootView
    from rdcompose.inspect.boots import BootFacts

_WORD: Final = re.compile(r"\w+")
_LIMIT: Final = {32: 1024, 64: 2048}


def check_config_txt(facts: BootFacts) -> Check:
    """Look for lines of config.txt that do not do what they were written for."""
    if not facts.has_config:
        return Check(name=CONFIG, summary="", findings=tuple(_without_config(facts)))
    findings = [*_ignored(facts), *_filters(facts), *_values(facts)]
    findings += told(facts, lambda view: _prefix(facts, view), contradiction)
    findings += told(facts, lambda view: _includes(facts, view), remark)
    findings += told(facts, lambda view: _widths(facts, view), remark)
    settings = sum(line.kind in {LineKind.SETTING, LineKind.COMMAND} for line in facts.config.lines)
    return Check(
        name=CONFIG, summary=f"{count(settings, 'setting')} that count", findings=tuple(findings)
    )


def _without_config(facts: BootFacts) -> Iterator[Finding]:
    if any(boot.view.model.name == "5" for boot in facts.boots):
        yield contradiction(f"there is no {CONFIG}, without which a Raspberry Pi 5 does not boot")
    else:
        yield remark(f"there is no {CONFIG}: the firmware looks for what it would by itself")


def _ignored(facts: BootFacts) -> Iterator[Finding]:
    rows = dict.fromkeys(row for boot in facts.boots for row in boot.view.ignored)
    # A line that no board of this folder reads is looked at, too.
    for model in MODELS.values():
        found = ignored_lines(facts.config, set(model.filters))
        rows |= dict.fromkeys(row for row in found if not row.depends)
    for row in rows:
        word = _WORD.match(row.text)
        vital = row.text.startswith("[") or (word is not None and word[0] in BOOT_KEYS)
        make = contradiction if vital and not row.depends else remark
        if vital or not row.depends:
            yield make(f"{row.line} is passed over: {row.text!r}: {row.reason}")


def _filters(facts: BootFacts) -> Iterator[Finding]:
    for line in facts.config.lines:
        known = line.value == "all" or filter_type(line.value) is not None
        if line.kind is not LineKind.SECTION or known:
            continue
        held = _held(facts, line.value)
        make = contradiction if any(row.key in BOOT_KEYS for row in held) else remark
        yield make(
            f"{line.where}: [{line.value}] is no filter that is known, and nothing counts "
            f"of the {count(len(held), 'line')} behind it"
        )


def _held(facts: BootFacts, name: str) -> list[Line]:
    return [line for line in facts.config.lines if name in line.section and line.key]


def _values(facts: BootFacts) -> Iterator[Finding]:
    """Yield lines whose end the firmware cuts off, or takes for a part of the value."""
    for line in facts.config.lines:
        if not line.key:
            continue
        make = contradiction if line.key in BOOT_KEYS else remark
        if len(line.text) > MAX_LINE:
            yield make(
                f"{line.where} has {len(line.text)} characters, of which the firmware reads "
                f"{MAX_LINE}: {line.key}"
            )
        if " #" in line.value:
            yield make(
                f"{line.where}: {line.text.strip()!r}: a comment stands on a line of its own,"
                " and this one is part of the value"
            )


def _includes(facts: BootFacts, view: BootView) -> Iterator[str]:
    for line in facts.own_config.lines:
        if line.key == "include" and not view.model.reads_includes:
            text = line.text.strip()
            yield f"{line.where} is passed over: {text!r}: this board reads no includes"


def _widths(facts: BootFacts, view: BootView) -> Iterator[str]:
    settings = facts.config.values(view.variant.filters)
    if "arm_64bit" not in settings or "kernel" not in settings or len(view.model.bits) == 1:
        return
    name = settings["kernel"].value
    wanted = 64 if number(settings["arm_64bit"].value) else 32
    if view.bits != wanted:
        yield (
            f"arm_64bit={settings['arm_64bit'].value} does not count: kernel={name} makes it "
            f"{view.bits} bits"
        )


def _prefix(facts: BootFacts, view: BootView) -> Iterator[str]:
    """Yield why a prefix that was asked for is not in effect."""
    settings = facts.config.values(view.variant.filters)
    if view.prefix_asked == view.prefix or "os_prefix" not in settings:
        return
    asked = view.prefix_asked
    if not asked.endswith("/") and any(
        path.startswith(f"{asked.strip('/')}/") for path in facts.folder.files
    ):
        yield f"os_prefix={asked} is passed over: that of a directory ends with a slash: {asked}/"
        return
    kernels = [asked.lstrip("/") + name for name in view.kernel_asked]
    if not any(map(facts.folder.exists, kernels)):
        yield f"os_prefix={asked} is passed over, because {' or '.join(kernels)} is not there"
        return
    yield f"os_prefix={asked} is passed over, because no device tree of this board is below it"


def check_command_line(facts: BootFacts) -> Check:
    """Look whether the kernel gets all of its command line."""
    findings = told(facts, lambda view: _line_faults(facts, view), contradiction)
    if not findings:
        findings = told(facts, lambda view: _line_remarks(facts, view), remark)
    names = dict.fromkeys(boot.view.cmdline or boot.view.cmdline_asked for boot in facts.boots)
    return Check(
        name="command line", summary=f"{', '.join(names)}: one line", findings=tuple(findings)
    )


def command_line(facts: BootFacts, view: BootView) -> CommandLine | None:
    """Return the command line that a board gives its kernel."""
    data = None if view.cmdline is None else facts.folder.text(view.cmdline)
    return None if data is None else CommandLine.parse(data)


def _line_faults(facts: BootFacts, view: BootView) -> Iterator[str]:
    line = command_line(facts, view)
    if line is None:
        yield f"{view.cmdline_asked} is not there: the kernel gets no root= and no console"
        return
    if line.extra:
        yield (
            f"{view.cmdline} has several lines, of which the kernel gets the first only: "
            f"without {line.extra[0].strip()!r}"
        )
    elif not line.words:
        yield f"{view.cmdline} is empty: the kernel gets no root= and no console"
    if len(str(line)) >= _LIMIT[view.bits]:
        yield (
            f"{view.cmdline} has {len(str(line))} characters, and a kernel of {view.bits} bits "
            f"takes {_LIMIT[view.bits] - 1}"
        )


def _line_remarks(facts: BootFacts, view: BootView) -> Iterator[str]:
    line = command_line(facts, view)
    if line is not None and not {"root", "nfsroot", "nbdroot", "boot"} & {
        word.partition("=")[0] for word in line.words
    }:
        yield f"{view.cmdline} names no root="


def check_tftp(facts: BootFacts) -> Check:
    """Look whether the boot loaders can fetch all by TFTP."""
    if facts.folder.kind is not FolderKind.NETWORK:
        return Check(name="TFTP", summary="it is no TFTP directory", done=False)
    wanted = [CONFIG, *facts.kernels]
    for kernel in facts.kernels:
        wanted += facts.loaded(kernel)
    for boot in facts.boots:
        wanted += [*boot.view.firmware, boot.view.cmdline_asked]
    findings = []
    number = 0
    for path in dict.fromkeys(wanted):
        content = facts.folder.content(path)
        if content is None:
            continue
        number += 1
        problem = size_problem(path, content.size)
        if problem is not None:
            # What only boot loaders of years ago cannot do is no contradiction.
            old = limit_passed(content.size) is LIMITS[0]
            findings.append((remark if old else contradiction)(problem))
    return Check(
        name="TFTP",
        summary=f"{count(number, 'file')} within the limits of the boot loaders",
        findings=tuple(findings),
    )
