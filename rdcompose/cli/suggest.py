"""``rdcompose suggest``: module lists for a machine, from what was seen of it or by trial."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rdcompose.cli.kernel_alone import only_kernel, want_kernel
from rdcompose.cli.prepared import kernel_store
from rdcompose.cli.terminal import warn
from rdcompose.compose.layout import depmod_of
from rdcompose.compose.profile import AUTOLOAD, RAMFS, README
from rdcompose.errors import SpecError, UsageError
from rdcompose.inspect.devicename import DISK, NETWORK
from rdcompose.inspect.findings import count
from rdcompose.inspect.missing import ROOT, what_is_missing
from rdcompose.inspect.observed import Observed, parse_lsmod, read_machine, read_saved
from rdcompose.inspect.suggestion import check_modules
from rdcompose.inspect.suggestion import suggest as suggested
from rdcompose.inspect.suggestion_text import autoload_text, ramfs_text, remarks
from rdcompose.publish import Publication

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from rdcompose.cli.trial import Boot, Trial, Tried
    from rdcompose.inspect.suggestion import Suggested, Suggestion
    from rdcompose.kernel.package import KernelPackage

_STDIN: Final = "-"
_LARGEST: Final = 64 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """Lists for a kernel; ``origin`` says in words what they are made from.

    ``tried`` is the boot that proves them, ``problems`` what is wrong with it.
    """

    package: KernelPackage
    suggestion: Suggestion
    origin: str
    tried: Tried | None = None
    problems: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What a list is."""
        package = self.package
        kernel = f"Linux {package.release} ({package.architecture.name})"
        return f"Modules for {kernel}, as rdcompose suggests them from {self.origin}"


