from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rdcompose.kernel.layout import BOOT, MODULE_ROOTS, Part, place

ROOTS = [
    *MODULE_ROOTS,
    BOOT,
    "boot/dtbs/",
    "boot/overlays/",
    "boot/firmware/",
    "usr/lib/linux-image-",
    "lib/firmware/",
    "",
]
NAMES = ["vmlinuz", "vmlinux", "config", "kernel8.img", "modules.dep", "a.ko.xz", "device-tree"]
PIECES = st.one_of(st.text(max_size=6), st.sampled_from([*NAMES, "/", "-", ".old", "6.1", "../"]))


@given(st.sampled_from(ROOTS), st.lists(PIECES, max_size=6).map("".join))
def test_any_path(root: str, rest: str) -> None:
    found = place(root + rest)
    if found is None:
        return
    assert "/" not in found.release
    assert found.release or found.part in {Part.IMAGE, Part.DEVICE_TREES}
    assert found.release in found.where
    if found.part is Part.MODULE:
        assert found.name.endswith((".ko", ".ko.xz", ".ko.zst", ".ko.gz"))
