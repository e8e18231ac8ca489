"""Library files: reads those of many programs, and writes the project's own formats.

No HTTP and no command line: files in, values out. `read_library` recognises a file and returns its entries,
`write_csv` and `write_jsonl` export a shelf, `write_refused` writes the records that were refused, and
`identity` is what distinguishes two books.
"""

from bookshelf.shelf.library_files.entry import Entry, FileReading, ListPlace, NotALibrary, Refusal
from bookshelf.shelf.library_files.export import write_csv, write_refused
from bookshelf.shelf.library_files.json_files import write_json, write_jsonl
from bookshelf.shelf.library_files.library import Library, read_library
from bookshelf.shelf.library_files.setting import ColumnUse, Options
from bookshelf.shelf.library_files.values import Identity, identity
from bookshelf.shelf.lists import UP_NEXT

__all__ = [
    "UP_NEXT",
    "ColumnUse",
    "Entry",
    "FileReading",
    "Identity",
    "Library",
    "ListPlace",
    "NotALibrary",
    "Options",
    "Refusal",
    "identity",
    "read_library",
    "write_csv",
    "write_json",
    "write_jsonl",
    "write_refused",
]
