"""A reader in a browser: counts clicks, presses keys, and drops files; the shelf is left as it was."""

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Locator, Page
from support.client import Client
from support.program import Program

WAIT_MS = 30_000
_DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0)), data = new DataTransfer();
  data.items.add(new File([bytes], name, { type: "text/csv" }));
  for (const kind of ["dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
  }
}"""


class Window(NamedTuple):
    """The width of a reader's window, and whether scripts run in it."""

    width: int
    scripted: bool = True

    def __str__(self) -> str:
        return f"{self.width} px{'' if self.scripted else ' without scripts'}"


def _first(*every_time: Window, of: Sequence[Window]) -> list[Any]:
    """Return parameters of a fixture: these, and the others of `of` marked as slow."""
    others = [window for window in of if window not in every_time]
    return [*every_time, *(pytest.param(window, marks=pytest.mark.slow) for window in others)]


WINDOWS = [Window(1280), Window(390), Window(1280, scripted=False), Window(390, scripted=False)]
SCRIPTED = [window for window in WINDOWS if window.scripted]
#: A phone with scripts and a wide window without; the two others only in `make test-slow`.
POINTED = _first(Window(390), Window(1280, scripted=False), of=WINDOWS)
#: For a keyboard.
TYPED = _first(Window(1280), of=SCRIPTED)


def settle(client: Client) -> None:
    """Wait until the views have what this client wrote: pages that are opened then show it."""
    for view in ("/books", "/readings", "/lists", "/books/last/read", "/stats"):
        assert client.get(view).status == 200


class Reader:
    """Uses the pages of one shelf in one window; `clicks` counts what the pointer has done."""

    def __init__(self, browser: Browser, shelf: Program, window: Window) -> None:
        self._context = browser.new_context(
            viewport={"width": window.width, "height": 900},
            java_script_enabled=window.scripted,
            locale="en-GB",
        )
        self.window = window
        self.shelf = shelf
        self.client = shelf.client
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.clicks = 0
        self._books: list[str] = []

    def open(self, path: str = "/") -> Page:
        """Go to a page that shows what was added; count from here on."""
        settle(self.client)
        self.page.goto(self.shelf.note.url + path, wait_until="domcontentloaded")
        self.clicks = 0
        return self.page

    def open_live(self, path: str = "/") -> Page:
        """Go to a page, and wait until it follows changes."""
        with self.page.expect_request("**/live"):
            return self.open(path)

    def add(self, title: str, **fields: Any) -> str:  # noqa: ANN401 (a book's fields)
        """Put a book onto the shelf; it is taken off at the end. Return its id."""
        book = str(self.client.add(title, **fields)["id"])
        self._books.append(book)
        return book

    def add_open(self, title: str, **fields: Any) -> str:  # noqa: ANN401 (a book's fields)
        """Put a book that is being read since 2010 onto the shelf."""
        book = self.add(title, **fields)
        assert self.client.post(f"/books/{book}/readings", {"started": "2010"}).status == 201
        return book

    def click(self, target: Locator) -> None:
        """Click, and count it."""
        target.click()
        self.clicks += 1

    def link(self, name: str, part: Page | Locator | None = None) -> Locator:
        """Return the link with exactly this name that is shown."""
        return (part or self.page).get_by_role("link", name=name, exact=True).locator("visible=true").first

    def button(self, name: str, part: Page | Locator | None = None) -> Locator:
        """Return the button with exactly this name that is shown."""
        return (part or self.page).get_by_role("button", name=name, exact=True).locator("visible=true").first

    def press(self, *keys: str) -> None:
        """Press keys one after another; a text of several letters that names no key is typed."""
        for key in keys:
            if len(key) == 1 or key in {"Enter", "Tab", "Escape", "Shift+X", "Control+A"}:
                self.page.keyboard.press(key)
            else:
                self.page.keyboard.type(key)

    def drop(self, name: str, content: bytes) -> None:
        """Drop a file on the page: the pointer's one movement."""
        self.page.evaluate(_DROP, [name, base64.b64encode(content).decode()])
        self.clicks += 1

    def tidy(self) -> None:
        """Take the books of this reader off the shelf."""
        while self._books:
            self.client.delete(f"/books/{self._books.pop()}")
        for book in self.client.books("?state=reading&limit=100"):
            self.client.delete(f"/books/{book['id']}")

    def leave(self) -> None:
        """Close the window."""
        self._context.close()


def library(window: Window, *, count: int = 1000) -> bytes:
    """Return a table of books that no other window brings."""
    rows = (f"Book {n} of {window},Ada Example {n % 40},{n % 5 + 1}\n" for n in range(count))
    return ("Title,Author,My Rating\n" + "".join(rows)).encode()


@contextmanager
def readers(browser: Browser, shelf: Program) -> Iterator[dict[Window, Reader]]:
    """One reader for each window."""
    present = {window: Reader(browser, shelf, window) for window in WINDOWS}
    yield present
    for reader in present.values():
        reader.leave()
