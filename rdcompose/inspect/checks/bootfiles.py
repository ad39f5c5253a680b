"""Whether the boards of a boot folder find what they load, and whether it is of their kind.

Sources: Raspberry Pi's documentation, "config.txt" and "Kernel command line"; release notes of
rpi-eeprom on several initramfs files ("that are not 32-bit aligned") and on ``auto_initramfs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.formats.image import ImageKind
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.boots import wrong_kernel
from rdcompose.inspect.findings import Check, Finding, contradiction, remark, some

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rdcompose.boards.firmware_view import BootView
    from rdcompose.inspect.boots import BootFacts

# The kernel wants what follows in the next file at a multiple of this, and the firmware adds
# nothing between them.
_ALIGNMENT: Final = 4


def told(
    facts: BootFacts, reasons: Callable[[BootView], Iterable[str]], make: Callable[[str], Finding]
) -> list[Finding]:
    """Return what is to be said of boards, once for all of which it is true."""
    found: dict[str, list[str]] = {}
    for boot in facts.boots:
        for reason in reasons(boot.view):
            found.setdefault(reason, []).append(boot.title)
    return [make(f"{reason} (Raspberry Pi {some_boards(who)})") for reason, who in found.items()]


def some_boards(titles: Iterable[str]) -> str:
    """Return the names of boards, as many as a line has room for."""
    return some(list(titles))


def check_kernel(facts: BootFacts) -> Check:
    """Look whether each board finds a kernel that it can start."""

    def reasons(view: BootView) -> Iterator[str]:
        if view.kernel is None:
            yield f"there is no kernel: {_looked_for(view.kernel_asked)}"
            return
        kernel = facts.artifact(view.kernel)
        if (wrong := wrong_kernel(view, kernel)) is not None:
            yield wrong
        elif kernel.image is not None and kernel.image.kind is ImageKind.EFI_ZBOOT:
            yield f"{kernel.name} unpacks itself under EFI only, which the firmware is not"

    findings = told(facts, reasons, contradiction)
    findings += _elsewhere(facts)
    shown = [
        f"{kernel} on {some_boards(boot.title for boot in facts.loading(kernel))}"
        for kernel in facts.kernels
    ]
    return Check(name="kernel", summary="; ".join(shown), findings=tuple(findings))


def _looked_for(names: Sequence[str]) -> str:
    return f"{' and '.join(names)} {'was' if len(names) == 1 else 'were'} looked for"


def _elsewhere(facts: BootFacts) -> Iterator[Finding]:
    """Yield what is to be said of boards that find all, but start it wrongly."""
    meant = {boot.title for boot in facts.boots}
    found: dict[str, list[str]] = {}
    for boot in facts.all_boots:
        view = boot.view
        if boot.title in meant or view.kernel is None or view.device_tree is None:
            continue
        image = facts.artifact(view.kernel).image
        if image is not None and image.bits != view.bits and image.bits in view.model.bits:
            wrong = str(wrong_kernel(view, facts.artifact(view.kernel)))
            found.setdefault(wrong, []).append(boot.title)
    for wrong, who in found.items():
        yield remark(f"a Raspberry Pi {some_boards(who)} would not boot: {wrong}")


def check_initramfs(facts: BootFacts) -> Check:
    """Look whether the files of each initramfs are there and can be joined."""
    if not any(
        view.initramfs or view.initramfs_missing or view.initramfs_automatic
        for view in (boot.view for boot in facts.boots)
    ):
        summary = "config.txt asks for no initramfs"
        return Check(name="initramfs", summary=summary, done=False)
    findings = told(facts, lambda view: _missing_initramfs(facts, view, wanted=True), contradiction)
    findings += told(facts, lambda view: _missing_initramfs(facts, view, wanted=False), remark)
    findings += told(facts, lambda view: _unaligned(facts, view), contradiction)
    findings += told(facts, lambda view: _no_initramfs(facts, view), contradiction)
    names = dict.fromkeys(name for boot in facts.boots for name in boot.view.initramfs)
    summary = ", ".join(names) or "there is none"
    return Check(name="initramfs", summary=summary, findings=tuple(findings))


def _missing_initramfs(facts: BootFacts, view: BootView, *, wanted: bool) -> Iterator[str]:
    """Yield what is missing: for sure ``wanted``, or only where a kernel needs it."""
    if not view.initramfs_automatic:
        if wanted:
            for name in view.initramfs_missing:
                yield f"{name} is not there, and the firmware starts the kernel without it"
        return
    directory = (view.kernel or "").rpartition("/")[0]
    has_some = any(
        path.rpartition("/")[0] == directory and path.rpartition("/")[2].startswith("init")
        for path in facts.folder.files
    )
    if view.kernel is None or view.initramfs or has_some is not wanted:
        return
    if view.initramfs_missing:
        yield (
            f"auto_initramfs makes the firmware look for {view.initramfs_missing[0]}, "
            "which is not there"
        )
    else:
        yield (
            f"auto_initramfs finds nothing for {view.kernel}: only the names that the firmware "
            "itself has for kernels lead to an initramfs"
        )


def _unaligned(facts: BootFacts, view: BootView) -> Iterator[str]:
    for name in view.initramfs[:-1]:
        size = facts.folder.file(name).content.size
        if size % _ALIGNMENT:
            yield (
                f"{name} has {size} bytes, no multiple of {_ALIGNMENT}: what is joined to "
                "it cannot be unpacked"
            )


def _no_initramfs(facts: BootFacts, view: BootView) -> Iterator[str]:
    for name in view.initramfs:
        found = facts.artifact(name)
        if found.kind is not Kind.INITRAMFS:
            yield f"{name} is no initramfs: {found.problem or found.what}"


def check_board_trees(facts: BootFacts) -> Check:
    """Look whether each board finds a device tree of its own chip, and its overlays."""
    findings = told(facts, lambda view: _wrong_tree(facts, view), contradiction)
    findings += told(facts, lambda view: _unused_overlays(facts, view), contradiction)
    findings += told(facts, _remarkable_tree, remark)
    paths = [boot.view.device_tree or "none" for boot in facts.boots]
    names = dict.fromkeys(path.rpartition("/")[2] for path in paths)
    return Check(name="device tree", summary=some(list(names)), findings=tuple(findings))


def _wrong_tree(facts: BootFacts, view: BootView) -> Iterator[str]:
    if view.device_tree is None:
        if view.device_tree_asked:
            yield f"there is no device tree: {_looked_for(view.device_tree_asked)}"
        return
    found = facts.artifact(view.device_tree)
    if found.device_tree is None:
        yield f"{found.name} is no device tree: {found.problem or found.what}"
        return
    chips = [name for name in found.device_tree.compatible if name.startswith("brcm,bcm2")]
    if chips and f"brcm,{view.model.soc.lower()}" not in chips:
        yield f"{found.name} is for {some(chips)}, and this board is a {view.model.soc}"


def _unused_overlays(facts: BootFacts, view: BootView) -> Iterator[str]:
    """Yield that overlays of a set are passed by, for want of a file beside them."""
    own = f"{view.prefix}{view.overlay_directory}"
    if not view.prefix or view.overlay_directory.startswith(view.prefix):
        return
    if any(path.startswith(own) and path.endswith(".dtbo") for path in facts.folder.files):
        yield f"the overlays in {own} are passed by, because {own}README is not there"


def _remarkable_tree(view: BootView) -> Iterator[str]:
    name = (view.device_tree or "").rpartition("/")[2]
    variant = view.variant
    if name in variant.upstream and name not in variant.downstream and not _upstream(view):
        yield f"{name} is found by newer firmware only: upstream_kernel=1 lets all look for it"
    for path in view.overlays_missing:
        yield f"{path} is not there, and the firmware goes on without this overlay"


def _upstream(view: BootView) -> bool:
    first = (view.device_tree_asked or ("",))[0].rpartition("/")[2]
    return len(view.device_tree_asked) == 1 or first in view.variant.upstream


def check_firmware(facts: BootFacts) -> Check:
    """Look whether the firmware's own files are there, in pairs."""
    needing = [boot for boot in facts.boots if boot.view.firmware]
    if not needing:
        return Check(name="firmware", summary="a Pi 5 has its own", done=False)
    if not facts.has_firmware:
        finding = remark(
            "there are no firmware files, as start.elf: only a Raspberry Pi 5 has its own"
        )
        return Check(name="firmware", summary="", findings=(finding,))

    def reasons(view: BootView) -> Iterator[str]:
        missing = [name for name in view.firmware if not facts.has_file(name)]
        there = [name for name in view.firmware[-2:] if name not in missing]
        for name in missing:
            beside = f"{there[0]} is there, and " if name in view.firmware[-2:] and there else ""
            yield f"{beside}{name} is missing: the board does not start without it"

    names = dict.fromkeys(name for boot in needing for name in boot.view.firmware)
    return Check(
        name="firmware",
        summary=f"{', '.join(names)} there",
        findings=tuple(told(facts, reasons, contradiction)),
    )
