"""Library files: reads those of many programs, brings them onto a shelf, and writes the project's own.

No command line and no pages: files and an API client in, values out; nothing is printed. What a user does:

1. `read_library(path, Options(today=…))` recognises a file, or raises `NotALibrary` with a sentence to show.
   The `Library` has `form` (the program), `encoding`, `rows`, `dates` and `dates_assumed` (then ask for
   `Options.day_first`), `columns` (a `ColumnUse` each: name, field, number of values, three examples) and
   `remarks`. `Options.columns` gives columns other fields, out of `COLUMN_FIELDS`, `extra` and `ignored`;
   then read it again.
2. Preview: `import_library` with `ImportReport(preview=True)` fills the report and changes nothing. It has
   counts, and `differences`, `warnings` and `refused`, each with its line.
3. Import: the same with `ImportReport(new_correlation())`; `progress` is called for each row. If it is
   interrupted, it is run again: it compares first. `GET /changes?correlation=` lists what takes it back.
4. `report.as_json()` and `report.as_text()` are all of a report. A `Refusal` has `line`, `reason` and `raw`,
   the cells under `library.header` (or one text of JSON). To correct one, replace its `raw`;
   `write_refused(library, refusals)` writes a file of the same format, to keep or to read as in 1.
5. Export: `copy_shelf(api, index)` reads a shelf into a `ShelfIndex`; `write_csv` takes its `books()`,
   `write_jsonl` and `write_json` also its `lists()` and `goals()`. `LEFT_OUT` names what CSV leaves out.
"""

from bookshelf.shelf.library_files.csv_books import LEFT_OUT, leaves_out
from bookshelf.shelf.library_files.entry import Entry, FileReading, ListPlace, NotALibrary, Refusal
from bookshelf.shelf.library_files.export import write_csv, write_refused
from bookshelf.shelf.library_files.importing import COLUMN_FIELDS, import_library, new_correlation
from bookshelf.shelf.library_files.json_files import write_json, write_jsonl
from bookshelf.shelf.library_files.library import Library, read_library
from bookshelf.shelf.library_files.report import ImportReport
from bookshelf.shelf.library_files.runner import ImportOptions
from bookshelf.shelf.library_files.setting import ColumnUse, Options
from bookshelf.shelf.library_files.shelf_copy import ShelfFault, copy_shelf
from bookshelf.shelf.library_files.shelf_index import ShelfIndex
from bookshelf.shelf.library_files.values import Identity, identity
from bookshelf.shelf.lists import UP_NEXT

__all__ = [
    "COLUMN_FIELDS",
    "LEFT_OUT",
    "UP_NEXT",
    "ColumnUse",
    "Entry",
    "FileReading",
    "Identity",
    "ImportOptions",
    "ImportReport",
    "Library",
    "ListPlace",
    "NotALibrary",
    "Options",
    "Refusal",
    "ShelfFault",
    "ShelfIndex",
    "copy_shelf",
    "identity",
    "import_library",
    "leaves_out",
    "new_correlation",
    "read_library",
    "write_csv",
    "write_json",
    "write_jsonl",
    "write_refused",
]
