"""Makes the pictures and the animation of docs/pictures/ in chromium, from a shelf of its own: make pictures.

Look at each before it is committed: nothing cut, no single word on the last line of a headline.
"""

import asyncio
import shutil
import sys
from collections.abc import Mapping, Sequence
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
#: The most bytes of a picture and of the animation, and the qualities that are tried to reach them.
MOST, MOST_MOVING = 120_000, 1_500_000
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
    Picture("poster", "/stats/2026/poster.svg", 1080, 1350),
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


#: A library of another program; two of its lines have no title.
LIBRARY = """Title,Author,ISBN13,Date Read,My Rating,Bookshelves,Binding
A Wizard of Earthsea,Ursula K. Le Guin,,2019/03/14,5,fantasy,Paperback
The Tombs of Atuan,Ursula K. Le Guin,,2019/04/02,4,fantasy,Paperback
Invisible Cities,Italo Calvino,,2020/11/02,5,"classics, short",Paperback
Dune,Frank Herbert,,2018/06/11,5,science-fiction,Hardcover
,Stanisław Lem,,2021/02/20,4,science-fiction,Paperback
The Summer Book,Tove Jansson,,2021/07/09,5,,Paperback
,Bruno Schulz,,,3,,Paperback
Austerlitz,W. G. Sebald,,2022/01/15,4,,Paperback
Persuasion,Jane Austen,,,,to-read,Kindle Edition
"""


async def _send(shelf: Embedded, method: str, path: str, body: object) -> Any:  # noqa: ANN401 (JSON)
    sent = request(method, f"/bookshelf{path}", msgspec.json.encode(body), Content_Type="application/json")
    response = await shelf.gateway.handle(sent)
    content = await read_response(response, 1 << 20)
    if response.status >= 400:  # noqa: PLR2004 (the first status of errors)
        sys.exit(f"{method} {path}: {content.decode()}")
    return msgspec.json.decode(content) if content else None


async def _enrich(shelf: Embedded, path: str) -> None:
    """Give a book what a reader has of a favourite: its series, tags, a review, a passage."""
    series = [{"name": "Dune", "number": "1"}]
    more = {"series": series, "tags": ["science fiction", "favourites"], "published": "1965", "pages": 412}
    await _send(shelf, "PATCH", path, more)
    review = (
        "Slow at first, then impossible to put down. The ecology is the hero: each custom is about water."
    )
    await _send(shelf, "PUT", f"{path}/review", {"text": review})
    passage = {"quote": "I must not fear. Fear is the mind-killer.", "progress": {"page": 12}}
    await _send(shelf, "POST", f"{path}/passages", passage)


async def _fill(shelf: Embedded) -> Mapping[str, str]:
    """Put the books onto the shelf; return the ids by their names in addresses."""
    ids = {}
    for number, (title, author, stars, state, name) in enumerate(BOOKS):
        pages = {"pages": 400} if state == "reading" else {}
        book = await _send(shelf, "POST", "/books", {"title": title, "author": author, **pages})
        ids[name] = str(book["id"])
        month = number % 11 + 1
        if state == "finished":
            dates = {"started": f"2026-{month:02}-03", "ended": f"2026-{month:02}-17"}
            body = {**dates, "end": "finished", "stars": stars}
            await _send(shelf, "POST", f"/books/{book['id']}/readings", body)
        elif state == "reading":
            path = f"/books/{book['id']}/readings"
            await _send(shelf, "POST", path, {"started": "2026-11-20"})
            await _send(shelf, "POST", f"{path}/current/progress", {"progress": {"page": 61 + 7 * number}})
        if name == "dune":
            await _enrich(shelf, f"/books/{book['id']}")
        elif name != "long":
            await _send(shelf, "PUT", f"/lists/up-next/books/{book['id']}", {})
    await _send(shelf, "PUT", "/goals/2026", {"books": 24})
    return ids


def write_picture(name: str, frames: Sequence[tuple[bytes, int]], most: int) -> None:
    """Write a picture, or an animation: each frame with the milliseconds that it is shown."""
    shown = [Image.open(BytesIO(frame)) for frame, _ in frames]
    moving: dict[str, Any] = {}
    if len(shown) > 1:
        moving = {
            "save_all": True,
            "append_images": shown[1:],
            "duration": [time for _, time in frames],
            "loop": 0,
        }
    for quality in _QUALITIES:
        written = BytesIO()
        shown[0].save(written, "WEBP", quality=quality, method=6, **moving)
        if written.tell() <= most:
            break
    (FOLDER / f"{name}.webp").write_bytes(written.getvalue())
    print(f"docs/pictures/{name}.webp {written.tell()} bytes")  # noqa: T201 (a command)


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
    await page.evaluate("document.activeElement?.blur(), document.fonts.ready")
    write_picture(picture.name, [(await page.screenshot(), 0)], MOST)
    await context.close()


async def _take_import(browser: Browser, url: str) -> None:
    """Take the preview of an import, and its report with a refused line and a corrected one."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    page = await context.new_page()
    await page.goto(f"{url}/import")
    library = {"name": "my-library.csv", "mimeType": "text/csv", "buffer": LIBRARY.encode()}
    await page.locator("#file").set_input_files(library)  # type: ignore[arg-type]  # a file's content
    run = page.get_by_role("button", name="Import 7 books")
    await run.wait_for()
    write_picture("import-preview", [(await page.screenshot(), 0)], MOST)
    await run.click()
    await page.get_by_role("link", name="See your shelf").wait_for()
    line = page.locator("#refusals li").first
    await line.get_by_label("Title").fill("Solaris")
    await line.get_by_role("button", name="Import this line").click()
    await page.get_by_text("Corrected and imported").wait_for()
    await page.evaluate("scrollTo(0, 0)")
    write_picture("import-report", [(await page.screenshot(), 0)], MOST)
    await context.close()


async def _take_evening(browser: Browser, url: str) -> None:
    """Take the animation: tonight's page is recorded, a book is finished with stars, and that is undone."""
    context = await browser.new_context(viewport={"width": 960, "height": 600}, locale="en-GB")
    page = await context.new_page()
    frames: list[tuple[bytes, int]] = []

    async def show(milliseconds: int) -> None:
        await page.evaluate("document.fonts.ready")
        frames.append((await page.screenshot(), milliseconds))

    await page.goto(url)
    await show(1600)
    card = page.locator(".open-book").first
    await card.locator("input[name=progress]").focus()
    for key in "231":
        await page.keyboard.press(key)
        await show(300)
    await page.keyboard.press("Enter")
    await page.locator("#notice").wait_for()
    await show(2000)
    await page.locator(".open-book").first.get_by_role("link", name="Finished").click()
    await page.locator("dialog[open]").wait_for()
    await show(1000)
    await page.keyboard.press("4")
    await show(500)
    await page.keyboard.press(".")
    await show(900)
    await page.keyboard.press("Enter")
    await page.get_by_text("Finished.", exact=True).wait_for()
    await show(2000)
    await page.get_by_role("button", name="Undo").first.click()
    await page.get_by_text("Taken back.").wait_for()
    await show(2400)
    write_picture("evening", frames, MOST_MOVING)
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
        await _take_evening(browser, shelf.url)
        await _take_import(browser, shelf.url)
        await browser.close()


def main() -> None:
    """Make all pictures and the animation."""
    with TemporaryDirectory() as folder:
        asyncio.run(_run(Path(folder) / "data"))


if __name__ == "__main__":
    main()
