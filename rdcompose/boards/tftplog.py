"""Logs of TFTP servers, as requests and how each ended.

References: the messages of dnsmasq (src/tftp.c), tftpd-hpa (``in.tftpd -v``) and atftpd, and
tcpdump's line for a read request. In front of them may stand whatever syslog or journald put there.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


class Outcome(enum.Enum):
    """How a request ended, as far as the server tells."""

    SENT = "sent"
    # The client has ended the transfer: it wanted the size only.
    PROBED = "probed"
    MISSING = "missing"
    DENIED = "denied"
    FAILED = "failed"
    # The server logs requests, not how they end.
    ASKED = "asked"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One request.

    ``line`` counts from 1; ``client`` is an address, empty if the log has none; ``path`` is as
    logged, without doubled slashes.
    """

    line: int
    client: str
    path: str
    outcome: Outcome


@dataclasses.dataclass(frozen=True, slots=True)
class TftpLog:
    """The requests of a log in their order, and the server's root if the log says it."""

    events: tuple[Event, ...]
    root: str | None


# The address at the end of a message.
_TO: Final = r"(?P<client>[0-9A-Fa-f:.]+)\s*$"
_BEFORE: Final = r"(?:^|[\s:])"
# Of dnsmasq and atftpd: one message is one outcome. The first that fits counts.
_MESSAGES: Final = (
    (re.compile(rf"{_BEFORE}failed sending (?P<path>\S.*) to {_TO}"), Outcome.FAILED),
    (re.compile(rf"{_BEFORE}sent (?P<path>/.*) to {_TO}"), Outcome.SENT),
    (re.compile(rf"{_BEFORE}file (?P<path>/.*) not found for {_TO}"), Outcome.MISSING),
    (re.compile(rf"{_BEFORE}file (?P<path>/.*) not found\s*$"), Outcome.MISSING),
    (re.compile(rf"{_BEFORE}cannot access (?P<path>/.*): \S[^:]*$"), Outcome.DENIED),
    (re.compile(rf"{_BEFORE}Serving (?P<path>\S.*) to (?P<client>[0-9.]+):\d+"), Outcome.ASKED),
    (
        re.compile(
            rf"{_BEFORE}RRQ from (?P<client>\S+) filename (?P<path>.*?)(?: remapped to .*)?$"
        ),
        Outcome.ASKED,
    ),
    (
        re.compile(r' IP (?P<client>[0-9.]+)\.\d+ > \S+:.* RRQ "(?P<path>[^"]*)"'),
        Outcome.ASKED,
    ),
)
_ENDED: Final = re.compile(rf"{_BEFORE}error \d+ .*received from {_TO}")
_REFUSED: Final = re.compile(rf"{_BEFORE}sending NAK \((?P<code>\d+), .*\) to {_TO}")
_ROOT: Final = re.compile(r"TFTP root is (?P<root>/.*?)\s*$")
# Every message that counts has one of these; a line that has none is soon done with.
_WORDS: Final = (
    *("sent /", "failed sending ", "file /", "cannot access /", "Serving ", "RRQ"),
    *("received from ", "sending NAK", "TFTP root"),
)
# Nothing that these servers log is longer, and patterns would take their time with it.
_LONGEST: Final = 2048
_SLASHES: Final = re.compile(r"/{2,}")
_NOT_FOUND: Final = "1"


def read_log(text: str) -> TftpLog:
    """Return the requests that a log shows; lines about anything else are passed over."""
    reader = _Reader()
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) <= _LONGEST and any(word in line for word in _WORDS):
            reader.read(number, line)
    return TftpLog(tuple(_known_clients(_probed(reader.events))), reader.root)


class _Reader:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.root: str | None = None
        # Clients that have ended a transfer, whose own line comes next.
        self.ended: set[str] = set()

    def read(self, number: int, line: str) -> None:
        if found := _ROOT.search(line):
            self.root = found["root"]
        elif found := _ENDED.search(line):
            self.ended.add(found["client"])
        elif found := _REFUSED.search(line):
            self.refuse(found["client"], found["code"])
        else:
            self.message(number, line)

    def message(self, number: int, line: str) -> None:
        for pattern, outcome in _MESSAGES:
            found = pattern.search(line)
            if found is None:
                continue
            client = found.groupdict().get("client", "")
            ended = outcome in {Outcome.SENT, Outcome.FAILED} and client in self.ended
            self.ended -= {client} if ended else set()
            event = Event(
                line=number,
                client=client,
                path=_SLASHES.sub("/", found["path"]),
                outcome=Outcome.PROBED if ended else outcome,
            )
            self.events.append(event)
            return

    def refuse(self, client: str, code: str) -> None:
        """Take note of how the last request of a client ended."""
        for index in range(len(self.events) - 1, -1, -1):
            event = self.events[index]
            if event.client == client:
                if event.outcome is Outcome.ASKED:
                    outcome = Outcome.MISSING if code == _NOT_FOUND else Outcome.DENIED
                    self.events[index] = dataclasses.replace(event, outcome=outcome)
                return


def _probed(events: list[Event]) -> Iterator[Event]:
    """Yield the events; what is asked for again at once was asked for its size first."""
    last: dict[str, int] = {}
    found = list(events)
    for index, event in enumerate(events):
        before = last.get(event.client)
        asked = (event.path, Outcome.ASKED)
        again = before is not None and (found[before].path, found[before].outcome) == asked
        if before is not None and again and event.outcome is Outcome.ASKED:
            found[before] = dataclasses.replace(found[before], outcome=Outcome.PROBED)
        last[event.client] = index
    yield from found


def _known_clients(events: Iterator[Event]) -> Iterator[Event]:
    """Yield the events; those without a client, of older versions, go to the one before."""
    found = list(events)
    current = next((event.client for event in found if event.client), "")
    for event in found:
        current = event.client or current
        yield dataclasses.replace(event, client=current)
