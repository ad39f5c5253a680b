from __future__ import annotations

import pytest

from rdcompose.errors import CapabilityError, SpecError
from rdcompose.kernel.modlist import Include, Line, parse_autoload, parse_modules
from rdcompose.kernel.selection import Selection, Why, WhyKind, select
from tests.support.graphs import FakeGraph

KERNEL = FakeGraph.parse("""
module kernel/crypto/blake2b_generic.ko alias=crypto-blake2b
module kernel/crypto/crc32c_generic.ko alias=crypto-crc32c,crc32c
module kernel/arch/x86/crypto/crc32c-intel.ko alias=crypto-crc32c,crc32c
module kernel/drivers/ata/ata_piix.ko needs=libata
module kernel/drivers/ata/libata.ko needs=scsi_mod
module kernel/drivers/block/loop.ko alias=block-major-7-*
module kernel/drivers/md/raid6_pq.ko
module kernel/drivers/net/r8169.ko pre=realtek weak=r8169_firmware
module kernel/drivers/net/phy/realtek.ko needs=libphy
module kernel/drivers/net/phy/libphy.ko
module kernel/drivers/scsi/scsi_mod.ko
module kernel/drivers/scsi/sd_mod.ko needs=scsi_mod post=sg
module kernel/drivers/scsi/sg.ko needs=scsi_mod
module kernel/drivers/gpu/i915.ko weak=snd_hda
module kernel/fs/btrfs/btrfs.ko needs=raid6_pq pre=crypto-crc32c,crypto-sha256,crypto-none
module kernel/fs/fat/fat.ko
module kernel/fs/fat/vfat.ko needs=fat
module kernel/sound/snd-hda.ko
builtin kernel/crypto/sha256_generic.ko alias=crypto-sha256
builtin kernel/fs/fuse/fuse.ko
builtin kernel/fs/ext4/ext4.ko
""")


def choose(ramfs: str, autoload: str = "", required: tuple[tuple[str, str], ...] = ()) -> Selection:
    entries = parse_modules(ramfs.encode(), file="ramfs")
    listed = [entry for entry in entries if not isinstance(entry, Include)]
    loaded = parse_autoload(autoload.encode(), file="auto")
    return select(KERNEL, listed, loaded, required=required)


def told(selection: Selection) -> dict[str, str]:
    return {name: str(why) for name, why in selection.reasons.items()}


def failure(
    ramfs: str, autoload: str = "", required: tuple[tuple[str, str], ...] = ()
) -> SpecError:
    with pytest.raises(SpecError) as caught:
        choose(ramfs, autoload, required)
    return caught.value


def test_whole_selection() -> None:
    selection = choose("fs/fat\nfs/fuse/fuse.ko # built in\nsd_mod", "loop\nfuse\nvfat")
    listed = Why(kind=WhyKind.LISTED, line=Line("ramfs", 1, "fs/fat"))
    assert selection == Selection(
        ramdisk=("loop", "scsi_mod", "sd_mod", "sg", "fat", "vfat"),
        disk=(
            "crc32c_intel",
            "blake2b_generic",
            "crc32c_generic",
            "ata_piix",
            "libata",
            "i915",
            "raid6_pq",
            "libphy",
            "realtek",
            "r8169",
            "btrfs",
            "snd_hda",
        ),
        autoload=("loop", "vfat"),
        reasons={
            "loop": Why(kind=WhyKind.AUTOLOAD, line=Line("auto", 1, "loop")),
            "scsi_mod": Why(kind=WhyKind.DEPENDENCY, by="sd_mod"),
            "sd_mod": Why(kind=WhyKind.LISTED, line=Line("ramfs", 3, "sd_mod")),
            "sg": Why(kind=WhyKind.SOFTDEP, by="sd_mod"),
            "fat": listed,
            "vfat": listed,
        },
        notes=(
            "ramfs:2: 'fs/fuse/fuse.ko' is built in and needs no module",
            "auto:2: 'fuse' is built in and needs no module",
        ),
    )
    assert sorted({*selection.ramdisk, *selection.disk}) == sorted(KERNEL.modules)
    assert list(selection.reasons) == list(selection.ramdisk)


def test_nothing_listed() -> None:
    selection = choose("# nothing")
    assert selection.ramdisk == ()
    assert len(selection.disk) == len(KERNEL.modules)


def test_kernel_with_everything_built_in() -> None:
    graph = FakeGraph.parse("builtin kernel/fs/ext4/ext4.ko")
    listed = parse_modules(b"ext4\nfs\n", file="ramfs")
    selection = select(graph, [e for e in listed if not isinstance(e, Include)])
    assert selection == Selection(
        ramdisk=(),
        disk=(),
        autoload=(),
        reasons={},
        notes=(
            "ramfs:1: 'ext4' is built in and needs no module",
            "ramfs:2: 'fs' is built in and needs no module",
        ),
    )


