"""Whatever a log holds, reading and explaining it ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rdcompose.boards.tftpexplain import as_lines, explain
from rdcompose.boards.tftplog import read_log

_WORDS = st.sampled_from(
    [
        *("sent ", "failed sending ", "file ", " not found", " for ", " to ", "10.0.0.1", "::"),
        *("/srv/", "1234abcd/", "//", "kernel8.img", "overlays/", ".dtbo", "armstub8.bin", "\n"),
        *("error 0 x received from 10.0.0.1", "RRQ from 10.0.0.1 filename ", "cannot access "),
        *("sending NAK (1, x) to 10.0.0.1", "TFTP root is /", "dnsmasq-tftp: ", ": ", "start.elf"),
    ]
)


@given(st.lists(_WORDS | st.text(max_size=4), max_size=40).map("".join))
def test_any_text(text: str) -> None:
    log = read_log(text)
    lines = text.splitlines()
    for event in log.events:
        assert 1 <= event.line <= len(lines)
        assert "//" not in event.path
    if log.events:
        found = explain(log, "x")
        assert len(found.rows) == len(log.events)
        assert {row.client for row in found.verdicts} == {event.client for event in log.events}
        assert len(as_lines(found, verbose=True)) > len(log.events)
