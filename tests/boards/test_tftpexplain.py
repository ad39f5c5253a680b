"""What a log means."""

from __future__ import annotations

import json

import pytest

from rdcompose.boards.requests import Client
from rdcompose.boards.tftpexplain import Explanation, Verdict, as_json, as_lines, explain
from rdcompose.boards.tftplog import read_log
from rdcompose.errors import FormatError
from tests.support.tftplogs import PI3, PI4_IN_ROOT, PI5, dnsmasq_log, tftpd_log


def explained(text: str) -> Explanation:
    return explain(read_log(text), "the log")


def verdict(*requests: str) -> Verdict:
    (found,) = explained(dnsmasq_log(requests)).verdicts
    return found


def text_of(name: str, *requests: str) -> str:
    """Return what is said of the last request of a name."""
    rows = explained(dnsmasq_log(requests)).rows
    return [row.text for row in rows if row.name == name][-1]


def test_a_pi_3_that_boots() -> None:
    found = verdict(*PI3)
    assert found.kind is Client.PI3
    assert (found.client, found.directory) == ("10.1.1.2", "8b07bcc6")
    assert found.started
    assert found.sentences == (
        "it has fetched the kernel kernel8.img: what goes wrong now is the kernel's",
    )
    assert not [row for row in explained(dnsmasq_log(PI3)).rows if row.bad]


def test_each_request_is_explained() -> None:
    rows = {(row.directory, row.name): row.text for row in explained(dnsmasq_log(PI3)).rows}
    assert "never in a serial directory" in rows["", "bootcode.bin"]
    assert rows["", "bootsig.bin"].startswith("not there, which is normal: signature")
    assert rows["8b07bcc6", "armstub8.bin"].startswith("not there, which is normal")
    assert rows["8b07bcc6", "kernel8.img"] == "sent: a kernel"
    assert rows["8b07bcc6", "overlays/overlay_map.dtb"].startswith("not there, which is normal")


def test_a_probe_is_no_fault() -> None:
    row = explained(dnsmasq_log(["?1234abcd/start4.elf"])).rows[0]
    assert not row.bad
    assert "no fault" in row.text


def test_a_pi_4_without_a_directory_takes_the_root() -> None:
    found = verdict(*PI4_IN_ROOT)
    assert found.kind is Client.PI4
    assert found.started
    assert "server's root is next" in text_of("start.elf", *PI4_IN_ROOT)
    assert text_of("overlays/rpi-poe.dtbo", *PI4_IN_ROOT).startswith("MISSING")


def test_no_initramfs_was_asked_for() -> None:
    assert any("initramfs FILE followkernel" in text for text in verdict(*PI4_IN_ROOT).sentences)
    assert not any("initramfs" in text for text in verdict(*PI3).sentences)


def test_a_pi_5_with_a_kernel_of_another_name() -> None:
    found = verdict(*PI5)
    assert found.kind is Client.PI5
    assert found.sentences[0].startswith("it has fetched the kernel my.img")
    assert "no kernel command line was fetched" in found.sentences
    assert "no device tree was fetched" not in found.sentences


def test_what_arrives_late_is_no_kernel() -> None:
    found = verdict("7bf18f79/config.txt", "-7bf18f79/armstub8-2712.bin", "7bf18f79/cmdline.txt")
    assert not found.started


def test_no_device_tree() -> None:
    requests = [path for path in PI3 if not path.endswith(".dtb")]
    assert "no device tree was fetched" in verdict(*requests).sentences


def test_a_missing_file_that_ends_the_boot() -> None:
    requests = ("1234abcd/config.txt", "-1234abcd/start4.elf")
    found = verdict(*requests)
    assert not found.started
    assert found.sentences == (
        "no kernel was fetched; the last it asked for is 1234abcd/start4.elf",
        "start4.elf: MISSING: the firmware up to Pi 4; a Pi up to 4 stops here",
    )


def test_a_transfer_that_broke_off() -> None:
    found = verdict("1234abcd/config.txt", "!1234abcd/initramfs8")
    assert found.sentences[1] == "initramfs8: the transfer broke off: the initramfs"


def test_a_file_that_is_never_fetched() -> None:
    found = verdict("1234abcd/config.txt", "?1234abcd/initramfs8")
    assert "67107839 bytes" in found.sentences[1]
    assert "firewall" in found.sentences[1]


