"""Texts that would be elements, scripts or formulas stay texts in each page, picture and file."""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

import pytest
from support.pages import Pages, ShelfApi
from support.shelf import Shelf

from bookshelf.shelf.pages.site import SITE

#: Ends every element and attribute that it may stand in, and brings elements, handlers and expressions.
HOSTILE = "\"'><x-evil onload=alert(1)></title></textarea></script><script>alert(1)</script>{{7*7}}"
#: A text that a table would compute.
FORMULA = '=HYPERLINK("https://evil.example";"x")'
_URLS = {"href", "src", "action", "formaction", "srcset", "hx-get", "hx-post", "xlink:href"}
#: Pages that show what is stored.
SHOWING = (
    *("/", "/books", "/books/add", "/books/{id}", "/books/{id}/edit", "/books/{id}/lists", "/changes"),
    *("/books/{id}/finish", "/books/{id}/review", "/books/{id}/passages/{n}", "/books/{id}/merge", "/lists"),
    *("/lists/{id}", "/up-next", "/changes/{id}", "/import", "/import/{id}", "/import/{id}/lines/{number}"),
    *("/stats", "/stats/{year}", "/stats/{year}/poster.svg", "/authors", "/series", "/tags", "/passages"),
)


class Elements(HTMLParser):
    """Names what a page has and no template brings."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"x-evil", "style"} or (
            tag == "script" and not str(given.get("src")).startswith("/static/")
        ):
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            text = (value or "").strip().lower()
            if name.startswith("on") or name == "style":
                self.faults.append(f"<{tag} {name}>")
            if name in _URLS and (text.startswith("//") or re.match(r"(?!data:image|blob:)[a-z]+:", text)):
                self.faults.append(f"<{tag} {name}={text[:40]}>")


class HostileShelf:
    """A shelf whose texts are all hostile, and the pages that show it."""

    def __init__(self, shelf: Shelf, pages: Pages) -> None:
        self.pages = pages
        self._shelf = shelf
        self.values: dict[str, str] = {"n": "1", "number": "0", "year": "2019", "file": "bookshelf.csv"}

    async def fill(self, text: str) -> None:
        """Put texts into every field of a book, a reading, a passage, a list and an import."""
        names = {"title": text, "author": text, "tags": [text], "series": [{"name": text, "number": "1"}]}
        more = {"notes": text, "description": text, "publisher": text, "location": text, "subtitle": text}
        book = await self._shelf.add(**names, **more, format="other", lent_to=text)
        other = await self._shelf.add(**{**names, "title": f"2 {text}"})
        path = f"/books/{book['id']}"
        await self._send(
            "POST", f"{path}/readings", {"end": "finished", "ended": "2019-03-01", "review": text}
        )
        await self._send("POST", f"{path}/passages", {"quote": text, "note": text})
        await self._send("PUT", f"{path}/review", {"text": text})
        await self._send("POST", f"{path}/readings", {})
        entry = {"progress": {"page": 3}, "note": text}
        await self._send("POST", f"{path}/readings/current/progress", entry)
        made = await self._send("POST", "/lists", {"name": text})
        for name in (made["id"], "up-next"):
            await self._send("PUT", f"/lists/{name}/books/{other['id']}", {})
        await self._shelf.caught_up()
        changes = (await self._shelf.send("GET", "/changes")).json
        self.values |= {
            "books": book["id"],
            "lists": made["id"],
            "changes": changes[-1]["id"],
            "book": book["id"],
        }

    async def bring(self, text: str) -> None:
        """Import a file with hostile names, columns and cells, of which one line is refused."""
        content = io.StringIO()
        rows = [["Title", "Author", text], [f"3 {text}", text, text], ["", text, text]]
        csv.writer(content).writerows(rows)
        form = await self.pages.get("/import")
        file = {"file": (re.sub(r'["/\\]', "", text), content.getvalue().encode())}
        sent = await self.pages.upload("/import", {"_key": form.value("_key")}, file)
        self.values["import"] = sent.location.rpartition("/")[2]
        await self.pages.post(sent.location, {"_version": "1", "do": "import"})
        await self._shelf.caught_up()

    async def _send(self, method: str, path: str, body: object) -> Any:  # noqa: ANN401 (JSON)
        answer = await self._shelf.send(method, path, body)
        assert answer.status < 300, (path, answer.body)
        return answer.json if answer.body else None

    def address(self, path: str) -> str:
        """Return the address of a page of this shelf; a variable of an unknown kind is hostile too."""
        first = path.split("/")[1]
        values = {**self.values, "id": self.values.get(first, HOSTILE)}
        return re.sub(r"\{(\w+)\}", lambda found: quote(values.get(found[1], HOSTILE), safe=""), path)


@pytest.fixture
async def hostile(tmp_path: Path) -> AsyncIterator[HostileShelf]:
    async with Shelf() as shelf:
        pages = Pages(SITE, ShelfApi(shelf), shelf.clock, tmp_path)
        async with pages.running_jobs():
            yield HostileShelf(shelf, pages)


def paths(method: str) -> Iterator[str]:
    """Yield the paths of the pages, without those of files and streams."""
    skipped = ("/static/", "/live", "/covers/", "/export/", "/design", "/manifest")
    return (
        route.path for route in SITE.routes if route.method == method and not route.path.startswith(skipped)
    )


async def faults_of(pages: Pages, target: str) -> list[str]:
    """Return what a page or a picture has and should not have."""
    page = await pages.get(target)
    assert page.status in {200, 303, 400, 404, 422}, (target, page.status, page.words)
    kind = page.headers.get("Content-Type", "")
    if "svg" in kind:
        names = {element.tag.rpartition("}")[2] for element in ET.fromstring(page.html).iter()}  # noqa: S314 (ours)
        return sorted(names & {"script", "x-evil", "foreignObject", "a", "img"})
    return Elements(page.html).faults if "html" in kind else []


async def test_every_page_shows_hostile_texts_as_texts(hostile: HostileShelf) -> None:
    await hostile.fill(HOSTILE)
    await hostile.bring(HOSTILE)
    known = set(paths("GET"))
    query = urlencode(dict.fromkeys(("q", "title", "author", "isbn", "tag", "series", "back"), HOSTILE))
    found = {}
    for path in sorted(known):
        target = hostile.address(path)
        for address in (target, f"{target}?{query}"):
            found[address] = await faults_of(hostile.pages, address)
    assert {address: faults for address, faults in found.items() if faults} == {}
    for path in known.intersection(SHOWING):
        page = await hostile.pages.get(hostile.address(path))
        assert "&lt;x-evil" in page.html, (path, page.words)


async def test_every_form_answers_hostile_values_with_texts(hostile: HostileShelf) -> None:
    await hostile.fill(HOSTILE)
    for route in SITE.parts.pages:
        if route.form is None:
            continue
        fields = dict.fromkeys([*route.form.__struct_fields__, "_back", "_version", "_key"], HOSTILE)
        page = await hostile.pages.post(hostile.address(route.path), fields)
        assert Elements(page.html).faults == [], route.path
        where = page.headers.get("Location", "/")
        assert re.fullmatch(r"/(?!/)[!-~]*", where), (route.path, where)
        assert not re.search(r"[<>\"'`]", where), (route.path, where)


@pytest.mark.parametrize("text", [FORMULA, "+1+1", "@SUM(A1)", HOSTILE])
async def test_no_cell_of_a_table_is_computed(hostile: HostileShelf, text: str) -> None:
    await hostile.fill(text)
    await hostile.bring(text)
    exported = await hostile.pages.download("/export/bookshelf.csv")
    refused = await hostile.pages.download(hostile.address("/import/{id}/refused"))
    for content in (exported, refused):
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
        assert len(rows) > 1
        assert any(text.strip() in cell for row in rows for cell in row)
        computed = [cell for row in rows for cell in row if re.match(r"[=+@\t\r-]", cell)]
        assert computed == []
