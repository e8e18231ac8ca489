"""An import as a whole, onto a shelf of deciders: what it changes, what it keeps, what it reports."""

import asyncio
import csv
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace
from support.pure_shelf import NOW, PureShelf
from unit.library_files.shelf_books import shelves

from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.cqrs.phrases import Phrase
from bookshelf.shelf.fields import BookFields
from bookshelf.shelf.library_files.csv_books import row_to_entry
from bookshelf.shelf.library_files.entry import (
    Entry,
    FileGoal,
    FileList,
    FileReading,
    Line,
    ListPlace,
    Refusal,
)
from bookshelf.shelf.library_files.export import write_csv
from bookshelf.shelf.library_files.json_files import Written, to_line, write_jsonl
from bookshelf.shelf.library_files.report import ImportReport
from bookshelf.shelf.library_files.runner import ImportOptions, ImportRunner
from bookshelf.shelf.library_files.shelf_copy import copy_shelf
from bookshelf.shelf.library_files.shelf_index import ShelfBook, ShelfIndex
from bookshelf.shelf.lists import UP_NEXT

COUNTS = ("read", "added", "updated", "finished", "unchanged", "restored", "skipped")
PLAIN, EXACT = ImportOptions(), ImportOptions(exact=True)


async def bring(
    shelf: PureShelf,
    lines: Sequence[Line],
    options: ImportOptions = PLAIN,
    *,
    preview: bool = False,
    start: datetime = NOW,
) -> dict[str, Any]:
    """Import lines; return the report."""
    with ImportReport(f"import-{len(shelf.requests)}", preview=preview) as report, ShelfIndex() as index:
        await ImportRunner(shelf, index, report, options, start).run(lines, lambda: None)
        told: dict[str, Any] = msgspec.json.decode(b"".join(report.as_json()))
        return told


def counts(report: dict[str, Any]) -> dict[str, int]:
    """Return the counts that are not 0."""
    assert report["refused"] == [], report["refused"]
    return {name: report[name] for name in COUNTS if report[name]}


async def export(shelf: PureShelf) -> str:
    with ShelfIndex() as index:
        await copy_shelf(shelf, index)
        return "".join(write_jsonl(chain(index.books(), index.lists(), index.goals())))


def lines_of(text: str) -> list[Line]:
    numbered = enumerate(text.splitlines(keepends=True), start=1)
    return [to_line(number, msgspec.json.decode(line), (line,)) for number, line in numbered]


def line(number: int, title: str = "Dune", *readings: FileReading, **fields: Any) -> Entry:  # noqa: ANN401 (of any field)
    book = BookFields(**{"title": title, "author": "Frank Herbert", **fields})
    return Entry(line=number, book=book, readings=readings)


async def only(shelf: PureShelf) -> dict[str, Any]:
    (book,) = (await shelf.get("/bookshelf/books", {})).body
    return dict(book)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(shelves())
def test_export_import_export_are_equal(things: list[Written]) -> None:
    asyncio.run(check_round_trip(things))


async def check_round_trip(things: list[Written]) -> None:
    shelf = PureShelf()
    books = [thing for thing in things if isinstance(thing, ShelfBook)]
    first = await bring(shelf, lines_of("".join(write_jsonl(things))), EXACT)
    assert counts(first).get("added", 0) == len(books)
    text = await export(shelf)
    assert text == "".join(write_jsonl(things))

    sent = len(shelf.requests)
    again = await bring(shelf, lines_of(text), EXACT)
    assert counts(again) == ({"read": len(books), "unchanged": len(books)} if books else {})
    assert len(shelf.requests) == sent
    assert await export(shelf) == text

    await remove_all(shelf, things)
    assert await export(shelf) == ""
    restored = await bring(shelf, lines_of(text), EXACT)
    assert restored["restored"] == len(books)
    assert await export(shelf) == text


