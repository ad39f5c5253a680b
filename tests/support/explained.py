"""A kernel and lists to ask why about, without files."""

from __future__ import annotations

from rdcompose.inspect.explained import Subject
from rdcompose.kernel.choice import Choice
from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.modlist import Include, parse_autoload, parse_modules
from tests.support.graphs import FakeGraph

KERNEL = FakeGraph.parse("""
module kernel/net/card.ko needs=bus,lib pre=phy-any weak=led
module kernel/net/lib.ko needs=base
module kernel/net/bus.ko needs=base post=late
module kernel/net/base.ko
module kernel/net/phy.ko alias=phy-* needs=base
module kernel/net/led.ko
module kernel/net/late.ko
module kernel/net/other.ko needs=card
module kernel/fs/disk.ko
module kernel/fs/user.ko needs=disk
builtin kernel/fs/ext4/ext4.ko alias=fs-ext4
""")
CONFIG = KernelConfig.parse(
    b"CONFIG_EXT4_FS=y\nCONFIG_NET_OTHER=m\n# CONFIG_E1000E is not set\nCONFIG_FS_USER=m\n"
)


def choice(ramfs: str, autoload: str = "", *required: tuple[str, str]) -> Choice:
    """Return what a profile ``p`` with these lists chooses by."""
    entries = parse_modules(ramfs.encode(), file="p/modules.ramfs")
    return Choice(
        entries=tuple(entry for entry in entries if not isinstance(entry, Include)),
        autoload=parse_autoload(autoload.encode(), file="p/modules.autoload"),
        required=required,
    )


def subject(ramfs: str, autoload: str = "") -> Subject:
    """Return the kernel as it is composed by these lists."""
    chosen = choice(ramfs, autoload, ("disk", "to read the disk"))
    selection = chosen.select(KERNEL)
    return Subject(
        release="6.1",
        graph=KERNEL,
        initramfs=dict.fromkeys(selection.ramdisk, "initramfs"),
        disk=dict.fromkeys(selection.disk, "the modules disk"),
        reasons=selection.reasons,
        choice=chosen,
        profile="p",
        config=CONFIG,
        aliased={"phy", "other"},
    )
