"""Servers of root filesystems for booted tests, on the loopback of this machine.

A guest with QEMU's user-mode network reaches them at :data:`HOST`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.tools import run, tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOST: Final = "10.0.2.2"
CARD: Final = ("-nic", "user,model=virtio-net-pci")
_LIMIT: Final = 60

_GANESHA: Final = """\
NFS_CORE_PARAM {{
    NFS_Port = {port}; Protocols = 4; Bind_addr = 127.0.0.1;
    Enable_NLM = false; Enable_RQUOTA = false;
}}
NFSv4 {{ Graceless = true; RecoveryRoot = "{folder}"; }}
EXPORT {{
    Export_Id = 1; Path = "{tree}"; Pseudo = "/my/root"; Access_Type = RW;
    Squash = No_Root_Squash; SecType = sys; Protocols = 4; FSAL {{ Name = VFS; }}
}}
"""
_NBD_SERVER: Final = """\
[generic]
    listenaddr = 127.0.0.1
    port = {port}
[{name}]
    exportname = {image}
    readonly = true
"""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


@contextlib.contextmanager
def qemu_nbd(image: Path, name: str) -> Iterator[int]:
    """Serve an image, read-only; yields the port."""
    port = free_port()
    options = ("--persistent", "--read-only", "--format=raw", "--shared=4")
    with _running(
        [tool("qemu-nbd"), *options, "-b", "127.0.0.1", "-p", str(port), "-x", name, str(image)],
        port,
    ):
        yield port


@contextlib.contextmanager
def nbd_server(image: Path, name: str, folder: Path) -> Iterator[int]:
    """Serve an image, read-only; yields the port."""
    port = free_port()
    configuration = folder / "nbd-server.conf"
    configuration.write_text(_NBD_SERVER.format(port=port, name=name, image=image))
    number = folder / "nbd-server.pid"
    # It goes to the background by itself; in the foreground it serves one client only.
    run(tool("nbd-server"), "-C", configuration, "-p", number)
    try:
        _await(port, lambda: True)
        yield port
    finally:
        os.kill(int(number.read_text()), signal.SIGTERM)


@contextlib.contextmanager
def nfs_server(tree: Path, folder: Path) -> Iterator[int]:
    """Serve a directory as /my/root by NFS 4, to be written to; yields the port."""
    if os.geteuid() != 0:
        pytest.skip("an NFS server of files of several owners needs root")
    port = free_port()
    configuration = folder / "ganesha.conf"
    configuration.write_text(_GANESHA.format(port=port, tree=tree, folder=folder))
    command = [tool("ganesha.nfsd"), "-F", "-f", str(configuration)]
    command += ["-L", str(folder / "ganesha.log"), "-p", str(folder / "ganesha.pid")]
    with _running(command, port):
        yield port


@contextlib.contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        if not _await(port, lambda: process.poll() is None):
            process.kill()
            said = process.communicate()[0].decode("utf-8", "replace")
            pytest.fail(f"{command[0]} does not serve: {said}", pytrace=False)
        yield
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _await(port: int, alive: Callable[[], bool]) -> bool:
    """Wait until somebody listens; whether it came to that."""
    end = time.monotonic() + _LIMIT
    while not _listens(port):
        if not alive() or time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
