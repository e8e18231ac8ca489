"""Search finds the same on SQLite, PostgreSQL and MariaDB, in one order, by any token in any field."""

from itertools import product
from typing import Any

import pytest
from support import mariadb
from support.generated_logs import BEGAN, PARTITIONS, asked, filled, hosts
from support.postgres import Server

from bookshelf.cqrs.message import Event
from bookshelf.log.memory import MemoryLog
from bookshelf.shelf import book_list
from bookshelf.shelf.book_list import Listing
from bookshelf.shelf.events import (
    BookAdded,
    BookReviewed,
    PassageAdded,
    PassageChanged,
    PassageRemoved,
    ReadingFinished,
)
from bookshelf.shelf.facets import ROUTES, SuggestionQuery
from bookshelf.shelf.values import Contributor, SeriesEntry
from bookshelf.storage.mariadb.storage import MariaDbStorage
from bookshelf.storage.port import Storage
from bookshelf.storage.postgres.storage import PostgresStorage
from bookshelf.storage.sqlite import MemoryStorage

#: For each kind of token a text, and queries that find it or nearly do.
KINDS = {
    "words": ("Dune Messiah", ["dune", "DUN", "messiah dune", "une", "dune x"]),
    "marks": ("L'Été à Ålesund", ["ete", "été", "alesund", "l'ete", "lete"]),
    "letters without a decomposition": ("Straße Łódź œuvre Þór", ["strasse", "lodz", "oeuvre", "thor"]),
    "apostrophes": ("O'Harn d\u2019Artagnan", ["o'harn", "oharn", "harn", "dartagnan", "o harn"]),
    "signs": ("C++ and C# in F", ["c++", "c#", "c", "f#", "c+"]),
    "unspaced scripts": ("三体 黑暗森林 ノルウェイの森", ["三", "体", "森林", "暗森", "の森", "森の"]),
    "Korean, Thai": ("한국의 역사 ภาษาไทย", ["한국", "국의", "사", "ไทย", "ษา"]),
    "final sigma": ("ΣΟΦΟΣ σοφός", ["σοφος", "ΣΟΦΟΣ", "σοφό"]),
    "digits and long words": (
        "2001 " + "x" * 250,
        ["2001", "200", "x" * 100, "x" * 101, "x" * 250, "x" * 260],
    ),
    "marks of other scripts": ("ばら はら कि की", ["ばら", "はら", "कि", "की"]),
    "other characters": (
        "a_b:c|d&e \u00ad soft\u00adhyphen",
        ["a_b", "b", "softhyphen", "d&e", ":*", "' | a"],
    ),
}
ISBNS = ["0441172717", "978-0-441-17271-9", "9780441172719", "0-441-17271-7", "044117", "978 0 441 17271 9"]


def of_fields(text: str, kind: int) -> list[tuple[str, Event]]:
    """Return the events of books that have the text, each in another field."""
    fields: dict[str, Any] = {
        "subtitle": text,
        "author": text,
        "contributors": (Contributor(name=text, role="editor"),),
        "series": (SeriesEntry(name=text),),
        "tags": (text[:100],),
        "ids": {"asin": text},
        "notes": text,
    }
    title: dict[str, Any] = {"title": f"T{kind}", "author": "", "added": BEGAN}
    added = [(f"{kind}-{name}", BookAdded(**{**title, name: value})) for name, value in fields.items()]
    empty = [
        (f"{kind}-{name}", BookAdded(**title)) for name in ("review", "reading", "quote", "note", "gone")
    ]
    return [
        (f"{kind}-title", BookAdded(title=text, author="", added=BEGAN)),
        *added,
        *empty,
        (f"{kind}-review", BookReviewed(text=text)),
        (f"{kind}-reading", ReadingFinished(reading=1, review=text)),
        (f"{kind}-quote", PassageAdded(passage=1, quote=text)),
        (f"{kind}-note", PassageAdded(passage=1, quote="x")),
        (f"{kind}-note", PassageChanged(passage=1, note=text)),
        (f"{kind}-gone", PassageAdded(passage=1, quote=text)),
        (f"{kind}-gone", PassageRemoved(passage=1)),
    ]


async def answers(log: MemoryLog, storage: Storage) -> list[object]:
    queries = [*ISBNS, *(query for _, listed in KINDS.values() for query in listed)]
    found: list[object] = []
    async with hosts(log, storage) as views:
        view = views["booklist"]
        for query, sort in product(queries, ("added", "relevance")):
            found.append(await asked(view, book_list.ROUTES[0], Listing(q=query, sort=sort)))  # type: ignore[arg-type]
        found += [await asked(view, ROUTES[1], SuggestionQuery(q=query)) for query in queries]
    await storage.close()
    return found


@pytest.mark.needs("postgres", "mariadb")
async def test_every_kind_of_token_in_every_field_is_found_alike(
    postgres_server: Server, mariadb_server: mariadb.Server
) -> None:
    log = MemoryLog(PARTITIONS)
    history: list[tuple[str, Event]] = [
        (f"isbn-{n}", BookAdded(title="I", author="", isbn=isbn, added=BEGAN))
        for n, isbn in enumerate(ISBNS[:4])
    ]
    await filled(
        log, [*history, *(pair for n, (text, _) in enumerate(KINDS.values()) for pair in of_fields(text, n))]
    )
    async with postgres_server.database() as name:
        found = await answers(log, await PostgresStorage.open(postgres_server.url(name)))
    expected = await answers(log, MemoryStorage())
    assert found == expected
    with mariadb_server.database() as name:
        assert await answers(log, await MariaDbStorage.open(mariadb_server.url(name))) == expected
    assert any(b"0-gone" in str(answer).encode() for answer in expected) is False
    assert sum(b"0-note" in str(answer).encode() for answer in expected) > 1
