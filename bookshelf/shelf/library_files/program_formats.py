"""The columns of each program's files, and what is particular about their values."""

import re
from collections.abc import Iterable

from bookshelf.shelf.isbn import is_isbn10
from bookshelf.shelf.library_files.format import Cell, Fields, Format, commas, names
from bookshelf.shelf.library_files.formats import IGNORED_AVERAGES, series_from_title
from bookshelf.shelf.library_files.states import state_of


def _columns(text: str) -> dict[str, tuple[str, ...]]:
    """Return the columns of each field; the text is `FIELD: COLUMN, COLUMN; FIELD: COLUMN`."""
    pairs = (part.strip().rpartition(": ") for part in " ".join(text.split()).split("; "))
    return {field: names(listed) for field, _, listed in pairs}


def _bars(cell: str) -> list[str]:
    return cell.split("|")


def _replace(fields: Fields, name: str, texts: Iterable[str]) -> None:
    """Put other texts in the cells of a field, in order; a blank text removes its cell."""
    cells = [Cell(cell.column, text) for cell, text in zip(fields.get(name, ()), texts, strict=True)]
    fields[name] = [cell for cell in cells if cell.text.strip()]
    if not fields[name]:
        del fields[name]


def _texts(fields: Fields, name: str) -> list[str]:
    return [cell.text for cell in fields.get(name, ())]


def _goodreads(fields: Fields) -> None:
    """Take a series from the title; a shelf with a position is a list, and no tag."""
    series_from_title(fields)
    lists = {part.partition("(#")[0].strip() for text in _texts(fields, "places") for part in text.split(",")}
    if "tags" in fields:
        tags = (
            ", ".join(tag for tag in map(str.strip, commas(text)) if tag not in lists)
            for text in _texts(fields, "tags")
        )
        _replace(fields, "tags", tags)


GOODREADS = Format(
    name="Goodreads",
    marks=frozenset({"title", "author", "bookshelves", "exclusive shelf"}),
    columns=_columns("""
        id:goodreads: book id; title: title; author: author; author sort: author l f;
        more authors: additional authors; published: original publication year, year published;
        publisher: publisher; format: binding; isbn: isbn13, isbn; pages: number of pages;
        tags: bookshelves; places: bookshelves with positions; state: exclusive shelf;
        finished: date read; started: date started; added: date added; rating: my rating;
        review: my review; spoiler: spoiler; notes: private notes; count: read count;
        copies: owned copies
    """),
    ignored=IGNORED_AVERAGES,
    adapt=_goodreads,
    markup=True,
)

STORYGRAPH = Format(
    name="StoryGraph",
    marks=frozenset({"title", "authors", "isbn uid", "read status"}),
    columns=_columns("""
        title: title; author: authors; contributors: contributors; isbn: isbn uid; format: format;
        tags: tags; state: read status; finished: dates read, last date read; added: date added;
        count: read count; rating: star rating; review: review; owned: owned
    """),
    ignored=IGNORED_AVERAGES,
    split_names=commas,
    markup=True,
)


def _librarything(fields: Fields) -> None:
    for name in ("started", "finished", "isbn", "language", "added"):
        if name in fields:
            _replace(fields, name, [text.strip(" []") for text in _texts(fields, name)])
    people = [name for text in _texts(fields, "second authors") for name in text.split("|")]
    roles = [role for text in _texts(fields, "second roles") for role in text.split("|")]
    primary = _texts(fields, "primary role")[:1]
    for role, cell in zip(primary, fields.get("author", ()), strict=False):
        fields.setdefault("people", []).append(Cell(role, cell.text))
    if primary:
        fields.pop("author", None)
    for index, person in enumerate(people):
        role = roles[index] if index < len(roles) else ""
        fields.setdefault("people", []).append(Cell(role or "author", person))
    for cell in fields.get("publication", [])[:1]:
        if found := re.match(r"(.+?)\s*\(\d{4}\)", cell.text):
            fields["publisher"] = [Cell(cell.column, found[1])]
        fields.setdefault("extra", []).append(cell)


