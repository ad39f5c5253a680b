"""Which package of Debian has a firmware file: for messages, and by the beginnings of names.

As of Debian 13, by the index ``Contents-all`` of its components ``main`` and
``non-free-firmware``. Debian 12 has fewer packages; most of what is in none of the same name there
is in ``firmware-misc-nonfree``.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from typing import Final

_TABLE: Final = """
amd64-microcode          amd-ucode/* amd/* amdtee/*
atmel-firmware           atmel_at76c50*
bluez-firmware           BCM2033-* STLC2500_*
firmware-amd-graphics    amdgpu/* amdnpu/* r128/* radeon/*
firmware-ast             ast_dp501_fw.bin
firmware-ath9k-htc       ath9k_htc/*
firmware-atheros         ar3k/* ar5523.bin ath10k/* ath11k/* ath12k/* ath3k-1.fw ath6k/*
firmware-atheros         htc_7010.fw htc_9271.fw qca/* wil6210.*
firmware-bnx2            bnx2/*
firmware-bnx2x           bnx2x/*
firmware-brcm80211       brcm/bcm43xx* brcm/brcmfmac* cypress/*
firmware-carl9170        carl9170-1.fw
firmware-cavium          cavium/* liquidio/*
firmware-cirrus          cirrus/* cs42l43.bin
firmware-intel-graphics  i915/* xe/* intel/ipu/* intel/vsc/*
firmware-intel-misc      e100/* hfi1_* intel/ice/* intel/ish/* intel/vpu/* qat_*
firmware-intel-sound     intel/IntcSST2.bin intel/avs/* intel/catpt/* intel/dsp_fw_*
firmware-intel-sound     intel/fw_sst_*
firmware-ipw2x00         ipw2100-* ipw2200-*
firmware-ivtv            v4l-cx2341x-* v4l-pvrusb2-*
firmware-iwlwifi         iwlwifi-* intel/ibt-*
firmware-libertas        lbtf_usb.bin libertas/* libertas_cs* mwl8k/* sd8385* sd8686* sd8688*
firmware-libertas        usb8388.bin mrvl/pcie* mrvl/sd8* mrvl/sdsd* mrvl/usb*
firmware-linux-free      av7110/* cis/* dsp56k/* isci/* keyspan_pda/* usbdux*
firmware-marvell-prestera mrvl/prestera/*
firmware-mediatek        mediatek/* mt7601u.bin mt7650.bin mt7662* rt2561* rt2661.bin rt2860.bin
firmware-mediatek        rt2870.bin rt3070.bin rt3071.bin rt3090.bin rt3290.bin rt73.bin vpu_?.bin
firmware-misc-nonfree    3com/* TAS2XXX* TIAS2781* advansys/* agere_* airoha/* amphion/* arm/*
firmware-misc-nonfree    as102_* cadence/* cnm/* ctefx.bin ctspeq.bin cxgb3/* cxgb4/* dabusb/* dvb-*
firmware-misc-nonfree    ene-ub6250/* f2255usb.bin go7007/* imx/* kaweth/* lt9611uxc_fw.bin
firmware-misc-nonfree    matrox/* meson/* microchip/* moxa/* mts_* nvidia/tegra* nxp/* powervr/*
firmware-misc-nonfree    r8a779x_* rockchip/* rp2.fw s2250* tehuti/* ti/* ti-keystone/* tigon/*
firmware-misc-nonfree    ueagle-atm/* v4l-cx23[14]* v4l-cx23885-* v4l-cx25840.fw vntwusb.fw wfx/*
firmware-myricom         myri10ge_*
firmware-netronome       netronome/*
firmware-netxen          phanfw.bin
firmware-nvidia-gsp      nvidia/550.*
firmware-nvidia-graphics nvidia/[a-z]*
firmware-qcom-soc        qcom/*
firmware-qlogic          cbfw-* ct2fw-* ctfw-* qed/* ql2?00_fw.bin ql2322_fw.bin qlogic/*
firmware-realtek         realtek/* rtl_bt/* rtl_nic/* rtlwifi/* rtw88/* rtw89/*
firmware-samsung         s5p-mfc*
firmware-siano           cmmb_ve* dvb_nova_* isdbt_* sms1xxx-* tdmb_nova_*
firmware-sof-signed      intel/sof*
firmware-ti-connectivity ti-connectivity/*
firmware-zd1211          zd1211/*
intel-microcode          intel-ucode/*
wireless-regdb           regulatory.db*
"""


@functools.cache
def _rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns)), package)
        for package, *patterns in (line.split() for line in _TABLE.strip().split("\n"))
    )


def package_of(name: str) -> str | None:
    """Return the package that likely has a file, ``None`` if nothing is known of it.

    ``name`` is as a driver asks for it, and may be a pattern itself.
    """
    return next((package for rule, package in _rules() if rule.match(name)), None)
