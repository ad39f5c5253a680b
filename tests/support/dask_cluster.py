"""A Dask cluster of two workers on this machine: prints its address, ends with its input.

Where ``KILL_ONCE`` names a file, the first worker that has written all of a build under temporary
names, and is about to rename them, notes that there and is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

KILL_ONCE = "RDCOMPOSE_TESTS_KILL_ONCE"


def dask_setup(_worker: object) -> None:
    """Prepare a worker; called in its process by Dask."""
    from rdcompose.publish import Publication

    publish = Publication.publish

    def publish_or_die(publication: Publication, **options: Any) -> None:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(os.environ[KILL_ONCE], os.O_CREAT | os.O_EXCL))
            os.kill(os.getpid(), signal.SIGKILL)
        publish(publication, **options)

    if KILL_ONCE in os.environ:
        Publication.publish = publish_or_die  # type: ignore[method-assign,assignment]


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """Run a cluster; gives the address of its scheduler."""
    from distributed import LocalCluster

    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        preload=["tests.support.dask_cluster"],
    ) as running:
        yield running.scheduler_address


if __name__ == "__main__":
    with cluster() as address:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        sys.stdin.read()
