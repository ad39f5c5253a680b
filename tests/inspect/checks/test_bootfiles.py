"""Each lint on what boards load: a folder that triggers it, and one that does not."""

from __future__ import annotations

import pytest

from rdcompose.inspect.checks.bootfiles import (
    check_board_trees,
    check_firmware,
    check_initramfs,
    check_kernel,
)
from tests.support.artifacts import contradictions, remarks
from tests.support.images import gzipped, make_arm64, make_zboot
from tests.support.pifolders import (
    CONFIG_TXT,
    FIRMWARE,
    boot_set,
    dtb,
    facts,
    flat,
    initramfs,
    sound,
    with_config,
    zimage,
)


@pytest.mark.parametrize(
    "check", [check_kernel, check_initramfs, check_board_trees, check_firmware]
)
def test_a_sound_folder(check: object) -> None:
    assert callable(check)
    done = check(facts(sound()))
    assert (done.findings, done.done) == ((), True)


def test_the_kernel_of_each_board_is_told() -> None:
    assert check_kernel(facts(sound())).summary == "R/kernel8.img on 3 B, 3 B+, 4 B, …"


def test_a_kernel_that_is_missing() -> None:
    files = sound()
    del files["R/kernel8.img"]
    assert contradictions(check_kernel(facts(files))) == [
        "there is no kernel: kernel8.img was looked for (Raspberry Pi 3 B, 4 B)"
    ]


def test_a_kernel_that_is_named_and_missing() -> None:
    files = flat(config__txt=b"kernel=vmlinuz\n[pi4]\nkernel=other\n")
    messages = contradictions(check_kernel(facts(files)))
    assert messages == ["there is no kernel: other was looked for (Raspberry Pi 4 B)"]


def test_a_kernel_that_is_started_in_the_wrong_width() -> None:
    only_three = {name: data for name, data in flat().items() if "bcm2711" not in name}
    only_three["vmlinuz"] = only_three.pop("kernel8.img")
    only_three["config.txt"] = b"kernel=vmlinuz\nupstream_kernel=1\n"
    [message] = contradictions(check_kernel(facts(only_three)))
    assert message == (
        "vmlinuz is a kernel of 64 bits, and the firmware starts it in 32: arm_64bit is to be 1 "
        "(Raspberry Pi 3 B)"
    )
    only_three["config.txt"] += b"arm_64bit=1\n"
    assert check_kernel(facts(only_three)).findings == ()


def test_a_kernel_that_is_too_wide_for_a_board() -> None:
    files = flat() | {"config.txt": b"[pi2]\nkernel=kernel8.img\n"}
    files["bcm2836-rpi-2-b.dtb"] = dtb("bcm2836")
    messages = contradictions(check_kernel(facts(files)))
    assert "kernel8.img is a kernel of 64 bits, which this board does not run" in messages[0]


def test_boards_that_only_the_width_keeps_away_are_remarked() -> None:
    files = flat(vmlinuz=make_arm64("6.12.9+deb13-arm64"))
    files["config.txt"] = b"kernel=vmlinuz\nupstream_kernel=1\n"
    check = check_kernel(facts(files))
    assert contradictions(check) == []
    [message] = remarks(check)
    assert message.startswith("a Raspberry Pi 3 B, 3 B+, 3 A+ would not boot") or "3 B" in message
    assert "arm_64bit is to be 1" in message


def test_a_kernel_of_another_flavour() -> None:
    files = flat(kernel8__img=make_arm64("6.12.9+deb13-cloud-arm64"))
    [message] = contradictions(check_kernel(facts(files)))
    assert "does not run there: 6.12.9+deb13-cloud-arm64" in message


def test_a_kernel_for_armv7_on_the_first_boards() -> None:
    files = {
        "config.txt": b"upstream_kernel=1\n",
        "kernel.img": zimage("6.1.0-50-armmp"),
        "bcm2835-rpi-zero.dtb": dtb("bcm2835"),
    }
    [message] = contradictions(check_kernel(facts(files)))
    assert message.endswith("6.1.0-50-armmp (Raspberry Pi Zero)")
    files["kernel.img"] = zimage("6.1.0-50-rpi")
    assert check_kernel(facts(files)).findings == ()


def test_a_file_that_is_no_kernel() -> None:
    [message] = contradictions(check_kernel(facts(flat(kernel8__img=b"# text\n"))))
    assert message.startswith("kernel8.img is no kernel: it is a text of no known kind")


def test_a_kernel_for_efi() -> None:
    image = make_zboot(gzipped(make_arm64("6.12.9-arm64")))
    [message] = contradictions(check_kernel(facts(flat(kernel8__img=image))))
    assert "under EFI only" in message


def test_an_initramfs_that_is_missing() -> None:
    files = sound()
    del files["R/initramfs8"]
    [message] = contradictions(check_initramfs(facts(files)))
    assert message.startswith("R/initramfs8 is not there, and the firmware starts the kernel")


def test_no_initramfs_is_asked_for() -> None:
    done = check_initramfs(facts(flat(config__txt=b"arm_64bit=1\n")))
    assert (done.done, done.findings) == (False, ())


def test_initramfs_files_that_cannot_be_joined() -> None:
    first = initramfs()
    files = flat(config__txt=b"arm_64bit=1\ninitramfs a,initramfs8 followkernel\n")
    files["a"] = first + bytes(-len(first) % 4)
    assert check_initramfs(facts(files)).findings == ()
    # What is last may have any size.
    files["initramfs8"] += bytes(5 - len(files["initramfs8"]) % 4)
    assert check_initramfs(facts(files)).findings == ()
    files["a"] += b"\0"
    [message] = contradictions(check_initramfs(facts(files)))
    assert f"a has {len(files['a'])} bytes, no multiple of 4" in message


