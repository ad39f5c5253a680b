"""What test jobs do in the processes that they run in."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from rdcompose.cli.job import Outcome

if TYPE_CHECKING:
    from rdcompose.cli.job import Job


def succeed(job: Job) -> tuple[Outcome, ...]:
    """Do nothing, with success."""
    return tuple(Outcome(title=part.title, output=part.arguments.output) for part in job.parts)


def die_once(job: Job) -> tuple[Outcome, ...]:
    """As :func:`succeed`, but the first process to come here is killed."""
    with contextlib.suppress(FileExistsError):
        (job.directory / "died").touch(exist_ok=False)
        os.kill(os.getpid(), signal.SIGKILL)
    return succeed(job)


def die_of_bad(job: Job) -> tuple[Outcome, ...]:
    """As :func:`succeed`, but a job of something bad is killed."""
    if any(part.title == "bad" for part in job.parts):
        os.kill(os.getpid(), signal.SIGKILL)
    return succeed(job)


def fail(_job: Job) -> tuple[Outcome, ...]:
    """Have a bug."""
    raise KeyError("bug")
