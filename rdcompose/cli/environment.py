"""What the environment of the process says."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from rdcompose.errors import UsageError


def source_date_epoch() -> int | None:
    """Return ``SOURCE_DATE_EPOCH`` in seconds, as reproducible-builds.org specifies it.

    :raises UsageError: it is no time that every output can hold.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or int(text) >= 1 << 32:
        raise UsageError(f"SOURCE_DATE_EPOCH={text!r} is no number of seconds below 2^32")
    return int(text)


def cache_directory(option: Path | None) -> Path:
    """Return where downloads are kept.

    That is what ``--cache`` says, else ``RDCOMPOSE_CACHE``, else a directory of the user as the
    XDG Base Directory Specification has it.

    :raises UsageError: nothing says where, and the user has no home directory.
    """
    if option is not None:
        return option
    if text := os.environ.get("RDCOMPOSE_CACHE"):
        return Path(text)
    from platformdirs import user_cache_path

    # Without a home directory platformdirs raises or leaves the "~", by its version.
    with contextlib.suppress(RuntimeError):
        path = user_cache_path("rdcompose")
        if path.is_absolute():
            return path
    raise UsageError(
        "there is no home directory to keep downloads in",
        hint="name a directory with --cache DIR or in RDCOMPOSE_CACHE",
    )