_LIBRARYTHING_COLUMNS = _columns("""
        id:librarything: book id, books id; title: title; author: primary author, primaryauthor;
        primary role: primary author role, primaryauthorrole;
        second authors: secondary author, secondaryauthor;
        second roles: secondary author roles, secondaryauthorroles; publication: publication;
        published: date; review: review; rating: rating;
        notes: comment, private comment, privatecomment; description: summary; format: media, format;
        pages: page count, pages; added: entry date, entrydate; started: date started, datestarted;
        finished: date read, dateread; tags: tags; shelves: collections;
        language: languages, language; isbn: isbn, isbns, originalisbn, ean; copies: copies;
        work: work id, workcode
    """)
LIBRARYTHING = Format(
    name="LibraryThing",
    marks=frozenset({"book id", "primary author"}),
    columns=_LIBRARYTHING_COLUMNS,
    ignored=frozenset(names("sort character, sortcharacter")),
    adapt=_librarything,
    last_first=True,
    markup=True,
)
LIBRARYTHING_JSON = Format(
    name="LibraryThing JSON",
    marks=frozenset({"books id", "title"}),
    columns=_LIBRARYTHING_COLUMNS,
    ignored=frozenset(names("sort character, sortcharacter")),
    adapt=_librarything,
    last_first=True,
    markup=True,
)


def _bookwyrm(fields: Fields) -> None:
    """Prefer the reader's own name of a shelf to its key, which has a number."""
    named = fields.pop("shelf name", [])
    if named and not any(state_of(text) for text in _texts(fields, "state")):
        fields["state"] = named


BOOKWYRM = Format(
    name="BookWyrm",
    marks=frozenset({"title", "author text", "remote id"}),
    columns=_columns("""
        title: title; author: author text; id:bookwyrm: remote id; id:openlibrary: openlibrary key;
        id:finna: finna key; id:inventaire: inventaire id; id:librarything: librarything key;
        id:goodreads: goodreads key; id:bnf: bnf id; id:viaf: viaf; id:wikidata: wikidata;
        id:asin: asin; id:aasin: aasin; id:isfdb: isfdb; id:oclc: oclc number;
        isbn: isbn 13, isbn 10; started: start date; finished: finish date; stopped: stopped date;
        rating: rating; review title: review name; review: review content; state: shelf;
        shelf name: shelf name; added: shelf date
    """),
    split_names=commas,
    adapt=_bookwyrm,
    markup=True,
)


def _jelu(fields: Fields) -> None:
    """Leave out the date of the last event, which can be any, where the lists of dates have it."""
    if not {"dates", "stopped", "started"}.isdisjoint(fields):
        fields.pop("finished", None)
    if dates := fields.pop("dates", []):
        fields["finished"] = dates


JELU = Format(
    name="Jelu",
    marks=frozenset({"title", "read dates", "dropped dates", "currently reading"}),
    columns=_columns("""
        title: title; author: authors, author; isbn: isbn13, isbn10, isbn; publisher: publisher;
        finished: date read; state: shelves; tags: tags; dates: read dates; owned: owned;
        stopped: dropped dates; started: currently reading
    """),
    ignored=frozenset({"bookshelves"}),
    split_names=commas,
    adapt=_jelu,
)


def _openreads(fields: Fields) -> None:
    """Turn `START|FINISH|MILLISECONDS;...` into ranges; a favourite gets a tag."""
    ranges = [
        "..".join([*(part[:10] for part in reading.split("|")), ""][:2])
        for text in _texts(fields, "readings")
        for reading in text.split(";")
        if reading.strip(" |")
    ]
    column = fields.pop("readings", [Cell("readings", "")])[0].column
    if ranges:
        fields["ranges"] = [Cell(column, text) for text in ranges]
    if _texts(fields, "favourite") == ["true"]:
        fields.setdefault("tags", []).append(Cell("favourite", "favourite"))
    fields.pop("favourite", None)


