"""Compares the line of a file with a book of the shelf: what to request of the shelf, and what differs.

Pure functions on values. Whether a value of the shelf came from a file or was set by hand is asked only where
the two differ; a value that was set by hand is kept unless the caller prefers the file.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from bookshelf.shelf import limits
from bookshelf.shelf.fields import DEFAULTS, BookFields
from bookshelf.shelf.isbn import isbn_title
from bookshelf.shelf.library_files.contributors import merge_people
from bookshelf.shelf.library_files.entry import Entry, FileReading, ProgressNote
from bookshelf.shelf.library_files.match import isbn_key, match_readings, name_words, same_date
from bookshelf.shelf.library_files.shelf_index import NEVER, ShelfBook
from bookshelf.shelf.search_text import fold
from bookshelf.shelf.values import Contributor, Cover, ReadingProgress, derived_author


class ShelfRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request on a book. In `path`, {id} is the book and {reading} the reading that was recorded last."""

    method: Literal["POST", "PATCH", "PUT"]
    path: str
    body: dict[str, Any] = {}

    def addressed(self, book_id: str, reading: int | None) -> tuple[str, dict[str, Any]]:
        """Return the path and the body for a book and the reading that was recorded last."""
        path, body = self.path.replace("{id}", quote(book_id, safe="")), dict(self.body)
        if reading is not None:
            path = path.replace("{reading}", str(reading))
            body |= {"reading": reading} if body.get("reading") == "{reading}" else {}
        return path, body


class Difference(msgspec.Struct, frozen=True):
    """A value of the file that differs from the shelf's. `taken`: the shelf has the file's value now."""

    line: int
    book: str
    field: str
    shelf: Any
    file: Any
    taken: bool


class Comparison(NamedTuple):
    """What a line leads to: requests in their sequence, differences, and the book after the requests."""

    requests: tuple[ShelfRequest, ...]
    differences: tuple[Difference, ...]
    after: ShelfBook


Origin = Callable[[str], bool]
"""True if the value of a field came from a file. Fields: "title", "ids.goodreads", "reading 2: ended", …"""


def compare(entry: Entry, book: ShelfBook, *, exact: bool, take: Origin) -> Comparison:
    """Compare a line with the book that it was matched with.

    `exact`: the line is of the project's own files, whose values are compared as they are. `take(field)` is
    asked for each value that differs: True takes the file's.
    """
    comparing = _Comparing(entry, book, exact, take)
    comparing.fields()
    comparing.beside_fields()
    return Comparison(tuple(comparing.requests), tuple(comparing.differences), comparing.after)


def new_book(entry: Entry) -> tuple[ShelfRequest, ...]:
    """Return the requests that put a line onto the shelf as a new book; the first has no time of adding."""
    body = _body(entry.book)
    if entry.book.contributors:
        body.pop("author", None)
    if not entry.book.contributors and not entry.book.author:
        body["contributors"] = []
    if entry.id is not None:
        body["id"] = entry.id
    blank = ShelfBook(id="", book=entry.book, added=NEVER)
    rest = _Comparing(entry, blank, True, lambda _field: True)  # noqa: FBT003 (of this module)
    rest.beside_fields()
    return (ShelfRequest("POST", "/books", body), *rest.requests)


_PARTS = frozenset({"author", "contributors", "tags", "ids", "extra", "series"})
_PLAIN = tuple(name for name in DEFAULTS if name not in _PARTS)
_MOST = {"ids": limits.IDS_MAX, "extra": limits.EXTRA_MAX}


