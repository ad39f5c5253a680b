"""Settings that hold for all tests."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

# A shared or emulated processor stalls now and then; time is judged by bench/, not here.
# CI tries the same examples every time, so that a red run can be repeated.
settings.register_profile("rdcompose", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("rdcompose")

# What a shell starts in the background, or nohup(1), ignores signals that tests send, and
# hands that on to every program they start.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        _default = signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL
        signal.signal(_number, _default)

# Tests make templates and folders, whose modes are part of what is built from them. What is
# not to depend on the umask says so in tests of its own.
os.umask(0o022)


@pytest.fixture(autouse=True)
def _reproducible_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a caller has set, or an earlier run has kept, changes what is built."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    # No test reads what another has left, or leaves something; who wants a cache names one.
    monkeypatch.setenv("RDCOMPOSE_CACHE", f"{os.devnull}/rdcompose")
