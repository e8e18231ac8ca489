"""Reads JSON as entries: the project's own lines, as GET /books returns them, and LibraryThing's files."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TextIO

import msgspec

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shelf.library_files.build import build
from bookshelf.shelf.library_files.entry import Line, NotALibrary, Refusal
from bookshelf.shelf.library_files.format import EXTRA, IGNORED, Cell, Fields, Format, folded
from bookshelf.shelf.library_files.formats import OWN, join_tags
from bookshelf.shelf.library_files.json_files import BOOK, GOAL, LIST, READ_FIELDS, to_line
from bookshelf.shelf.library_files.json_records import JsonRecord, json_lines, json_members
from bookshelf.shelf.library_files.program_formats import LIBRARYTHING_JSON
from bookshelf.shelf.library_files.setting import Options, Setting, Survey
from bookshelf.shelf.library_files.source import Source

JSON_LINES = Format(
    name="Bookshelf JSON lines",
    marks=OWN.marks,
    columns=OWN.columns,
    split_tags=OWN.split_tags,
    exact=True,
)

_TYPES = (BOOK, LIST, GOAL)
_NO_OBJECT = phrase("no JSON object on one line: correct the line")
_NAMES = ("fl", "name", "text", "value", "title")
"""The member of an object inside a list that names it."""


class JsonTable(NamedTuple):
    """A file of JSON objects, split by `split`."""

    source: Source
    form: Format
    split: Callable[[TextIO], Iterator[JsonRecord]]
    delimiter: str = ""
    header: tuple[str, ...] = ()

    def setting(self, options: Options) -> Setting:
        """Read the file once and return the setting for all its objects."""
        survey = Survey(self.form, {})
        fields: dict[str, str] = {}
        for record in self.records():
            found = self._survey(decode_object(record), fields, options)
            if isinstance(found, Phrase):
                survey.skip()
            else:
                survey.add(found)
        for name, field in fields.items():
            survey.columns.setdefault(name, field)
        return survey.setting(options, self.delimiter)

    def _survey(
        self, book: dict[str, Any] | Phrase, columns: dict[str, str], options: Options
    ) -> Fields | Phrase:
        """Return the fields of an object as `_read` does; those of an export have their own names."""
        if isinstance(book, Phrase) or not self.form.exact or book.get("type") not in _TYPES:
            return self._read(book, columns, options)
        if book["type"] != BOOK:
            return {}
        columns |= {name: name if name in READ_FIELDS else IGNORED for name in book}
        given = {name: value for name, value in book.items() if value not in (None, "", [], {})}
        texts = {
            name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
            for name, value in given.items()
        }
        return {name: [Cell(name, text)] for name, text in texts.items()}

    def entries(self, setting: Setting) -> Iterator[Line]:
        """Yield what each object is, in the file's order."""
        for record in self.records():
            book, raw = decode_object(record), (record.text,)
            fields = self._read(book, {}, setting.options)
            if self.form.exact and isinstance(book, dict) and book.get("type") in _TYPES:
                yield to_line(record.line, book, raw)
            elif isinstance(fields, Phrase):
                yield Refusal(record.line, fields, raw)
            else:
                yield build(record.line, fields, raw, setting)

    def records(self) -> Iterator[JsonRecord]:
        """Yield the texts of the objects."""
        with self.source.open() as stream:
            yield from self.split(stream)

    def _read(
        self, book: dict[str, Any] | Phrase, columns: dict[str, str], options: Options
    ) -> Fields | Phrase:
        """Return the fields of an object, or its fault; `columns` gets the field of each of its names."""
        if isinstance(book, Phrase):
            return book
        fields: Fields = {}
        for name, value in book.items():
            field = options.columns.get(name) or _field_of(self.form, name)
            columns[name] = field
            text = json_text(value, exact=self.form.exact)
            if text is None and field not in (EXTRA, IGNORED):
                return phrase("{name} is neither text nor a number: correct it", name=name)
            if text and text.strip():
                fields.setdefault(field, []).append(Cell(name, text))
        return fields


def _field_of(form: Format, name: str) -> str:
    text = folded(name)
    if text in form.ignored or (form.exact and name not in _OWN_NAMES):
        return IGNORED
    return next((field for field, listed in form.columns.items() if text in listed), EXTRA)


_OWN_NAMES = {listed[0] for listed in OWN.columns.values()}


def open_json(source: Source) -> JsonTable | None:
    """Return the file as JSON; None if it does not start as JSON does.

    Raises `NotALibrary` for JSON whose first object is not a book.
    """
    lines = JsonTable(source, JSON_LINES, json_lines)
    first = next(lines.records(), JsonRecord(1, ""))
    if not first.text.startswith(("{", "[")):
        return None
    tables = [lines] if isinstance(decode_object(first), dict) else []
    tables.append(JsonTable(source, JSON_LINES, json_members))
    for table in tables:
        book = decode_object(next(table.records(), JsonRecord(1, "")))
        if isinstance(book, dict):
            names = {folded(name) for name in book}
            for form in (LIBRARYTHING_JSON, JSON_LINES):
                if names >= form.marks - {"author", "state", "added"} and "title" in names:
                    return table._replace(form=form)
            if book.get("type") in _TYPES:
                return table
    raise NotALibrary(
        phrase(
            "{file} is JSON, but its first line is no book: needed is one object on each line,"
            " such as {example}, or an array of such objects",
            file=str(source.path),
            example='{"title": "…", "author": "…"}',
        )
    )


def decode_object(record: JsonRecord) -> dict[str, Any] | Phrase:
    """Return the object, or its fault."""
    if record.fault:
        return record.fault
    try:
        book = msgspec.json.decode(record.text)
    except (msgspec.DecodeError, RecursionError):
        return _NO_OBJECT
    return book if isinstance(book, dict) else _NO_OBJECT


def json_text(value: object, *, exact: bool) -> str | None:
    """Return a value as the text of a cell; None if it is neither text, a number nor a list of texts."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if exact:
        texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return join_tags(value) if isinstance(value, list) and texts else None
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return ", ".join(filter(None, (json_text(_named(item), exact=exact) for item in items)))


def _named(item: object) -> object:
    if isinstance(item, dict):
        return next((item[name] for name in _NAMES if name in item), "")
    return item
