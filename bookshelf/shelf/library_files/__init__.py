"""Readers' library files: read those of many programs, write our own.

Pure: files in, values out; no HTTP and no command line. `read_library` recognises
a file and answers its entries, `write_csv` and `write_jsonl` export a shelf,
`write_refused` gives back what could not be read, `identity` tells books apart.
"""

from bookshelf.shelf.library_files.entry import Entry, FileBook, NotALibrary, Refusal
from bookshelf.shelf.library_files.export import write_csv, write_jsonl, write_refused
from bookshelf.shelf.library_files.library import Library, read_library
from bookshelf.shelf.library_files.values import Identity, identity

__all__ = [
    "Entry",
    "FileBook",
    "Identity",
    "Library",
    "NotALibrary",
    "Refusal",
    "identity",
    "read_library",
    "write_csv",
    "write_jsonl",
    "write_refused",
]