def _body(value: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that have a value, as JSON has them."""
    body: dict[str, Any] = msgspec.to_builtins(value)
    return body


class _Comparing:
    """The requests and differences of one comparison, while it is made."""

    def __init__(self, entry: Entry, book: ShelfBook, exact: bool, take: Origin) -> None:  # noqa: FBT001 (of this module)
        self._entry = entry
        self._book = book
        self._exact = exact
        self._take = take
        self.requests: list[ShelfRequest] = []
        self.differences: list[Difference] = []
        self.after = book

    def _differ(self, field: str, shelf: object, file: object) -> bool:
        """List a difference; return True if the file's value is taken."""
        taken = self._take(field)
        self._list(field, shelf, file, taken=taken)
        return taken

    def _list(self, field: str, shelf: object, file: object, *, taken: bool) -> None:
        line, title = self._entry.line, self._book.book.title
        on_shelf, in_file = msgspec.to_builtins([shelf, file])
        self.differences.append(Difference(line, title, field, on_shelf, in_file, taken))

    def _request(self, method: Literal["POST", "PATCH", "PUT"], path: str, **body: object) -> None:
        self.requests.append(ShelfRequest(method, f"/books/{{id}}{path}", msgspec.to_builtins(body)))

    def _choose(self, field: str, shelf: Any, file: Any, empty: object = None) -> bool:  # noqa: ANN401 (of any field)
        """Return True if the file's value is to be set: the shelf has none, or a different one gives way."""
        if file == empty or _equal(field, file, shelf, exact=self._exact):
            return False
        return bool(shelf == empty) or self._differ(field, shelf, file)

    def fields(self) -> None:
        """Compare the fields of the book: one request has all changes."""
        file, shelf = self._entry.book, self._book.book
        changes = {
            name: getattr(file, name)
            for name in _PLAIN
            if self._choose(name, self._known(shelf, name), self._known(file, name))
        }
        changes |= self._authors() | self._tags() | self._series()
        maps = {name: self._map(name) for name in _MOST}
        changes |= {name: given for name, given in maps.items() if given}
        if not changes:
            return
        self._request("PATCH", "", **changes)
        changed = {
            **changes,
            **{name: {**getattr(shelf, name), **given} for name, given in maps.items() if given},
        }
        if "contributors" in changed:
            changed["author"] = derived_author(changed["contributors"])
        self.after = replace(self.after, book=replace(shelf, **changed))

    def _known(self, book: BookFields, name: str) -> Any:  # noqa: ANN401 (of any field)
        """Return a field's value; None for a title that stands in for an unknown one."""
        value = getattr(book, name)
        stands_in = name == "title" and book.isbn and value == isbn_title(book.isbn)
        return None if stands_in and not self._exact else value

    def _authors(self) -> dict[str, Any]:
        file, shelf = self._entry.book, self._book.book
        if not file.contributors:
            return {"author": file.author} if self._choose("author", shelf.author, file.author, "") else {}
        if file.contributors == shelf.contributors:
            return {}
        same_text = derived_author(file.contributors) == shelf.author
        if not shelf.author or (same_text and not shelf.contributors):
            return {"contributors": file.contributors}
        if not self._exact and same_text:
            merged = merge_people(shelf.contributors, file.contributors)
            return {"contributors": merged} if merged != shelf.contributors else {}
        known = shelf.contributors or (Contributor(shelf.author),)
        if not self._exact and {(name_words(p.name), p.role) for p in file.contributors} <= {
            (name_words(p.name), p.role) for p in known
        }:
            return {}
        return (
            {"contributors": file.contributors}
            if self._differ("contributors", known, file.contributors)
            else {}
        )

    def _tags(self) -> dict[str, Any]:
        shelf = self._book.book.tags
        known = {_tag_key(tag, exact=self._exact) for tag in shelf}
        new = [tag for tag in self._entry.book.tags if _tag_key(tag, exact=self._exact) not in known]
        room = limits.TAGS_MAX - len(shelf)
        if len(new) > room:
            self._list("tags", shelf, new[room:], taken=False)  # no room for these
        return {"tags": (*shelf, *new[:room])} if new[:room] else {}

    def _series(self) -> dict[str, Any]:
        file, shelf = self._entry.book.series, self._book.book.series
        if not self._exact and set(file) <= set(shelf):
            return {}
        names = {fold(entry.name) for entry in file}
        others = () if self._exact else tuple(entry for entry in shelf if fold(entry.name) not in names)
        merged = (*others, *file)[: limits.SERIES_MAX]
        if not file or merged == shelf:
            return {}
        new = not shelf or len(others) == len(shelf)
        return {"series": merged} if new or self._differ("series", shelf, merged) else {}

    def _map(self, name: str) -> dict[str, str]:
        """Return the new and the changed entries of `ids` or `extra`."""
        file: Mapping[str, str] = getattr(self._entry.book, name)
        shelf: Mapping[str, str] = getattr(self._book.book, name)
        taken = {
            key: value for key, value in file.items() if self._choose(f"{name}.{key}", shelf.get(key), value)
        }
        room = _MOST[name] - len(shelf)
        new = [key for key in taken if key not in shelf]
        if len(new) > room:
            self._list(name, shelf, {key: taken.pop(key) for key in new[room:]}, taken=False)
        return taken

    def beside_fields(self) -> None:
        """Compare all but the fields of the book."""
        self._opinion()
        self._readings()
        self._passages()
        self._cover()

    def _opinion(self) -> None:
        """Compare the stars and the review that a line has for the book, and not for a reading."""
        entry, book = self._entry, self._book
        if self._choose("stars", book.stars, entry.stars):
            self._request("PUT", "/rating", stars=entry.stars)
            self.after = replace(self.after, stars=entry.stars)
        if self._choose("review", book.review, entry.review):
            self._request("PUT", "/review", text=entry.review, spoiler=entry.spoiler)
            self.after = replace(self.after, review=entry.review, spoiler=entry.spoiler)

    def _readings(self) -> None:
        """Compare the readings: a new one is recorded, and the values of a known one are compared."""
        after = {reading.number: reading for reading in self._book.readings}
        added: list[FileReading] = []
        pairs = match_readings(self._entry.readings, self._book.readings, exact=self._exact)
        for file, shelf in pairs:
            if shelf is None or self._is_another(file, shelf):
                self._record(file)
                added.append(replace(file, number=None))
            else:
                after[shelf.number] = self._reading(file, shelf)
        self.after = replace(self.after, readings=(*after.values(), *added))

    def _is_another(self, file: FileReading, shelf: FileReading) -> bool:
        """Return True if the file's open reading began after the shelf's, which a file had as ended."""
        if file.end != "open" or shelf.end == "open" or same_date(file.started, shelf.started):
            return False
        opened = any(reading.end == "open" for reading in self._book.readings)
        return not self._exact and not opened and self._take(f"reading {shelf.number}: end")

    def _record(self, reading: FileReading) -> None:
        """Request a new reading. One with progress entries is open until they are noted."""
        known = {"started": reading.started, "format": reading.format}
        noted = reading.entries or ((ProgressNote(reading.progress),) if reading.progress else ())
        if reading.end != "open" and not noted:
            ended = {"end": reading.end, "ended": reading.ended, "reason": reading.reason}
            self._request("POST", "/readings", **_given(known | ended | _opinion(reading)))
            return
        self._request("POST", "/readings", **_given(known, "started"))
        for entry in noted:
            self._note("{reading}", entry)
        self._end("{reading}", reading)
        if reading.paused:
            self._request("POST", "/readings/{reading}/paused", on=None)
        if reading.end != "finished":
            self._rate("{reading}", reading)

    def _note(self, number: object, entry: ProgressNote) -> None:
        body = {"progress": entry.progress, "on": entry.on, "note": entry.note}
        self._request("POST", f"/readings/{number}/progress", **_given(body, "on"))

    def _end(self, number: object, reading: FileReading) -> None:
        """Request the end that a reading has in the file."""
        path = f"/readings/{number}/{reading.end}"
        if reading.end == "finished":
            self._request("POST", path, finished=reading.ended, **_given(_opinion(reading)))
        elif reading.end == "abandoned":
            self._request("POST", path, **_given({"on": reading.ended, "reason": reading.reason}, "on"))

    def _rate(self, number: object, reading: FileReading) -> None:
        if reading.stars is not None:
            self._request("PUT", "/rating", stars=reading.stars, reading=number)
        if reading.review is not None:
            self._request("PUT", "/review", text=reading.review, spoiler=reading.spoiler, reading=number)

    def _reading(self, file: FileReading, shelf: FileReading) -> FileReading:
        """Compare a reading of the file with the shelf's; return that after the requests."""
        number, path = shelf.number, f"/readings/{shelf.number}"
        dates = ("started", "format") if file.end != shelf.end else ("started", "ended", "format")
        changes = {
            name: getattr(file, name)
            for name in dates
            if self._choose(f"reading {number}: {name}", getattr(shelf, name), getattr(file, name))
        }
        if changes:
            self._request("PATCH", path, **changes)
            shelf = replace(shelf, **changes)
        if shelf.end == "open":
            shelf = self._progress(file, shelf)
        if file.end != shelf.end and self._ends(file, shelf):
            if shelf.end != "open":
                self._request("POST", f"{path}/reopened")
            self._end(number, replace(file, stars=None, review=None))
            shelf = replace(shelf, end=file.end, ended=file.ended, paused=False)
        return self._opinion_of(file, shelf)

    def _ends(self, file: FileReading, shelf: FileReading) -> bool:
        """Return True if the shelf's reading gets the end of the file's: a known date of it is enough."""
        if shelf.end == "open" and file.ended is not None:
            return True
        return self._differ(f"reading {shelf.number}: end", shelf.end, file.end)

    def _progress(self, file: FileReading, shelf: FileReading) -> FileReading:
        """Compare the progress of an open reading, and if it is paused."""
        number = shelf.number
        new = [
            entry for entry in file.entries if not any(_same_entry(entry, other) for other in shelf.entries)
        ]
        field = f"reading {number}: progress"
        same = not file.progress or _same_progress(file.progress, shelf.progress)
        if not file.entries and not same and self._choose(field, shelf.progress, file.progress):
            new.append(ProgressNote(cast("ReadingProgress", file.progress)))
        for entry in new:
            self._note(number, entry)
        paused = file.paused or (shelf.paused and not self._exact)
        field = f"reading {number}: paused"
        if file.end == "open" and paused != shelf.paused and self._differ(field, shelf.paused, paused):
            self._request("POST", f"/readings/{number}/{'paused' if paused else 'resumed'}", on=None)
            shelf = replace(shelf, paused=paused)
        progress = new[-1].progress if new else shelf.progress
        return replace(shelf, entries=(*shelf.entries, *new), progress=progress)

    def _opinion_of(self, file: FileReading, shelf: FileReading) -> FileReading:
        number = shelf.number
        if self._choose(f"reading {number}: stars", shelf.stars, file.stars):
            self._request("PUT", "/rating", stars=file.stars, reading=number)
            shelf = replace(shelf, stars=file.stars)
        if self._choose(f"reading {number}: review", shelf.review, file.review):
            self._request("PUT", "/review", text=file.review, spoiler=file.spoiler, reading=number)
            shelf = replace(shelf, review=file.review, spoiler=file.spoiler)
        return shelf

    def _passages(self) -> None:
        """Add the passages that the book does not have."""
        new = [passage for passage in self._entry.passages if passage not in self._book.passages]
        for passage in new:
            self._request("POST", "/passages", **_given(msgspec.structs.asdict(passage)))
        self.after = replace(self.after, passages=(*self._book.passages, *new))

    def _cover(self) -> None:
        """Compare the cover, which is named by its digest."""
        if self._choose("cover", self._book.cover, self._entry.cover):
            cover = cast("Cover", self._entry.cover)
            self._request("PUT", "/cover", **msgspec.structs.asdict(cover))
            self.after = replace(self.after, cover=cover)


def _given(body: dict[str, Any], *kept: str) -> dict[str, Any]:
    """Return the fields that have a value, and those `kept`: there null is unknown, not the day of today."""
    return {
        name: value
        for name, value in body.items()
        if name in kept or (value is not None and value is not False)
    }


def _opinion(reading: FileReading) -> dict[str, Any]:
    return {"stars": reading.stars, "review": reading.review, "spoiler": reading.spoiler}


def _same_progress(file: ReadingProgress, shelf: ReadingProgress | None) -> bool:
    """Return True if two are equal; the shelf has filled in a total that the file did not have."""
    return shelf is not None and (file == shelf or file == replace(shelf, of=None))


def _same_entry(file: ProgressNote, shelf: ProgressNote) -> bool:
    return (file.on, file.note) == (shelf.on, shelf.note) and _same_progress(file.progress, shelf.progress)


def _equal(field: str, file: Any, shelf: Any, *, exact: bool) -> bool:  # noqa: ANN401 (of any field)
    if file == shelf or exact or not isinstance(file, str) or not isinstance(shelf, str):
        return bool(file == shelf)
    match field.rpartition(" ")[2]:
        case "isbn":
            return isbn_key(file) == isbn_key(shelf)
        case "author":
            return name_words(file) == name_words(shelf)
        case "published" | "first_published" | "started" | "ended" | "lent_on":
            return shelf.startswith(file)  # the file's date is not the finer one
    return file.split() == shelf.split()


def _tag_key(tag: str, *, exact: bool) -> str:
    return tag if exact else " ".join(fold(tag).split())
