"""Explanations as text for people, and as data for programs (docs/inspect.md)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from rdcompose.compose.profile import AUTOLOAD
from rdcompose.inspect.explained import State
from rdcompose.inspect.findings import count, printable
from rdcompose.kernel.needs import NeedKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rdcompose.inspect.explained import Addition, Explanation, Removal, Subject
    from rdcompose.kernel.chains import Chain
    from rdcompose.kernel.modlist import Line
    from rdcompose.kernel.needs import Need

_SHOWN: Final = 12
_WIDTH: Final = 10


def as_text(subject: Subject, found: Sequence[Explanation]) -> str:
    """Return what people read."""
    lines = [f"note: {note}" for note in subject.notes]
    for explanation in found:
        if lines:
            lines.append("")
        lines += _lines(subject, explanation)
    return "".join(f"{printable(line)}\n" for line in lines)


def _lines(subject: Subject, found: Explanation) -> Iterator[str]:
    yield _title(found)
    for word, text in _facts(subject, found):
        yield f"  {word.ljust(_WIDTH)} {text}"


def _title(found: Explanation) -> str:
    name = found.name if found.asked in {found.name, found.path} else f"{found.asked}: {found.name}"
    where = f" ({found.where})" if found.where and found.where not in found.state.value else ""
    path = f", {found.path}" if found.path else ""
    also = f", and on {found.also}" if found.also else ""
    return f"{name}{path}: {found.state}{where}{also}"


def _facts(subject: Subject, found: Explanation) -> Iterator[tuple[str, str]]:
    for number, chain in enumerate(found.chains):
        # The first is the reason, others are in addition.
        yield from _chain("why" if not number else "also", chain, found.loaded)
    if found.more:
        told = len(found.chains)
        rest = f"than these {told} chains" if told > 1 else "chains: --all shows them"
        yield "", f"… there are more {rest}"
    for removal in found.removals[:1]:
        yield "without", _removal(found.name, removal)
    if found.state is State.INITRAMFS and not found.chains and found.loaded:
        yield "why", f"{found.loaded} has it loaded at boot"
    if found.option is not None:
        yield "option", _option(found)
    if found.near:
        yield "near", ", ".join(found.near)
    if found.left_out is not None:
        yield "left out", f"by {found.left_out.text!r} in {found.left_out}"
    if found.addition is not None:
        yield from _addition(subject, found.name, found.addition)
    yield from needs_lines("needs", found.needs, of=True)
    yield from needs_lines("needed by", found.needed_by, of=False)


def _chain(word: str, chain: Chain, loaded: str) -> Iterator[tuple[str, str]]:
    if chain.start is not None:
        start = str(chain.start)
    elif loaded and not chain.needs:
        start = f"{loaded} has it loaded at boot"
    else:
        start = f"no other module there needs {chain.first}"
    yield word, start
    for need in chain.needs:
        yield "", f"{need.by} {_verb(need)} {need.name} ({_kind(need)})"


def _verb(need: Need) -> str:
    return "needs" if need.kind is NeedKind.HARD else "asks for"


def _kind(need: Need) -> str:
    return f"{need.kind}, as {need.alias}" if need.alias else f"{need.kind}"


def _removal(name: str, removal: Removal) -> str:
    line = f"{removal.line.text!r} in {removal.line}"
    if removal.problem:
        return f"{line}: it would not go: {removal.problem}"
    names = removal.modules
    if not names:
        return f"{line}: nothing would leave: there are other reasons"
    stays = "" if name in names else f"; {name} would stay, for other reasons"
    return f"{line}: {count(len(names), 'module')} would leave: {_some(names)}{stays}"


def _option(found: Explanation) -> str:
    assert found.option is not None
    name, value = found.option.name, found.option.value
    if value == "n":
        return f"CONFIG_{name} is not set: that is probably the one to ask for"
    rest = ", so it is a module that is elsewhere" if found.state is State.NOT_THERE else ""
    return f"probably CONFIG_{name}={value}{rest}"


def _addition(subject: Subject, name: str, addition: Addition) -> Iterator[tuple[str, str]]:
    word = "to have it"
    if addition.takes_out is not None:
        yield word, f"take {addition.takes_out.text!r} out of {addition.takes_out}, and"
        word = ""
    where = "put into" if subject.builtin_profile else "put at the end of"
    for file, lines in addition.lines.items():
        loaded = file.endswith(AUTOLOAD)
        if loaded:
            yield "", f"no alias leads to {name}: to have it loaded at boot,"
        yield "" if loaded else word, f"{where} {file}: {', then '.join(map(repr, lines))}"
    if subject.builtin_profile:
        yield "", "in a directory of your own, for --profile DIR"
    if addition.problem:
        yield "", f"which does not go: {addition.problem}"
    if addition.brings:
        names = count(len(addition.brings), "more module", "more modules")
        yield "", f"brings {names}: {_some(addition.brings)}"


def needs_lines(word: str, needs: Sequence[Need], *, of: bool) -> Iterator[tuple[str, str]]:
    """Yield a row for each kind of need, the first with ``word``: who is needed, or who needs."""
    by_kind: dict[NeedKind, list[str]] = {}
    for need in needs:
        by_kind.setdefault(need.kind, []).append(need.name if of else need.by)
    for kind, names in by_kind.items():
        yield word, f"{_some(tuple(dict.fromkeys(names)))} ({kind})"
        word = ""


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def as_data(subject: Subject, found: Iterable[Explanation]) -> dict[str, Any]:
    """Return all that is known, ready for JSON."""
    return {
        "release": subject.release,
        "profile": subject.profile or None,
        "notes": list(subject.notes),
        "modules": [_module_data(explanation) for explanation in found],
    }


def _module_data(found: Explanation) -> dict[str, Any]:
    addition = found.addition
    return {
        "asked": found.asked,
        "name": found.name,
        "state": found.state.name.lower().replace("_", "-"),
        "path": found.path or None,
        "where": found.where or None,
        "also": found.also or None,
        "chains": [_chain_data(chain) for chain in found.chains],
        "more_chains": found.more,
        "without": [
            {
                "line": _line_data(removal.line),
                "leaves": list(removal.modules),
                "problem": removal.problem or None,
            }
            for removal in found.removals
        ],
        "loaded_by": found.loaded or None,
        "needs": [need_data(need) for need in found.needs],
        "needed_by": [need_data(need) for need in found.needed_by],
        "left_out_by": _line_data(found.left_out),
        "add": None
        if addition is None
        else {
            "lines": {file: list(lines) for file, lines in addition.lines.items()},
            "brings": list(addition.brings),
            "take_out": _line_data(addition.takes_out),
            "problem": addition.problem or None,
        },
        "probable_option": None if found.option is None else dataclasses.asdict(found.option),
        "near": list(found.near),
    }


def _chain_data(chain: Chain) -> dict[str, Any]:
    start = chain.start
    return {
        "reason": None if start is None else str(start),
        "line": None if start is None else _line_data(start.line),
        "module": chain.first,
        "steps": [need_data(need) for need in chain.needs],
    }


def need_data(need: Need) -> dict[str, Any]:
    """Return a need, ready for JSON."""
    return {
        "by": need.by,
        "name": need.name,
        "kind": need.kind.value,
        "alias": need.alias or None,
    }


def _line_data(line: Line | None) -> dict[str, Any] | None:
    return None if line is None else dataclasses.asdict(line)
