from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.inspect.observed import Observed
from rdcompose.inspect.sections import Section
from rdcompose.inspect.suggestion import Suggested, Suggestion, Way, suggest
from rdcompose.inspect.suggestion_text import autoload_text, ramfs_text
from rdcompose.kernel.modlist import ListEntry, parse_autoload, parse_modules
from rdcompose.kernel.selection import select
from tests.support.depmods import depmod_of_text

CARD = "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00"
DISK = "pci:v00001AF4d00001001sv00001AF4sd00000001bc01sc00i00"

KERNEL = depmod_of_text("""
module kernel/arch/x86/crypto/crc32c-intel.ko alias=cpu:type:x86,*:feature:*0094*
module kernel/drivers/ata/ahci.ko needs=libahci alias=pci:v00008086d*
module kernel/drivers/ata/libahci.ko
module kernel/drivers/block/loop.ko alias=char-major-10-237 alias=devname:loop-control
module kernel/drivers/block/virtio_blk.ko alias=virtio:d00000002v*
module kernel/drivers/char/lp.ko needs=parport alias=char-major-6-*
module kernel/arch/x86/kvm/kvm-amd.ko needs=ccp alias=cpu:type:x86,*:feature:*00C2*
module kernel/drivers/crypto/ccp/ccp.ko alias=pci:v00001022d* firmware=sev.fw
module kernel/drivers/gpu/drm/drm.ko
module kernel/drivers/gpu/drm/i915/i915.ko needs=drm alias=pci:v00008086d00003E* firmware=i
module kernel/drivers/net/ethernet/tg3.ko alias=pci:v000014E4d* firmware=tg3.bin
module kernel/drivers/net/wireless/iwlmvm.ko needs=iwlwifi needs=mac80211
module kernel/drivers/net/wireless/iwlwifi.ko alias=pci:v00008086d00002723* firmware=iwl.bin
module kernel/drivers/net/virtio_net.ko alias=virtio:d00000001v* "description=Virtio  net"
module kernel/drivers/parport/parport.ko
module kernel/drivers/scsi/sd_mod.ko alias=scsi:t-0x00*
module kernel/drivers/virtio/virtio_pci.ko alias=pci:v00001AF4d*
module kernel/fs/btrfs/btrfs.ko alias=fs-btrfs alias=devname:btrfs-control "softdep=pre: crc32c"
module kernel/fs/ext4/ext4.ko needs=jbd2 alias=fs-ext4 "softdep=pre: crc32c"
module kernel/fs/fuse/fuse.ko alias=fs-fuse alias=devname:fuse
module kernel/fs/jbd2/jbd2.ko
module kernel/fs/nls/nls_ascii.ko
module kernel/lib/crc32c.ko alias=crypto-crc32c alias=crc32c
module kernel/net/mac80211/mac80211.ko
module kernel/net/netfilter/xt_mark.ko alias=ipt_mark
module kernel/sound/renamed.ko alias=snd_old alias=pci:v00008086d0000A348*
builtin kernel/drivers/nvme/host/nvme.ko
builtin kernel/fs/overlayfs/overlay.ko alias=fs-overlay
""")


def ramfs(found: Suggestion) -> list[str]:
    return [one.name for one in found.ramfs if not one.guessed]


def loaded(*names: str) -> Suggestion:
    return suggest(KERNEL, Observed(loaded=names))


def line(found: Suggestion, name: str) -> Suggested:
    [one] = [one for one in (*found.ramfs, *found.autoload, *found.left) if one.name == name]
    return one


def test_what_dependencies_bring_gets_no_line() -> None:
    found = loaded("jbd2", "crc32c", "ext4", "libahci", "ahci")
    assert ramfs(found) == ["ahci", "ext4"]
    assert found.brought == ("crc32c", "jbd2", "libahci")
    assert found.autoload == ()
    assert found.names == {"ahci", "ext4", "crc32c", "jbd2", "libahci", "sd_mod"}


def test_devices() -> None:
    found = suggest(KERNEL, Observed(devices=(DISK, CARD, "virtio:d00000001v00001AF4", "acpi:X:")))
    assert ramfs(found) == ["virtio_pci", "virtio_net"]
    assert line(found, "virtio_pci").devices == (DISK, CARD)
    assert line(found, "virtio_net").description == "Virtio net"
    assert line(found, "virtio_net").section is Section.NETWORK
    assert found.unserved == ()


def test_devices_without_a_driver() -> None:
    foreign = DISK.replace("1AF4", "1B36")
    seen = Observed(devices=(foreign, "usb:v1d6Bp0002", "pci:x"))
    assert suggest(KERNEL, seen).unserved == (foreign,)
    assert suggest(KERNEL, seen, driven=(foreign,)).unserved == ()


def test_which_need_autoload() -> None:
    """Without an alias nothing asks for a module; a node is not there before it."""
    found = loaded("nls_ascii", "loop", "fuse", "virtio_net", "xt_mark", "parport", "lp")
    assert [(one.name, one.way) for one in found.autoload] == [
        ("nls_ascii", Way.NONE),
        ("loop", Way.NODE),
        ("fuse", Way.NODE),
        ("lp", Way.NODE),
    ]
    assert ramfs(found) == ["virtio_net", "xt_mark"]
    assert line(found, "xt_mark").way is Way.REQUEST
    # What a trial has loaded because the kernel asked for it is no affair of autoload.
    asked = suggest(KERNEL, Observed(asked=("nls_ascii", "fs-fuse", "fs-gone")))
    assert (ramfs(asked), asked.autoload) == (["fuse", "nls_ascii"], ())
    assert line(asked, "fuse").asked == ("fs-fuse",)


