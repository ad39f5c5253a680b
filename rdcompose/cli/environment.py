"""What the environment of the process says."""

from __future__ import annotations

import os

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
