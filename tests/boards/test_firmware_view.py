from __future__ import annotations

import pytest

from rdcompose.boards.configtxt import ConfigTxt
from rdcompose.boards.firmware_view import BootView, automatic_initramfs, initramfs_fault, view
from rdcompose.boards.models import MODELS


def seen(config: str, model: str, *files: str, variant: int = 0) -> BootView:
    board = MODELS[model]
    return view(ConfigTxt(config), board, set(files).__contains__, variant=board.variants[variant])


FOLDER = ("kernel.img", "kernel7.img", "kernel7l.img", "kernel8.img", "kernel_2712.img")


@pytest.mark.parametrize(
    ("model", "config", "kernel", "bits"),
    [
        ("zero", "", "kernel.img", 32),
        ("zero", "arm_64bit=1", "kernel.img", 32),
        ("1", "", "kernel.img", 32),
        ("2", "arm_64bit=1", "kernel7.img", 32),
        ("3", "", "kernel7.img", 32),
        ("3", "arm_64bit=1", "kernel8.img", 64),
        ("zero2", "[pi02]\narm_64bit=1", "kernel8.img", 64),
        ("4", "", "kernel8.img", 64),
        ("4", "arm_64bit=0", "kernel7l.img", 32),
        ("4", "kernel=kernel7l.img", "kernel7l.img", 32),
        ("5", "arm_64bit=0", "kernel_2712.img", 64),
        ("5", "kernel=kernel8.img", "kernel8.img", 64),
    ],
)
def test_the_kernel_that_a_board_takes(model: str, config: str, kernel: str, bits: int) -> None:
    found = seen(config, model, *FOLDER)
    assert (found.kernel, found.bits) == (kernel, bits)


def test_the_only_kernel_decides_where_nothing_is_said() -> None:
    assert seen("", "3", "kernel8.img").bits == 64
    found = seen("arm_64bit=0", "3", "kernel8.img")
    assert (found.kernel, found.kernel_asked) == (None, ("kernel7.img",))
    assert seen("", "5", "kernel8.img").kernel == "kernel8.img"


def test_a_kernel_that_is_named_is_the_only_one() -> None:
    found = seen("kernel=vmlinuz\narm_64bit=1", "3", *FOLDER)
    assert (found.kernel, found.kernel_asked, found.bits) == (None, ("vmlinuz",), 64)


def test_device_trees_of_both_families() -> None:
    both = ("bcm2837-rpi-3-b.dtb", "bcm2710-rpi-3-b.dtb")
    assert seen("", "3", *both).device_tree == both[1]
    assert seen("upstream_kernel=1", "3", *both).device_tree == both[0]
    assert seen("", "3", both[0]).device_tree == both[0]
    assert seen("", "3").device_tree is None
    assert seen("", "3", *both, variant=1).device_tree == both[1]


def test_a_device_tree_that_is_named() -> None:
    tree = "broadcom/bcm2837-rpi-3-b.dtb"
    assert seen(f"device_tree=/{tree}", "3", tree).device_tree == tree
    assert seen(f"device_tree={tree}", "3", "bcm2710-rpi-3-b.dtb").device_tree is None
    assert seen("device_tree=", "3", "bcm2710-rpi-3-b.dtb").device_tree_asked == ()


SET = ("R/kernel8.img", "R/bcm2711-rpi-4-b.dtb", "R/cmdline.txt", "R/initramfs8")


def test_a_prefix_stands_before_all_files_of_the_system() -> None:
    found = seen("os_prefix=R/\ninitramfs initramfs8 followkernel", "4", *SET)
    assert (found.prefix, found.kernel, found.device_tree) == ("R/", SET[0], SET[1])
    assert (found.cmdline, found.initramfs) == (SET[2], (SET[3],))


@pytest.mark.parametrize("missing", SET[:2])
def test_a_prefix_without_kernel_or_device_tree_is_ignored(missing: str) -> None:
    files = [name for name in (*SET, "kernel8.img", "cmdline.txt") if name != missing]
    found = seen("os_prefix=R/", "4", *files)
    assert (found.prefix, found.prefix_asked) == ("", "R/")
    assert (found.kernel, found.cmdline) == ("kernel8.img", "cmdline.txt")


def test_a_prefix_without_a_slash_is_part_of_the_names() -> None:
    found = seen("os_prefix=test-", "4", "test-kernel8.img", "test-bcm2711-rpi-4-b.dtb")
    assert found.kernel == "test-kernel8.img"


def test_absolute_paths_pass_by_the_prefix() -> None:
    config = "os_prefix=R/\nkernel=/mine.img\ncmdline=/mine.txt\ninitramfs /i 0"
    found = seen(config, "4", "mine.img", "mine.txt", "i", "R/bcm2711-rpi-4-b.dtb")
    assert found.prefix == "R/"
    assert (found.kernel, found.cmdline, found.initramfs) == ("mine.img", "mine.txt", ("i",))


def test_upstream_kernel_implies_a_prefix() -> None:
    files = ("upstream/kernel8.img", "upstream/bcm2711-rpi-4-b.dtb")
    assert seen("upstream_kernel=1", "4", *files).prefix == "upstream/"
    assert seen("upstream_kernel=1\nos_prefix=R/", "4", *files).prefix == ""


