"""Makes the pictures of the site in docs/pictures/, from a shelf of its own, in chromium: `make pictures`.

Look at each picture before it is committed: nothing cut, no single word on the last line of a headline.
"""

import asyncio
import shutil
import sys
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
from PIL import Image
from playwright.async_api import Browser, async_playwright
from write_manifests import ROOT

from bookshelf.cli.embedded import Embedded, embedded
from bookshelf.config import Settings
from bookshelf.http.message import read_response, request

FOLDER = ROOT / "docs" / "pictures"
#: The most bytes of a picture, and the qualities that are tried to reach them.
MOST = 120_000
_QUALITIES = (88, 80, 70, 60, 50)


class Picture(NamedTuple):
    """One picture: its name, the address ({dune}: the id of that book), the window, and the theme."""

    name: str
    address: str
    width: int = 1280
    height: int = 900
    theme: str = "light"
    media: str = "screen"


EMPTY = (Picture("empty-shelf", "/books"),)
PICTURES = (
    Picture("home", "/"),
    Picture("home-phone-dark", "/", 390, 844, "dark"),
    Picture("covers", "/books"),
    Picture("list", "/books?view=list"),
    Picture("spines", "/books?view=spines"),
    Picture("add", "/books/add?title=m"),
    Picture("book", "/books/{dune}"),
    Picture("chinese-search", "/books?q=三"),
    Picture("covers-phone-dark", "/books", 390, 844, "dark"),
    Picture("book-phone-dark", "/books/{dune}", 390, 844, "dark"),
    Picture("long-title", "/books/{long}"),
    Picture("arabic", "/books/{arabic}"),
    Picture("changes", "/changes"),
    Picture("year", "/stats/2026"),
    Picture("print", "/books", 900, 1200, "light", "print"),
)

#: Title, author, stars, state, name in addresses; the last one is the first on the shelf.
BOOKS: tuple[tuple[str, str, float | None, str, str], ...] = (
    (
        (
            "The Strange Case of Dr Jekyll and Mr Hyde, with an Account of Its Origins, Reception and Long "
            "Afterlife in Print, on the Stage and on the Screen"
        ),
        "Robert Louis Stevenson",
        None,
        "unread",
        "long",
    ),
    ("Station Eleven", "Emily St. John Mandel", 4.0, "finished", ""),
    ("ألف ليلة وليلة", "مجهول", 4.5, "finished", "arabic"),
    ("ノルウェイの森", "村上春樹", 4.0, "finished", ""),
    ("三体", "刘慈欣", 5.0, "finished", ""),
    ("Moby-Dick or, The Whale", "Herman Melville", None, "unread", ""),
    ("Stoner", "John Williams", 5.0, "finished", ""),
    ("Wolf Hall", "Hilary Mantel", 4.0, "finished", ""),
    ("Gilead", "Marilynne Robinson", 5.0, "finished", ""),
    ("The Master and Margarita", "Mikhail Bulgakov", None, "unread", ""),
    ("Things Fall Apart", "Chinua Achebe", 4.0, "finished", ""),
    ("Ficciones", "Jorge Luis Borges", 4.5, "finished", ""),
    ("1984", "George Orwell", 5.0, "finished", ""),
    ("Kafka on the Shore", "Haruki Murakami", None, "unread", ""),
    ("The Old Man and the Sea", "Ernest Hemingway", 4.0, "finished", ""),
    ("Pride and Prejudice", "Jane Austen", 4.5, "finished", ""),
    ("The Hobbit", "J.R.R. Tolkien", None, "reading", ""),
    ("Cloud Atlas", "David Mitchell", None, "unread", ""),
    ("Never Let Me Go", "Kazuo Ishiguro", 4.5, "finished", ""),
    ("The Name of the Rose", "Umberto Eco", None, "reading", ""),
    ("Middlemarch", "George Eliot", 5.0, "finished", ""),
    ("The Left Hand of Darkness", "Ursula K. Le Guin", 4.0, "finished", ""),
    ("Beloved", "Toni Morrison", 4.5, "finished", ""),
    ("Dune", "Frank Herbert", 5.0, "finished", "dune"),
)


async def _send(shelf: Embedded, method: str, path: str, body: object) -> Any:  # noqa: ANN401 (JSON)
    sent = request(method, f"/bookshelf{path}", msgspec.json.encode(body), Content_Type="application/json")
    response = await shelf.gateway.handle(sent)
    content = await read_response(response, 1 << 20)
    if response.status >= 400:  # noqa: PLR2004 (the first status of errors)
        sys.exit(f"{method} {path}: {content.decode()}")
    return msgspec.json.decode(content) if content else None


async def _fill(shelf: Embedded) -> Mapping[str, str]:
    """Put the books onto the shelf; return the ids by their names in addresses."""
    ids = {}
    for number, (title, author, stars, state, name) in enumerate(BOOKS):
        book = await _send(shelf, "POST", "/books", {"title": title, "author": author})
        ids[name] = str(book["id"])
        month = number % 11 + 1
        if state == "finished":
            dates = {"started": f"2026-{month:02}-03", "ended": f"2026-{month:02}-17"}
            body = {**dates, "end": "finished", "stars": stars}
            await _send(shelf, "POST", f"/books/{book['id']}/readings", body)
        elif state == "reading":
            path = f"/books/{book['id']}/readings"
            await _send(shelf, "POST", path, {"started": "2026-11-20"})
            await _send(
                shelf, "POST", f"{path}/current/progress", {"progress": {"page": 61 + 7 * number, "of": 400}}
            )
        elif name != "long":
            await _send(shelf, "PUT", f"/lists/up-next/books/{book['id']}", {})
    await _send(shelf, "PUT", "/goals/2026", {"books": 24})
    return ids


async def _take(browser: Browser, url: str, picture: Picture, ids: Mapping[str, str]) -> None:
    context = await browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme="dark" if picture.theme == "dark" else "light",
        device_scale_factor=2 if picture.width < 500 else 1,  # noqa: PLR2004 (a phone)
        locale="en-GB",
    )
    page = await context.new_page()
    await page.emulate_media(media="print" if picture.media == "print" else "screen")
    answer = await page.goto(url + picture.address.format_map(ids), wait_until="load")
    if answer is None or not answer.ok:
        sys.exit(f"{picture.name}: {picture.address} is no page")
    await page.evaluate("document.fonts.ready")
    shown = Image.open(BytesIO(await page.screenshot()))
    for quality in _QUALITIES:
        written = BytesIO()
        shown.save(written, "WEBP", quality=quality, method=6)
        if written.tell() <= MOST:
            break
    (FOLDER / f"{picture.name}.webp").write_bytes(written.getvalue())
    print(f"docs/pictures/{picture.name}.webp {written.tell()} bytes")  # noqa: T201 (a command)
    await context.close()


async def _run(data: Path) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with embedded(Settings(data=str(data)).private()) as shelf, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for picture in EMPTY:
            await _take(browser, shelf.url, picture, {})
        ids = await _fill(shelf)
        for picture in PICTURES:
            await _take(browser, shelf.url, picture, ids)
        await browser.close()


def main() -> None:
    """Make all pictures."""
    with TemporaryDirectory() as folder:
        asyncio.run(_run(Path(folder) / "data"))


if __name__ == "__main__":
    main()
