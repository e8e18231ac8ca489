"""The choices and the report of an import as its job keeps them."""

import msgspec

from bookshelf.cqrs.phrases import Phrase


class ImportChoices(msgspec.Struct, frozen=True, kw_only=True):
    """How a file is imported. A `preview` changes nothing. `today` is the reader's day.

    `day_first`: how dates like 01/03/2024 are read, None as the file shows it. `columns` has the chosen field
    of a column by its name. `restore`: whether removed books are put back; None: those of the project's own
    exports are, those of other files are not.
    """

    preview: bool = True
    today: str
    correlation: str
    encoding: str = ""
    day_first: bool | None = None
    repair_encoding: bool = False
    prefer_file: bool = False
    restore: bool | None = None
    columns: dict[str, str] = {}


class ImportCounts(msgspec.Struct, kw_only=True):
    """How many lines were read, and what became of them."""

    read: int = 0
    added: int = 0
    updated: int = 0
    finished: int = 0
    unchanged: int = 0
    restored: int = 0
    skipped: int = 0
    refused: int = 0
    lists: int = 0
    listed: int = 0
    goals: int = 0


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a file: what becomes of it, the number of its values, and some of them."""

    name: str
    field: str
    values: int
    examples: tuple[str, ...] = ()


class RefusedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that was refused, with the reason and its cells. `corrected`: it was imported since.

    The reason is an English text in reports that were made before reasons were phrases.
    """

    line: int
    reason: Phrase | str
    cells: tuple[str, ...]
    corrected: bool = False


class ImportResult(msgspec.Struct, kw_only=True):
    """What an import or its preview has found, without its lists.

    `books` are titles and authors of the first ones. `new_books` counts the new ones by their state, and
    those with stars; `lists` are the largest ones that get entries, with the number of these. `continued`:
    the service was restarted meanwhile, and what had been added before counts as unchanged.
    """

    counts: ImportCounts
    rows: int
    program: str
    exact: bool
    encoding: str
    dates: str
    dates_assumed: bool
    columns: tuple[Column, ...]
    header: tuple[str, ...]
    remarks: tuple[Phrase | str, ...]
    differences: int
    warnings: int
    books: tuple[tuple[str, str], ...]
    seconds: float
    new_books: dict[str, int] = {}
    lists: tuple[tuple[str, int], ...] = ()
    continued: bool = False
