"""The columns of a list of books that are computed from its fields: sort keys and search tokens.

Each is made of one field, because a change of a book has no other fields than the changed ones.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, Computed, Integer

from bookshelf.shelf.languages import language_code
from bookshelf.shelf.search_text import isbn_forms, join_tokens
from bookshelf.shelf.sort_keys import KEY_MAX, articles_of, name_key, series_key, title_keys, year_of
from bookshelf.shelf.values import Contributor, SeriesEntry
from bookshelf.storage.statements import TEXT

TITLE_WEIGHT = 8
#: The columns of tokens, each with its weight. Those of reviews and passages are derived from other rows.
TOKEN_COLUMNS: Mapping[str, int] = {
    "title_words": TITLE_WEIGHT,
    "subtitle_words": TITLE_WEIGHT,
    "author_words": 4,
    "people_words": 4,
    "series_words": 4,
    "tag_words": 2,
    "isbn_words": 2,
    "id_words": 2,
    "note_words": 1,
    "review_words": 1,
    "passage_words": 1,
}
#: What ends the key of a title; the title follows.
KEY_END = "\x1f"
#: The key of a title, which depends on three fields: a column that the database computes.
_TITLE_KEY = f"""coalesce(
    sort_key,
    CASE WHEN coalesce(articles, '{articles_of(None)}') LIKE '%|' || article || '|%' THEN bare_key END,
    full_key,
    ''
) || '{KEY_END}' || substr(title, 1, {KEY_MAX})"""


def key_columns() -> list[Column[Any]]:
    """Return the columns of sort keys and tokens."""
    return [
        *(Column(name, TEXT) for name in ("sort_key", "full_key", "bare_key", "article", "articles")),
        Column("title_key", TEXT, Computed(_TITLE_KEY, persisted=True)),
        Column("author_key", TEXT),
        Column("series_key", TEXT),
        Column("year", Integer),
        Column("language_code", TEXT),
        *(Column(name, TEXT) for name in (*TOKEN_COLUMNS, "own_words")),
    ]


def _title(title: str) -> Mapping[str, Any]:
    full, bare, article = title_keys(title)
    return {"full_key": full, "bare_key": bare, "article": article, "title_words": join_tokens([title])}


@lru_cache(maxsize=4096)
def _author(name: str) -> Mapping[str, Any]:
    return {"author_key": name_key(name), "author_words": join_tokens([name])}


def _contributors(people: tuple[Contributor, ...]) -> Mapping[str, Any]:
    words = join_tokens(person.name for person in people)
    return {"people_words": words, **({"author_key": _first_author(people)} if people else {})}


def _first_author(people: tuple[Contributor, ...]) -> str | None:
    first = next((person for person in people if person.role == "author"), people[0])
    return name_key(first.sort or first.name)


def _series(series: tuple[SeriesEntry, ...]) -> Mapping[str, Any]:
    words = join_tokens(entry.name for entry in series)
    return {
        "series_key": series_key(series[0].name, series[0].number) if series else None,
        "series_words": words,
    }


#: The columns of each field. `contributors` comes after `author`: it has the names to sort by.
_COMPUTED: Mapping[str, Callable[[Any], Mapping[str, Any]]] = {
    "title": _title,
    "sort_title": lambda text: {"sort_key": text and name_key(text)},
    "language": lambda text: {"articles": articles_of(text), "language_code": language_code(text)},
    "subtitle": lambda text: {"subtitle_words": join_tokens([text])},
    "author": _author,
    "contributors": _contributors,
    "series": _series,
    "published": lambda text: {"year": year_of(text)},
    "tags": lambda tags: {"tag_words": join_tokens(tags)},
    "isbn": lambda isbn: {"isbn_words": join_tokens(isbn_forms(isbn))},
    "ids": lambda ids: {"id_words": join_tokens(ids.values())},
    "notes": lambda text: {"note_words": join_tokens([text])},
}


def compute(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the columns that follow from these fields."""
    columns: dict[str, Any] = {}
    for name, computed in _COMPUTED.items():
        if name in fields:
            columns.update(computed(fields[name]))
    return columns
