"""Logs of TFTP servers, as dnsmasq and in.tftpd write them when a Pi boots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

ADDRESS: Final = "10.1.1.2"
ROOT: Final = "/srv/tftp"
# "-" in front: missing; "?": only the size is wanted; "!": broke off; "x": not readable.
PI3: Final = (
    *("-bootsig.bin", "bootcode.bin"),
    *("?8b07bcc6/start.elf", "-8b07bcc6/autoboot.txt", "?8b07bcc6/start.elf"),
    *("8b07bcc6/config.txt", "-8b07bcc6/recovery.elf", "8b07bcc6/start.elf", "8b07bcc6/fixup.dat"),
    *("?8b07bcc6/config.txt", "8b07bcc6/config.txt", "-8b07bcc6/dt-blob.bin"),
    *("-8b07bcc6/bootcfg.txt", "-8b07bcc6/recovery8.img", "?8b07bcc6/kernel8.img"),
    *("?8b07bcc6/initramfs8", "8b07bcc6/initramfs8"),
    *("?8b07bcc6/bcm2710-rpi-3-b-plus.dtb", "8b07bcc6/bcm2710-rpi-3-b-plus.dtb"),
    *("-8b07bcc6/overlays/overlay_map.dtb", "?8b07bcc6/cmdline.txt", "8b07bcc6/cmdline.txt"),
    *("-8b07bcc6/armstub8.bin", "?8b07bcc6/kernel8.img", "8b07bcc6/kernel8.img"),
)
PI4_IN_ROOT: Final = (
    *("-5b154510/start4.elf", "-5b154510/start.elf", "config.txt", "-vl805.sig"),
    *("-pieeprom.sig", "-recover4.elf", "-recovery.elf", "start4.elf", "fixup4.dat"),
    *("config.txt", "bcm2711-rpi-4-b.dtb", "-overlays/rpi-poe.dtbo", "cmdline.txt"),
    *("?kernel-upstream.img", "-armstub8-gic.bin", "kernel-upstream.img"),
)
PI5: Final = (
    *("7bf18f79/config.txt", "-7bf18f79/pieeprom.sig", "7bf18f79//config.txt"),
    *("?7bf18f79/my.img", "7bf18f79/bcm2712-rpi-5-b.dtb", "-7bf18f79//cmdline.txt"),
    *("-7bf18f79/armstub8-2712.bin", "7bf18f79/my.img"),
)


def dnsmasq_log(requests: Iterable[str], *, address: str = ADDRESS, old: bool = False) -> str:
    """Return dnsmasq's log; with ``old`` as before version 2.87."""
    lines = [f"dnsmasq-dhcp[7]: DHCPACK(eth0) {address} b8:27:eb:07:bc:c6"]
    for request in requests:
        mark = request[0] if request[0] in "-?!x" else ""
        path = f"{ROOT}/{request[len(mark) :]}"
        match mark:
            case "-":
                lines.append(f"file {path} not found" + ("" if old else f" for {address}"))
            case "x":
                lines.append(f"cannot access {path}: Permission denied")
            case "?":
                lines += [
                    f"error 0 Early terminate received from {address}",
                    f"failed sending {path} to {address}",
                ]
            case "!":
                lines.append(f"failed sending {path} to {address}")
            case _:
                lines.append(f"sent {path} to {address}")
    head = "Sep 26 16:25:03 server dnsmasq-tftp[7]: "
    return "".join(f"{head}{line}\n" for line in lines)


def tftpd_log(requests: Iterable[str], *, address: str = ADDRESS) -> str:
    """Return the log of tftpd-hpa with -v, which does not say what was sent."""
    lines = []
    for request in requests:
        mark = request[0] if request[0] in "-?!x" else ""
        lines.append(f"RRQ from {address} filename {request[len(mark) :]}")
        if mark == "-":
            lines.append(f"sending NAK (1, File not found) to {address}")
        if mark == "x":
            lines.append(f"sending NAK (2, Access violation) to {address}")
    return "".join(f"Sep 26 16:25:03 server in.tftpd[8]: {line}\n" for line in lines)
