from __future__ import annotations

import pytest

from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.optionname import probable_option

CONFIG = KernelConfig.parse(b"""\
CONFIG_64BIT=y
CONFIG_BLK_DEV_LOOP=m
CONFIG_BLK_DEV_NVME=m
CONFIG_NVME_CORE=m
CONFIG_BLK_DEV_SD=m
CONFIG_CRYPTO_AES=m
CONFIG_DM_CRYPT=m
# CONFIG_E1000E is not set
CONFIG_EXT4_FS=y
CONFIG_SND_HDA_INTEL=m
CONFIG_SATA_VITESSE=m
CONFIG_NET_VENDOR_BROADCOM=y
CONFIG_USB_XHCI_HCD=m
CONFIG_ONE_CARD=m
CONFIG_TWO_CARD=m
CONFIG_VLAN_8021Q=m
CONFIG_USB_RTL8150=m
""")


@pytest.mark.parametrize(
    ("name", "values", "option"),
    [
        ("loop", "m", "BLK_DEV_LOOP"),
        ("nvme", "m", "BLK_DEV_NVME"),
        ("sd_mod", "m", "BLK_DEV_SD"),
        ("aes_generic", "m", "CRYPTO_AES"),
        ("dm_crypt", "m", "DM_CRYPT"),
        ("snd_hda_intel", "m", "SND_HDA_INTEL"),
        ("xhci_hcd", "m", "USB_XHCI_HCD"),
        ("8021q", "m", "VLAN_8021Q"),
        ("ext4", "y", "EXT4_FS"),
        ("e1000e", "n", "E1000E"),
        # Of another state, or several that are as likely, or only a switch for a menu.
        ("ext4", "m", None),
        ("e1000e", "my", None),
        ("card", "m", None),
        ("broadcom", "y", None),
        ("nothing", "mny", None),
        ("", "mny", None),
    ],
)
def test_options(name: str, values: str, option: str | None) -> None:
    assert probable_option(CONFIG, name, values) == option
