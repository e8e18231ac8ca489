"""What a page needs of an import: a preview with columns, a run with progress, correction of refusals."""

from pathlib import Path

import msgspec
from support.pure_shelf import NOW, PureShelf
from unit.library_files.files import TODAY

from bookshelf.shelf.library_files import (
    COLUMN_FIELDS,
    ImportOptions,
    ImportReport,
    Options,
    ShelfIndex,
    copy_shelf,
    import_library,
    new_correlation,
    read_library,
    write_csv,
    write_jsonl,
    write_refused,
)

TABLE = """title,author,seen,year
Dune,Frank Herbert,at sea,1965
,Jane Austen,at home,1815
Emma,Jane Austen,at home,1815
"""


def file_of(folder: Path, text: str, name: str = "library.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


async def test_a_preview_has_each_column_with_its_first_values_and_changes_nothing(tmp_path: Path) -> None:
    shelf, file = PureShelf(), file_of(tmp_path, TABLE)
    library = read_library(file, Options(today=TODAY))
    columns = {use.name: (use.field, use.values, use.examples) for use in library.columns}
    assert columns == {
        "title": ("title", 2, ("Dune", "Emma")),
        "author": ("author", 3, ("Frank Herbert", "Jane Austen")),
        "seen": ("extra", 3, ("at sea", "at home")),
        "year": ("published", 3, ("1965", "1815")),
    }
    with ImportReport(preview=True) as report:
        await import_library(shelf, library, report, ImportOptions(), NOW)
        assert (report.read, report.added, len(report.refused)) == (3, 2, 1)
    assert shelf.requests == []


async def test_a_column_gets_another_field_by_hand(tmp_path: Path) -> None:
    shelf, file = PureShelf(), file_of(tmp_path, TABLE)
    assert {"location", "title", "tags"} <= set(COLUMN_FIELDS)
    options = Options(today=TODAY, columns={"seen": "location", "year": "ignored"})
    with ImportReport(new_correlation()) as report:
        await import_library(shelf, read_library(file, options), report, ImportOptions(), NOW)
        assert [use.field for use in report.columns] == ["title", "author", "location", "ignored"]
    books = (await shelf.get("/bookshelf/books")).body
    assert sorted((book["location"], book["published"]) for book in books) == [
        ("at home", None),
        ("at sea", None),
    ]


async def test_a_run_reports_its_progress_and_a_corrected_refusal_is_imported_alone(tmp_path: Path) -> None:
    shelf, rows = PureShelf(), list[int]()
    library = read_library(file_of(tmp_path, TABLE), Options(today=TODAY))
    with ImportReport(new_correlation()) as report:
        await import_library(shelf, library, report, ImportOptions(), NOW, lambda: rows.append(1))
        assert len(rows) == library.rows == 3
        [refused] = report.refused
    corrected = msgspec.structs.replace(refused, raw=("Persuasion", *refused.raw[1:]))
    again = file_of(tmp_path, "".join(write_refused(library, [corrected])), "again.csv")
    with ImportReport(new_correlation()) as report:
        await import_library(shelf, read_library(again, Options(today=TODAY)), report, ImportOptions(), NOW)
        assert (report.read, report.added, len(report.refused)) == (1, 1, 0)
    titles = [book["title"] for book in (await shelf.get("/bookshelf/books")).body]
    assert sorted(titles) == ["Dune", "Emma", "Persuasion"]


async def test_the_columns_of_an_export_are_those_that_are_read(tmp_path: Path) -> None:
    shelf, read = PureShelf(), {"title", "series", "readings"}
    series = [{"name": "Dune", "number": "1"}]
    book = await shelf.by_hand("POST", "/books", {"title": "Dune", "author": "x", "series": series})
    await shelf.by_hand("POST", f"/books/{book.body['id']}/readings", {"end": "finished", "ended": "2024"})
    with ShelfIndex() as index:
        await copy_shelf(shelf, index)
        files = {"shelf.jsonl": write_jsonl(index.books()), "shelf.csv": write_csv(index.books())}
        texts = {name: "".join(text) for name, text in files.items()}
    for name, text in texts.items():
        library = read_library(file_of(tmp_path, text, name), Options(today=TODAY))
        used = {use.name: use for use in library.columns}
        assert {used[column].field for column in read} == read
        assert used["state"].field == "ignored"
        assert (used["readings"].values, len(used["readings"].examples)) == (1, 1)
