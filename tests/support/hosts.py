"""How typical systems configure apt: their files, with the addresses of examples.

What each of them holds is as its installer or image writes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LIST: Final = "etc/apt/sources.list"
PARTS: Final = "etc/apt/sources.list.d"
DEBIAN_KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"

EMBEDDED_KEY: Final = """\
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEYCQjIxYJKwYBBAHaRw8BAQdAD/P5Nvvnvk66SxBBHDbhRml9ORg1WV5CvzKY
 CuMfoIS0BmFiY2RlZoiQBBMWCgA4FiEErCIG1VhKWMWo2yfAREZd5NfO31cFAmAk
 =IE0r
 -----END PGP PUBLIC KEY BLOCK-----
"""

BULLSEYE: Final = """\
# deb cdrom:[Debian GNU/Linux 11.0.0 _Bullseye_ - Official amd64 NETINST]/ bullseye main

#deb cdrom:[Debian GNU/Linux 11.0.0 _Bullseye_ - Official amd64 NETINST]/ bullseye main

deb http://mirror.example.org/debian/ bullseye main
deb-src http://mirror.example.org/debian/ bullseye main

deb http://security.example.org/debian-security bullseye-security main
deb-src http://security.example.org/debian-security bullseye-security main

# bullseye-updates, to get updates before a point release is made;
# see https://www.example.org/ch02.en.html#_updates_and_backports
deb http://mirror.example.org/debian/ bullseye-updates main
deb-src http://mirror.example.org/debian/ bullseye-updates main
"""

BOOKWORM: Final = """\
deb http://mirror.example.org/debian/ bookworm main non-free-firmware
deb-src http://mirror.example.org/debian/ bookworm main non-free-firmware

deb http://security.example.org/debian-security bookworm-security main non-free-firmware
deb-src http://security.example.org/debian-security bookworm-security main non-free-firmware

deb http://mirror.example.org/debian/ bookworm-updates main non-free-firmware
deb-src http://mirror.example.org/debian/ bookworm-updates main non-free-firmware
"""

TRIXIE: Final = f"""\
Types: deb deb-src
URIs: http://mirror.example.org/debian/
Suites: trixie trixie-updates
Components: main non-free-firmware
Signed-By: {DEBIAN_KEYRING}

Types: deb deb-src
URIs: http://security.example.org/debian-security/
Suites: trixie-security
Components: main non-free-firmware
Signed-By: {DEBIAN_KEYRING}
"""

CLOUD: Final = """\
Types: deb deb-src
URIs: mirror+file:///etc/apt/mirrors/debian.list
Suites: bookworm bookworm-updates bookworm-backports
Components: main

Types: deb deb-src
URIs: mirror+file:///etc/apt/mirrors/debian-security.list
Suites: bookworm-security
Components: main
"""

CONTAINER: Final = f"""\
Types: deb
# http://snap.example.org/archive/debian/20250520T000000Z
URIs: http://mirror.example.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: {DEBIAN_KEYRING}

Types: deb
# http://snap.example.org/archive/debian-security/20250520T000000Z
URIs: http://mirror.example.org/debian-security
Suites: bookworm-security
Components: main
Signed-By: {DEBIAN_KEYRING}
"""

UBUNTU: Final = """\
# See http://help.example.org/community/UpgradeNotes
Types: deb
URIs: http://archive.example.org/ubuntu/
Suites: noble noble-updates noble-backports
Components: main universe restricted multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg

