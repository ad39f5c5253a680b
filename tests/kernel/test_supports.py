from __future__ import annotations

import pytest

from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.supports import (
    FEATURES,
    PINET,
    Status,
    Support,
    find_feature,
    lacking,
    supports,
)

FAT = {"FAT_DEFAULT_CODEPAGE": "437", "FAT_DEFAULT_IOCHARSET": "iso8859-1"}


def of(name: str, modules: set[str] | None = None, **options: str) -> Support:
    return supports(KernelConfig(options), modules or set(), name)


def test_built_in() -> None:
    assert of("nbd", BLK_DEV_NBD="y") == Support(feature="nbd", status=Status.BUILT_IN)


def test_a_module() -> None:
    found = of("nbd", {"nbd"}, BLK_DEV_NBD="m")
    assert found == Support(feature="nbd", status=Status.MODULE, modules=("nbd",))


def test_lacking() -> None:
    found = of("nbd", {"nbd"}, BLK_DEV_NBD="n")
    assert found == Support(feature="nbd", status=Status.LACKING, missing=("CONFIG_BLK_DEV_NBD",))


def test_a_module_that_is_not_there() -> None:
    """As in Ubuntu without linux-modules-extra."""
    found = of("nbd", BLK_DEV_NBD="m")
    assert (found.status, found.modules, found.absent) == (Status.LACKING, ("nbd",), ("nbd",))


def test_all_of_what_is_needed() -> None:
    found = of("crypt", {"dm_crypt"}, BLK_DEV_DM="y", DM_CRYPT="m")
    assert (found.status, found.modules) == (Status.MODULE, ("dm_crypt",))
    assert of("crypt", {"dm_crypt"}, DM_CRYPT="m").missing == ("CONFIG_BLK_DEV_DM",)


def test_one_of_what_would_do() -> None:
    modules = {"nfs", "nfsv3", "nfsv4"}
    assert of("nfs", modules, NFS_FS="m", NFS_V3="m").modules == ("nfs", "nfsv3")
    assert of("nfs", modules, NFS_FS="y", NFS_V3="m", NFS_V4="y").status is Status.BUILT_IN
    assert of("nfs", modules, NFS_FS="m").missing == ("CONFIG_NFS_V4 or CONFIG_NFS_V3",)


@pytest.mark.parametrize(
    ("charset", "option", "module"),
    [
        ("iso8859-1", "NLS_ISO8859_1", "nls_iso8859_1"),
        ("ascii", "NLS_ASCII", "nls_ascii"),
        ("utf8", "NLS_UTF8", "nls_utf8"),
        ("koi8-r", "NLS_KOI8_R", "nls_koi8_r"),
        ("cp1251", "NLS_CODEPAGE_1251", "nls_cp1251"),
    ],
)
def test_fat_needs_its_tables_of_characters(charset: str, option: str, module: str) -> None:
    options = {"VFAT_FS": "y", "NLS_CODEPAGE_437": "y", **FAT, "FAT_DEFAULT_IOCHARSET": charset}
    assert of("vfat", set(), **options).missing == (f"CONFIG_{option}",)
    assert of("vfat", {module}, **options, **{option: "m"}).modules == (module,)


def test_fat_of_another_code_page() -> None:
    options = {"VFAT_FS": "y", "NLS_ISO8859_1": "y", **FAT, "FAT_DEFAULT_CODEPAGE": "850"}
    assert of("fat", set(), **options).missing == ("CONFIG_NLS_CODEPAGE_850",)


def test_names_of_before() -> None:
    found = of("overlayfs", {"overlay"}, OVERLAY_FS="m")
    assert (found.feature, found.status) == ("overlay", Status.MODULE)
    assert found.remark == "overlayfs is called overlay since Linux 3.18"
    assert of("overlay", OVERLAY_FS="n").remark == ""
    assert "overlay does the same" in of("aufs").remark
    assert of("aufs", {"aufs"}, AUFS_FS="m").remark == ""


def test_any_option() -> None:
    assert of("CONFIG_X", X="y") == Support(feature="CONFIG_X", status=Status.BUILT_IN)
    assert of("CONFIG_X", X="m").status is Status.MODULE
    assert of("CONFIG_X").missing == ("CONFIG_X",)


@pytest.mark.parametrize(
    ("name", "feature"),
    [("NBD", "nbd"), ("usb_storage", "usb-storage"), ("luks", "crypt"), ("fat", "vfat")],
)
def test_spellings(name: str, feature: str) -> None:
    assert find_feature(name) == feature
    assert of(name).feature == feature


@pytest.mark.parametrize("name", ["", "arm64", "6.1.0-1-arm64", "CONFIG_", "config_x", "./nbd"])
def test_no_feature(name: str) -> None:
    assert find_feature(name) is None
    with pytest.raises(KeyError):
        of(name)


def test_those_that_are_lacking() -> None:
    config = KernelConfig({"BLK_DEV_NBD": "m", "SQUASHFS": "y"})
    assert [one.feature for one in lacking(config, {"nbd"}, PINET)] == ["overlay"]
    assert set(PINET) < set(FEATURES)
