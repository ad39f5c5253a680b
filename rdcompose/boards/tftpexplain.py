"""What the requests in a TFTP server's log mean: what is normal, and what a Pi lacks."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

from rdcompose.boards.known_files import Need, known_file
from rdcompose.boards.requests import Client
from rdcompose.boards.tftp_limits import LIMITS
from rdcompose.boards.tftplog import Outcome
from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rdcompose.boards.tftplog import Event, TftpLog

# A serial number, or the address of a network card (TFTP_PREFIX=2).
_DIRECTORY: Final = re.compile(r"[0-9a-f]{8}|(?:[0-9a-f]{2}-){5}[0-9a-f]{2}")
# What stands at the top of a boot folder, and so shows where that is.
_AT_THE_TOP: Final = {"config.txt", "bootcode.bin", "start.elf", "start4.elf"}
_KERNEL: Final = re.compile(r"kernel\S*\.img|vmlinu[xz]\S*")
_INITRAMFS: Final = re.compile(r"initramfs\S*|initrd\S*")
# What only one kind of Pi asks for.
_SIGNS: Final = (
    (Client.PI5, re.compile(r"armstub8-2712.*|bcm2712\S*|kernel_2712.*|initramfs_2712")),
    (Client.PI4, re.compile(r"start4\S*|fixup4\S*|recover4.*|bcm2711\S*|armstub8\S*-gic.*")),
    (Client.PI3, re.compile(r"bootcode.bin|bootsig.bin|start\S*|fixup\S*|bcm27(09|10)\S*")),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request, explained. ``directory`` is the Pi's own, ``""`` for the server's root.

    ``bad``: the Pi lacks something.
    """

    line: int
    client: str
    directory: str
    name: str
    outcome: Outcome
    text: str
    bad: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How far a Pi came, and what to do: sentences, the first says how it ended."""

    client: str
    directory: str
    kind: Client | None
    started: bool
    sentences: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """The requests in the log's order, and a verdict for each Pi."""

    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]


def explain(log: TftpLog, name: str) -> Explanation:
    """Return what the requests of a log mean. ``name`` is what messages call the log.

    :raises FormatError: it has no request.
    """
    if not log.events:
        raise FormatError(
            f"{name} has no request to a TFTP server",
            hint="dnsmasq logs them as dnsmasq-tftp (unless quiet-tftp is set), in.tftpd with -v",
        )
    places = _places(log)
    by_client: dict[str, list[int]] = {}
    for index, event in enumerate(log.events):
        by_client.setdefault(event.client, []).append(index)
    rows: dict[int, Row] = {}
    verdicts = []
    for client, indexes in by_client.items():
        board = _Board(client, [(log.events[i], *places[i]) for i in indexes])
        rows |= dict(zip(indexes, board.rows(), strict=True))
        verdicts.append(board.verdict())
    return Explanation(tuple(rows[i] for i in sorted(rows)), tuple(verdicts))


def _places(log: TftpLog) -> list[tuple[str, str]]:
    """Return, for each request, the Pi's directory and the name in the boot folder."""
    roots = {log.root} if log.root else set()
    for event in log.events:
        folder, _, last = event.path.rpartition("/")
        if last in _AT_THE_TOP and not _DIRECTORY.search(folder):
            roots.add(folder)
    return [_place(event.path, roots) for event in log.events]


def _place(path: str, roots: Iterable[str]) -> tuple[str, str]:
    parts = path.split("/")
    for index in range(len(parts) - 2, -1, -1):
        if _DIRECTORY.fullmatch(parts[index]):
            return parts[index], "/".join(parts[index + 1 :])
    inside = [root for root in roots if path.startswith(f"{root}/")]
    if inside:
        return "", path[len(max(inside, key=len)) + 1 :]
    keep = 2 if len(parts) > 1 and parts[-2] == "overlays" else 1
    return "", "/".join(parts[-keep:])