def test_order_of_the_list_does_not_count() -> None:
    one, other = choose("sd_mod\nata_piix\nfs/fat"), choose("fs/fat\nata_piix\nsd_mod")
    assert one.ramdisk == other.ramdisk
    assert one.disk == other.disk


def test_reason_is_the_nearest_to_the_user() -> None:
    # scsi_mod is also a dependency of three others, and required.
    selection = choose(
        "ata_piix\nsd_mod\nscsi_mod\ndrivers/scsi", "sg", required=(("scsi_mod", "to see disks"),)
    )
    assert told(selection) == {
        "ata_piix": "listed: 'ata_piix' in ramfs:1",
        "libata": "dependency of ata_piix",
        "scsi_mod": "listed: 'scsi_mod' in ramfs:3",
        "sd_mod": "listed: 'sd_mod' in ramfs:2",
        "sg": "listed: 'drivers/scsi' in ramfs:4",
    }


def test_hard_dependency_before_a_soft_one() -> None:
    graph = FakeGraph.parse("""
        module kernel/a.ko pre=c needs=b
        module kernel/b.ko needs=c
        module kernel/c.ko
    """)
    entries = parse_modules(b"a", file="ramfs")
    selection = select(graph, [e for e in entries if not isinstance(e, Include)])
    assert selection.reasons["c"] == Why(kind=WhyKind.DEPENDENCY, by="b")


def test_soft_and_weak_dependencies() -> None:
    selection = choose("r8169\nbtrfs\ni915")
    assert told(selection) == {
        "crc32c_intel": "softdep of btrfs (as crypto-crc32c)",
        "crc32c_generic": "softdep of btrfs (as crypto-crc32c)",
        "i915": "listed: 'i915' in ramfs:3",
        "raid6_pq": "dependency of btrfs",
        "libphy": "dependency of realtek",
        "realtek": "softdep of r8169",
        "r8169": "listed: 'r8169' in ramfs:1",
        "btrfs": "listed: 'btrfs' in ramfs:2",
        "snd_hda": "weakdep of i915",
    }
    # crypto-sha256 is built in, which is as good and worth no note.
    assert selection.notes == (
        "weakdep 'r8169_firmware' of r8169 is not in this kernel",
        "softdep 'crypto-none' of btrfs is not in this kernel",
    )


def test_dependency_cycle() -> None:
    graph = FakeGraph.parse("""
        module kernel/a.ko needs=b pre=c
        module kernel/b.ko needs=a
        module kernel/c.ko needs=d
        module kernel/d.ko needs=c pre=a
    """)
    entries = parse_modules(b"a\n!x?", file="ramfs")
    selection = select(graph, [e for e in entries if not isinstance(e, Include)])
    assert selection.ramdisk == ("a", "b", "c", "d")


def test_barred_by_a_cycle() -> None:
    graph = FakeGraph.parse("""
        module kernel/a.ko pre=b
        module kernel/b.ko needs=c
        module kernel/c.ko needs=b,d
        module kernel/d.ko
        module kernel/e.ko
    """)
    entries = parse_modules(b"a\n!e", file="ramfs")
    selection = select(graph, [e for e in entries if not isinstance(e, Include)])
    assert selection.ramdisk == ("a", "b", "c", "d")


def test_exclude_takes_away() -> None:
    selection = choose("drivers/ata\nfs/fat\n!ata_*\n!vfat")
    assert selection.ramdisk == ("libata", "scsi_mod", "fat")
    assert "vfat" in selection.disk


def test_last_line_decides() -> None:
    assert choose("!fs/fat\nfat").ramdisk == ("fat",)
    assert choose("!vfat\nfs/fat").ramdisk == ("fat", "vfat")
    assert choose("vfat\n!fs/fat\nvfat\nfat").ramdisk == ("fat", "vfat")


def test_excluded_soft_dependency_is_left_out() -> None:
    selection = choose("sd_mod\n!sg\ni915\n!snd-hda\nbtrfs\n!crc32c_intel")
    assert selection.ramdisk == (
        "crc32c_generic",
        "i915",
        "raid6_pq",
        "scsi_mod",
        "sd_mod",
        "btrfs",
    )
    assert selection.notes == (
        "weakdep 'snd_hda' of i915: snd_hda is left out by '!snd-hda' in ramfs:4",
        "softdep 'sg' of sd_mod: sg is left out by '!sg' in ramfs:2",
        "softdep 'crypto-crc32c' of btrfs: crc32c_intel is left out by '!crc32c_intel' in ramfs:6",
        "softdep 'crypto-none' of btrfs is not in this kernel",
    )


def test_soft_dependency_goes_with_what_it_needs() -> None:
    selection = choose("r8169\n!libphy")
    assert selection.ramdisk == ("r8169",)
    assert selection.notes[0] == (
        "softdep 'realtek' of r8169: realtek is left out by '!libphy' in ramfs:2"
    )


