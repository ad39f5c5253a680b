"""Read busybox's applet table from the program itself, without running it.

busybox holds its applets' names as one sorted run of NUL-terminated strings with an
empty one behind it, ``applet_names``, and where each is to be installed as one nibble
per applet, ``applet_install_loc`` (``applets/applet_tables.c`` and ``include/applets.src.h``
of busybox, 1.22 to 1.37). Neither has a symbol in a stripped program, so both are
recognised by what they hold. The second exists only in a busybox that can install
itself; for others the usual places are used.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# BB_DIR_ROOT, BB_DIR_BIN, BB_DIR_SBIN, BB_DIR_USR_BIN, BB_DIR_USR_SBIN
_DIRECTORIES: Final = ("", "bin/", "sbin/", "usr/bin/", "usr/sbin/")
_NAME: Final = re.compile(rb"\[\[?|[a-z][a-z0-9_.+-]{0,31}")
_LONGEST: Final = 32
# One of them is in every busybox that can start a system.
_COMMON: Final = re.compile(rb"\0(?:busybox|cat|mount|sh)(?=\0)")
_FEWEST: Final = 3
# Real ones hold such words less than a hundred times.
_MAX_HITS: Final = 1000

# Where the table of places is when it says these, which never moved.
_FIXED: Final = {
    "[": 3,
    "awk": 3,
    "cat": 1,
    "chroot": 4,
    "init": 2,
    "insmod": 2,
    "ls": 1,
    "mkdir": 1,
    "modprobe": 2,
    "mount": 1,
    "sed": 1,
    "sh": 1,
    "switch_root": 2,
    "wc": 3,
}
_FEWEST_FIXED: Final = 4
_NEAR: Final = 1 << 16

_SBIN_NAMES: Final = (
    "acpid adjtimex arp blkid blockdev bootchartd depmod devmem fbsplash fdisk findfs "
    "freeramdisk fsck fstrim getty halt hdparm hwclock ifconfig ifdown ifenslave ifup init "
    "inotifyd insmod ip ipaddr iplink ipneigh iproute iprule iptunnel klogd loadkmap logread "
    "losetup lsmod makedevs man mdev mkdosfs mke2fs mkfs.ext2 mkfs.minix mkfs.vfat mkswap "
    "modinfo modprobe nameif pivot_root poweroff raidautorun reboot rmmod route run-init "
    "runlevel setconsole slattach start-stop-daemon sulogin swapoff swapon switch_root sysctl "
    "syslogd tc tune2fs tunctl udhcpc uevent vconfig watchdog zcip"
)
_USR_SBIN_NAMES: Final = (
    "add-shell addgroup adduser arping brctl chat chpasswd chroot crond delgroup deluser "
    "dhcprelay dnsd ether-wake fakeidentd fbset fsfreeze ftpd httpd i2cdetect i2cdump i2cget "
    "i2cset i2ctransfer inetd killall5 loadfont lpd mim nanddump nandwrite nbd-client nologin "
    "ntpd partprobe popmaildir rdate rdev readahead readprofile remove-shell rfkill rtcwake "
    "seedrng sendmail setfont setlogcons svlogd telnetd tftpd ubiattach ubidetach ubimkvol "
    "ubirename ubirmvol ubirsvol ubiupdatevol udhcpd"
)
_USR_BIN_NAMES: Final = (
    "[ [[ ar ascii awk basename bc beep blkdiscard bunzip2 bzcat bzip2 cal chpst chvt cksum "
    "clear cmp comm crc32 crontab cryptpw cut dc deallocvt diff dirname dos2unix dpkg dpkg-deb "
    "du dumpleases eject env envdir envuidgid expand expr factor fallocate fgconsole find flock "
    "fold free ftpget ftpput fuser getfattr groups hd head hexdump hexedit hostid id install "
    "ipcrm ipcs killall last less logger logname lpq lpr lsof lspci lsscsi lsusb lzcat lzma "
    "lzopcat md5sum mesg microcom mkfifo mkpasswd nc nl nmeter nohup nproc nsenter nslookup od "
    "openvt passwd paste patch pgrep pkill pmap printf pscan pstree pwdx realpath renice reset "
    "resize rpm2cpio runsv runsvdir rx script scriptreplay seq setfattr setkeycodes setsid "
    "setuidgid sha1sum sha256sum sha3sum sha384sum sha512sum showkey shred shuf smemcap "
    "softlimit sort split ssl_client strings sum sv svc svok tac tail taskset tcpsvd tee telnet "
    "test tftp time timeout top tr traceroute traceroute6 tree truncate ts tsort tty ttysize "
    "udhcpc6 udpsvd unexpand uniq unix2dos unlink unlzma unlzop unshare unxz unzip uptime users "
    "uudecode uuencode vlock volname w wall wc wget which who whoami whois xargs xxd xz xzcat "
    "yes"
)
_SBIN: Final = frozenset(_SBIN_NAMES.split())
_USR_SBIN: Final = frozenset(_USR_SBIN_NAMES.split())
_USR_BIN: Final = frozenset(_USR_BIN_NAMES.split())


def read_applets(program: bytes) -> tuple[tuple[str, str], ...]:
    """Return (applet, path) of all applets in busybox's own order.

    The path is where ``busybox --install`` puts the link, relative to the root:
    ``("modprobe", "sbin/modprobe")``.

    :raises FormatError: the program holds no applet table.
    """
    names, offset = _names(program)
    if len(names) < _FEWEST:
        raise FormatError("there is no table of applets in it")
    places = _places(program, names, offset) or [usual_directory(name) for name in names]
    return tuple((name, directory + name) for name, directory in zip(names, places, strict=True))


def usual_directory(applet: str) -> str:
    """Return the directory, with a slash behind it, where an applet usually is."""
    if applet == "linuxrc":
        return ""
    if applet in _SBIN:
        return "sbin/"
    if applet in _USR_SBIN:
        return "usr/sbin/"
    return "usr/bin/" if applet in _USR_BIN else "bin/"


def _names(program: bytes) -> tuple[list[str], int]:
    """Find the longest run that can be ``applet_names``, and its offset."""
    best: tuple[list[bytes], int] = [], 0
    end = 0
    for found in itertools.islice(_COMMON.finditer(program), _MAX_HITS):
        start = found.start() + 1
        if start < end:
            continue  # in the run that was just read
        forward, end = _forward(program, start)
        if not forward:
            continue
        backward = list(_backward(program, start, forward[0]))
        run = [*reversed(backward), *forward]
        if len(run) > len(best[0]):
            best = run, start - sum(len(name) + 1 for name in backward)
    return [name.decode("ascii") for name in best[0]], best[1]


def _forward(program: bytes, start: int) -> tuple[list[bytes], int]:
    """Read rising names up to the empty one; none if the run ends otherwise."""
    names: list[bytes] = []
    position = start
    while (found := _NAME.match(program, position)) is not None:
        name = found[0]
        if program[found.end() : found.end() + 1] != b"\0" or (names and name <= names[-1]):
            return [], position
        names.append(name)
        position = found.end() + 1
    ended = program[position : position + 1] == b"\0"
    return (names if ended else []), position


def _backward(program: bytes, start: int, above: bytes) -> Iterator[bytes]:
    """Yield falling names in front of a name; what is before the first may be anything."""
    while program[start - 1 : start] == b"\0":
        before = program[max(start - 2 - _LONGEST, 0) : start - 1]
        # Only the first name of the table can have other bytes than a NUL in front.
        text = before[before.rfind(b"\0") + 1 :]
        suffixes = (text[cut:] for cut in range(len(text)))
        found = next((n for n in suffixes if _NAME.fullmatch(n) and n < above), None)
        if found is None:
            return
        yield found
        above = found
        start -= len(found) + 1


def _places(program: bytes, names: Sequence[str], offset: int) -> list[str]:
    """Find ``applet_install_loc``: the only run of nibbles that fits the names.

    Two applets a byte, the first one in its low half.
    """
    if sum(name in _FIXED for name in names) < _FEWEST_FIXED:
        return []
    halves = [((_FIXED[name],) if name in _FIXED else range(5)) for name in names]
    if len(halves) % 2:
        halves.append((0,))
    classes = [
        b"["
        + b"".join(re.escape(bytes([low | high << 4])) for high in highs for low in lows)
        + b"]"
        for lows, highs in zip(halves[::2], halves[1::2], strict=True)
    ]
    # In a lookahead, so that overlapping hits are seen: two mean that neither is sure.
    pattern = re.compile(b"(?=(" + b"".join(classes) + b"))", re.DOTALL)
    # It is mostly a few hundred bytes before the names.
    near = program[max(offset - _NEAR, 0) : offset + _NEAR]
    for area in (near, program):
        found = {match[1] for match in pattern.finditer(area)}
        if len(found) == 1:
            packed = found.pop()
            nibbles = (nibble for byte in packed for nibble in (byte & 15, byte >> 4))
            return [_DIRECTORIES[place] for _, place in zip(names, nibbles, strict=False)]
    return []
