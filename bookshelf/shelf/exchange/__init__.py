"""Readers' library files: read those of many programs, write our own.

Pure: files in, values out; no HTTP and no command line. `read_library` recognises
a file and answers its entries, `write_csv` and `write_jsonl` export a shelf,
`write_refused` gives back what could not be read, `identity` tells books apart.
"""

from bookshelf.shelf.exchange.entry import Book, Entry, NotALibrary, Refusal
from bookshelf.shelf.exchange.export import write_csv, write_jsonl
from bookshelf.shelf.exchange.identity import Identity, identity
from bookshelf.shelf.exchange.library import Library, read_library
from bookshelf.shelf.exchange.refused import write_refused

__all__ = [
    "Book",
    "Entry",
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
