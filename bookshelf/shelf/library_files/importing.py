"""Imports a library, or shows what an import would do: one function for the command line and for pages."""

import dataclasses
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from bookshelf.cqrs.api_client import ApiClient
from bookshelf.shelf.library_files.formats import ANY_CSV
from bookshelf.shelf.library_files.library import Library
from bookshelf.shelf.library_files.origins import IMPORT
from bookshelf.shelf.library_files.report import ImportReport
from bookshelf.shelf.library_files.runner import ImportOptions, ImportRunner
from bookshelf.shelf.library_files.shelf_index import ShelfIndex

#: The fields that `Options.columns` can give a column, beside `extra` and `ignored`.
COLUMN_FIELDS = tuple(ANY_CSV.columns)


def new_correlation() -> str:
    """Return the correlation id of a new import."""
    return f"{IMPORT}{uuid4()}"


async def import_library(
    api: ApiClient,
    library: Library,
    report: ImportReport,
    options: ImportOptions,
    start: datetime,
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Import a library, or only report what would be done if the report is that of a preview.

    `start` is when it began; books without a time of adding get it. `progress` is called after each of the
    library's `rows`. An import that was interrupted is run again from the file. Raises `ShelfFault`, and what
    the API client raises.
    """
    report.describe(library)
    options = dataclasses.replace(options, exact=library.exact)
    with ShelfIndex() as index:
        await ImportRunner(api, index, report, options, start).run(library, progress)
