"""dnsmasq serves the tree, and a client asks as Pis do."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from rdcompose.boards.configtxt import ConfigTxt
from rdcompose.boards.dnsmasq import Served, configuration
from rdcompose.boards.firmware_view import view
from rdcompose.boards.known_files import Need
from rdcompose.boards.models import MODELS
from rdcompose.boards.netboot import Netboot, dnsmasq_text, links
from rdcompose.boards.netboot_place import place
from rdcompose.boards.place import write_folder
from rdcompose.boards.present import read_present
from rdcompose.boards.requests import CLIENTS, requests_of
from rdcompose.boards.tftpexplain import explain
from rdcompose.boards.tftplog import read_log
from tests.support.bootfolders import CONFIG, RELEASE, files, tree
from tests.support.tftp_session import ask_dnsmasq
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

SERIAL = "1234abcd"
BOARDS = ("3", "4", "5")


def contents() -> dict[str, bytes]:
    """Return a folder with files of several blocks and of exactly full ones."""
    found = files()
    found[f"{RELEASE}/kernel8.img"] = bytes(range(256)) * 2000
    found[f"{RELEASE}/initramfs8"] = b"x" * (1468 * 100)
    return found


@pytest.mark.parametrize("serials", [(SERIAL,), ()], ids=["own directory", "shared root"])
@pytest.mark.parametrize("board", BOARDS)
def test_a_pi_gets_what_it_asks_for(tmp_path: Path, board: str, serials: tuple[str, ...]) -> None:
    model = MODELS[board]
    netboot = Netboot(output=tmp_path / "out", directories=serials)
    folder = tree(contents())
    write_folder(read_present(netboot.folder), folder, mtime=0)
    models = [MODELS[name] for name in BOARDS]
    place(netboot.output, links(netboot, folder, models), dnsmasq_text(netboot, models))

    found = contents()
    seen = view(ConfigTxt.parse(CONFIG.encode()), model, found.__contains__)
    asked = requests_of(CLIENTS[board], seen)
    # Without a directory of its own, a Pi looks for one, and goes on at the top.
    look = "start.elf" if board == "3" else "start4.elf"
    first = [] if serials else [(f"{SERIAL}/{look}", False)]
    prefix = f"{SERIAL}/" if serials else ""
    paths = [(row.path if row.in_root else f"{prefix}{row.path}", row.fetched) for row in asked]
    answers, log = ask_dnsmasq(netboot.output / "dnsmasq.conf", [*first, *paths])

    if first:
        assert answers.pop(0).probed is None
    for row, answer in zip(asked, answers, strict=True):
        data = found.get(row.path.lstrip("/"))
        size = None if data is None else len(data)
        assert (answer.path, answer.probed) == (answer.path, size)
        assert (answer.path, answer.size) == (answer.path, size if row.fetched else None)
        if data is None:
            assert row.need is not Need.REQUIRED
        elif row.fetched:
            assert answer.sha256 == hashlib.sha256(data).hexdigest()

    (verdict,) = explain(read_log(log), "the log").verdicts
    assert verdict.sentences == (
        f"it has fetched the kernel {RELEASE}/kernel8.img: what goes wrong now is the kernel's",
    )
    assert verdict.kind is CLIENTS[board]


@pytest.mark.parametrize(
    "served",
    [
        Served(root="/srv/tftp"),
        Served(root="/srv/a b/\u00e4 'c'; d", interface="eth0"),
        Served(root="/srv/tftp", dhcp_range="192.168.1.0,proxy"),
        Served(root="/srv/tftp", dhcp_range="192.168.1.0,proxy,255.255.255.0", slow_rom=True),
        Served(root="/srv/tftp", interface="eth0", dhcp_range="192.168.7.5,192.168.7.9,12h"),
        Served(root="/srv/tftp", dhcp_range="192.168.7.5,192.168.7.9,255.255.255.0,infinite"),
    ],
    ids=["files", "odd root", "proxy", "proxy with netmask", "full", "full with netmask"],
)
def test_dnsmasq_takes_the_configuration(tmp_path: Path, served: Served) -> None:
    path = tmp_path / "dnsmasq.conf"
    path.write_text(configuration(served), encoding="utf-8")
    run(tool("dnsmasq"), "--test", f"--conf-file={path}")


def test_a_root_with_odd_characters_is_served(tmp_path: Path) -> None:
    root = tmp_path / "a b/\u00e4 'c'; d"
    root.mkdir(parents=True)
    (root / "config.txt").write_bytes(b"[all]\n")
    path = tmp_path / "dnsmasq.conf"
    path.write_text(configuration(Served(root=str(root))), encoding="utf-8")
    (answer,), log = ask_dnsmasq(path, [("config.txt", True)])
    assert answer.size == 6
    assert [row.name for row in explain(read_log(log), "the log").rows][-1] == "config.txt"