async def remove_all(shelf: PureShelf, things: list[Written]) -> None:
    for thing in things:
        match thing:
            case ShelfBook(id=id_):
                await shelf.by_hand("DELETE", f"/books/{id_}")
            case FileList(id=id_) if id_ != UP_NEXT:
                await shelf.by_hand("DELETE", f"/lists/{id_}")
            case FileGoal(year=year):
                await shelf.by_hand("PUT", f"/goals/{year}", {})


async def test_a_second_import_changes_nothing() -> None:
    shelf = PureShelf()
    lines = [
        line(2, "Dune", FileReading(ended="2024-03-01", stars=4.5), tags=("sf",)),
        line(3, "Dune Messiah", FileReading(end="open", started="2024-05")),
        line(4, "Children of Dune"),
    ]
    assert counts(await bring(shelf, lines)) == {"read": 3, "added": 3, "finished": 1}
    sent = len(shelf.requests)
    assert counts(await bring(shelf, lines)) == {"read": 3, "unchanged": 3}
    assert len(shelf.requests) == sent


class LaggingShelf(PureShelf):
    """A shelf whose list of books is empty, as if its view had not caught up."""

    async def get(self, target: str, headers: Mapping[str, str] | None = None) -> ApiAnswer:
        if target.startswith("/bookshelf/books?"):
            return ApiAnswer(200, {}, [])
        return await super().get(target, headers)


async def test_an_import_is_repeated_before_the_list_shows_its_books() -> None:
    shelf = LaggingShelf()
    lines = [line(2, "Dune", FileReading(ended="2024")), line(3, "Emma")]
    assert counts(await bring(shelf, lines)) == {"read": 2, "added": 2, "finished": 1}
    log = dict(shelf.log)
    again = await bring(shelf, lines, start=NOW + timedelta(hours=1))
    assert counts(again) == {"read": 2, "unchanged": 2}
    assert shelf.log == log


async def test_a_preview_reports_the_same_and_changes_nothing() -> None:
    shelf = PureShelf()
    await bring(shelf, [line(2, pages=400)])
    lines = [
        line(2, pages=412),
        line(3, "New", FileReading(ended="2024")),
        line(4, "Dune", isbn="0441013597"),
    ]
    sent = len(shelf.requests)
    told = await bring(shelf, lines, preview=True)
    assert len(shelf.requests) == sent
    real = await bring(shelf, lines)
    for report in (told, real):
        del report["seconds"], report["preview"], report["correlation"]
    assert told == real


async def test_a_later_file_brings_changed_values_and_keeps_what_was_set_by_hand() -> None:
    shelf = PureShelf()
    await bring(shelf, [line(2, pages=400, notes="old", tags=("sf",))])
    book = await only(shelf)
    await shelf.by_hand("PATCH", f"/books/{book['id']}", {"notes": "mine"})
    later = line(2, "Dune", FileReading(ended="2024-03-01"), pages=412, notes="new", tags=("sf", "desert"))
    report = await bring(shelf, [later])
    assert counts(report) == {"read": 1, "updated": 1, "finished": 1}
    told = [(each["field"], each["shelf"], each["file"], each["taken"]) for each in report["differences"]]
    assert told == [("pages", 400, 412, True), ("notes", "mine", "new", False)]
    book = await only(shelf)
    assert (book["pages"], book["notes"], book["tags"]) == (412, "mine", ["sf", "desert"])
    assert counts(await bring(shelf, [later], ImportOptions(prefer_file=True))) == {"read": 1, "updated": 1}
    assert (await only(shelf))["notes"] == "new"


@pytest.mark.parametrize(
    "changed", [{"isbn": "0441013597"}, {"published": "1966"}, {"author": "Herbert, Frank"}]
)
async def test_a_corrected_field_makes_no_second_copy(changed: dict[str, str]) -> None:
    shelf = PureShelf()
    await bring(shelf, [line(2, published="1965")])
    await shelf.by_hand("PATCH", f"/books/{(await only(shelf))['id']}", changed)
    await bring(shelf, [line(2, published="1965")])
    assert (await only(shelf))["title"] == "Dune"