def _five_bars(cell: str) -> list[str]:
    return cell.split("|||||")


OPENREADS = Format(
    name="Openreads",
    marks=frozenset({"title", "author", "my review", "readings", "status"}),
    columns=_columns("""
        title: title; subtitle: subtitle; author: author; description: description; state: status;
        favourite: favourite; deleted: deleted; rating: rating; pages: pages;
        published: publication year; isbn: isbn; id:openlibrary: olid; tags: tags; review: my review;
        notes: notes; format: book format; readings: readings; added: date added
    """),
    ignored=frozenset({"date modified", "has cover", "blur hash", "cover"}),
    split_tags=_five_bars,
    adapt=_openreads,
)


def _hardcover(fields: Fields) -> None:
    if "format" not in fields and _texts(fields, "media") == ["Audio"]:
        fields["format"] = [Cell("Media", "audiobook")]
    elif "media" in fields:
        fields.setdefault("extra", []).extend(fields["media"])


HARDCOVER = Format(
    name="Hardcover",
    marks=frozenset({"title", "author", "hardcover book id", "status"}),
    columns=_columns("""
        title: title; author: author; series: series; state: status; id:hardcover: hardcover book id;
        isbn: isbn 13, isbn 10; id:asin: asin; media: media; language: language code;
        format: binding; pages: pages; seconds: duration in seconds; published: publish date;
        publisher: publisher; tags: tags, genres; places: lists; added: date added;
        started: date started; finished: date finished; rating: rating; review: review;
        spoiler: review contains spoilers; notes: private notes; owned: owned
    """),
    ignored=frozenset({"review slate"}),
    split_names=commas,
    adapt=_hardcover,
    markup=True,
)


def _libib(fields: Fields) -> None:
    first, last = (" ".join(_texts(fields, name)) for name in ("first name", "last name"))
    if "author" not in fields and (name := f"{first} {last}".strip()):
        fields["author"] = [Cell("first_name", name)]


LIBIB = Format(
    name="Libib",
    marks=frozenset({"title", "item type", "creators"}),
    columns=_columns("""
        title: title; author: creators; first name: first name; last name: last name;
        lists: collection; isbn: ean isbn13, upc isbn10; description: description;
        publisher: publisher; published: publish date; tags: tags; notes: notes; pages: length;
        rating: rating; review: review; state: status; started: began; finished: completed;
        added: added; copies: copies
    """),
    split_names=commas,
    adapt=_libib,
)


def _book_catalogue(fields: Fields) -> None:
    for name in ("notes", "description"):
        if name in fields:
            _replace(fields, name, [text.replace("\\n", "\n") for text in _texts(fields, name)])
    for name in ("id:goodreads", "rating", "published"):
        if name in fields:
            _replace(fields, name, ["" if text.strip("0.") == "" else text for text in _texts(fields, name)])
    for name in ("series", "lists"):
        if name in fields:
            _replace(fields, name, [text.strip(" ,").replace("|", ";") for text in _texts(fields, name)])


BOOK_CATALOGUE = Format(
    name="Book Catalogue",
    marks=frozenset({"title", "author details", "read start"}),
    columns=_columns("""
        title: title; author: author details; isbn: isbn; publisher: publisher;
        published: date published; rating: rating; lists: bookshelf; read: read;
        series: series details; pages: pages; notes: notes; location: location; started: read start;
        finished: read end; format: format; lent to: loaned to; description: description;
        tags: genre; language: language; added: date added; id:goodreads: goodreads book id;
        id:bookcatalogue: book uuid
    """),
    ignored=frozenset(names("id, bookshelf id, last goodreads sync date, last update date")),
    split_names=_bars,
    last_first=True,
    adapt=_book_catalogue,
)

