"""Any CSV whose first line names a title and an author column.

For each field the names that people and programs give it, the plainest claim
first: "my rating" is asked before "rating". Names of averages, counts and
publishers are not here on purpose.
"""

import re

from bookshelf.shelf.exchange.format import Format

_SEPARATORS = (re.compile(r"[|;]"), re.compile(","))


def _split_tags(cell: str) -> list[str]:
    """Split at | or ; where there is one, else at commas."""
    strong, weak = _SEPARATORS
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