def test_one_initramfs_of_any_size() -> None:
    files = flat()
    files["initramfs8"] += bytes(5 - len(files["initramfs8"]) % 4)
    assert check_initramfs(facts(files)).findings == ()


def test_an_initramfs_that_is_none() -> None:
    [message] = contradictions(check_initramfs(facts(flat(initramfs8=b"# text\n"))))
    assert message.startswith("initramfs8 is no initramfs: it is a text")


def test_auto_initramfs_that_matches_no_name() -> None:
    config = b"arm_64bit=1\nauto_initramfs=1\nkernel=kernel8-mine.img\n"
    files = flat(config__txt=config)
    files["kernel8-mine.img"] = files["kernel8.img"]
    [message] = contradictions(check_initramfs(facts(files)))
    assert message.startswith("auto_initramfs finds nothing for kernel8-mine.img")
    files["config.txt"] = b"arm_64bit=1\nauto_initramfs=1\n"
    done = check_initramfs(facts(files))
    assert (done.findings, done.summary) == ((), "initramfs8")


def test_auto_initramfs_with_another_name_beside_it() -> None:
    files = flat(config__txt=b"arm_64bit=1\nauto_initramfs=1\n")
    files["initrd.img"] = files.pop("initramfs8")
    [message] = contradictions(check_initramfs(facts(files)))
    assert "look for initramfs8, which is not there" in message
    del files["initrd.img"]
    # As on cards of Raspberry Pi OS without one.
    check = check_initramfs(facts(files))
    assert contradictions(check) == []
    assert len(remarks(check)) == 1


def test_a_device_tree_that_is_missing() -> None:
    files = with_config(CONFIG_TXT + "[cm4]\narm_64bit=1\n")
    assert check_board_trees(facts(files)).findings == ()
    files = with_config(CONFIG_TXT + "device_tree=mine.dtb\n")
    found = contradictions(check_board_trees(facts(files)))
    assert len(found) == 1
    assert "there is no device tree: mine.dtb was looked for" in found[0]


def test_a_device_tree_for_another_chip() -> None:
    files = flat()
    files["bcm2711-rpi-4-b.dtb"] = dtb("bcm2837")
    [message] = contradictions(check_board_trees(facts(files)))
    assert message.startswith(
        "bcm2711-rpi-4-b.dtb is for brcm,bcm2837, and this board is a BCM2711 (Raspberry Pi 4 B"
    )


def test_a_device_tree_that_is_none() -> None:
    files = flat()
    files["bcm2711-rpi-4-b.dtb"] = b"# text\n"
    [message] = contradictions(check_board_trees(facts(files)))
    assert "bcm2711-rpi-4-b.dtb is no device tree: it is a text" in message


def test_upstream_names_without_the_setting() -> None:
    check = check_board_trees(facts(flat(config__txt=b"arm_64bit=1\n")))
    assert contradictions(check) == []
    # A Pi 4's has the same name in both families.
    [message] = remarks(check)
    assert message.startswith(
        "bcm2837-rpi-3-b.dtb is found by newer firmware only: upstream_kernel"
    )
    assert message.endswith("(Raspberry Pi 3 B, 3 B+)")


def test_overlays_without_a_readme() -> None:
    files = with_config(CONFIG_TXT + "dtoverlay=disable-bt\n")
    files["R/overlays/disable-bt.dtbo"] = dtb("bcm2711")
    check = check_board_trees(facts(files))
    assert any("R/overlays/README is not there" in text for text in contradictions(check))
    files["R/overlays/README"] = b""
    assert check_board_trees(facts(files)).findings == ()
    del files["R/overlays/README"], files["R/overlays/disable-bt.dtbo"]
    files["overlays/disable-bt.dtbo"] = dtb("bcm2711")
    assert check_board_trees(facts(files)).findings == ()


def test_an_overlay_that_is_missing() -> None:
    files = with_config(CONFIG_TXT + "dtoverlay=disable-bt\n")
    [message] = remarks(check_board_trees(facts(files)))
    assert message.startswith("overlays/disable-bt.dtbo is not there")


@pytest.mark.parametrize("missing", FIRMWARE)
def test_firmware_that_is_missing(missing: str) -> None:
    files = sound()
    del files[missing]
    [message] = contradictions(check_firmware(facts(files)))
    assert f"{missing} is missing" in message
    pair = {"start.elf": "fixup.dat", "start4.elf": "fixup4.dat"}
    pair |= {value: key for key, value in pair.items()}
    assert (f"{pair.get(missing)} is there, and" in message) is (missing in pair)


def test_a_folder_without_firmware() -> None:
    files = {name: data for name, data in sound().items() if name not in FIRMWARE}
    check = check_firmware(facts(files))
    assert contradictions(check) == []
    [message] = remarks(check)
    assert "no firmware files" in message


def test_a_pi_5_needs_none() -> None:
    files = boot_set(prefix="", bcm2712_rpi_5_b__dtb=dtb("bcm2712"))
    files = {name: data for name, data in files.items() if "bcm28" not in name}
    del files["bcm2711-rpi-4-b.dtb"]
    done = check_firmware(facts(files | {"config.txt": b"kernel=kernel8.img\n"}))
    assert (done.done, done.findings) == (False, ())


def test_without_a_kernel_nothing_is_said_of_auto_initramfs() -> None:
    files = flat(config__txt=b"arm_64bit=1\nauto_initramfs=1\nkernel=none\n")
    assert check_initramfs(facts(files)).findings == ()
