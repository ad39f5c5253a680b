from __future__ import annotations

import pytest

from rdcompose.kernel.layout import Part, place

R = "6.12.57+deb13-arm64"
PLACES = {
    f"boot/vmlinuz-{R}": (Part.IMAGE, R, "vmlinuz"),
    f"boot/vmlinux-{R}": (Part.IMAGE, R, "vmlinux"),
    "boot/vmlinuz": (Part.IMAGE, "", "vmlinuz"),
    "boot/kernel.img": (Part.IMAGE, "", "vmlinuz"),
    "boot/kernel7l.img": (Part.IMAGE, "", "vmlinuz"),
    "boot/kernel_2712.img": (Part.IMAGE, "", "vmlinuz"),
    "boot/firmware/kernel8.img": (Part.IMAGE, "", "vmlinuz"),
    f"boot/config-{R}": (Part.CONFIG, R, "config"),
    f"lib/modules/{R}/vmlinuz": (Part.IMAGE, R, "vmlinuz"),
    f"usr/lib/modules/{R}/config": (Part.CONFIG, R, "config"),
    f"usr/lib/modules/{R}/kernel/a.ko": (Part.MODULE, R, "kernel/a.ko"),
    f"lib/modules/{R}/updates/dkms/a-b.ko.zst": (Part.MODULE, R, "updates/dkms/a-b.ko.zst"),
    f"lib/modules/{R}/modules.order": (Part.LIST, R, "modules.order"),
    f"lib/modules/{R}/modules.dep": (Part.INDEX, R, "modules.dep"),
    f"lib/modules/{R}/modules.dep.bin": (Part.BESIDE, R, "modules.dep.bin"),
    f"lib/modules/{R}/kernel/modules.order": (Part.BESIDE, R, "kernel/modules.order"),
    f"lib/modules/{R}": (Part.BESIDE, R, ""),
    f"usr/lib/linux-image-{R}": (Part.DEVICE_TREES, R, ""),
    f"usr/lib/linux-image-{R}/overlays/x.dtbo": (Part.DEVICE_TREES, R, "overlays/x.dtbo"),
    f"lib/firmware/{R}/device-tree/x.dtb": (Part.DEVICE_TREES, R, "x.dtb"),
    f"boot/dtbs/{R}/broadcom/x.dtb": (Part.DEVICE_TREES, R, "broadcom/x.dtb"),
    f"usr/lib/modules/{R}/dtb/broadcom/x.dtb": (Part.DEVICE_TREES, R, "broadcom/x.dtb"),
    f"lib/modules/{R}/dtb": (Part.BESIDE, R, "dtb"),
    "boot/bcm2708-rpi-b.dtb": (Part.DEVICE_TREES, "", "bcm2708-rpi-b.dtb"),
    "boot/overlays/README": (Part.DEVICE_TREES, "", "overlays/README"),
    "boot/firmware/overlays/x.dtbo": (Part.DEVICE_TREES, "", "overlays/x.dtbo"),
    f"usr/lib/firmware/{R}/device-tree": (Part.DEVICE_TREES, R, ""),
}


@pytest.mark.parametrize("path", PLACES)
def test_places(path: str) -> None:
    found = place(path)
    assert found is not None
    assert found[:3] == PLACES[path]


@pytest.mark.parametrize(
    "path",
    [
        f"boot/System.map-{R}",
        f"boot/vmlinuz-{R}.old",
        f"boot/config-{R}.old",
        "boot/vmlinuz.old",
        "boot/kernel.img.gz",
        "boot/config",
        "boot/dtbs",
        "boot/overlays",
        "boot/x.dtbo",
        "boot/x/y.dtb",
        f"boot/x/vmlinuz-{R}",
        "lib/modules/",
        "lib/firmware/brcm/device-tree-x",
        "usr/share/doc/linux-image/copyright",
        "etc/kernel/postinst.d/x",
    ],
)
def test_no_place(path: str) -> None:
    assert place(path) is None


def test_what_tells_a_release_is_named() -> None:
    def where(path: str) -> str | None:
        found = place(path)
        return found.where if found is not None else None

    assert where(f"boot/vmlinuz-{R}") == f"the kernel file boot/vmlinuz-{R}"
    assert where(f"lib/modules/{R}/vmlinuz") == f"the kernel file lib/modules/{R}/vmlinuz"
    assert where(f"usr/lib/modules/{R}/kernel/a.ko") == f"the module directory usr/lib/modules/{R}"
    assert where(f"boot/config-{R}") == f"boot/config-{R}"
    assert where(f"usr/lib/linux-image-{R}/a/b.dtb") == f"usr/lib/linux-image-{R}"