Types: deb
URIs: http://security.example.org/ubuntu/
Suites: noble-security
Components: main universe restricted multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg
"""

THIRD_PARTIES: Final = {
    f"{PARTS}/docker.list": "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc]"
    " https://docker.example.org/linux/debian bookworm stable\n",
    f"{PARTS}/nodesource.sources": "Types: deb\nURIs: https://node.example.org/node_20.x\n"
    "Suites: nodistro\nComponents: main\nArchitectures: amd64\n"
    "Signed-By: /usr/share/keyrings/nodesource.gpg\n",
    f"{PARTS}/pgdg.list": "deb [signed-by=/usr/share/pgdg/pgdg.asc]"
    " https://pg.example.org/pub/repos/apt bookworm-pgdg main\n",
    f"{PARTS}/cuda.list": "deb [signed-by=/usr/share/keyrings/cuda.gpg]"
    " https://cuda.example.org/repos/debian12/x86_64/ /\n",
    f"{PARTS}/kubernetes.list": "deb [signed-by=/etc/apt/keyrings/kubernetes.gpg]"
    " https://kube.example.org/core:/stable:/v1.30/deb/ /\n",
}

# Name to files, and to the address and suite of each source that may be Debian's.
HOSTS: Final[Mapping[str, tuple[Mapping[str, str], list[str]]]] = {
    "bullseye": (
        {LIST: BULLSEYE},
        [
            "http://mirror.example.org/debian bullseye",
            "http://security.example.org/debian-security bullseye-security",
            "http://mirror.example.org/debian bullseye-updates",
        ],
    ),
    "bookworm": (
        {LIST: BOOKWORM},
        [
            "http://mirror.example.org/debian bookworm",
            "http://security.example.org/debian-security bookworm-security",
            "http://mirror.example.org/debian bookworm-updates",
        ],
    ),
    "trixie": (
        {LIST: "# See /etc/apt/sources.list.d/\n", f"{PARTS}/debian.sources": TRIXIE},
        [
            "http://mirror.example.org/debian trixie",
            "http://mirror.example.org/debian trixie-updates",
            "http://security.example.org/debian-security trixie-security",
        ],
    ),
    "cloud image": (
        {
            f"{PARTS}/debian.sources": CLOUD,
            "etc/apt/mirrors/debian.list": "https://mirror.example.org/debian\n",
            "etc/apt/mirrors/debian-security.list": "https://mirror.example.org/debian-security\n",
        },
        [
            "https://mirror.example.org/debian bookworm",
            "https://mirror.example.org/debian bookworm-updates",
            "https://mirror.example.org/debian bookworm-backports",
            "https://mirror.example.org/debian-security bookworm-security",
        ],
    ),
    "container": (
        {f"{PARTS}/debian.sources": CONTAINER},
        [
            "http://mirror.example.org/debian bookworm",
            "http://mirror.example.org/debian bookworm-updates",
            "http://mirror.example.org/debian-security bookworm-security",
        ],
    ),
    # The vendor's has a suite of the same name: only who signed it tells.
    "raspberry pi, bookworm": (
        {
            LIST: BOOKWORM,
            f"{PARTS}/raspi.list": "deb http://pi.example.org/debian/ bookworm main\n"
            "# Uncomment line below then 'apt-get update' to enable 'apt-get source'\n"
            "#deb-src http://pi.example.org/debian/ bookworm main\n",
        },
        [
            "http://mirror.example.org/debian bookworm",
            "http://security.example.org/debian-security bookworm-security",
            "http://mirror.example.org/debian bookworm-updates",
            "http://pi.example.org/debian bookworm",
        ],
    ),
    "raspberry pi, trixie": (
        {
            f"{PARTS}/debian.sources": TRIXIE,
            f"{PARTS}/raspi.sources": "Types: deb\nURIs: http://pi.example.org/debian/\n"
            "Suites: trixie\nComponents: main\n"
            "Signed-By: /usr/share/keyrings/raspberrypi-archive-keyring.pgp\n",
        },
        [
            "http://mirror.example.org/debian trixie",
            "http://mirror.example.org/debian trixie-updates",
            "http://security.example.org/debian-security trixie-security",
            "http://pi.example.org/debian trixie",
        ],
    ),
    "ubuntu": ({f"{PARTS}/ubuntu.sources": UBUNTU}, []),
    "third parties": (
        {f"{PARTS}/debian.sources": CONTAINER, **THIRD_PARTIES},
        [
            "http://mirror.example.org/debian bookworm",
            "http://mirror.example.org/debian bookworm-updates",
            "http://mirror.example.org/debian-security bookworm-security",
        ],
    ),
    "backports": (
        {
            LIST: "deb http://mirror.example.org/debian bookworm main # the release\n",
            f"{PARTS}/backports.list": "deb http://mirror.example.org/debian"
            " bookworm-backports main contrib non-free\n",
        },
        [
            "http://mirror.example.org/debian bookworm",
            "http://mirror.example.org/debian bookworm-backports",
        ],
    ),
    "snapshot": (
        {
            LIST: "deb [check-valid-until=no]"
            " http://snap.example.org/archive/debian/20240501T000000Z bookworm main\n"
            "deb [ check-valid-until=no signed-by=/usr/share/keyrings/a.gpg ]"
            " http://snap.example.org/archive/debian-security/20240501T000000Z/"
            " bookworm-security main\n",
        },
        [
            "http://snap.example.org/archive/debian/20240501T000000Z bookworm",
            "http://snap.example.org/archive/debian-security/20240501T000000Z bookworm-security",
        ],
    ),
    "caching proxy": (
        {
            LIST: "deb http://proxy:3142/mirror.example.org/debian trixie main\n"
            "deb http://proxy:3142/security.example.org/debian-security trixie-security main\n"
            "deb http://HTTPS///mirror.example.org/debian trixie-updates main\n",
        },
        [
            "http://proxy:3142/mirror.example.org/debian trixie",
            "http://proxy:3142/security.example.org/debian-security trixie-security",
            "http://HTTPS///mirror.example.org/debian trixie-updates",
        ],
    ),
    "old, and on a disk": (
        {
            LIST: "deb file:/srv/debian buster main\n"
            "deb file:///srv/debian-security/ buster/updates main\n"
            "deb [arch=armel,armhf] http://user:secret@mirror.example.org/debian sid main\n"
        },
        [
            "file:///srv/debian buster",
            "file:///srv/debian-security buster/updates",
            "http://user:secret@mirror.example.org/debian sid",
        ],
    ),
    "many in one stanza": (
        {
            f"{PARTS}/all.sources": "Types:\n deb\n\tdeb-src\nuris:https://a.example.org/debian\n"
            " https://b.example.org/debian\n# a comment: in the middle\n"
            "Suites: stable\n \t unstable\nComponents :\n \tmain\n contrib\tnon-free\n"
            f"Signed-By:\n{EMBEDDED_KEY}\n\n\n# the end\n"
        },
        [
            "https://a.example.org/debian stable",
            "https://a.example.org/debian unstable",
            "https://b.example.org/debian stable",
            "https://b.example.org/debian unstable",
        ],
    ),
    "nothing": ({}, []),
}


def make_host(root: Path, files: Mapping[str, str]) -> Path:
    """Write the files below a directory, which is returned."""
    (root / PARTS).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return root