def test_what_the_server_may_not_read() -> None:
    found = verdict("x1234abcd/config.txt")
    assert "the server may not read it" in found.sentences[1]


def test_only_bootcode() -> None:
    found = verdict("-bootsig.bin", "bootcode.bin")
    assert found.kind is Client.PI3
    assert "waits for a DHCP answer" in found.sentences[-1]


def test_another_name_of_the_same_thing() -> None:
    requests = ("-1234abcd/bcm2711-rpi-400.dtb", "1234abcd/bcm2711-rpi-4-b.dtb")
    assert text_of("bcm2711-rpi-400.dtb", *requests).startswith("not there, another one is")
    kernels = ("-1234abcd/kernel_2712.img", "1234abcd/kernel8.img")
    assert text_of("kernel_2712.img", *kernels).startswith("not there, another one is")
    lines = ("-1234abcd/R/cmdline.txt", "1234abcd/cmdline.txt")
    assert text_of("R/cmdline.txt", *lines).startswith("not there, another one is")
    assert text_of("kernel8.img", "-1234abcd/kernel8.img").startswith("MISSING: a kernel")


def test_a_file_that_only_config_txt_can_have_named() -> None:
    assert text_of("my.bin", "1234abcd/my.bin") == "sent: a file that config.txt names"
    assert text_of("my.bin", "-1234abcd/my.bin") == "MISSING: a file that config.txt names"


def test_a_directory_by_the_cards_address() -> None:
    found = verdict("dc-a6-32-01-02-03/config.txt")
    assert found.directory == "dc-a6-32-01-02-03"
    assert found.kind is None


def test_a_server_that_does_not_say_what_it_sent() -> None:
    (found,) = explained(tftpd_log(PI3)).verdicts
    assert found.started
    assert found.kind is Client.PI3
    (stopped,) = explained(tftpd_log(["-1234abcd/start4.elf", "-1234abcd/start.elf"])).verdicts
    assert not stopped.started


def test_several_pis() -> None:
    text = dnsmasq_log(PI3) + dnsmasq_log(PI4_IN_ROOT, address="10.1.1.3")
    found = explained(text)
    assert [row.kind for row in found.verdicts] == [Client.PI3, Client.PI4]
    assert [row.line for row in found.rows] == sorted(row.line for row in found.rows)


def test_names_without_a_known_root() -> None:
    (row,) = explained("dnsmasq-tftp: sent /a/overlays/x.dtbo to 10.0.0.1").rows
    assert (row.directory, row.name) == ("", "overlays/x.dtbo")
    text = "dnsmasq-tftp: TFTP root is /a\ndnsmasq-tftp: sent /a/R/kernel8.img to 10.0.0.1"
    (row,) = explained(text).rows
    assert row.name == "R/kernel8.img"


def test_lines_say_a_thing_once() -> None:
    found = explained(dnsmasq_log(PI3))
    short, long = as_lines(found, verbose=False), as_lines(found, verbose=True)
    assert len(long) == len(PI3) + 1
    assert len(short) < len(long)
    assert "line 2: bootsig.bin: not there, which is normal: " in short[0]
    assert short[-1].startswith("Raspberry Pi 2 or 3 8b07bcc6 at 10.1.1.2: it has fetched")


def test_lines_of_an_unknown_client() -> None:
    found = as_lines(explained("dnsmasq-tftp: file /srv/x not found"), verbose=False)
    assert found[-2:] == [
        "a client: no kernel was fetched; the last it asked for is x",
        "  x: MISSING: a file that config.txt names",
    ]


def test_json() -> None:
    data = json.loads(json.dumps(as_json(explained(dnsmasq_log(PI3)))))
    assert data["boards"][0]["started"] is True
    assert data["boards"][0]["kind"] == "Raspberry Pi 2 or 3"
    assert data["requests"][0] == {
        "line": 2,
        "client": "10.1.1.2",
        "directory": "",
        "name": "bootsig.bin",
        "outcome": "missing",
        "bad": False,
        "text": "not there, which is normal: signature of bootcode.bin, which nobody has",
    }


def test_a_log_without_requests() -> None:
    with pytest.raises(FormatError, match="the log has no request to a TFTP server") as caught:
        explained("nothing of the kind\n")
    assert "quiet-tftp" in str(caught.value.hint)
