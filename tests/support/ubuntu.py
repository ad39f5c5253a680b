"""A kernel in several packages, as Ubuntu has it: modules and configuration beside the kernel.

Data and control members are in zstd, and so are the modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import zstandard

from tests.support.archive_packages import MODULES
from tests.support.debs import make_deb
from tests.support.images import make_bzimage
from tests.support.modules import make_ko
from tests.support.packages import CONFIG

if TYPE_CHECKING:
    from tests.support.debs import Content

RELEASE: Final = "6.8.0-45-generic"
EXTRA: Final = ("net/dummy",)


def packages(
    release: str = RELEASE, *, image: str = "linux-image", architecture: str = "amd64"
) -> dict[str, bytes]:
    """Return the packages of a kernel by their names: kernel, modules, the rest of the modules."""
    base = f"lib/modules/{release}"
    config = CONFIG.replace("6.1.99", "6.8.12")
    plain = {f"{base}/kernel/{path}.ko.zst": _module(release) for path in MODULES}
    extra = {
        f"{base}/kernel/{path}.ko.zst": plain.pop(f"{base}/kernel/{path}.ko.zst") for path in EXTRA
    }
    contents: dict[str, dict[str, Content]] = {
        f"{image}-{release}": {f"boot/vmlinuz-{release}": (0o600, make_bzimage(release))},
        f"linux-modules-{release}": {
            f"boot/System.map-{release}": (0o600, b""),
            f"boot/config-{release}": config.encode(),
            f"lib/firmware/{release}/device-tree/a.dtb": b"",
            f"{base}/modules.builtin": b"kernel/fs/ext4/ext4.ko\n",
            f"{base}/modules.builtin.modinfo": b"",
            f"{base}/modules.order": "".join(f"kernel/{path}.ko\n" for path in MODULES).encode(),
            **plain,
        },
        f"linux-modules-extra-{release}": {**extra},
    }
    depends = {
        f"{image}-{release}": f"kmod, linux-base (>= 4.5ubuntu1~16.04.1), linux-modules-{release}",
        f"linux-modules-extra-{release}": f"wireless-regdb, linux-modules-{release}",
    }
    return {
        name: make_deb(
            files,
            control={
                "Package": name,
                "Version": "6.8.0-45.45",
                "Architecture": architecture,
                "Depends": depends.get(name, "linux-base"),
            },
            data="zst",
        )
        for name, files in contents.items()
    }


def _module(release: str) -> bytes:
    data = make_ko({"vermagic": f"{release} SMP preempt mod_unload modversions "})
    return zstandard.ZstdCompressor().compress(data)