def suggest(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status.

    :raises SpecError: a boot does not prove the lists, which are written all the same.
    """
    _check_usage(arguments)
    shown = not (arguments.quiet or arguments.no_progress)
    wanted = want_kernel(arguments, arguments.kernel)
    seen = None if arguments.boot else _seen(arguments)
    if arguments.boot or arguments.prove:
        from rdcompose.cli.trial import open_trial

        with open_trial(arguments, shown=shown) as trial:
            result = _tried(arguments, trial, seen)
    else:
        with kernel_store(arguments) as store:
            package = only_kernel(wanted.read(store, shown=shown))
            depmod = depmod_of(package.tree)
        check_modules(depmod)
        found = suggested(depmod, seen or Observed())
        result = _Result(package=package, suggestion=found, origin=_origin(arguments))
    _write(arguments, result)
    _tell(arguments, result)
    if result.problems:
        raise SpecError(
            f"a boot with these lists alone fails: {'; '.join(result.problems)}",
            hint="-v shows the console of the machine",
        )
    return 0


def _check_usage(arguments: argparse.Namespace) -> None:
    given = [f"--{name}" for name in ("lsmod", "sys") if getattr(arguments, name) is not None]
    if arguments.boot and given:
        raise UsageError(f"--boot finds out by itself what {' and '.join(given)} would tell")
    if not arguments.boot and not given:
        raise UsageError(
            "nothing tells what the machine needs",
            hint="give --lsmod FILE, --sys DIR (this machine: --sys /sys), or --boot",
        )
    if arguments.lsmod == _STDIN and arguments.sys == _STDIN:
        raise UsageError("--lsmod and --sys cannot both be standard input")
    if arguments.force and arguments.output is None:
        raise UsageError("--force is about the lists in the directory of --output")
    if arguments.output is not None and not arguments.force:
        for name in (RAMFS, AUTOLOAD):
            if (arguments.output / name).exists():
                raise UsageError(
                    f"{arguments.output / name} is there already",
                    hint="name another directory, or replace the lists with --force",
                )


def _seen(arguments: argparse.Namespace) -> Observed:
    """Read what was seen of the machine.

    :raises SpecError: it is not what the options say.
    """
    seen = Observed()
    if arguments.lsmod is not None:
        name, data = _read(arguments.lsmod)
        seen = Observed(loaded=parse_lsmod(data, name=name))
    if arguments.sys == _STDIN:
        name, data = _read(_STDIN)
        seen = seen.and_also(read_saved(data, name=name))
    elif arguments.sys is not None:
        seen = seen.and_also(read_machine(Path(arguments.sys)))
    return seen


def _read(file: str) -> tuple[str, bytes]:
    if file == _STDIN:
        return "standard input", sys.stdin.buffer.read(_LARGEST + 1)
    try:
        with Path(file).open("rb") as source:
            return file, source.read(_LARGEST + 1)
    except OSError as error:
        raise SpecError(f"cannot read {file}: {error.strerror}") from error


def _origin(arguments: argparse.Namespace) -> str:
    given = {"what lsmod printed": arguments.lsmod, "the machine's /sys": arguments.sys}
    return " and ".join(words for words, value in given.items() if value is not None)


def _tried(arguments: argparse.Namespace, trial: Trial, seen: Observed | None) -> _Result:
    """Find lists by boots, or prove those that follow from what was seen."""
    from rdcompose.cli.trial import Tried

    def say(text: str) -> None:
        if not arguments.quiet:
            warn(f"rdcompose: {text}")

    if seen is None:
        tried = trial.find(say)
        boots = count(tried.boots, "trial boot")
        origin = f"{boots} of QEMU's machine {trial.machine}"
    else:
        found = trial.suggest(seen)
        tried = Tried(found, trial.boot(found), 1, proved=True)
        origin = _origin(arguments)
    return _Result(
        package=trial.package,
        suggestion=tried.suggestion,
        origin=origin,
        tried=tried if tried.proved else None,
        problems=tuple(_problems(arguments, trial, tried.boot)) if tried.proved else (),
    )


def _problems(arguments: argparse.Namespace, trial: Trial, boot: Boot) -> Iterator[str]:
    """Yield what is wrong with a boot, and what was missing for it."""
    roles: list[str] = []
    if reason := boot.report.verdict.reason:
        yield reason
        roles += [ROOT, DISK]
    if (arguments.net == "user" or arguments.nic) and not boot.facts.interfaces:
        yield "no driver has made an interface of the network card"
        roles.append(NETWORK)
    yield from what_is_missing(trial.suggest(trial.observed(boot)), boot.held, roles)


def _write(arguments: argparse.Namespace, result: _Result) -> None:
    if arguments.output is None:
        return
    files = {
        RAMFS: ramfs_text(result.suggestion, result.title),
        AUTOLOAD: autoload_text(result.suggestion, result.title),
        README: f"{result.title}.\n",
    }
    with Publication(arguments.output) as publication:
        for name, text in files.items():
            with publication.file(name) as out:
                out.write(text.encode())
        publication.publish()


def _tell(arguments: argparse.Namespace, result: _Result) -> None:
    found = result.suggestion
    if arguments.json:
        print(json.dumps(_as_data(result), indent=2, ensure_ascii=False))
    elif arguments.output is None:
        print(f"# {RAMFS}\n{ramfs_text(found, result.title)}")
        print(f"# {AUTOLOAD}\n{autoload_text(found, result.title)}", end="")
    elif not arguments.quiet:
        listed, loads = len(found.ramfs), len(found.autoload)
        print(f"{arguments.output / RAMFS}: {count(listed, 'module')}")
        print(f"{arguments.output / AUTOLOAD}: {count(loads, 'module')}")
    if not arguments.quiet:
        # Where the lists are printed, they say it themselves.
        for said in remarks(found) if arguments.json or arguments.output is not None else ():
            warn(f"rdcompose: {said}")
        if result.tried is not None and not result.problems:
            warn(f"rdcompose: with these lists alone, {result.tried.boot.report.line()}")


def _as_data(result: _Result) -> dict[str, Any]:
    found = result.suggestion
    return {
        "release": result.package.release,
        "architecture": result.package.architecture.name,
        "from": result.origin,
        "modules": _modules(found.ramfs),
        "autoload": _modules(found.autoload),
        "left": _modules(found.left),
        "brought": found.brought,
        "built_in": found.builtin,
        "missing": found.missing,
        "refused": found.refused,
        "without_driver": found.unserved,
        "proof": None if result.tried is None else result.tried.boot.report.to_json(),
        "problems": result.problems,
    }


def _modules(modules: Sequence[Suggested]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "section": one.section,
            "description": one.description,
            "loaded_because": one.way.value,
            "alias": one.alias or None,
            "devices": one.devices,
            "asked": one.asked,
            "firmware": one.firmware,
            "guessed": one.guessed,
        }
        for one in modules
    ]
