"""Debian's chromium, and what is checked of every page in it: requests, console, layout, accessibility."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
DEADLINE_MS = 60_000
#: What axe checks: WCAG 2.0 A to 2.2 AA.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_AXE = Path(__file__).resolve().parents[1] / "fixtures" / "axe" / "axe.min.js"
_OVERFLOW = """() => ({
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  // the descent of letters may leave the last line by a few pixels; a line that is lost is more
  clipped: [...document.querySelectorAll(".cover b")]
    .filter((b) => b.scrollHeight > b.clientHeight + parseFloat(getComputedStyle(b).fontSize) / 3
      || b.scrollWidth > b.clientWidth + 1)
    .map((b) => `${b.textContent} ${b.scrollWidth}>${b.clientWidth} ${b.scrollHeight}>${b.clientHeight}`),
})"""


@contextmanager
def browser() -> Iterator[Browser]:
    """Run chromium until the block ends."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        try:
            yield running
        finally:
            running.close()


class Visit:
    """A page, what it asked for, and what it complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.set_default_timeout(DEADLINE_MS)
        page.on("request", self._asked)
        page.on("console", self._said)
        page.on("pageerror", lambda fault: self.complaints.append(str(fault)))

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def abroad(self, origin: str) -> list[str]:
        """Return the requests that left the origin."""
        return [url for url in self.requests if not url.startswith((f"{origin}/", "data:", "blob:"))]

    def layout_faults(self, widths: tuple[int, ...] = (320, 390, 1280)) -> list[str]:
        """Return what is wider than the window or cut off, at each width and with text of twice the size."""
        faults = []
        for width in widths:
            self.page.set_viewport_size({"width": width, "height": 900})
            faults += [f"{width} px: {fault}" for fault in self._layout_faults()]
        self.page.evaluate("document.documentElement.style.fontSize = '200%'")
        faults += [f"text of 200 %: {fault}" for fault in self._layout_faults()]
        self.page.evaluate("document.documentElement.style.fontSize = ''")
        return faults

    def _layout_faults(self) -> list[str]:
        found: dict[str, Any] = self.page.evaluate(_OVERFLOW)
        faults = [f"{found['wide']} px too wide"] if found["wide"] > 0 else []
        return faults + [f"a title is cut off: {title}" for title in found["clipped"]]

    def access_faults(self) -> list[str]:
        """Return what axe finds, as one line for each element."""
        self.page.evaluate(_axe())
        options = {"runOnly": RULES, "resultTypes": ["violations"]}
        found = self.page.evaluate("(options) => axe.run(document, options)", options)
        return [
            f"{rule['id']}: {node['target']} {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]


@cache
def _axe() -> str:
    return _AXE.read_text(encoding="utf-8")
