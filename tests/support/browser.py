"""A browser that tests look at pages with: Chromium, without a window.

    with Browser(tmp_path) as browser:
        page = browser.open(path, width=400, dark=True)
        assert page.evaluate("document.title") == "…"
        page.screenshot()

It is spoken to over two pipes, in the Chrome DevTools Protocol
(https://chromedevtools.github.io/devtools-protocol/): messages of JSON with a zero behind each.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final

from tests.support.tools import tool

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

# For a browser that hangs; a busy machine takes seconds.
_PATIENCE: Final = 240.0
_PARTING: Final = 30.0
_OPTIONS: Final = (
    "--headless",
    "--remote-debugging-pipe",
    # Containers let nobody make namespaces, and have a small /dev/shm.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
)


class Browser:
    """A browser; ``home`` is a directory for what it writes."""

    def __init__(self, home: Path) -> None:
        program = tool("chromium")
        reads, self._send = os.pipe()
        self._receive, writes = os.pipe()
        # Out of the way of the numbers that they get.
        ours, theirs = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (reads, writes))
        try:
            self._process = subprocess.Popen(
                [
                    *("bash", "-c", f'exec "$0" "$@" 3<&{ours} 4>&{theirs}', program),
                    *(*_OPTIONS, f"--user-data-dir={home / 'profile'}"),
                ],
                pass_fds=(ours, theirs),
                env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        finally:
            for end in (reads, writes, ours, theirs):
                os.close(end)
        self._pending = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            # It need not come to answer that.
            self._write({"id": 0, "method": "Browser.close"})
            self._process.wait(_PARTING)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        finally:
            os.close(self._send)
            os.close(self._receive)

    def open(
        self,
        path: Path,
        *,
        width: int = 1200,
        height: int = 900,
        dark: bool = False,
        scripts: bool = True,
    ) -> Page:
        """Load a file as a page of this size, and wait until it is there."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Network", "Log", "Runtime"):
            page.call(f"{domain}.enable")
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        page.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.events.clear()
        page.call("Page.navigate", url=path.absolute().as_uri())
        self.wait_for("Page.loadEventFired", session)
        return page

    def call(self, method: str, session: str | None = None, /, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self._write(message)
        while (answer := self._next()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def wait_for(self, event: str, session: str) -> None:
        """Wait until something happened in a session."""
        while not any(
            (row.get("method"), row.get("sessionId")) == (event, session) for row in self.events
        ):
            self.events.append(self._next())

    def _write(self, message: dict[str, Any]) -> None:
        os.write(self._send, json.dumps(message).encode() + b"\0")

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + _PATIENCE
        while b"\0" not in self._pending:
            ready, _, _ = select.select([self._receive], [], [], until - time.monotonic())
            data = os.read(self._receive, 1 << 20) if ready else b""
            assert data, "the browser has ended, or says nothing any more"
            self._pending += data
        message, _, self._pending = self._pending.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


class Page:
    """A page in a browser."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol for this page."""
        return self._browser.call(method, self._session, **parameters)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def screenshot(self, *, whole: bool = False) -> bytes:
        """Return what is seen as a PNG; the ``whole`` page, or only what fits the window."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(found["data"])

    def requested(self) -> list[str]:
        """Return the addresses that the page asked for since it was opened."""
        return [
            row["params"]["request"]["url"]
            for row in self._seen()
            if row["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Return what the browser complains of: scripts that fail, what a policy refuses."""
        found = []
        for row in self._seen():
            if row["method"] == "Log.entryAdded":
                found.append(row["params"]["entry"]["text"])
            elif row["method"] == "Runtime.exceptionThrown":
                found.append(row["params"]["exceptionDetails"]["text"])
        return found

    def _seen(self) -> list[dict[str, Any]]:
        return [row for row in self._browser.events if row.get("sessionId") == self._session]
