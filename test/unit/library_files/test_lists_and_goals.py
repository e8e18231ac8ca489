"""The lists and goals of an export: what an import restores, keeps, and reports."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.pure_shelf import NOW, PureShelf
from unit.library_files.files import TODAY
from unit.library_files.test_runner import EXACT, bring, export, id_of, lines_of, only, titles_on

from bookshelf.shelf.library_files import Options, read_library
from bookshelf.shelf.library_files.entry import Entry, FileEntry, FileGoal, FileList, Refusal
from bookshelf.shelf.library_files.runner import ImportOptions

PREFERRED = ImportOptions(exact=True, prefer_file=True)


async def with_list(shelf: PureShelf) -> str:
    """Put a list with two books and a goal onto a shelf; return its export."""
    for book in ("a", "b"):
        body = {"id": book, "title": book.upper(), "author": "x", "added": "2024-01-01T00:00:00Z"}
        await shelf.by_hand("POST", "/books", body)
    await shelf.by_hand("POST", "/lists", {"id": "h", "name": "Holidays"})
    for book in ("b", "a"):
        await shelf.by_hand("PUT", f"/lists/h/books/{book}")
    await shelf.by_hand("PUT", "/goals/2026", {"books": 24})
    return await export(shelf)


async def test_an_export_has_lists_and_goals_as_objects_of_their_own() -> None:
    things = [msgspec.json.decode(line) for line in (await with_list(PureShelf())).splitlines()]
    added = NOW.isoformat().replace("+00:00", "Z")
    assert things[2:] == [
        {
            "type": "list",
            "id": "h",
            "name": "Holidays",
            "entries": [{"book": "b", "added": added}, {"book": "a", "added": added}],
        },
        {"type": "goal", "year": 2026, "books": 24, "pages": None},
    ]
    assert all("lists" not in book for book in things[:2])


async def test_a_preview_counts_lists_and_goals_and_changes_nothing() -> None:
    text, other = await with_list(PureShelf()), PureShelf()
    preview = await bring(other, lines_of(text), EXACT, preview=True)
    assert other.requests == []
    report = await bring(other, lines_of(text), EXACT)
    for told in (preview, report):
        assert (told["read"], told["added"], told["lists"], told["listed"], told["goals"]) == (2, 2, 1, 2, 1)


async def test_a_list_of_the_same_name_takes_the_books() -> None:
    text, other = await with_list(PureShelf()), PureShelf()
    await other.by_hand("POST", "/lists", {"id": "mine", "name": "Holidays"})
    report = await bring(other, lines_of(text), EXACT)
    assert (report["lists"], report["listed"]) == (0, 2)
    assert await titles_on(other, await id_of(other, "Holidays")) == ["B", "A"]


async def test_a_removed_list_is_restored_or_left_out_if_so_chosen() -> None:
    shelf = PureShelf()
    text = await with_list(shelf)
    await shelf.by_hand("DELETE", "/lists/h")
    skipping = ImportOptions(exact=True, skip_removed=True)
    told = await bring(shelf, lines_of(text), skipping)
    assert (told["lists"], told["warnings"]) == (
        0,
        [{"line": 3, "reason": "the list 'Holidays' was removed: left out"}],
    )
    told = await bring(shelf, lines_of(text), EXACT)
    assert (told["lists"], told["listed"]) == (1, 0)
    assert await titles_on(shelf, "h") == ["B", "A"]


async def test_a_name_and_a_goal_that_were_set_by_hand_stay_unless_the_file_is_preferred() -> None:
    shelf = PureShelf()
    text = await with_list(shelf)
    await shelf.by_hand("PATCH", "/lists/h", {"name": "Summer"})
    await shelf.by_hand("PUT", "/goals/2026", {"books": 12, "pages": 9000})
    told = await bring(shelf, lines_of(text), EXACT)
    assert told["differences"] == [
        {"line": 3, "book": "Summer", "field": "name", "shelf": "Summer", "file": "Holidays", "taken": False},
        {"line": 4, "book": "goal of 2026", "field": "books", "shelf": 12, "file": 24, "taken": False},
    ]
    told = await bring(shelf, lines_of(text), PREFERRED)
    assert ([each["taken"] for each in told["differences"]], told["goals"]) == ([True, True], 1)
    later = await export(shelf)
    assert later == text.replace('"books":24,"pages":null', '"books":24,"pages":9000')
    changed = lines_of(text.replace("Holidays", "Winter").replace("24", "25"))
    told = await bring(shelf, changed, EXACT)  # both came from a file
    assert [each["taken"] for each in told["differences"]] == [True, True]


async def test_an_entry_of_a_book_that_is_not_there_is_left_out() -> None:
    shelf = PureShelf()
    entries = (FileEntry("gone"), FileEntry("a"))
    *books, _, _ = lines_of(await with_list(PureShelf()))
    await bring(shelf, [*books, FileList(id="l", name="L", entries=entries, line=3)], EXACT)
    assert await titles_on(shelf, "l") == ["A"]


async def test_an_entry_of_a_merged_book_is_that_of_the_other_one() -> None:
    shelf = PureShelf()
    text = await with_list(shelf)
    await shelf.by_hand("DELETE", "/books/b?merged-into=a")
    await shelf.by_hand("DELETE", "/lists/h/books/a")
    await bring(shelf, lines_of(text), EXACT)
    assert await titles_on(shelf, "h") == ["A"]
    assert (await only(shelf))["id"] == "a"


@pytest.mark.parametrize("first", ["list", "goal", "book"])
async def test_a_file_is_recognised_by_any_of_its_objects(tmp_path: Path, first: str) -> None:
    lines = (await with_list(PureShelf())).splitlines(keepends=True)
    lines.sort(key=lambda line: f'"type":"{first}"' not in line)
    file = tmp_path / "shelf.jsonl"
    for text in ("".join(lines), "[" + ",".join(lines) + "]"):
        file.write_text(text)
        library = read_library(file, Options(today=TODAY))
        found = list(library)
        kinds = {Entry: 0, FileList: 0, FileGoal: 0}
        for each in found:
            kinds[type(each)] += 1
        assert (library.exact, list(kinds.values()), library.rows) == (True, [2, 1, 1], 4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "list", "id": "h"},
        {"type": "list", "id": "h", "name": "x", "entries": ["a"]},
        {"type": "goal", "year": "x"},
    ],
)
def test_a_wrong_list_or_goal_is_refused_with_the_field(wrong: dict[str, Any]) -> None:
    (refused,) = lines_of(msgspec.json.encode(wrong).decode())
    assert isinstance(refused, Refusal)
    assert "correct it" in str(refused.reason)
