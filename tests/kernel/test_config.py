"""rdcompose.kernel.config"""

from __future__ import annotations

import pytest

from rdcompose.errors import FormatError, SpecError
from rdcompose.kernel.config import KernelConfig, ReleaseHints
from rdcompose.kernel.release import ARCHITECTURES

TEXT = b"""#
# Automatically generated file; DO NOT EDIT.
# Linux/x86 6.12.57 Kernel Configuration
#
CONFIG_CC_VERSION_TEXT="x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0"
CONFIG_LOCALVERSION=""
# CONFIG_LOCALVERSION_AUTO is not set

#
# Timers subsystem
#
CONFIG_HZ=250
CONFIG_PHYSICAL_START=0x1000000
CONFIG_64BIT=y
CONFIG_SQUASHFS=m
# CONFIG_SQUASHFS_EMBEDDED is not set
CONFIG_ODD="a \\"b\\" \\\\ c"
# end of Timers subsystem
"""


def config(*lines: str) -> KernelConfig:
    return KernelConfig.parse("\n".join(lines).encode())


def test_values() -> None:
    read = KernelConfig.parse(TEXT)
    assert read.options == {
        "CC_VERSION_TEXT": "x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0",
        "LOCALVERSION": "",
        "LOCALVERSION_AUTO": "n",
        "HZ": "250",
        "PHYSICAL_START": "0x1000000",
        "64BIT": "y",
        "SQUASHFS": "m",
        "SQUASHFS_EMBEDDED": "n",
        "ODD": 'a "b" \\ c',
    }
    assert (read.value("HZ"), read.value("NOT_THERE")) == ("250", "n")
    assert (read.version, read.architecture_word) == ("6.12.57", "x86")


def test_states() -> None:
    read = config("CONFIG_A=y", "CONFIG_B=m", "# CONFIG_C is not set", 'CONFIG_D="y"')
    states = {name: (read.builtin(name), read.is_module(name)) for name in "ABCE"}
    assert states == {
        "A": (True, False),
        "B": (False, True),
        "C": (False, False),
        "E": (False, False),
    }
    assert [name for name in "ABCE" if read.enabled(name)] == ["A", "B"]


def test_release_hints() -> None:
    assert KernelConfig.parse(TEXT).release_hints == ReleaseHints("6.12.57", "x86", "", "")
    read = config('CONFIG_LOCALVERSION="-mine"', 'CONFIG_BUILD_SALT="4.19.0-27-amd64"')
    assert read.release_hints == ReleaseHints(None, None, "-mine", "4.19.0-27-amd64")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no option"),
        (b"# nothing\n\n", "no option"),
        (b"\x7fELF\x02\x01\x01", "line 1"),
        (b"CONFIG_A=y\nhello", "line 2 .*'hello'"),
        (b"CONFIG_A\n", "line 1"),
        (b"CONFIG_A-B=y\n", "line 1"),
        (b'CONFIG_A="open\n', "line 1"),
        (b'CONFIG_A="a"b"\n', "line 1"),
        (b'CONFIG_A="\\"\n', "line 1"),
        (b"CONFIG_A=y\n" + b"x" * 500, "x…'"),
        (b"\xff\xfe" * 40, "line 1"),
        (b"\0" * (9 << 20), "9437184 bytes"),
    ],
)
def test_hostile(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        KernelConfig.parse(data)


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ("6.12.57+deb13-amd64", None),
        ("6.12.0-3-amd64", None),
        ("6.12-mine", None),
        ("mine", None),
        ("6.12.58+deb13-amd64", "it is of Linux 6.12.57"),
        ("6.1.57+deb13-amd64", "it is of Linux 6.12.57"),
        ("5.12.57", "it is of Linux 6.12.57"),
    ],
)
def test_contradiction_of_versions(release: str, said: str | None) -> None:
    assert KernelConfig.parse(TEXT).contradiction(release) == said


def test_debian_12_numbers_differ_and_do_not_contradict() -> None:
    read = config("# Linux/x86 6.1.192 Kernel Configuration", "CONFIG_A=y")
    assert read.contradiction("6.1.0-56-cloud-amd64") is None


def test_contradiction_of_the_build_salt() -> None:
    read = config('CONFIG_BUILD_SALT="4.19.0-27-amd64"')
    assert read.contradiction("4.19.0-27-amd64") is None
    assert read.contradiction("4.19.0-26-amd64") == "it is of the release 4.19.0-27-amd64"
    # Not every salt is a release.
    assert config('CONFIG_BUILD_SALT="pepper"').contradiction("4.19.0-26-amd64") is None


@pytest.mark.parametrize(
    ("lines", "architecture", "said"),
    [
        (["# Linux/x86 6.1 Kernel Configuration", "CONFIG_64BIT=y"], "amd64", None),
        (["# Linux/x86_64 6.1 Kernel Configuration", "CONFIG_64BIT=y"], "amd64", None),
        (
            ["# Linux/x86 6.1 Kernel Configuration", "# CONFIG_64BIT is not set"],
            "amd64",
            "it is for 32 bits, not amd64",
        ),
        (["# Linux/x86 6.1 Kernel Configuration", "# CONFIG_64BIT is not set"], "i386", None),
        (["CONFIG_64BIT=y"], "i386", "it is for 64 bits, not i386"),
        (["# Linux/mips 6.1 Kernel Configuration", "CONFIG_64BIT=y"], "mipsel", None),
        # Without its first lines it may be a part, and says nothing by leaving out.
        (["CONFIG_A=y"], "amd64", None),
        (
            ["# Linux/arm64 6.1 Kernel Configuration", "CONFIG_64BIT=y"],
            "amd64",
            "it is for the kernel architecture 'arm64', not amd64",
        ),
        (["# Linux/arm 6.1 Kernel Configuration", "CONFIG_A=y"], "armhf", None),
        (["# Linux/arm 6.1 Kernel Configuration", "CONFIG_A=y"], "armel", None),
        (["CONFIG_64BIT=y", "CONFIG_CPU_LITTLE_ENDIAN=y"], "ppc64el", None),
        (["CONFIG_64BIT=y", "CONFIG_CPU_BIG_ENDIAN=y"], "s390x", None),
        (
            ["CONFIG_64BIT=y", "CONFIG_CPU_BIG_ENDIAN=y"],
            "ppc64el",
            "it is big-endian, not ppc64el",
        ),
        (
            ["CONFIG_64BIT=y", "CONFIG_CPU_LITTLE_ENDIAN=y"],
            "s390x",
            "it is little-endian, not s390x",
        ),
    ],
)
def test_contradiction_of_machines(lines: list[str], architecture: str, said: str | None) -> None:
    assert config(*lines).contradiction("6.1.0", ARCHITECTURES[architecture]) == said


