"""Files of the mirror that apt on this machine is configured with, kept between runs."""

from __future__ import annotations

import functools
import urllib.error
import urllib.request

from tests.support.kernels import cache_directory, locked, mirrors
from tests.support.tools import missing


@functools.cache
def inrelease(suite: str) -> bytes:
    """A suite's signed index, of the mirror's state when it was first asked for."""
    directory = cache_directory() / "inrelease"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / suite
    with locked(directory / ".lock"):
        if not path.exists():
            draft = path.with_name(f".{suite}")
            draft.write_bytes(_fetch(_address(suite)))
            draft.replace(path)
    return path.read_bytes()


def _address(suite: str) -> str:
    main, security = mirrors()
    base = security if suite.endswith("-security") else main
    return f"{base.rstrip('/')}/dists/{suite}/InRelease"


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            data = answer.read()
    except urllib.error.URLError as error:
        missing(f"{url} cannot be had: {error}")
    assert isinstance(data, bytes)
    return data
