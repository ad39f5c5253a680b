"""What the names of files say: the release, where there is one in them.

Names as initramfs-tools, dracut, kernel-install and rdcompose give them; mkinitcpio's and those
of a Raspberry Pi hold no release.
"""

from __future__ import annotations

import re
from typing import Final

from rdcompose.kernel.release import is_release

_PREFIXES: Final = (
    *("vmlinuz", "vmlinux", "bzImage", "zImage", "Image", "kernel", "linux"),
    *("initramfs", "initrd.img", "initrd", "modules", "config", "System.map", "manifest"),
    *("linux-image", "dtbs", "dtb", "device-tree"),
)
_SUFFIX: Final = re.compile(
    r"\.(?:img|qcow2|squashfs|sqfs|sfs|ext[234]|raw|json|gz|xz|zst|lz4|bz2|lzma|efi|dtb|dtbo|cpio)"
)
_NAMED: Final = re.compile(
    rf"(?:{'|'.join(re.escape(prefix) for prefix in _PREFIXES)})[-_](\d+\.\d+.*)"
)
_UKI: Final = re.compile(r"(?:[^-]+-)?(\d+\.\d+.*)")
_BARE: Final = re.compile(r"\d+\.\d+\S*")
# What a boot takes, also where no release is in the name.
_OTHERS: Final = re.compile(
    r"(?:vmlinuz|vmlinux|bzImage|zImage|u?Image|initrd|initramfs)(?:$|[-._0-9])|kernel\w*\.img$"
)
_ABOUT: Final = re.compile(
    r"\.(?:txt|md|log|list|nodes|tree|conf|cfg|toml|ya?ml|json|html?|csv|tar|zip|deb|rpm|sha\d+|md5"
    r"|sig|asc|sbom)(?:\.|$)"
)
# Of dracut's rescue images, installkernel and editors.
_SPARE: Final = re.compile(r"[-.](?:rescue|old|bak|backup|orig|save)(?:[-.]|$)|~$")


def named_release(name: str) -> str | None:
    """Return the release in the name of a file: that of ``initrd.img-6.1.0-44-amd64``."""
    # kernel-install puts its own token in front of the release.
    pattern = _UKI if name.endswith(".efi") else _NAMED
    found = pattern.fullmatch(_stem(name))
    return found[1] if found is not None and is_release(found[1]) else None


def directory_release(name: str) -> str | None:
    """Return the release in the name of a directory: ``linux-image-R``, ``dtbs-R``, ``R``."""
    if (found := named_release(name)) is not None:
        return found
    return name if _BARE.fullmatch(name) is not None and is_release(name) else None


def is_boot_name(name: str) -> bool:
    """Whether a file of this name is meant to boot, and is not about something that is."""
    return _OTHERS.match(name) is not None and _ABOUT.search(name) is None


def is_spare(name: str) -> bool:
    """Whether a file of this name is kept for rescue, and not meant to go with the others."""
    return _SPARE.search(name) is not None


def _stem(name: str) -> str:
    while (found := _SUFFIX.search(name, max(name.rfind("."), 0))) is not None:
        if found.end() != len(name):
            break
        name = name[: found.start()]
    return name
