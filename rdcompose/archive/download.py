"""One file on its way from a server, over as many requests as it takes.

Ranges: RFC 9110, section 14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.archive.headers import content_range
from rdcompose.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdcompose.archive.fetch import Advance, Answer, Client
    from rdcompose.archive.partial import Partial
    from rdcompose.archive.retry import Retry


class Download:
    """Fills a partial file; :meth:`attempt` is called until it is full."""

    def __init__(
        self, url: str, partial: Partial, size: int, advance: Advance, retry: Retry
    ) -> None:
        self._url = url
        self._partial = partial
        self._size = size
        self._advance = advance
        self._retry = retry
        self._ranges = True

    def receive(self, position: int, blocks: Iterable[bytes]) -> int:
        """Write what comes from a position on; returns where it ended."""
        for block in blocks:
            self._partial.write(position, block)
            position += len(block)
            self._advance(position, self._size)
            self._retry.check(self._url)
        return position

    def attempt(self, client: Client) -> None:
        """Ask for what is missing and receive it.

        A server that sends the whole file instead is read from the start, over what is there:
        if it is cut off before it gets that far, nothing is lost.
        """
        asked = self._partial.size if self._ranges else 0
        headers = {"Range": f"bytes={asked}-"} if asked else {}
        with client.request(self._url, headers) as answer:
            start = self._start(answer, asked)
            end = self.receive(start, answer.blocks(self._size - start))
            if end < self._size:
                raise answer.broken(f"the body ended after {end} of {self._size} bytes")
            if answer.goes_on():
                self._partial.cut(start)
                raise FetchError(f"{answer.name} has more than {self._size} bytes")

    def _start(self, answer: Answer, asked: int) -> int:
        """Return at which byte of the file an answer begins."""
        part = content_range(answer.headers)
        total = answer.length if answer.status == 200 else part.total
        if answer.status not in {200, 206, 416}:
            raise answer.refusal()
        if total not in {None, self._size}:
            raise FetchError(
                f"{answer.name} has {total} bytes, where {self._size} are expected",
                hint="the mirror is damaged or being updated: try another, or later",
            )
        if answer.status == 200:
            return 0
        if answer.status == 206 and part.first == asked:
            return asked
        self._ranges = False
        raise answer.broken("the server answers another range than was asked for")
