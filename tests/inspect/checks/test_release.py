from __future__ import annotations

import dataclasses

import pytest

from rdcompose.inspect.artifact import Artifact, Kind, SegmentFacts
from rdcompose.inspect.checks.release import check_config, check_readable, check_release
from rdcompose.inspect.contents import examine
from rdcompose.tree import Bytes, File
from tests.support.artifacts import (
    MODULES,
    RING,
    artifact,
    config,
    contradictions,
    disk,
    disk_files,
    group,
    initramfs,
    initramfs_files,
    kernel,
    module,
    remarks,
)
from tests.support.devicetrees import make_dtb
from tests.support.packages import CONFIG, RELEASE

OTHER = "6.1.0-8-cloud-amd64"


def foreign_initramfs(name: str = "initrd") -> Artifact:
    files = {path.replace(RELEASE, OTHER): data for path, data in initramfs_files().items()}
    return initramfs(files, name=name)


class TestReadable:
    def test_sound(self) -> None:
        check = check_readable(group())
        assert (check.findings, check.summary) == ((), "4 files can be read")

    def test_a_file_that_cannot_be_read(self) -> None:
        broken = artifact("vmlinuz", Kind.UNKNOWN, problem="the x86 bzImage is cut")
        assert contradictions(check_readable(group(broken))) == [
            "vmlinuz cannot be read: the x86 bzImage is cut"
        ]

    def test_a_filesystem_that_is_not_read(self) -> None:
        ext4 = artifact("disk", Kind.FILESYSTEM, filesystem="ext4")
        check = check_readable(group(ext4))
        assert not check.contradictions
        assert remarks(check) == [
            "disk was not looked into: it holds a filesystem that is not read: ext4"
        ]

    def test_damage_inside(self) -> None:
        broken = initramfs({f"{MODULES}/{RING}": b"no module"}, name="initrd")
        [message] = contradictions(check_readable(group(broken)))
        assert message.startswith(f"{MODULES}/{RING} in initrd is damaged: not an ELF file")

    def test_what_the_kernel_leaves_out(self) -> None:
        sound = initramfs(name="initrd")
        assert sound.initramfs is not None
        lost = examine([File(path=f"a/{n}", content=Bytes(b"")) for n in range(5)], disk=False)
        broken = dataclasses.replace(
            sound, initramfs=dataclasses.replace(sound.initramfs, contents=lost)
        )
        assert contradictions(check_readable(group(broken))) == [
            (
                "the kernel leaves out 5 files of initrd, because its directory 'a' is not there: "
                "a/0, a/1, a/2, …"
            )
        ]

    def test_what_the_kernel_does_not_unpack(self) -> None:
        sound = initramfs(name="initrd")
        assert sound.initramfs is not None
        segment = SegmentFacts(0, 1, "xz", 1, "the kernel knows no such check")
        broken = dataclasses.replace(
            sound, initramfs=dataclasses.replace(sound.initramfs, segments=(segment,))
        )
        assert contradictions(check_readable(group(broken))) == [
            "initrd would not be unpacked: the kernel knows no such check"
        ]


