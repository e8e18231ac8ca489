"""Generated covers in a real browser: no title is clipped, and letters are as wide as the table has them."""

import shutil
from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from write_letter_widths import ROOT, TARGET, measure, render

from bookshelf import covers
from bookshelf.covers.drawing import GeneratedCover
from bookshelf.shelf.pages.covers import generate_cover

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

FONT = ROOT / "bookshelf/site/static/fonts"
STYLES = [ROOT / "bookshelf/site/static/site.css", Path(covers.__file__).parent / "static" / "covers.css"]
#: Long and short words, scripts with and without spaces, signs, titles of real books.
TITLES = [
    *("Dune", "S.", "1984", "Catch-22", "Middlemarch", "Frankenstein", "Moby-Dick or, The Whale", "Emma"),
    "The Strange Case of Dr Jekyll and Mr Hyde, with an Account of Its Origins, Reception and Afterlife",
    *("Donaudampfschifffahrtsgesellschaftskapit\u00e4n", "x" * 1000, "a " * 300, "Slaughterhouse-Five"),
    *(
        "\u4e09\u4f53",
        "\u30ce\u30eb\u30a6\u30a7\u30a4\u306e\u68ee",
        "\ucc44\uc2dd\uc8fc\uc758\uc790",
        "\u4e09" * 400,
    ),
    *("\u0623\u0644\u0641 \u0644\u064a\u0644\u0629 \u0648\u0644\u064a\u0644\u0629", "\U0001f98a"),
    "\u0429\u0435\u043b\u043a\u0443\u043d\u0447\u0438\u043a \u0438 \u043c\u044b\u0448\u0438",
    *(
        "Harry Potter and the Order of the Phoenix",
        "One Hundred Years of Solitude",
        "and/or",
        "Wuthering Heights",
    ),
    *("The Immortal Life of Henrietta Lacks", "Extremely Loud and Incredibly Close", "Les Mis\u00e9rables"),
    *(
        "Zen and the Art of Motorcycle Maintenance: An Inquiry Into Values",
        "\u0130stanbul",
        "\u1ec6\u1ec6\u1ec6 \u1ec7",
    ),
]
#: Names the covers whose title leaves its box, or stands on more than its part of the cover.
_CLIPPED = """() => [...document.querySelectorAll('.cover')].filter((cover) => {
    const title = cover.querySelector('b');
    return title.scrollHeight > title.clientHeight + 1 || title.scrollWidth > title.clientWidth + 1
        || title.clientHeight > 0.6 * cover.clientWidth + 1;
}).map((cover) => `${cover.className}: ${cover.textContent.slice(0, 40)}`)"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1280, "height": 900})
        browser.close()


def drawn(cover: GeneratedCover) -> str:
    number = f"<u>{cover.number}</u>" if cover.number else ""
    texts = f'<b dir="auto">{escape(cover.title)}</b>{number}<i dir="auto">{escape(cover.author)}</i>'
    return f'<li class="book"><span class="{cover.classes}">{texts}</span></li>'


def test_no_title_is_clipped_in_any_layout(page: Page, tmp_path: Path) -> None:
    # one author for each layout, each title with and without a ribbon
    authors = {
        generate_cover({"title": "a", "author": f"Author {n}"}).layout: f"Author {n}" for n in range(200)
    }
    covers = [
        generate_cover({"title": title, "author": author}, ribbon=ribbon)
        for title in TITLES
        for author in authors.values()
        for ribbon in (False, True)
    ]
    assert len(authors) == 10
    styles = "".join(style.read_text(encoding="utf-8") for style in STYLES)
    styles = styles.replace('url("literata', f'url("{FONT.as_uri()}/literata')
    still = ".shelf > .book { content-visibility: visible !important; }"
    grid = f'<ul class="shelf">{"".join(map(drawn, covers))}</ul>'
    file = tmp_path / "covers.html"
    file.write_text(
        f"<!doctype html><meta charset=utf-8><style>{styles}{still}</style><main class=wrap>{grid}"
    )
    page.goto(file.as_uri())
    page.evaluate("document.fonts.ready.then(() => document.fonts.size)")
    clipped = {}
    for width in (1280, 320):
        page.set_viewport_size({"width": width, "height": 900})
        clipped[width] = page.evaluate(_CLIPPED)
    assert clipped == {1280: [], 320: []}


def test_the_table_of_widths_is_that_of_the_fonts_that_the_site_sends(page: Page) -> None:
    assert TARGET.read_text(encoding="utf-8") == render(measure(page, FONT))
