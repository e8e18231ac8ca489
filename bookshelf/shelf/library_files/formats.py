"""The columns of each program's files, and what is particular about their values."""

import re
from collections.abc import Iterable

from bookshelf.shelf.library_files.format import Fields, Format
from bookshelf.shelf.library_files.values import holds
from bookshelf.shelf.limits import AUTHOR_MAX

_TAG_SEPARATORS = (re.compile(r"[|;]"), re.compile(","))


def _split_tags(cell: str) -> list[str]:
    """Split at | or ; where there is one, else at commas."""
    strong, weak = _TAG_SEPARATORS
    return strong.split(cell) if strong.search(cell) else weak.split(cell)


_TITLE = """title, book title, booktitle, title of book, name, book name, book, original title,
    titel, buchtitel, titre, título, titulo, titolo"""
_AUTHOR = """author, authors, author s, author name, author names, authorname, authors names,
    book author, primary author, author text, written by, writer, writers, creator, creators, by,
    autor, autoren, autor in, verfasser, auteur, auteurs, autore, autori, autores, schrijver,
    author l f, author sort"""
_PUBLISHED = """original publication year, published, publication year, publish year,
    first publish year, first published, year published, year of publication, pub year, year,
    publication date, publish date, published date, date published, pubdate, release year,
    erscheinungsjahr, jahr, année, annee, año, ano, anno, jaar"""
_ISBN = "isbn13, isbn 13, ean isbn13, ean, isbn, isbn10, isbn 10, upc isbn10, isbn uid, isbns"
_PAGES = """pages, number of pages, num pages, page count, pagecount, no of pages, length of,
    seiten, seitenzahl, páginas, paginas, pagine"""
_LANGUAGE = "language, language code, languages, lang, sprache, langue, idioma, lingua, taal"
_TAGS = """tags, tag, bookshelves, shelves, genres, genre, categories, category, subjects,
    keywords, labels, collections, schlagwörter"""
_NOTES = "my notes, private notes, notes, note, comments, comment, notizen"
_STATE = """state, read status, reading status, my status, status, exclusive shelf, shelf,
    bookshelf"""
_READ = "read, finished, is read, have read, read it, completed, done, gelesen, lu, leído, letto"
_WHEN = """date read, read date, dateread, date finished, finished date, finish date, finished on,
    finished at, date completed, completed date, completion date, last date read, dates read,
    end date, read on, read at, lesedatum, gelesen am"""
_RATING = "my rating, my ratings, own rating, your rating, star rating, stars, rating, bewertung"
_REVIEW = "my review, review, review content, rezension"


def _names(listed: str) -> tuple[str, ...]:
    return tuple(" ".join(name.split()) for name in listed.split(","))


ANY_CSV = Format(
    name="CSV",
    marks=frozenset(),
    columns={
        "title": _names(_TITLE),
        "author": _names(_AUTHOR),
        "published": _names(_PUBLISHED),
        "isbn": _names(_ISBN),
        "pages": _names(_PAGES),
        "language": _names(_LANGUAGE),
        "tags": _names(_TAGS),
        "notes": _names(_NOTES),
        "state": _names(_STATE),
        "read": _names(_READ),
        "when": _names(_WHEN),
        "rating": _names(_RATING),
        "review": _names(_REVIEW),
    },
    split_tags=_split_tags,
    guess=True,
)


_IDENTIFIER = re.compile(r"(?:^|,)\s*isbn:\s*([^,]+)", re.IGNORECASE)
_UNKNOWN_DATE = "0101-"
_DATE = len("1965-08-01")
_NINE_DIGITS = re.compile(r"\d{9}")


def _mend(fields: Fields) -> None:
    if "author" in fields:
        fields["author"] = [fields["author"][0].replace(" & ", ", ")]
    if "language" in fields:
        fields["language"] = [fields["language"][0].split(",")[0]]
    if "published" in fields and fields["published"][0].startswith(_UNKNOWN_DATE):
        del fields["published"]
    elif "published" in fields:
        fields["published"] = [fields["published"][0][:_DATE]]
    _mend_isbn(fields)


def _mend_isbn(fields: Fields) -> None:
    found = fields.pop("isbn", [])
    named = [isbn for text in fields.pop("identifiers", []) for isbn in _IDENTIFIER.findall(text)]
    if values := [*named, *map(_with_x, found)]:
        fields["isbn"] = values


def _with_x(isbn: str) -> str:
    return isbn + "X" if _NINE_DIGITS.fullmatch(isbn) and holds(isbn + "X") else isbn


