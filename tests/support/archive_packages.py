"""Packages for an archive of the tests: kernels, metapackages, programs. All are small.

    kernel_package("6.12.57+deb13-arm64", "6.12.57-1", "arm64")
    metapackage("linux-image-arm64", "6.12.57-1", "arm64", "linux-image-6.12.57+deb13-arm64")
    busybox_package("1:1.37.0-6", "arm64")

They can be composed with the profiles minivm and virtio; the programs in them do nothing.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from rdcompose.compose.userspace import INIT_APPLETS
from tests.support.debs import make_deb
from tests.support.images import BANNER, VERSION, make_arm64, make_bzimage
from tests.support.modules import make_ko
from tests.support.packages import CONFIG, sample_files
from tests.support.programs import APPLETS, make_busybox, make_e2fsck

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.debs import Content

# What the profiles minivm and virtio ask of every kernel, and one that they do not ask for.
MODULES: Final = (
    "drivers/ata/libata",
    "drivers/block/loop",
    "drivers/block/virtio_blk",
    "drivers/cdrom/cdrom",
    "drivers/char/hw_random/virtio-rng",
    "drivers/input/evdev",
    "drivers/net/net_failover",
    "drivers/net/virtio_net",
    "drivers/nvme/host/nvme",
    "drivers/scsi/scsi_common",
    "drivers/scsi/scsi_mod",
    "drivers/scsi/sd_mod",
    "drivers/scsi/sg",
    "drivers/scsi/sr_mod",
    "drivers/scsi/virtio_scsi",
    "drivers/virtio/virtio_mmio",
    "drivers/virtio/virtio_pci",
    "drivers/virtio/virtio_ring",
    "fs/binfmt_misc",
    "fs/fat/fat",
    "fs/fat/msdos",
    "fs/fat/vfat",
    "fs/fuse/fuse",
    "fs/nls/nls_ascii",
    "fs/nls/nls_cp437",
    "fs/overlayfs/overlay",
    "fs/squashfs/squashfs",
    "net/core/failover",
    "net/dummy",
)
_USERS_OF_VIRTIO: Final = ("virtio_blk", "virtio_net", "virtio_scsi")

# e_machine
_MACHINES: Final[Mapping[str, int]] = {"amd64": 62, "arm64": 183}
_BANNER_VERSION: Final = "6.12.57-1"
_MAINTAINER: Final = "Tests <tests@example.org>"


def package(
    name: str,
    version: str,
    architecture: str,
    files: Mapping[str, Content],
    **fields: str,
) -> bytes:
    """Return a package; further fields by their names with ``_`` for ``-``."""
    control = {
        "Package": name,
        "Version": version,
        "Architecture": architecture,
        "Maintainer": _MAINTAINER,
        "Section": "kernel",
        "Priority": "optional",
        "Description": f"{name} of the tests\nIt is small.\n.\nIt has several lines.",
    }
    control |= {field.replace("_", "-"): value for field, value in fields.items()}
    folded = {field: value.replace("\n", "\n ") for field, value in control.items()}
    return make_deb(files, control=folded)


def kernel_package(
    release: str, version: str, architecture: str = "amd64", *, padding: int = 0
) -> bytes:
    """Return a signed kernel's package, sound in all its parts.

    ``padding`` bytes that do not compress make it as large as a test needs it.
    """
    machine = _MACHINES[architecture]
    word = " aarch64" if architecture == "arm64" else ""
    vermagic = f"{release} SMP preempt mod_unload modversions{word} "
    modules = {f"kernel/{path}.ko": _module(path, vermagic, machine) for path in MODULES}
    config = CONFIG.replace("6.1.99", version.partition("-")[0])
    files: dict[str, Content] = {**sample_files(release, modules=modules)}
    if architecture == "arm64":
        config = config.replace("x86", "arm64")
        text = BANNER.format(release=release).replace(_BANNER_VERSION, version)
        files[f"boot/vmlinuz-{release}"] = make_arm64(release, text=text.encode() + b"\0")
    else:
        text = VERSION.replace(_BANNER_VERSION, version)
        files[f"boot/vmlinuz-{release}"] = make_bzimage(release, version=text)
    files[f"boot/config-{release}"] = config.encode()
    if padding:
        files["usr/share/padding"] = _noise(padding)
    return package(
        f"linux-image-{release}",
        version,
        architecture,
        files,
        Source=f"linux-signed-{architecture} ({version.replace('-', '+', 1)})",
        Depends="kmod, linux-base (>= 4.3~)",
    )


def split_kernel(release: str, version: str) -> dict[str, bytes]:
    """Return the packages of a kernel as Debian splits them since Linux 7, by their names."""
    vermagic = f"{release} SMP preempt mod_unload modversions "
    directory = f"usr/lib/modules/{release}"
    modules = {f"kernel/{path}.ko": _module(path, vermagic, 62) for path in MODULES}
    config = CONFIG.replace("6.1.99", version.partition("-")[0])
    order = "".join(f"{path}\n" for path in modules)
    base, binary, drivers = (f"linux-{part}-{release}" for part in ("base", "binary", "modules"))
    contents: dict[str, dict[str, Content]] = {
        f"linux-image-{release}": {"usr/share/doc/empty": b""},
        base: {
            f"{directory}/config": config.encode(),
            f"{directory}/modules.builtin": b"kernel/fs/ext4/ext4.ko\n",
            f"{directory}/modules.order": order.encode(),
        },
        binary: {f"{directory}/vmlinuz": make_bzimage(release)},
        drivers: {f"{directory}/{path}": data for path, data in modules.items()},
    }
    depends = {
        f"linux-image-{release}": ["dracut | initramfs-tools", base, binary, drivers],
        base: [],
        binary: [base],
        drivers: ["kmod", base],
    }
    return {
        name: package(
            name,
            version,
            "amd64",
            files,
            Source="linux",
            Depends=", ".join(
                f"{other} (= {version})" if other.startswith("linux-") else other
                for other in depends[name]
            ),
        )
        for name, files in contents.items()
    }


def metapackage(
    name: str, version: str, architecture: str, depends: str, *, source: str = ""
) -> bytes:
    """Return a package without files that depends on others."""
    source = source or f"linux-signed-{architecture} ({version.replace('-', '+', 1)})"
    return package(name, version, architecture, {}, Source=source, Depends=depends)


# Of the feature network.
_NETWORK_APPLETS: Final = ("ifconfig", "ip", "route", "udhcpc")


def busybox_package(version: str = "1:1.35.0-4+b7", architecture: str = "amd64") -> bytes:
    """Return ``busybox-static``, which has no nbd-client, as in Debian 12."""
    names = sorted({*APPLETS, *INIT_APPLETS, *_NETWORK_APPLETS}, key=str.encode)
    applets = {name: APPLETS.get(name, "bin") for name in names}
    program = make_busybox(applets, machine=_MACHINES[architecture])
    files = {"bin/busybox": (0o755, program)}
    return package("busybox-static", version, architecture, files, Source="busybox")


def e2fsck_package(version: str = "1.47.0-2+b2", architecture: str = "amd64") -> bytes:
    """Return ``e2fsck-static``."""
    program = make_e2fsck(machine=_MACHINES[architecture])
    files = {"sbin/e2fsck.static": (0o755, program)}
    return package("e2fsck-static", version, architecture, files, Source="e2fsprogs (1.47.0-2)")


def _module(path: str, vermagic: str, machine: int) -> bytes:
    name = path.rpartition("/")[2]
    return make_ko(
        {"vermagic": vermagic},
        exports=["virtqueue_kick"] if name == "virtio_ring" else [],
        imports=["virtqueue_kick"] if name in _USERS_OF_VIRTIO else [],
        machine=machine,
    )


def _noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)