def test_modules_of_another_kernel() -> None:
    """Built in, called otherwise, or not there: each is said."""
    found = loaded("nvme", "overlay", "zfs", "snd-old", "crc32c")
    assert found.builtin == ("nvme", "overlay")
    assert found.missing == ("zfs",)
    assert ramfs(found) == ["crc32c", "renamed"]


def test_firmware_is_for_the_booted_system() -> None:
    found = loaded("drm", "i915", "mac80211", "iwlwifi", "iwlmvm", "tg3", "kvm_amd")
    assert ramfs(found) == ["tg3", "kvm_amd"]
    assert [one.name for one in found.left] == ["i915", "iwlmvm"]
    assert found.autoload == ()
    # What a device asks for itself has a line, also if another that is left needs it.
    seen = Observed(loaded=("iwlmvm",), asked=("mac80211",))
    assert ramfs(suggest(KERNEL, seen)) == ["mac80211"]


def test_of_several_drivers_those_that_are_loaded() -> None:
    alias = "pci:v00008086d0000A348sv00001028sd00000001bc04sc03i00"
    assert ramfs(suggest(KERNEL, Observed(devices=(alias,)))) == ["ahci", "renamed"]
    seen = Observed(devices=(alias,), loaded=("ahci",))
    assert ramfs(suggest(KERNEL, seen)) == ["ahci"]


def test_what_is_guessed() -> None:
    def guesses(*names: str) -> list[str]:
        return [one.name for one in loaded(*names).ramfs if one.guessed]

    assert guesses("fuse") == ["ext4"]
    assert guesses("btrfs") == []
    assert guesses("virtio_blk", "btrfs") == ["virtio_pci"]
    assert guesses("virtio_blk", "virtio_pci", "btrfs") == []
    assert guesses("ahci", "btrfs") == ["sd_mod"]
    # What devices there are is known then.
    seen = Observed(devices=("virtio:d00000002v00001AF4",), loaded=("btrfs",))
    assert not any(one.guessed for one in suggest(KERNEL, seen).ramfs)
    assert loaded("btrfs", "loop").without_disk
    assert not loaded("virtio_blk").without_disk
    assert not suggest(KERNEL, Observed(devices=("acpi:X:",))).without_disk


def test_refused_and_passed_over() -> None:
    seen = Observed(devices=(DISK, "virtio:d00000001v00001AF4"), asked=("fs-ext4",))
    found = suggest(KERNEL, seen, refused={"virtio_net", "gone"}, passed_over={"ext4"})
    assert ramfs(found) == ["virtio_pci"]
    assert found.refused == ("virtio_net",)


def entries(text: str) -> tuple[ListEntry, ...]:
    return tuple(
        one for one in parse_modules(text.encode(), file="x") if isinstance(one, ListEntry)
    )


FREE = sorted(set(KERNEL.modules) - {"i915", "drm", "iwlmvm", "iwlwifi", "mac80211", "ccp"})


@given(names=st.lists(st.sampled_from(FREE), unique=True))
def test_lists_bring_all_that_was_seen_and_no_line_is_idle(names: list[str]) -> None:
    found = loaded(*names)
    lists = ramfs_text(found, "Title"), autoload_text(found, "Title")
    autoload = parse_autoload(lists[1].encode(), file="y")
    chosen = select(KERNEL, entries(lists[0]), autoload)
    assert set(chosen.ramdisk) >= set(names)
    assert found.names <= set(chosen.ramdisk)
    assert [entry.pattern for entry in autoload] == [one.name for one in found.autoload]
    for one in found.ramfs:
        # A guess is to be taken out if it is wrong; nothing may come by it alone.
        guesses = {other.name for other in found.ramfs if other.guessed}
        others = [e for e in entries(lists[0]) if e.pattern not in {one.name, *guesses}]
        assert one.name not in select(KERNEL, others, autoload).ramdisk


def test_a_firmware_line_that_is_taken_in() -> None:
    """Lines that are left out are good lines, once their # is gone."""
    text = ramfs_text(loaded("i915", "iwlmvm"), "Title")
    [i915] = [line for line in text.splitlines() if line.startswith("#i915 ")]
    assert select(KERNEL, entries(i915.removeprefix("#"))).ramdisk == ("drm", "i915")


@pytest.mark.parametrize("hostile", ["\x1b[31m", "\n!virtio_pci", "#\r@include x", "\u202e"])
def test_what_a_module_says_of_itself_stays_a_comment(hostile: str) -> None:
    found = loaded("virtio_pci", "nls_ascii")
    evil = [
        dataclasses.replace(
            one, description=hostile, alias=hostile, asked=(hostile,), firmware=(hostile,)
        )
        for one in (*found.ramfs, *found.autoload)
    ]
    found = dataclasses.replace(
        found, ramfs=tuple(evil), autoload=tuple(evil), left=tuple(evil), missing=(hostile,)
    )
    text = ramfs_text(found, "Title")
    assert [entry.pattern for entry in entries(text)] == [one.name for one in evil]
    more = autoload_text(found, "Title")
    assert len(parse_autoload(more.encode(), file="x")) == len(evil)
    assert all(line.isprintable() for line in (text + more).split("\n"))
