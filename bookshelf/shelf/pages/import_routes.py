"""The routes of the pages of imports, with their states as examples."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from bookshelf.cqrs.phrases import phrase
from bookshelf.shelf.pages import import_lines, imports
from bookshelf.shelf.pages.field_labels import difference_label
from bookshelf.shelf.pages.import_lines import LineModel, RemarksModel
from bookshelf.shelf.pages.import_report import (
    Column,
    ImportChoices,
    ImportCounts,
    ImportResult,
    RefusedLine,
)
from bookshelf.shelf.pages.imports import DifferenceLine, EarlierImport, WarningLine
from bookshelf.site.job_store import Job
from bookshelf.site.page import Page, PageRoute, _

_MADE = datetime(2026, 1, 31, 19, 30, tzinfo=UTC)
_LONG = "a-library-export-with-a-very-long-name-that-no-program-shortens-2026-01-31-final-version-2.csv"
_HEADER = ("Title", "Author", "Date Read", "My Rating", "Bookshelves")
_BOOKS = (
    ("Dune", "Frank Herbert"),
    ("Beloved", "Toni Morrison"),
    ("Middlemarch", "George Eliot"),
    ("The Left Hand of Darkness", "Ursula K. Le Guin"),
    ("三体", "刘慈欣"),
    ("The Name of the Rose", "Umberto Eco"),
    ("Never Let Me Go", "Kazuo Ishiguro"),
)
_COLUMNS = (
    Column(name="Title", field="title", values=1204, examples=("Dune", "Beloved", "三体")),
    Column(name="Author", field="author", values=1201, examples=("Frank Herbert", "Toni Morrison", "刘慈欣")),
    Column(
        name="Date Read", field="finished", values=830, examples=("2019/03/14", "2020/11/02", "2021/01/30")
    ),
    Column(name="My Rating", field="rating", values=790, examples=("5", "4", "3")),
    Column(name="Bookshelves", field="tags", values=600, examples=("science-fiction", "to-read", "owned")),
    Column(name="Binding", field="extra", values=1100, examples=("Paperback", "Hardcover", "Kindle Edition")),
)
_REFUSED = (
    RefusedLine(
        line=17,
        reason=phrase("the title is blank: fill it in"),
        cells=("", "Stanisław Lem", "2019/05/02", "5", ""),
    ),
    RefusedLine(
        line=212,
        reason=phrase(
            "{cells} cells, but {columns} columns: a text with {mark} in it needs quotes around it",
            cells=7,
            columns=5,
            mark=phrase("a {sign}", sign="','"),
        ),
        cells=("Herbert, Dune", "Frank Herbert", "2020/02/31", "5", "owned", "", "x" * 70),
    ),
    RefusedLine(line=640, reason="a quotation mark is never closed", cells=('"Solaris,Lem,2001,4',)),
)


def _result(**changes: Any) -> ImportResult:  # noqa: ANN401 (a field's)
    counts = ImportCounts(read=1204, added=1180, unchanged=14, updated=7, refused=3, listed=212)
    result = ImportResult(
        counts=counts,
        rows=1204,
        program="Goodreads",
        exact=False,
        encoding="utf-8",
        dates="",
        dates_assumed=False,
        columns=_COLUMNS,
        header=_HEADER,
        remarks=(),
        differences=2,
        warnings=230,
        books=_BOOKS,
        seconds=1.3,
        new_books={"finished": 900, "reading": 18, "abandoned": 2, "unread": 260, "stars": 850},
        lists=(("up-next", 200), ("Favorites", 12)),
    )
    return msgspec.structs.replace(result, **changes)


def _job(result: ImportResult | None = None, *, preview: bool = False, **changes: Any) -> Job:  # noqa: ANN401 (a field's)
    choices = ImportChoices(preview=preview, today="2026-01-31", correlation="import-1")
    fields: dict[str, Any] = {"name": "goodreads_library_export.csv", "state": "done", **changes}
    report = {} if result is None else msgspec.to_builtins(result)
    parameters = msgspec.to_builtins(choices)
    return Job(id="1f3a", kind="import", made=_MADE, parameters=parameters, report=report, **fields)


_DIFFERENCES = [
    DifferenceLine(
        line=40,
        book="Dune",
        field=difference_label("reading 2: ended"),
        shelf="1965",
        file="2005",
        taken=False,
    ),
    DifferenceLine(
        line=41, book="Beloved", field=difference_label("pages"), shelf="\N{EN DASH}", file="324", taken=True
    ),
]
_WARNINGS = [
    WarningLine(
        line=12, reason=phrase("rating {rating} rounded to {stars} stars", rating="'4.3'", stars=4.25)
    ),
    WarningLine(line=90, reason="Emma is a new book; Emma by Jane Austen is on the shelf already"),
]


def _shown(job: Job, *, lists: bool = True, undo: Job | None = None) -> Page:
    refused = list(enumerate(_REFUSED)) if lists else []
    return imports.page_of(
        imports.model_of(
            job,
            refused=refused,
            differences=_DIFFERENCES if lists else [],
            warnings=_WARNINGS if lists else [],
            undo=undo,
        )
    )


def _import_examples() -> Mapping[str, Page]:
    clean = _result(counts=ImportCounts(read=12, added=12), differences=0, warnings=0, rows=12)
    gone = _result(counts=ImportCounts(read=12, added=2, skipped=10), differences=0)
    back = _result(counts=ImportCounts(read=12, restored=12), differences=0)
    open_dates = _result(dates="month-first", dates_assumed=True)
    wide = tuple(
        Column(
            name=f"A column with a long name of its own, number {n}",
            field="extra",
            values=9,
            examples=("x" * 60,),
        )
        for n in range(40)
    )
    undone = Job(
        id="undo-1f3a", kind="undo", made=_MADE, state="done", report={"taken_back": 1180, "left": 2}
    )
    return {
        "usual": _shown(_job(_result(), preview=True)),
        "question": _shown(_job(open_dates, preview=True)),
        "removed": _shown(_job(gone, preview=True), lists=False),
        "put back": _shown(_job(back), lists=False),
        "clean": _shown(_job(clean, preview=True), lists=False),
        "long": _shown(_job(_result(columns=wide), preview=True, name=_LONG)),
        "reading": _shown(_job(preview=True, state="running", done=310, total=1204), lists=False),
        "running": _shown(_job(state="running", done=810, total=10_000), lists=False),
        "report": _shown(_job(_result(continued=True))),
        "taken back": _shown(_job(_result()), undo=undone),
        "undoing": _shown(
            _job(_result()), undo=Job(id="undo-1f3a", kind="undo", made=_MADE, done=31, total=1180)
        ),
        "failed": _shown(
            _job(
                state="failed",
                fault=phrase("{file} is no text: a CSV file or JSON lines are needed", file="holiday.jpg"),
            ),
            lists=False,
        ),
    }


def _upload_examples() -> Mapping[str, Page]:
    many = (_job(_result()), _job(_result(), name=_LONG), _job(state="failed"), _job(state="running"))
    undo = Job(id="undo-1", kind="undo", made=_MADE, state="done", report={"taken_back": 12, "left": 0})
    named = [
        EarlierImport(job=msgspec.structs.replace(job, id=f"1f3{place}"), undo=None if place else undo)
        for place, job in enumerate(many)
    ]
    return {"empty": imports.upload_page(()), "usual": imports.upload_page(named)}


def _line_examples() -> Mapping[str, Page]:
    pages = {}
    for name, line in (
        ("usual", _REFUSED[0]),
        ("long", _REFUSED[1]),
        ("broken", _REFUSED[2]),
        ("corrected", msgspec.structs.replace(_REFUSED[0], corrected=True)),
    ):
        refusal = imports.refused_form(3, line, _result())
        pages[name] = Page(
            "import_line.html",
            LineModel(job=_job(_result()), counts=_result().counts, refusal=refusal, next=4),
        )
    return pages


def _remarks_examples() -> Mapping[str, Page]:
    job = _job(_result())
    usual = RemarksModel(
        job=job, differences=tuple(_DIFFERENCES), warnings=tuple(_WARNINGS), next="/import/1f3a/remarks"
    )
    empty = RemarksModel(job=job, differences=(), warnings=(), next=None)
    return {"usual": Page("import_remarks.html", usual), "empty": Page("import_remarks.html", empty)}


PAGES = (
    PageRoute(
        "/import",
        get=imports.show_upload,
        post=imports.upload,
        form=imports.UploadForm,
        title=_("Bring your books"),
        files=imports.FILES,
        most=imports.BODY_BYTES,
        examples=_upload_examples,
    ),
    PageRoute(
        "/import/{id}",
        get=imports.show_import,
        post=imports.run_import,
        form=imports.ImportForm,
        title=_("Import"),
        examples=_import_examples,
    ),
    PageRoute(
        "/import/{id}/undo", get=imports.show_undo, post=imports.undo_import, title=_("Undo this import")
    ),
    PageRoute(
        "/import/{id}/lines/{number}",
        get=import_lines.show_line,
        post=import_lines.correct_line,
        form=import_lines.LineForm,
        title=_("Correct a line"),
        examples=_line_examples,
    ),
    PageRoute("/import/{id}/refused", get=import_lines.download_refused),
    PageRoute(
        "/import/{id}/remarks",
        get=import_lines.show_remarks,
        title=_("Differences and remarks"),
        examples=_remarks_examples,
    ),
)