class _Board:
    """The requests of one Pi: event, directory, name."""

    def __init__(self, client: str, requests: Sequence[tuple[Event, str, str]]) -> None:
        self.client = client
        self.requests = requests
        self.names = [name for _, _, name in requests]
        # A Pi that starts again and again asks for the same each time.
        self.meanings: dict[tuple[Outcome, str, str], tuple[bool, str]] = {}
        self.got = {
            name for event, _, name in requests if event.outcome in {Outcome.SENT, Outcome.ASKED}
        }

    @property
    def kind(self) -> Client | None:
        last = [name.rpartition("/")[2] for name in self.names]
        for client, sign in _SIGNS:
            if any(sign.fullmatch(name) for name in last):
                return client
        return None

    @property
    def directory(self) -> str:
        own = [directory for event, directory, _ in self.requests if directory]
        return own[-1] if own else ""

    def rows(self) -> list[Row]:
        return [self.row(*request) for request in self.requests]

    def row(self, event: Event, directory: str, name: str) -> Row:
        key = (event.outcome, directory, name)
        if key not in self.meanings:
            self.meanings[key] = self.meaning(*key)
        bad, text = self.meanings[key]
        return Row(
            line=event.line,
            client=event.client,
            directory=directory,
            name=name,
            outcome=event.outcome,
            text=text,
            bad=bad,
        )

    def meaning(self, outcome: Outcome, directory: str, name: str) -> tuple[bool, str]:
        """Return whether a request shows a fault, and what it means."""
        known = known_file(name)
        what = known.what if known else "a file that config.txt names"
        match outcome:
            case Outcome.SENT:
                return False, f"sent: {what}"
            case Outcome.ASKED:
                return False, f"asked for: {what}"
            case Outcome.PROBED:
                return False, "looked whether it is there, and how big: no fault"
            case Outcome.DENIED:
                return True, f"the server may not read it: {what}"
            case Outcome.FAILED:
                return True, f"the transfer broke off: {what}"
            case Outcome.MISSING:
                return self.missing(directory, name, what)

    def missing(self, directory: str, name: str, what: str) -> tuple[bool, str]:
        if directory and name in {"start.elf", "start4.elf"} and self.left(directory):
            return False, f"not there: without it in {directory}/, the server's root is next"
        known = known_file(name)
        if known is None:
            return True, f"MISSING: {what}"
        if known.need is Need.OPTIONAL:
            follows = f"; {known.absent}" if known.absent else ""
            return False, f"not there, which is normal: {what}{follows}"
        if self.other(name):
            return False, f"not there, another one is: {what}"
        return True, f"MISSING: {what}; {known.absent}"

    def left(self, directory: str) -> bool:
        """Whether it went on outside its directory."""
        return any(
            other != directory and known_file(name) is not None
            for event, other, name in self.requests
            if event.outcome is not Outcome.MISSING
        )

    def other(self, name: str) -> bool:
        """Whether the same thing came under another name."""
        last = name.rpartition("/")[2]
        if last.endswith(".dtb"):
            return any(got.endswith(".dtb") and "overlays/" not in got for got in self.got)
        if _KERNEL.fullmatch(last):
            return self.kernel is not None
        return last in {got.rpartition("/")[2] for got in self.got}

    @property
    def kernel(self) -> str | None:
        """The kernel that came: by its name, else what came behind the question for a stub."""
        named = [name for name in self.names if _KERNEL.fullmatch(name.rpartition("/")[2])]
        for name in reversed(named):
            if name in self.got:
                return name
        stubs = [i for i, name in enumerate(self.names) if "armstub" in name]
        later = self.names[stubs[-1] + 1 :] if stubs else []
        # Servers log a file when it has arrived, maybe after the next request.
        return next((name for name in later if name in self.got and not known_file(name)), None)

    def verdict(self) -> Verdict:
        kernel = self.kernel
        return Verdict(
            client=self.client,
            directory=self.directory,
            kind=self.kind,
            started=kernel is not None,
            sentences=tuple(self.stopped() if kernel is None else self.loaded(kernel)),
        )

    def loaded(self, kernel: str) -> list[str]:
        found = [f"it has fetched the kernel {kernel}: what goes wrong now is the kernel's"]
        if not any(_INITRAMFS.search(name) for name in self.names):
            found.append(
                "no initramfs was asked for: for this board, config.txt has no line as "
                "'initramfs FILE followkernel' (without '=')"
            )
        if not any(name.endswith(".dtb") and "overlays/" not in name for name in self.got):
            found.append("no device tree was fetched")
        if not any("cmdline" in name for name in self.got):
            found.append("no kernel command line was fetched")
        return found

    def stopped(self) -> list[str]:
        event, directory, name = self.requests[-1]
        shown = f"{directory}/{name}" if directory else name
        found = [f"no kernel was fetched; the last it asked for is {shown}"]
        faults = [row for row in self.rows() if row.bad]
        found += dict.fromkeys(f"{row.name}: {row.text}" for row in faults)
        if not faults and event.outcome in {Outcome.PROBED, Outcome.FAILED}:
            found.append(
                f"it broke off at {name}: a file of more than {LIMITS[0].size} bytes is too big "
                "for boot loaders that are not new, and a firewall has to let UDP through on all "
                "ports, not only 69"
            )
        if self.names and set(self.names) <= {"bootcode.bin", "bootsig.bin"}:
            found.append("a Pi 2 or 3 that only asks for bootcode.bin waits for a DHCP answer")
        return found


def as_lines(explanation: Explanation, *, verbose: bool) -> list[str]:
    """Return the explanation as text; without ``verbose``, of each Pi a thing once."""
    lines = []
    seen: set[tuple[str, str, str, str]] = set()
    for row in explanation.rows:
        key = (row.client, row.directory, row.name, row.text)
        if not verbose and key in seen:
            continue
        seen.add(key)
        name = f"{row.directory}/{row.name}" if row.directory else row.name
        lines.append(f"line {row.line}: {name}: {row.text}")
    for verdict in explanation.verdicts:
        kind = verdict.kind.value if verdict.kind else "a client"
        own = f" {verdict.directory}" if verdict.directory else ""
        address = f" at {verdict.client}" if verdict.client else ""
        first, *more = verdict.sentences
        lines += [f"{kind}{own}{address}: {first}", *(f"  {sentence}" for sentence in more)]
    return lines


def as_json(explanation: Explanation) -> Mapping[str, object]:
    """Return the explanation for programs."""
    return {
        "requests": [
            {
                "line": row.line,
                "client": row.client,
                "directory": row.directory,
                "name": row.name,
                "outcome": row.outcome.value,
                "bad": row.bad,
                "text": row.text,
            }
            for row in explanation.rows
        ],
        "boards": [
            {
                "client": verdict.client,
                "directory": verdict.directory,
                "kind": verdict.kind.value if verdict.kind else None,
                "started": verdict.started,
                "sentences": list(verdict.sentences),
            }
            for verdict in explanation.verdicts
        ],
    }