async def test_the_same_line_works_again_after_the_book_was_removed() -> None:
    shelf = PureShelf()
    await bring(shelf, [line(2)])
    book = await only(shelf)
    await shelf.by_hand("DELETE", f"/books/{book['id']}")
    told = await bring(shelf, [line(2)])
    assert counts(told) == {"read": 1, "skipped": 1}
    assert "--restore-removed" in told["warnings"][0]["reason"]
    assert counts(await bring(shelf, [line(2)], ImportOptions(restore_removed=True))) == {
        "read": 1,
        "restored": 1,
    }
    assert (await only(shelf))["id"] == book["id"]


async def test_an_own_export_leaves_removed_books_out_if_so_chosen() -> None:
    shelf = PureShelf()
    await bring(shelf, [line(2)])
    text = await export(shelf)
    await shelf.by_hand("DELETE", f"/books/{(await only(shelf))['id']}")
    options = ImportOptions(exact=True, skip_removed=True)
    assert counts(await bring(shelf, lines_of(text), options)) == {"read": 1, "skipped": 1}


async def test_an_own_export_takes_the_book_that_a_removed_one_was_merged_into() -> None:
    shelf = PureShelf()
    await bring(shelf, [line(2, "One"), line(3, "Two", pages=7)])
    text = await export(shelf)
    ids = {book["title"]: book["id"] for book in (await shelf.get("/bookshelf/books", {})).body}
    await shelf.by_hand("DELETE", f"/books/{ids['Two']}?merged-into={ids['One']}")
    told = await bring(shelf, lines_of(text), EXACT)
    assert told["restored"] == 0
    assert (await only(shelf))["pages"] == 7


async def test_lines_of_one_file_that_are_one_book_are_its_readings() -> None:
    shelf = PureShelf()
    lines = [
        line(2, "Dune", FileReading(ended="2020"), pages=400),
        line(3, "Other"),
        line(4, "Dune", FileReading(ended="2024-05"), pages=412),
    ]
    for expected in ({"read": 3, "added": 2, "finished": 1, "updated": 1}, {"read": 3, "unchanged": 3}):
        told = await bring(shelf, lines)
        assert counts(told) == expected
        assert [(each["field"], each["taken"]) for each in told["differences"]] == [("pages", False)]
    book = (await shelf.get("/bookshelf/books", {})).body[0]
    assert (book["readings"], book["pages"], book["finished_on"]) == (2, 400, "2024-05")


async def test_a_line_of_a_book_whose_first_line_was_refused_adds_it() -> None:
    shelf = PureShelf()
    refused = replace(line(2), book=BookFields(title="Dune", author="Frank Herbert", pages=-1))
    told = await bring(shelf, [refused, line(3)])
    assert [each["line"] for each in told["refused"]] == [2]
    assert (told["added"], (await only(shelf))["title"]) == (1, "Dune")


async def test_a_refused_value_refuses_the_line_and_names_it() -> None:
    shelf = PureShelf()
    told = await bring(shelf, [line(2, "x" * 2000), Refusal(3, Phrase("the title is blank"), ("",)), line(4)])
    assert [each["line"] for each in told["refused"]] == [3, 2]
    assert told["added"] == 1


async def test_a_finished_book_stays_finished_when_the_program_reads_it_again() -> None:
    shelf = PureShelf()
    await bring(shelf, [line(2, "Dune", FileReading(ended="2023"))])
    await bring(shelf, [line(2, "Dune", FileReading(end="open"))])
    book = await only(shelf)
    assert (book["state"], book["readings"]) == ("reading", 2)
    assert counts(await bring(shelf, [line(2, "Dune", FileReading(ended="2024"))])) == {
        "read": 1,
        "updated": 1,
        "finished": 1,
    }
    assert (await only(shelf))["readings"] == 2


async def titles_on(shelf: PureShelf, list_id: str) -> list[str]:
    answer = await shelf.get(f"/bookshelf/lists/{list_id}")
    return [entry["book"]["title"] for entry in answer.body["entries"]]


async def id_of(shelf: PureShelf, name: str) -> str:
    [found] = [each["id"] for each in (await shelf.get("/bookshelf/lists")).body if each["name"] == name]
    return str(found)