class TestRelease:
    def test_sound(self) -> None:
        check = check_release(group())
        assert (check.findings, check.summary) == ((), f"all is of {RELEASE}")

    def test_nothing_tells(self) -> None:
        assert not check_release(group(initramfs({}, name="initrd"))).done

    def test_modules_of_another_kernel(self) -> None:
        assert contradictions(check_release(group(kernel(), foreign_initramfs()))) == [
            f"the kernel in vmlinuz-{RELEASE} is of {RELEASE}, but initrd has modules of {OTHER}"
        ]
        foreign = disk({path.replace(RELEASE, OTHER): d for path, d in disk_files().items()})
        [message] = contradictions(check_release(group(kernel(), initramfs(), foreign)))
        assert message.endswith(f"but modules-{RELEASE}.qcow2 has modules of {OTHER}")

    def test_names_that_are_wrong(self) -> None:
        first = f"the kernel in vmlinuz-{OTHER} is of {RELEASE}, but"
        kernel_named = kernel(name=f"vmlinuz-{OTHER}")
        assert contradictions(check_release(group(kernel_named, initramfs()))) == [
            f"{first} the kernel vmlinuz-{OTHER}, by its name, is of {OTHER}"
        ]
        # One cause, one line.
        renamed = group(kernel_named, initramfs(name=f"initrd-{OTHER}"))
        assert contradictions(check_release(renamed)) == [
            f"{first} 2 files are, by their names, of {OTHER}: vmlinuz-{OTHER}, initrd-{OTHER}"
        ]

    def test_what_is_inside_comes_before_names(self) -> None:
        messages = contradictions(
            check_release(group(kernel(), foreign_initramfs(f"initramfs-{OTHER}")))
        )
        assert ["by its name" in message for message in messages] == [False, True]

    def test_manifest(self) -> None:
        other = artifact("manifest.json", Kind.MANIFEST, manifest={"release": OTHER})
        [message] = contradictions(check_release(group(kernel(), other)))
        assert message.endswith(f"but the composition of manifest.json is of {OTHER}")

    def test_unified_kernel_images(self) -> None:
        whole = artifact(f"{RELEASE}.efi", Kind.UKI, uname=OTHER)
        assert contradictions(check_release(group(kernel(), whole))) == [
            (
                f"the kernel in vmlinuz-{RELEASE} is of {RELEASE}, but .uname of {RELEASE}.efi is "
                f"of {OTHER}"
            )
        ]

    def test_device_trees_by_their_directory(self) -> None:
        tree = artifact(f"linux-image-{OTHER}/a.dtb", Kind.DEVICE_TREE, device_tree=make_dtb({}))
        [message] = contradictions(check_release(group(kernel(), tree)))
        assert f"the device tree linux-image-{OTHER}/a.dtb, by its name, is of {OTHER}" in message

    def test_two_kernels(self) -> None:
        [message] = contradictions(check_release(group(kernel(name="a"), kernel(OTHER, "b"))))
        assert message == f"the kernel in a is of {RELEASE}, but the kernel in b is of {OTHER}"

    def test_a_release_that_was_asked_for(self) -> None:
        check = check_release(group(foreign_initramfs(), named=RELEASE))
        assert contradictions(check) == [
            f"all is to be of {RELEASE}, but initrd has modules of {OTHER}"
        ]

    def test_remarks(self) -> None:
        both = initramfs({**initramfs_files(), f"lib/modules/{OTHER}/x.ko": module()}, name="i")
        none = initramfs({"init": (0o755, b"")}, name="n")
        check = check_release(group(both, none))
        assert remarks(check) == [
            f"i also has module directories of {OTHER}",
            "n has no modules",
            "there is no kernel among the files",
        ]
        assert not check.contradictions

    def test_microcode_has_no_modules(self) -> None:
        code = initramfs({"kernel/x86/microcode/GenuineIntel.bin": b"x"}, name="ucode.img")
        assert check_release(group(kernel(), code)).findings == ()


class TestConfig:
    def test_sound(self) -> None:
        check = check_config(group())
        assert check.findings == ()
        assert check.done

    def test_none(self) -> None:
        assert not check_config(group(kernel())).done

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (CONFIG.replace("x86 6.1.99", "x86 6.12.9"), "it is of Linux 6.12.9"),
            (CONFIG.replace("x86 6.1", "arm64 6.1"), "kernel architecture 'arm64', not amd64"),
            (CONFIG + f'CONFIG_BUILD_SALT="{OTHER}"\n', f"of the release {OTHER}"),
        ],
    )
    def test_of_another_kernel(self, text: str, reason: str) -> None:
        [message] = contradictions(check_config(group(kernel(), config(text))))
        assert message.startswith(f"config-{RELEASE} is not of {RELEASE}: ")
        assert reason in message

    def test_compressors_that_the_kernel_lacks(self) -> None:
        text = CONFIG.replace("CONFIG_RD_ZSTD=y", "").replace("CONFIG_SQUASHFS_ZSTD=y", "")
        assert contradictions(check_config(group(kernel(), initramfs(), disk(), config(text)))) == [
            (
                f"the kernel cannot read initramfs-{RELEASE}, which is compressed with zstd: by "
                f"config-{RELEASE} it lacks CONFIG_RD_ZSTD"
            ),
            (
                f"the kernel cannot read modules-{RELEASE}.qcow2, which is compressed with zstd: "
                f"by config-{RELEASE} it lacks CONFIG_SQUASHFS_ZSTD"
            ),
        ]

    def test_no_initramfs_at_all(self) -> None:
        text = CONFIG.replace("CONFIG_BLK_DEV_INITRD=y", "")
        [message] = contradictions(
            check_config(group(initramfs(compressions=["none"]), config(text)))
        )
        assert "which is as it is: by" in message
        assert message.endswith("it lacks CONFIG_BLK_DEV_INITRD")

    def test_a_squashfs_that_no_kernel_reads(self) -> None:
        [message] = contradictions(check_config(group(disk(compressor="lzma"), config())))
        assert "compressed with lzma" in message
        assert "no kernel" in message

    def test_a_filesystem_that_the_kernel_lacks(self) -> None:
        ext4 = disk(filesystem="ext4", compressor=None)
        assert check_config(group(ext4, config(CONFIG + "CONFIG_EXT4_FS=m\n"))).findings == ()
        [message] = contradictions(check_config(group(ext4, config())))
        assert message.endswith(f"which is as it is: by config-{RELEASE} it lacks CONFIG_EXT4_FS")
