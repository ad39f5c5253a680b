"""A real dnsmasq that serves a tree by TFTP, and a client that asks it, away from the network.

Port 69 is the only one that dnsmasq serves TFTP at. Where the machine allows it, both run in a
network namespace of their own; else, as root, at an address of the loopback that no other test
takes. Run as a program, this is what runs in there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TOP: Final = Path(__file__).parents[2]
_END: Final = "end-of-session"
_NAMESPACE: Final = ("--user", "--map-root-user", "--net")
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What came of one path: its size as asked for, size and SHA-256 as fetched."""

    path: str
    probed: int | None
    size: int | None
    sha256: str | None


def ask_dnsmasq(configuration: Path, asked: Sequence[tuple[str, bool]]) -> tuple[list[Answer], str]:
    """Serve with this configuration and ask: paths, and whether each is fetched or only probed.

    Returns the answers in their order, and the server's log.
    """
    from tests.support.tools import missing, run, tool

    server = tool("dnsmasq")
    inside = [sys.executable, "-m", "tests.support.tftp_session"]
    unshare = [tool("unshare"), *_NAMESPACE]
    own = subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0
    if not own and os.geteuid() != 0:
        missing("port 69 needs root or a network namespace of one's own")
    task = {
        "server": server,
        "configuration": str(configuration),
        "asked": list(asked),
        "namespace": own,
        "address": "127.{}.{}.{}".format(*struct.pack(">I", os.getpid())[1:]),
    }
    command = [*unshare, *inside] if own else inside
    said = json.loads(run(*command, stdin=json.dumps(task).encode(), cwd=TOP))
    return [Answer(**answer) for answer in said["answers"]], said["log"]


def _main() -> None:
    from tests.support.tftp import fetch, size_of

    task = json.load(sys.stdin)
    if task["namespace"]:
        _raise_loopback()
    answers: list[dict[str, Any]] = []
    log: list[str] = []
    with _serving(task, log):
        peer = (task["address"], 69)
        for path, fetched in task["asked"]:
            probed = size_of(peer, path)
            data = fetch(peer, path) if fetched and probed is not None else None
            sha256 = None if data is None else hashlib.sha256(data).hexdigest()
            size = None if data is None else len(data)
            answers.append(dataclasses.asdict(Answer(path, probed, size, sha256)))
        # It has logged how the last transfer ended when it stops, which it does between requests.
        size_of(peer, _END)
    said = "".join(line for line in log if _END not in line)
    json.dump({"answers": answers, "log": said}, sys.stdout)


@contextlib.contextmanager
def _serving(task: dict[str, Any], log: list[str]) -> Iterator[None]:
    options = [
        *("--no-daemon", "--bind-interfaces"),
        f"--listen-address={task['address']}",
        f"--conf-file={task['configuration']}",
    ]
    # In the foreground it keeps its user: in a namespace there is no other one.
    command = [task["server"], *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            # It listens before it says so.
            for line in process.stderr:
                log.append(line)
                if "started" in line:
                    break
            yield
        finally:
            process.terminate()
            log += process.stderr


def _raise_loopback() -> None:
    """Take the loopback of a new namespace up (netdevice(7))."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        answer = fcntl.ioctl(control, _SIOCGIFFLAGS, request)
        flags = struct.unpack_from("16sh", answer)[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


if __name__ == "__main__":
    _main()