def listed(number: int, title: str, *lists: ListPlace) -> Entry:
    return replace(line(number, title), lists=lists)


async def test_lists_are_filled_by_the_positions_of_the_file_then_in_its_sequence() -> None:
    shelf = PureShelf()
    lines = [
        listed(2, "A", ListPlace("up-next"), ListPlace("Holidays", 3)),
        listed(3, "B", ListPlace("up-next"), ListPlace("Holidays", 1)),
        listed(4, "C", ListPlace("Holidays"), ListPlace("Holidays", 2)),
    ]
    preview = await bring(shelf, lines, preview=True)
    report = await bring(shelf, lines)
    assert preview["listed"] == report["listed"] == 5
    assert await titles_on(shelf, "up-next") == ["A", "B"]
    assert await titles_on(shelf, await id_of(shelf, "Holidays")) == ["B", "A", "C"]


async def test_a_later_file_adds_to_lists_what_they_lack_and_keeps_their_order() -> None:
    shelf = PureShelf()
    await bring(shelf, [listed(2, "A", ListPlace("Holidays")), listed(3, "B", ListPlace("Holidays"))])
    holidays = await id_of(shelf, "Holidays")
    [first, second] = [each["id"] for each in (await shelf.get("/bookshelf/books")).body]
    await shelf.by_hand("PUT", f"/lists/{holidays}/books/{first}", {"after": second})
    lines = [listed(number, title, ListPlace("Holidays")) for number, title in enumerate("ABC", 2)]
    assert (await bring(shelf, lines))["listed"] == 1
    assert await titles_on(shelf, holidays) == ["B", "A", "C"]
    assert (await bring(shelf, lines))["listed"] == 0
    await shelf.by_hand("DELETE", f"/lists/{holidays}/books/{first}")
    assert (await bring(shelf, lines))["listed"] == 1  # an import decides by what is on the shelf now
    assert await titles_on(shelf, holidays) == ["B", "C", "A"]


@pytest.mark.parametrize("preview", [True, False])
async def test_a_new_line_is_another_book_than_one_whose_id_is_made_of_its_number(*, preview: bool) -> None:
    shelf = PureShelf()
    await shelf.by_hand("POST", "/books", {"id": "new-2", "title": "Emma", "author": "Jane Austen"})
    assert counts(await bring(shelf, [line(2)], preview=preview)) == {"read": 1, "added": 1}


@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_lists_survive_export_and_import(form: str) -> None:
    shelf, other = PureShelf(), PureShelf()
    await bring(shelf, [listed(2, "A", ListPlace("up-next")), listed(3, "B", ListPlace("Lent | out (#2)"))])
    lent = await id_of(shelf, "Lent | out (#2)")
    [first, _] = [each["id"] for each in (await shelf.get("/bookshelf/books")).body]
    await shelf.by_hand("PUT", f"/lists/{lent}/books/{first}", {"after": None})
    with ShelfIndex() as index:
        await copy_shelf(shelf, index)
        text = await export(shelf) if form == "jsonl" else "".join(write_csv(index.books()))
    report = await bring(other, entries_of(text), EXACT)
    assert (report["listed"], report["refused"]) == (3, [])
    assert await titles_on(other, await id_of(other, "Lent | out (#2)")) == ["A", "B"]
    assert await titles_on(other, "up-next") == ["A"]


def entries_of(text: str) -> list[Line]:
    """Return the entries of an export, JSON lines or CSV."""
    if text.startswith("{"):
        return lines_of(text)
    header, *rows = csv.reader(text.removeprefix("\ufeff").splitlines())
    return [row_to_entry(number, header, tuple(row)) for number, row in enumerate(rows, 2)]


async def test_other_tasks_have_their_turn_while_a_file_is_previewed() -> None:
    turns = 0

    async def work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)  # sleep: gives the other tasks their turn

    other = asyncio.create_task(work())
    lines = [line(number, f"Volume {number}") for number in range(400)]
    report = await bring(PureShelf(), lines, preview=True)
    other.cancel()
    assert report["added"] == 400
    assert turns >= 20
