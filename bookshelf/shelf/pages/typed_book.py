"""Reads a book as it was typed on one line: an ISBN, a title, or a title and its author."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from bookshelf.shelf.isbn import is_isbn10, is_isbn13, isbn_title
from bookshelf.shelf.limits import AUTHOR_MAX, TITLE_MAX
from bookshelf.shelf.pages.step import check_length
from bookshelf.site.api_adapters import FieldFault
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import _
from bookshelf.site.page_request import PageRequest

_ISBN = re.compile(r"(?:ISBN[\s:-]*)?([0-9][0-9\s-]{8,16}[0-9Xx])", re.IGNORECASE)
_ISBN10, _ISBN13 = 10, 13
#: What stands between a title and its author, and the least words of a name after it.
_SEPARATORS = (
    (re.compile(r"\s+by\s+", re.IGNORECASE), 1),
    (re.compile(r"\s+[-\u2013\u2014]\s+"), 2),
    (re.compile(r"\s*,\s*"), 1),
    (re.compile(r"\s+von\s+", re.IGNORECASE), 2),
)
#: Several names, each of at least two words.
_TOGETHER = re.compile(r"\s+(?:and|und|&)\s+", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019.-][^\W\d_]*)*")
#: Words in small letters within names, and words that no name has.
_PARTICLES = frozenset(
    "af al bin da de del den der di dos du el la le ten ter van von y zu".split()  # noqa: SIM905 (one line)
)
_NO_NAMES = frozenset(("a", "an", "the", "me", "you", "him", "her", "us", "them", "it", "myself", "yourself"))
_NAME_WORDS = 5


class TypedBook(msgspec.Struct, frozen=True, kw_only=True):
    """A book as it was typed: its title, its author ("" if it is not known), and its ISBN."""

    title: str
    author: str = ""
    isbn: str = ""

    def to_body(self) -> dict[str, Any]:
        """Return the body of the request that adds it."""
        known: dict[str, Any] = {"author": self.author} if self.author else {"contributors": []}
        return {"title": self.title, **known, **({"isbn": self.isbn} if self.isbn else {})}


def read_book(request: PageRequest, text: str, author: str, field: str = "title") -> TypedBook:
    """Return the book of a typed line: an ISBN, or a title. Raises `FormRefused`."""
    text = " ".join(text.split())
    if not text:
        raise FormRefused(FieldFault(field, request.translate(_("Write a title or an ISBN."))))
    if found := _ISBN.fullmatch(text):
        digits = re.sub(r"[\s-]", "", found[1]).upper()
        if not is_isbn(digits):
            detail = request.translate(_("%(isbn)s is no ISBN: its check digit is wrong."))
            raise FormRefused(FieldFault(field, detail % {"isbn": found[1]}))
        return TypedBook(title=isbn_title(digits), author=author, isbn=digits)
    check_length(request, field, text, TITLE_MAX)
    check_length(request, "author" if field == "title" else field, author, AUTHOR_MAX)
    return TypedBook(title=text, author=author)


def is_isbn(digits: str) -> bool:
    """Return True if the check digit of an ISBN without hyphens fits."""
    if len(digits) == _ISBN10:
        return is_isbn10(digits)
    return len(digits) == _ISBN13 and digits.isdigit() and is_isbn13(digits)


def splits(text: str) -> Iterator[tuple[TypedBook, bool]]:
    """Yield the ways to read a title as "Title by Author", "Title - Author" or "Title, Author".

    With each comes True if the author's part looks like the name of a person.
    """
    for separator, least in _SEPARATORS:
        for found in reversed(list(separator.finditer(text))):
            title, author = text[: found.start()].strip(" ,"), text[found.end() :]
            if title and author and len(author) <= AUTHOR_MAX:
                yield TypedBook(title=title, author=author), are_names(author, least)


def are_names(text: str, least: int) -> bool:
    """Return True if a text looks like the name of a person, with at least `least` words, or like several."""
    names = _TOGETHER.split(text)
    return all(_is_name(name, least if len(names) == 1 else 2) for name in names)


def _is_name(text: str, least: int) -> bool:
    words = text.split()
    if not least <= len(words) <= _NAME_WORDS or not all(map(_WORD.fullmatch, words)):
        return False
    capitals = [word for word in words if word.lower() not in _PARTICLES]
    return bool(capitals) and not any(word[0].islower() or word.lower() in _NO_NAMES for word in capitals)