def test_missing_for_initramfs() -> None:
    read = config("CONFIG_BLK_DEV_INITRD=y", "CONFIG_RD_GZIP=y", "# CONFIG_RD_ZSTD is not set")
    names = ["none", "gzip", "zstd", "lz4"]
    assert {name: read.missing_for_initramfs(name) for name in names} == {
        "none": (),
        "gzip": (),
        "zstd": ("CONFIG_RD_ZSTD",),
        "lz4": ("CONFIG_RD_LZ4",),
    }
    assert config("CONFIG_RD_XZ=y").missing_for_initramfs("xz") == ("CONFIG_BLK_DEV_INITRD",)
    with pytest.raises(SpecError, match="'brotli' is no initramfs compressor") as caught:
        read.missing_for_initramfs("brotli")
    assert caught.value.hint == "known are gzip, bzip2, lzma, xz, lzo, lz4, zstd"


def test_missing_for_squashfs() -> None:
    read = config("CONFIG_BLOCK=y", "CONFIG_SQUASHFS=m", "CONFIG_SQUASHFS_XZ=y")
    assert read.missing_for_squashfs("xz") == ()
    assert read.missing_for_squashfs("zstd") == ("CONFIG_SQUASHFS_ZSTD",)
    assert config("CONFIG_BLOCK=y").missing_for_squashfs("gzip") == (
        "CONFIG_SQUASHFS",
        "CONFIG_SQUASHFS_ZLIB",
    )
    with pytest.raises(SpecError, match="'none' is no squashfs compressor"):
        read.missing_for_squashfs("none")


def test_missing_for_the_running_system() -> None:
    lines = "CONFIG_BINFMT_ELF CONFIG_BINFMT_SCRIPT CONFIG_PROC_FS CONFIG_SYSFS CONFIG_DEVTMPFS"
    whole = config(*(f"{line}=y" for line in lines.split()), "CONFIG_TMPFS=y", "CONFIG_MODULES=y")
    assert whole.missing_for_init() == ()
    assert whole.missing_for_modules() == ()
    assert whole.missing_for_overlay() == ("CONFIG_OVERLAY_FS",)
    part = config("CONFIG_BINFMT_ELF=y", "CONFIG_BINFMT_SCRIPT=m", "CONFIG_OVERLAY_FS=m")
    assert part.missing_for_init() == (
        "CONFIG_BINFMT_SCRIPT",
        "CONFIG_PROC_FS",
        "CONFIG_SYSFS",
        "CONFIG_DEVTMPFS",
        "CONFIG_TMPFS",
    )
    assert part.missing_for_modules() == ("CONFIG_MODULES",)
    assert part.missing_for_overlay() == ("CONFIG_TMPFS",)


def test_missing_for_microcode() -> None:
    old = config(
        "CONFIG_BLK_DEV_INITRD=y",
        "CONFIG_MICROCODE=y",
        "CONFIG_MICROCODE_INTEL=y",
        "# CONFIG_MICROCODE_AMD is not set",
        "CONFIG_CPU_SUP_AMD=y",
    )
    assert old.missing_for_microcode("GenuineIntel") == ()
    assert old.missing_for_microcode("AuthenticAMD") == ("CONFIG_MICROCODE_AMD",)
    # Since Linux 6.6 the vendors have no options of their own.
    new = config("CONFIG_BLK_DEV_INITRD=y", "CONFIG_MICROCODE=y", "CONFIG_CPU_SUP_AMD=y")
    assert new.missing_for_microcode("AuthenticAMD") == ()
    assert new.missing_for_microcode("GenuineIntel") == ("CONFIG_CPU_SUP_INTEL",)
    none = config("# CONFIG_MICROCODE is not set", "CONFIG_CPU_SUP_AMD=y")
    assert none.missing_for_microcode("AuthenticAMD") == (
        "CONFIG_BLK_DEV_INITRD",
        "CONFIG_MICROCODE",
    )


def test_missing_for_filesystem() -> None:
    read = config("CONFIG_EXT4_FS=m", "# CONFIG_XFS_FS is not set")
    assert read.missing_for_filesystem("ext4") == ()
    assert read.missing_for_filesystem("ext2") == ()
    assert read.missing_for_filesystem("xfs") == ("CONFIG_XFS_FS",)
    assert read.missing_for_filesystem("something-new") == ()


def test_module_decompressor() -> None:
    both = ("CONFIG_MODULE_COMPRESS_XZ=y", "CONFIG_MODULE_DECOMPRESS=y")
    assert config(*both).module_decompressor == "xz"
    assert config(both[0]).module_decompressor is None
    assert config(both[1]).module_decompressor is None
