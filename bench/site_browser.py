"""Measures the site in chromium: requests, bytes, first paint, search as you type, live updates."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from bench.figures import percentile
from bench.measurement import Figures
from bench.programs import found

_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
_ROUNDS = 20
_WORDS = ("silent", "river", "garden", "winter", "mirror")
_PAINT = """() => new Promise((resolve) => {
  const figures = { lcp_ms: 0, cls: 0 };
  new PerformanceObserver((list) => { for (const e of list.getEntries()) figures.lcp_ms = e.startTime; })
    .observe({ type: "largest-contentful-paint", buffered: true });
  new PerformanceObserver((list) => { for (const e of list.getEntries()) figures.cls += e.value; })
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => {
    const [first] = performance.getEntriesByName("first-contentful-paint");
    resolve({ first_paint_ms: first ? first.startTime : 0, ...figures });
  }, 500);
})"""
_WATCH = """() => {
  window.typed = 0; window.taken = []; window.slowest = 0;
  document.addEventListener("input", (event) => { window.typed = event.timeStamp; }, true);
  document.addEventListener("htmx:afterSettle", () => window.taken.push(performance.now() - window.typed));
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) window.slowest = Math.max(window.slowest, e.duration);
  }).observe({ type: "event", durationThreshold: 16, buffered: true });
}"""
_PROGRESS = """async ([id, page]) => {
  const answer = await fetch(`/bookshelf/books/${id}/readings/current/progress`, { method: "POST",
    headers: { "Content-Type": "application/json" }, body: JSON.stringify({ progress: { page } }) });
  if (!answer.ok) throw new Error(await answer.text());
}"""
_START = """async (id) => {
  const answer = await fetch(`/bookshelf/books/${id}/readings`, { method: "POST",
    headers: { "Content-Type": "application/json" }, body: "{}" });
  if (!answer.ok) throw new Error(await answer.text());
}"""


async def in_browser(origin: str, book_id: str) -> Figures:
    """Return the figures of pages in a browser."""
    async with _browser() as browser:
        figures = await _visits(browser, origin)
        figures["browser, slow"] = await _slow(browser, origin)
        figures["search, key"] = await _search(browser, origin)
        figures["live"] = await _live(browser, origin, book_id)
    return figures


@asynccontextmanager
async def _browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=found("chromium"), args=_FLAGS)
        try:
            yield running
        finally:
            await running.close()


async def _visits(browser: Browser, origin: str) -> Figures:
    context = await browser.new_context()
    first, painted = await _visit(context, origin)
    await _visit(context, origin)  # with the cookie that the first one has set
    later, _ = await _visit(context, origin)
    await context.close()
    return {"browser, first": {**first, **painted}, "browser, later": later}


async def _visit(context: BrowserContext, origin: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return the requests and bytes of a visit that the browser's cache did not answer, and its paints."""
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    cached: set[str] = set()
    sent: dict[str, float] = {}

    def responded(event: dict[str, Any]) -> None:
        if event["response"].get("fromDiskCache"):
            cached.add(event["requestId"])

    def finished(event: dict[str, Any]) -> None:
        sent[event["requestId"]] = event["encodedDataLength"]

    session.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))
    session.on("Network.responseReceived", responded)
    session.on("Network.loadingFinished", finished)
    await session.send("Network.enable")
    await page.goto(f"{origin}/books")
    painted = await page.evaluate(_PAINT)
    await page.close()
    over_network = [size for name, size in sent.items() if name not in cached]
    return {"requests": float(len(over_network)), "bytes": float(sum(over_network))}, painted


async def _slow(browser: Browser, origin: str) -> dict[str, float]:
    context = await browser.new_context(viewport={"width": 390, "height": 844})
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    rate = 1.6e6 / 8
    network = {"offline": False, "latency": 150, "downloadThroughput": rate, "uploadThroughput": rate}
    await session.send("Network.emulateNetworkConditions", network)
    await session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    await page.goto(f"{origin}/books")
    painted: dict[str, float] = await page.evaluate(_PAINT)
    await page.evaluate(_WATCH)
    await page.get_by_role("searchbox").press_sequentially("winter", delay=200)
    await page.wait_for_function("() => window.taken.length > 0")
    painted["inp_ms"] = float(await page.evaluate("window.slowest"))
    await context.close()
    return painted


async def _search(browser: Browser, origin: str) -> dict[str, float]:
    page = await browser.new_page()
    await page.goto(f"{origin}/books")
    await page.evaluate(_WATCH)
    searchbox = page.get_by_role("searchbox")
    for number in range(_ROUNDS):
        word = _WORDS[number % len(_WORDS)]
        before = await page.evaluate("window.taken.length")
        await searchbox.fill(word[: 3 + number // len(_WORDS) % 4])
        await page.wait_for_function("(n) => window.taken.length > n", arg=before)
    taken = [float(value) for value in await page.evaluate("window.taken")]
    await page.close()
    return {"p50_ms": percentile(taken, 50), "p95_ms": percentile(taken, 95)}


async def _live(browser: Browser, origin: str, book_id: str) -> dict[str, float]:
    page = await browser.new_page()
    await page.goto(f"{origin}/books")
    await page.evaluate(_START, book_id)
    async with page.expect_request("**/live"):
        await page.goto(f"{origin}/books/{book_id}")
    other = await browser.new_page()
    await other.goto(f"{origin}/settings")
    taken: list[float] = []
    for number in range(1, _ROUNDS + 1):
        began = time.perf_counter()
        await _note(other, book_id, number)
        await _shown(page, f"{number}")
        taken.append(1e3 * (time.perf_counter() - began))
    return {"p50_ms": percentile(taken, 50), "p95_ms": percentile(taken, 95)}


async def _note(page: Page, book_id: str, number: int) -> None:
    await page.evaluate(_PROGRESS, [book_id, number])


async def _shown(page: Page, number: str) -> None:
    words = "(n) => new RegExp(`\\\\bpage ${n}\\\\b`, 'i').test(document.body.innerText)"
    await page.wait_for_function(words, arg=number, polling=10)
