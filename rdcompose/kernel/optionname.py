"""Which option of the configuration a module probably belongs to, by their names.

No file of a kernel package tells it: that is in the Makefiles of the kernel's source. But most
modules are called as their option, without the subsystem in front or the kind behind: ``loop`` is
``BLK_DEV_LOOP``, ``ext4`` is ``EXT4_FS``. For two thirds of the modules of Debian's kernels there
is an answer, and of a hundred answers one is wrong; where several options are as likely, there is
none. Of what a kernel has not, or has built in, one of ten is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.kernel.supports import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rdcompose.kernel.config import KernelConfig

# Ends of module names that options do not have.
_ENDS: Final = ("_GENERIC", "_CORE", "_MOD", "_DRV", "_COMMON", "_MODULE", "DRV")
# Ends of options that module names do not have.
_KINDS: Final = ("_FS", "_SUPPORT", "_DRIVER")
# Only switches for menus.
_NO_MODULES: Final = "NET_VENDOR_"


def probable_option(config: KernelConfig, name: str, values: str) -> str | None:
    """Return the option, without ``CONFIG_``, that a module probably belongs to.

    ``values`` are those that it can have: ``m`` of a module, ``y`` of what is built in, ``n`` of
    what the kernel has not.
    """
    known = OPTIONS.get(name)
    if known is not None and config.value(known) in values:
        return known
    ends = _by_end(config, values)
    for word in _words(name.upper()):
        for candidate in (word, *(word + kind for kind in _KINDS)):
            if config.value(candidate) in values and candidate in config.options:
                return candidate
        found = ends.get(word.replace("_", ""), [])
        if len(found) == 1:
            return found[0]
    return None


def _words(name: str) -> Iterator[str]:
    yield name
    for end in _ENDS:
        if name.endswith(end) and len(name) > len(end) + 1:
            yield name.removesuffix(end)


def _by_end(config: KernelConfig, values: str) -> Mapping[str, list[str]]:
    """Return options by what they end in, from each of their words on."""
    found: dict[str, list[str]] = {}
    for option, value in config.options.items():
        if value not in values or option.startswith(_NO_MODULES):
            continue
        bare = next((option.removesuffix(k) for k in _KINDS if option.endswith(k)), option)
        for text in {option, bare}:
            words = text.split("_")
            for start in range(len(words)):
                found.setdefault("".join(words[start:]), []).append(option)
    return found