def test_overlays_are_shared_unless_the_prefix_has_a_readme() -> None:
    config = "os_prefix=R/\ndtoverlay=disable-bt\ndtoverlay=vc4-kms-v3d,cma-256\ndtoverlay=\n"
    found = seen(config, "4", *SET, "overlays/disable-bt.dtbo", "R/overlays/disable-bt.dtbo")
    assert found.overlay_directory == "overlays/"
    assert found.overlays == ("overlays/disable-bt.dtbo",)
    assert found.overlays_missing == ("overlays/vc4-kms-v3d.dtbo",)
    found = seen(config, "4", *SET, "R/overlays/README", "R/overlays/disable-bt.dtbo")
    assert found.overlays == ("R/overlays/disable-bt.dtbo",)


def test_several_initramfs_files_are_joined() -> None:
    found = seen("initramfs a,b,c followkernel", "4", "a", "c")
    assert (found.initramfs, found.initramfs_missing) == (("a", "c"), ("b",))


def test_a_malformed_initramfs_line_does_not_undo_the_one_before() -> None:
    found = seen("initramfs a followkernel\ninitramfs b c d", "4", "a", "b")
    assert found.initramfs == ("a",)
    (line,) = found.ignored
    assert (line.line, line.text) == ("line 2", "initramfs b c d")


def test_the_older_words_for_an_initramfs() -> None:
    assert seen("ramfsfile=a,b\nramfsaddr=-1", "4", "a", "b").initramfs == ("a", "b")


def test_the_initramfs_follows_from_the_kernels_name() -> None:
    files = ("kernel8.img", "initramfs8", "vmlinuz")
    found = seen("auto_initramfs=1", "4", *files)
    assert (found.initramfs, found.initramfs_automatic) == (("initramfs8",), True)
    found = seen("auto_initramfs=1\nkernel=vmlinuz", "4", *files)
    assert (found.initramfs, found.initramfs_missing, found.initramfs_automatic) == ((), (), True)
    found = seen("auto_initramfs=1\ninitramfs vmlinuz", "4", *files)
    assert (found.initramfs, found.initramfs_automatic) == (("vmlinuz",), False)


def test_names_that_follow() -> None:
    names = {name: automatic_initramfs(name) for name in FOLDER}
    assert list(names.values()) == [
        "initramfs",
        "initramfs7",
        "initramfs7l",
        "initramfs8",
        "initramfs_2712",
    ]
    assert automatic_initramfs("kernel8-48bit.img") is None


@pytest.mark.parametrize(
    "value", ["", "a b c", "a, b followkernel", "=a", "= a", "a follow", "a,,b followkernel"]
)
def test_initramfs_lines_that_are_passed_over(value: str) -> None:
    assert initramfs_fault(value) is not None


@pytest.mark.parametrize("value", ["a", "a 0", "a 0x800000", "a,b followkernel", "a 00a00000"])
def test_initramfs_lines_that_count(value: str) -> None:
    assert initramfs_fault(value) is None


def test_lines_that_are_passed_over_are_told() -> None:
    config = "initramfs=x\nkernel = a\nkernel= b\nnonsense\n[EDID=x]\nkernel=c\n[all]\nkernel=d\n"
    found = seen(config, "4")
    assert [(line.line, line.reason.partition(":")[0]) for line in found.ignored] == [
        ("line 1", "initramfs takes no '='"),
        ("line 2", "there may be no blank before '='"),
        ("line 3", "the blank behind '=' is part of the value"),
        ("line 4", "it is no setting"),
        ("line 6", "it counts only where [EDID=x] holds"),
    ]


def test_board_types_are_numbers_in_any_spelling() -> None:
    for spelling in ("0x14", "20"):
        found = seen(f"[board-type={spelling}]\nkernel=a", "4", "a", variant=2)
        assert found.kernel == "a"
    assert seen("[board-type=0x14]\nkernel=a", "4", "a").kernel is None


@pytest.mark.parametrize(
    ("model", "config", "files"),
    [
        ("3", "", ("bootcode.bin", "start.elf", "fixup.dat")),
        ("3", "start_x=1", ("bootcode.bin", "start_x.elf", "fixup_x.dat")),
        ("3", "gpu_mem=16", ("bootcode.bin", "start_cd.elf", "fixup_cd.dat")),
        ("4", "", ("start4.elf", "fixup4.dat")),
        ("4", "start_x=1", ("start4x.elf", "fixup4x.dat")),
        ("4", "start_debug=1", ("start4db.elf", "fixup4db.dat")),
        ("4", "gpu_mem=16", ("start4cd.elf", "fixup4cd.dat")),
        ("4", "start_file=/a.elf\nfixup_file=b.dat", ("a.elf", "b.dat")),
        ("4", "start_x=what", ("start4.elf", "fixup4.dat")),
        ("5", "start_x=1", ()),
    ],
)
def test_the_firmwares_own_files(model: str, config: str, files: tuple[str, ...]) -> None:
    assert seen(config, model).firmware == files


def test_without_a_variant_it_is_the_models_first() -> None:
    found = view(ConfigTxt(), MODELS["3"], lambda _: False)
    assert found.variant.name == "3 B"
    assert found.cmdline is None
    assert found.cmdline_asked == "cmdline.txt"


def test_overlays_of_other_boards_are_not_asked_for() -> None:
    config = "[pi3]\ndtoverlay=a\n[pi4]\ndtoverlay=b\n[EDID=x]\ndtoverlay=c\n"
    assert seen(config, "4").overlays_missing == ("overlays/b.dtbo",)


def test_no_kernel_leads_to_no_initramfs() -> None:
    found = seen("auto_initramfs=1", "4", "initramfs8")
    assert (found.kernel, found.initramfs, found.initramfs_missing) == (None, (), ())
