"""What differs between the vermagic of a module and of a kernel, in words.

Reference: ``include/linux/vermagic.h``: the release, words for what the kernel was built
with, words of the architecture, a hash of the random layout of structures. The kernel compares
the texts as they are (``same_magic``), the release only without symbol versions.
"""

from __future__ import annotations

from typing import Final

MODVERSIONS: Final = "modversions"
_MEANINGS: Final = {
    "SMP": "several processors",
    "preempt": "preemption",
    "preempt_rt": "real time",
    "mod_unload": "unloading of modules",
    MODVERSIONS: "versions of symbols",
}
_RANDSTRUCT: Final = "RANDSTRUCT"


def differences(module: str, kernel: str) -> tuple[str, ...]:
    """Return one phrase for each part that differs; none if both are the same.

    Each is about the module: ``its release is 6.1.0-47-amd64``.
    """
    if module == kernel:
        return ()
    if not module.strip():
        return ("it has no vermagic: it does not tell what it was built for",)
    theirs, own = module.split(), kernel.split()
    found: list[str] = []
    if theirs[0] != own[0]:
        found.append(f"its release is {theirs[0]}")
    more = [word for word in theirs[1:] if word not in own[1:]]
    less = [word for word in own[1:] if word not in theirs[1:]]
    if any(word.startswith(_RANDSTRUCT) for word in (*more, *less)):
        found.append(f"its structures have another layout ({_RANDSTRUCT})")
    found += _phrases("with", more) + _phrases("without", less)
    return tuple(found) or (f"the words of its vermagic are {module!r}, not {kernel!r}",)


def _phrases(preposition: str, words: list[str]) -> list[str]:
    told = [_told(word) for word in words if not word.startswith(_RANDSTRUCT)]
    return [f"it was built {preposition} {' and '.join(told)}"] if told else []


def _told(word: str) -> str:
    return f"{word} ({_MEANINGS.get(word, 'the architecture')})"
