"""Turns the fields of one record into an entry, or into a refusal whose reason is what to correct."""

import re
from collections.abc import Callable

from bookshelf.shelf import limits
from bookshelf.shelf.library_files.entry import BookEntry, FileBook, Refusal
from bookshelf.shelf.library_files.format import Fields
from bookshelf.shelf.library_files.reading_state import Setting, opinion, passage
from bookshelf.shelf.library_files.values import choose_isbn, choose_tags, cut, one_line, shown

_WHOLE = re.compile(r"(\d{1,3}(?:[,. ]\d{3})+|\d+)(?:\.0+)?\s*(?:p|pp|pages|s|seiten)?\.?", re.IGNORECASE)
_YEAR = re.compile(r"(-?\d{1,4})\.0+")
_OUR_ISBN = re.compile(r"[0-9X]{10}|[0-9X]{13}|[0-9][0-9 -]{8,15}[0-9Xx]")  # the last: as in field_types.py
_BLANK = {"0", "0.0", "-"}


def build(line: int, fields: Fields, raw: tuple[str, ...], setting: Setting) -> BookEntry | Refusal:
    """Return the entry or the refusal of the fields; the fields may be changed."""
    setting.form.adapt(fields)
    title, author = _required("title", fields, setting), _required("author", fields, setting)
    if fault := _fault("title", title, limits.TITLE_MAX) or _fault("author", author, limits.AUTHOR_MAX):
        return Refusal(line, fault, raw)
    notes: list[str] = []
    read = opinion(fields, setting, notes)
    book: FileBook = {"title": title, "author": author}
    for name, choose in _OPTIONAL.items():
        if name in fields and (value := choose(fields, setting, notes)):
            book[name] = value  # type: ignore[literal-required] # the names are Book's own
    return BookEntry(line, book, *read, notes=tuple(notes), raw=raw)


def _required(name: str, fields: Fields, setting: Setting) -> str:
    return one_line(fields[name][0], exact=setting.form.exact) if name in fields else ""


def _fault(name: str, value: str, longest: int) -> str:
    if not value.strip():
        return f"the {name} is blank: fill it in"
    if len(value) > longest:
        return f"the {name} has {len(value):,} characters, {longest:,} are allowed: shorten it"
    return ""


def _published(fields: Fields, setting: Setting, notes: list[str]) -> str:
    """Return the date as it was given; 2008.0 is what a spreadsheet makes of 2008."""
    value = one_line(fields["published"][0], exact=setting.form.exact)
    if not setting.form.exact:
        value = _YEAR.sub(r"\1", value)
        value = "" if value in _BLANK else value
    return _short("published", value, limits.PUBLISHED_MAX, notes)


def _isbn(fields: Fields, setting: Setting, notes: list[str]) -> str:
    first = fields["isbn"][0]
    if setting.form.exact and _OUR_ISBN.fullmatch(first):
        return first
    return choose_isbn(fields["isbn"], notes)


def _pages(fields: Fields, _setting: Setting, notes: list[str]) -> int | None:
    value = fields["pages"][0].strip()
    if value in _BLANK:
        return None
    match = _WHOLE.fullmatch(value)
    pages = int(re.sub(r"\D", "", match[1])) if match else 0
    if not limits.PAGES_MIN <= pages <= limits.PAGES_MAX:
        notes.append(f"pages {shown([value])} left out: not a number from 1 to {limits.PAGES_MAX:,}")
        return None
    return pages


def _language(fields: Fields, setting: Setting, notes: list[str]) -> str:
    value = one_line(fields["language"][0], exact=setting.form.exact)
    return _short("language", value, limits.LANGUAGE_MAX, notes)


def _tags(fields: Fields, setting: Setting, notes: list[str]) -> list[str]:
    given = [tag for cell in fields.get("tags", [])[:1] for tag in setting.form.split_tags(cell)]
    return choose_tags([*given, *fields.get("more tags", [])], notes, exact=setting.form.exact)


def _notes(fields: Fields, setting: Setting, notes: list[str]) -> str:
    return cut("notes", passage("notes", fields, setting), limits.NOTES_MAX, notes)


def _short(name: str, value: str, longest: int, notes: list[str]) -> str:
    if len(value) > longest:
        notes.append(f"{name} {shown([value])} left out: longer than {longest} characters")
        return ""
    return value


_OPTIONAL: dict[str, Callable[[Fields, Setting, list[str]], object]] = {
    "published": _published,
    "isbn": _isbn,
    "pages": _pages,
    "language": _language,
    "tags": _tags,
    "notes": _notes,
}
