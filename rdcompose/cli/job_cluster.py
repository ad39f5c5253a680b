"""Jobs beside each other, on the machines of a Dask cluster.

A worker must have the same version of rdcompose, and see the directory of the command at the same
path: a job writes its files itself.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from rdcompose.errors import SpecError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor


class ClusterPool:
    """The cluster that a scheduler serves."""

    def __init__(self, address: str) -> None:
        try:
            from distributed.scheduler import KilledWorker
        except ImportError as error:
            raise UnsupportedError(
                "--executor dask needs the Python package distributed",
                hint="install rdcompose[dask]",
            ) from error
        self._address = address
        # Of a worker that is killed the scheduler does the jobs again, a few times.
        self.lost: tuple[type[Exception], ...] = (KilledWorker,)
        self.again = False

    @contextlib.contextmanager
    def open(self) -> Iterator[Executor]:
        """Give an executor over the cluster; what has not begun when the body ends never does.

        :raises SpecError: there is no scheduler, or it goes away.
        """
        from distributed import Client

        try:
            client = Client(self._address, set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise SpecError(
                f"no Dask scheduler answers at {self._address}",
                hint="give its address, like --executor dask:tcp://HOST:8786",
            ) from error
        try:
            with client:
                executor = client.get_executor(pure=False)  # type: ignore[no-untyped-call]
                try:
                    yield executor
                finally:
                    executor.shutdown(wait=False)
        except CancelledError as error:
            raise SpecError(f"the Dask scheduler at {self._address} has gone") from error