CALIBRE = Format(
    name="Calibre",
    marks=frozenset({"title", "authors", "timestamp", "uuid"}),
    columns={
        "title": ("title",),
        "author": ("authors", "author sort"),
        "published": ("pubdate",),
        "isbn": ("isbn",),
        "identifiers": ("identifiers",),
        "pages": ("pages", "page count", "number of pages"),
        "language": ("languages",),
        "tags": ("tags",),
        "notes": ("comments",),
        "state": ("status", "read status", "reading status"),
        "read": ("read", "finished", "is read"),
        "when": ("date read", "dateread", "read date", "date finished"),
        "rating": ("rating",),
        "review": ("my review", "review"),
    },
    adapt=_mend,
    markup=True,
)


def _join_authors(fields: Fields) -> None:
    """Put the additional authors after the first, where there is room for them."""
    more = fields.get("more authors")
    if more and "author" in fields:
        together = f"{fields['author'][0]}, {more[0]}"
        if len(together) <= AUTHOR_MAX:
            fields["author"] = [together]


GOODREADS = Format(
    name="Goodreads",
    marks=frozenset({"title", "author", "bookshelves", "exclusive shelf"}),
    columns={
        "title": ("title",),
        "author": ("author", "author l f"),
        "more authors": ("additional authors",),
        "published": ("original publication year", "year published"),
        "isbn": ("isbn13", "isbn"),
        "pages": ("number of pages",),
        "tags": ("bookshelves",),
        "state": ("exclusive shelf",),
        "when": ("date read",),
        "rating": ("my rating",),
        "review": ("my review",),
        "notes": ("private notes",),
    },
    adapt=_join_authors,
    markup=True,
)


_BAR = " | "


def _name_authors(fields: Fields) -> None:
    if "author" in fields:
        fields["author"] = [fields["author"][0].replace(_BAR, ", ")]


def _split_subjects(cell: str) -> list[str]:
    return cell.split(_BAR)


OPEN_LIBRARY = Format(
    name="Open Library",
    marks=frozenset({"work id", "title", "authors", "bookshelf"}),
    columns={
        "title": ("title",),
        "author": ("authors",),
        "published": ("first publish year",),
        "tags": ("subjects",),
        "state": ("bookshelf",),
        "rating": ("my ratings",),
    },
    split_tags=_split_subjects,
    adapt=_name_authors,
)


STORYGRAPH = Format(
    name="StoryGraph",
    marks=frozenset({"title", "authors", "isbn uid", "read status"}),
    columns={
        "title": ("title",),
        "author": ("authors",),
        "isbn": ("isbn uid",),
        "tags": ("tags",),
        "state": ("read status",),
        "when": ("last date read", "dates read"),
        "rating": ("star rating",),
        "review": ("review",),
    },
    markup=True,
)


COLUMNS = (
    "title",
    "author",
    "published",
    "isbn",
    "pages",
    "language",
    "tags",
    "notes",
    "state",
    "finished",
    "rating",
    "review",
    "added",
    "id",
)

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_TAG = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,;]*?))\s*(?:[,;]|$)')
_PLAIN = re.compile(r'[^\s,;"](?:[^,;"]*[^\s,;"])?')


def guarded(cell: str) -> str:
    """Return the cell so that no spreadsheet runs it."""
    return "'" + cell if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Return the cell as it was before `guarded`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def join_tags(tags: Iterable[str]) -> str:
    """Return one cell; a tag with a separator, a quote or spaces around it is quoted."""
    return ", ".join(tag if _PLAIN.fullmatch(tag) else _quoted(tag) for tag in tags)


def split_tags(cell: str) -> list[str]:
    """Return the tags that `join_tags` put into the cell, or a person after it."""
    found = (
        quoted.replace('""', '"') if quoted is not None else plain
        for quoted, plain in (match.groups() for match in _TAG.finditer(cell))
    )
    return [tag for tag in found if tag]


def _quoted(tag: str) -> str:
    doubled = tag.replace('"', '""')
    return f'"{doubled}"'


def _unguard(fields: Fields) -> None:
    for name, values in fields.items():
        fields[name] = [unguarded(value) for value in values]


OWN = Format(
    name="Bookshelf",
    marks=frozenset({"title", "author", "state", "added"}),
    columns={
        "title": ("title",),
        "author": ("author",),
        "published": ("published",),
        "isbn": ("isbn",),
        "pages": ("pages",),
        "language": ("language",),
        "tags": ("tags",),
        "notes": ("notes",),
        "state": ("state",),
        "when": ("finished",),
        "rating": ("rating",),
        "review": ("review",),
    },
    split_tags=split_tags,
    adapt=_unguard,
    exact=True,
)