def test_excluded_hard_dependency() -> None:
    error = failure("drivers/ata\n!scsi_mod")
    assert error.message == (
        "ramfs:2: '!scsi_mod' leaves out scsi_mod,"
        " but libata needs it (listed: 'drivers/ata' in ramfs:1)"
    )
    assert error.hint == "take the '!' entry out, or exclude what needs the module as well"


def test_excluded_dependency_of_a_dependency() -> None:
    assert failure("ata_piix\n!scsi_mod").message == (
        "ramfs:2: '!scsi_mod' leaves out scsi_mod, but libata needs it (dependency of ata_piix)"
    )


def test_excluded_but_loaded_and_required() -> None:
    error = failure("!loop\n!vfat", "vfat", required=(("loop", "to mount the root"),))
    assert error.message == (
        "2 errors in the module lists: ramfs:2: '!vfat' leaves out vfat,"
        " but it is to be loaded (autoload: 'vfat' in auto:1);"
        " ramfs:1: '!loop' leaves out loop, but the boot needs it to mount the root"
    )


def test_exclude_what_is_built_in() -> None:
    assert choose("!fuse").notes == ("ramfs:1: 'fuse' is built in and cannot be left out",)


def test_missing_entries() -> None:
    error = failure("sd_mod\ndrivers/ata/libatta.ko\n!vfatt\nzzz", "lop\nqqqq")
    assert error.message == (
        "5 errors in the module lists:"
        " ramfs:2: 'drivers/ata/libatta.ko' matches no module of this kernel"
        " (near: drivers/ata/libata);"
        " ramfs:3: '!vfatt' matches no module of this kernel (near: vfat, fat);"
        " ramfs:4: 'zzz' matches no module of this kernel;"
        " auto:1: 'lop' is no module of this kernel (near: loop);"
        " auto:2: 'qqqq' is no module of this kernel"
    )
    assert error.hint == "correct the entry, or put a '?' after one that may be missing"


def test_missing_optional_entries() -> None:
    selection = choose("vfat\nnosuch?\n!nosuch ?\nno/such/*.ko?", "nosuch?\n!nosuch?")
    assert selection.ramdisk == ("fat", "vfat")
    assert selection.notes == (
        "ramfs:2: 'nosuch?' matches no module of this kernel",
        "ramfs:3: '!nosuch ?' matches no module of this kernel",
        "ramfs:4: 'no/such/*.ko?' matches no module of this kernel",
        "auto:1: 'nosuch?' is no module of this kernel",
    )


def test_autoload_order_and_repetition() -> None:
    assert choose("", "vfat loop\nfat\nloop").autoload == ("vfat", "loop", "fat")


def test_autoload_brings_dependencies() -> None:
    assert told(choose("", "sd-mod")) == {
        "scsi_mod": "dependency of sd_mod",
        "sd_mod": "autoload: 'sd-mod' in auto:1",
        "sg": "softdep of sd_mod",
    }


def test_autoload_by_alias() -> None:
    selection = choose("", "block-major-7-0\ncrypto-sha256")
    assert selection.autoload == ("loop",)
    assert told(selection) == {"loop": "autoload: 'block-major-7-0' in auto:1 (as block_major_7_0)"}
    assert selection.notes == ("auto:2: 'crypto_sha256' is built in and needs no module",)


def test_autoload_taken_out() -> None:
    selection = choose("loop", "loop vfat fat\n!vfat !loop")
    assert selection.autoload == ("fat",)
    # Not loaded, but listed all the same.
    assert selection.ramdisk == ("loop", "fat")


def test_autoload_taken_out_that_is_not_there() -> None:
    assert failure("", "!vfat\nvfat").message == (
        "auto:1: '!vfat' takes out what no line before it loads"
    )
    assert choose("", "!vfat?\nvfat").autoload == ("vfat",)


def test_required() -> None:
    needs = (
        ("loop", "to mount the root"),
        ("fuse", "built in is as good"),
        ("crypto-sha256", "so is an alias"),
        ("block-major-7-1", "twice is no harm"),
        ("crc32c", "to find modules by an alias"),
    )
    selection = choose("", required=needs)
    assert told(selection) == {
        "crc32c_intel": "required by the boot to find modules by an alias (as crc32c)",
        "crc32c_generic": "required by the boot to find modules by an alias (as crc32c)",
        "loop": "required by the boot to mount the root",
    }
    assert selection.autoload == ()
    assert selection.notes == ()


def test_required_is_missing() -> None:
    with pytest.raises(CapabilityError) as caught:
        choose("", required=(("overlay", "to lay modules over the disk"),))
    assert caught.value.message == (
        "this kernel has no 'overlay', as a module or built in, to lay modules over the disk"
    )