INVENTAIRE = Format(
    name="Inventaire",
    marks=frozenset({"item url", "edition title", "authors labels"}),
    columns=_columns("""
        title: edition title, works labels; subtitle: edition subtitle; author: authors labels;
        translator: translators labels; notes: item notes, item details; added: item created;
        lists: shelves; id:inventaire: edition url; isbn: edition isbn 13, edition isbn 10;
        published: edition publication date; pages: edition number of pages;
        language: edition language, original language; work: works urls; series: series labels;
        series number: works series ordinals; tags: genres labels, subjects labels;
        publisher: publisher label
    """),
    ignored=frozenset(names("edition cover, item url")),
    split_names=commas,
)


def _spaced_bars(cell: str) -> list[str]:
    return cell.split(" | ")


OPEN_LIBRARY = Format(
    name="Open Library",
    marks=frozenset({"work id", "title", "authors", "bookshelf"}),
    columns=_columns("""
        title: title; author: authors; published: first publish year; work: work id;
        id:openlibrary: edition id; tags: subjects; state: bookshelf; rating: my ratings
    """),
    ignored=IGNORED_AVERAGES,
    split_tags=_spaced_bars,
    split_names=_spaced_bars,
)

_IDENTIFIER = re.compile(r"(?:^|,)\s*([\w-]+):\s*([^,]+)")
_UNKNOWN_DATE = "0101-"
_DATE = len("1965-08-01")
_NINE_DIGITS = re.compile(r"\d{9}")


def _calibre(fields: Fields) -> None:
    if published := _texts(fields, "published"):
        texts = ["" if text.startswith(_UNKNOWN_DATE) else text[:_DATE] for text in published]
        _replace(fields, "published", texts)
    named: list[Cell] = []
    for cell in fields.pop("identifiers", []):
        for scheme, value in _IDENTIFIER.findall(cell.text):
            if scheme.casefold() == "isbn":
                named.append(Cell(cell.column, value))
            else:
                fields.setdefault(f"id:{scheme.casefold()}", []).append(Cell(cell.column, value))
    listed = [Cell(cell.column, _with_x(cell.text)) for cell in fields.pop("isbn", [])]
    if isbns := [*named, *listed]:
        fields["isbn"] = isbns
    if "series" not in fields:
        fields.pop("series number", None)
    _calibre_names(fields)


def _calibre_names(fields: Fields) -> None:
    """Split the names at " & ", or at commas if there are as many names to sort by."""
    sorts = [name for text in _texts(fields, "author sort")[:1] for name in text.split(" & ")]
    for cell in fields.get("author", [])[:1]:
        parts = cell.text.split(" & ")
        by_commas = cell.text.split(", ")
        people = by_commas if len(parts) == 1 and len(by_commas) == len(sorts) else parts
        fields["author"] = [Cell(cell.column, "|".join(people))]
    if len(sorts) > 1:
        fields.pop("author sort", None)


def _with_x(isbn: str) -> str:
    return isbn + "X" if _NINE_DIGITS.fullmatch(isbn) and is_isbn10(isbn + "X") else isbn


CALIBRE = Format(
    name="Calibre",
    marks=frozenset({"title", "authors", "timestamp", "uuid"}),
    columns=_columns("""
        title: title; sort title: title sort; author: authors; author sort: author sort;
        published: pubdate; publisher: publisher; isbn: isbn; identifiers: identifiers;
        id:calibre: uuid; series: series; series number: series index;
        pages: pages, page count, number of pages; language: languages; tags: tags; notes: comments;
        added: timestamp; state: status, read status, reading status; read: read, finished, is read;
        started: date started, started; finished: date read, dateread, read date, date finished;
        rating: rating; review: my review, review
    """),
    ignored=frozenset(names("cover, size, library name, id")),
    split_names=_bars,
    adapt=_calibre,
    markup=True,
)

PROGRAMS = (
    GOODREADS,
    STORYGRAPH,
    LIBRARYTHING,
    LIBRARYTHING_JSON,
    BOOKWYRM,
    JELU,
    OPENREADS,
    HARDCOVER,
    LIBIB,
    BOOK_CATALOGUE,
    INVENTAIRE,
    OPEN_LIBRARY,
    CALIBRE,
)
