"""Logs of TFTP servers."""

from __future__ import annotations

import pytest

from rdcompose.boards.tftplog import Outcome, read_log
from tests.support.tftplogs import ADDRESS, PI3, ROOT, dnsmasq_log, tftpd_log

_MARKS = {"-": Outcome.MISSING, "?": Outcome.PROBED, "!": Outcome.FAILED, "x": Outcome.DENIED}


def outcomes(text: str) -> list[tuple[str, Outcome]]:
    return [(event.path, event.outcome) for event in read_log(text).events]


def test_dnsmasq() -> None:
    requests = (*PI3, "!8b07bcc6/kernel8.img", "x8b07bcc6/config.txt")
    expected = [
        (f"{ROOT}/{request.lstrip('-?!x')}", _MARKS.get(request[0], Outcome.SENT))
        for request in requests
    ]
    found = read_log(dnsmasq_log(requests))
    assert [(event.path, event.outcome) for event in found.events] == expected
    assert {event.client for event in found.events} == {ADDRESS}
    assert found.root is None


def test_an_older_dnsmasq_does_not_say_for_whom() -> None:
    assert read_log(dnsmasq_log(PI3, old=True)).events == read_log(dnsmasq_log(PI3)).events


def test_an_aborted_transfer_may_be_logged_as_sent() -> None:
    text = (
        f"dnsmasq-tftp: error 0 Early terminate received from {ADDRESS}\n"
        f"dnsmasq-tftp: sent /srv/config.txt to {ADDRESS}\n"
        f"dnsmasq-tftp: sent /srv/config.txt to {ADDRESS}\n"
    )
    assert [outcome for _, outcome in outcomes(text)] == [Outcome.PROBED, Outcome.SENT]


def test_clients_are_kept_apart() -> None:
    text = (
        "dnsmasq-tftp: error 0 Early terminate received from 10.0.0.1\n"
        "dnsmasq-tftp: sent /srv/a to 10.0.0.2\n"
        "dnsmasq-tftp: failed sending /srv/a to 10.0.0.1\n"
    )
    assert [(event.client, event.outcome) for event in read_log(text).events] == [
        ("10.0.0.2", Outcome.SENT),
        ("10.0.0.1", Outcome.PROBED),
    ]


def test_lines_are_counted_and_the_root_is_found() -> None:
    found = read_log(
        "dnsmasq-tftp: TFTP root is /srv/a b  \n\ndnsmasq-tftp: sent /srv/a b/c to ::1\n"
    )
    assert found.root == "/srv/a b"
    assert [(event.line, event.path, event.client) for event in found.events] == [
        (3, "/srv/a b/c", "::1")
    ]


def test_doubled_slashes_are_one() -> None:
    assert outcomes("dnsmasq-tftp: sent /srv//7bf18f79//config.txt to 10.0.0.1") == [
        ("/srv/7bf18f79/config.txt", Outcome.SENT)
    ]


def test_tftpd() -> None:
    text = tftpd_log(
        ["?1234abcd/start4.elf", "1234abcd/start4.elf", "-1234abcd/recover4.elf", "xsecret"]
    )
    assert outcomes(text) == [
        ("1234abcd/start4.elf", Outcome.PROBED),
        ("1234abcd/start4.elf", Outcome.ASKED),
        ("1234abcd/recover4.elf", Outcome.MISSING),
        ("secret", Outcome.DENIED),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "in.tftpd[8]: RRQ from 10.0.0.1 filename boot/kernel8.img",
        "in.tftpd[8]: RRQ from 10.0.0.1 filename boot/kernel8.img remapped to x/kernel8.img",
        "atftpd[9]: Serving boot/kernel8.img to 10.0.0.1:49152",
        '10:01:02.3 IP 10.0.0.1.6970 > 10.0.0.9.69: TFTP, length 48, RRQ "boot/kernel8.img" octet',
    ],
)
def test_servers_that_only_say_what_was_asked_for(line: str) -> None:
    (event,) = read_log(line).events
    assert (event.client, event.path) == ("10.0.0.1", "boot/kernel8.img")
    assert event.outcome is Outcome.ASKED


def test_a_line_of_any_length_is_read_in_no_time() -> None:
    # A pattern that tries every place for the end would take minutes.
    assert read_log("sent / to " * 100_000).events == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dnsmasq-dhcp[1]: 123 sent size:  4 option: 54 server-identifier  10.0.0.1\n",
        "dnsmasq-dhcp[1]: DHCPOFFER(eth0) 10.0.0.1 b8:27:eb:00:00:01\n",
        "in.tftpd[8]: sending NAK (1, File not found) to 10.0.0.1\n",
        "kernel: file system sent to sleep\n",
    ],
)
def test_other_lines_are_passed_over(text: str) -> None:
    assert read_log(text).events == ()
