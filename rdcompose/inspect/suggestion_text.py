"""A suggestion as the files of a profile: ``modules.ramfs`` and ``modules.autoload``, commented."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import TYPE_CHECKING, Final

from rdcompose.inspect.devicename import device_name
from rdcompose.inspect.findings import printable
from rdcompose.inspect.suggestion import Way

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rdcompose.inspect.suggestion import Suggested, Suggestion

_WIDTH: Final = 96
_NAMES: Final = 18
_DESCRIPTION: Final = 56
_DEVICES: Final = 2

_NOTHING: Final = "nothing: what devices ask for, and what the kernel asks for, loads by itself"


def ramfs_text(suggestion: Suggestion, title: str) -> str:
    """Return ``modules.ramfs``; ``title`` says for which kernel it is, and from what."""
    lines = [
        *_comment(f"{title}. What these modules depend on comes along."),
        *_comment("Take out what your machine does without; what is not here is on the disk."),
        *_sections(suggestion.ramfs, ""),
    ]
    if suggestion.left:
        lines += [
            "",
            *_comment(
                "Left to the booted system: these ask for firmware as soon as they see their "
                "device, and an initramfs without it would leave that device without a driver "
                "that works. Take the # away if you build with --firmware-from."
            ),
            *(_line(dataclasses.replace(one, way=Way.DEVICE), "#") for one in suggestion.left),
        ]
    lines += [line for said in _remarks(suggestion) for line in ("", *_comment(said))]
    return "\n".join(lines) + "\n"


def autoload_text(suggestion: Suggestion, title: str) -> str:
    """Return ``modules.autoload``."""
    lines = [*_comment(title + ". Loaded at boot in this order, because no device asks for it:")]
    lines += [_line(one, "") for one in suggestion.autoload] or _comment(_NOTHING)
    by_request = [one for one in suggestion.ramfs if one.way is Way.REQUEST and not one.devices]
    if by_request:
        names = ", ".join(f"{one.name} ({one.alias})" for one in by_request)
        lines += ["", *_comment(f"The kernel asks for these itself when it needs them: {names}.")]
    return "\n".join(lines) + "\n"


def remarks(suggestion: Suggestion) -> Iterator[str]:
    """Yield what of that which was seen is not in the lists, for people to know."""
    if suggestion.missing:
        yield f"loaded there, and not in this kernel: {', '.join(suggestion.missing)}"
    for alias in suggestion.unserved:
        yield (
            f"no module of this kernel is for {device_name(alias)} ({alias}): its driver is built "
            "in, or there is none"
        )
    guessed = [one.name for one in suggestion.ramfs if one.guessed]
    if guessed:
        yield f"guessed, for nothing told of it: {', '.join(guessed)}"
    if suggestion.without_disk:
        yield (
            "nothing here is for a disk: what is built into the kernel of that machine shows in "
            "its /sys only"
        )


def _remarks(suggestion: Suggestion) -> Iterator[str]:
    if suggestion.brought:
        yield f"Come along with others: {', '.join(suggestion.brought)}."
    if suggestion.builtin:
        yield f"Loaded there, built into this kernel: {', '.join(suggestion.builtin)}."
    if suggestion.refused:
        yield (
            "Devices ask for these, and yet they were not loaded when the boot was over: "
            f"{', '.join(suggestion.refused)}."
        )
    for said in remarks(suggestion):
        yield f"{said[0].upper()}{said[1:]}."


def _sections(modules: Sequence[Suggested], mark: str) -> Iterator[str]:
    section = None
    for one in modules:
        if one.section is not section:
            section = one.section
            yield ""
            yield from _comment(section)
        yield _line(one, mark)


def _line(one: Suggested, mark: str) -> str:
    said = "; ".join(_reasons(one))
    return f"{mark + one.name:{_NAMES}} # {said}".rstrip(" #")


def _reasons(one: Suggested) -> Iterator[str]:
    description = printable(one.description)
    if description:
        yield textwrap.shorten(description, _DESCRIPTION, placeholder="…")
    names = list(dict.fromkeys(map(device_name, one.devices)))
    if names:
        more = f" and {len(names) - _DEVICES} more" if len(names) > _DEVICES else ""
        yield printable(", ".join(names[:_DEVICES])) + more
    elif one.asked:
        yield f"the kernel asked for {printable(', '.join(one.asked[:_DEVICES]))}"
    elif one.guessed:
        yield "a guess, for nothing told of it"
    elif one.way is Way.NODE:
        yield f"its device node is not there before it ({printable(one.alias)})"
    elif one.way is Way.NONE:
        yield "it has no alias that anything could ask by"
    if one.firmware:
        yield f"firmware {printable(one.firmware[0])}" + (", …" if one.firmware[1:] else "")


def _comment(text: str) -> Iterable[str]:
    # Names of modules keep whole.
    return [
        f"# {line}"
        for line in textwrap.wrap(
            printable(text), _WIDTH - 2, break_long_words=False, break_on_hyphens=False
        )
    ]
