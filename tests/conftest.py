"""Settings that hold for all tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# A shared or emulated processor stalls now and then; time is judged by bench/, not here.
# CI tries the same examples every time, so that a red run can be repeated.
settings.register_profile("rdcompose", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("rdcompose")


@pytest.fixture(autouse=True)
def _reproducible_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a caller has set changes what is built."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
