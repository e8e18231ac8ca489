"""What a job that changes many books is to do, and what became of it."""

from typing import Any

import msgspec


def typed_tags(text: str) -> list[str]:
    """Return the tags that commas separate in a text, each once."""
    return list(dict.fromkeys(tag.strip() for tag in text.split(",") if tag.strip()))


class ChangeChoices(msgspec.Struct, frozen=True, kw_only=True):
    """Which books are changed, and how.

    `books` are ids; with `filters`, all books that these match are changed, in this sort. `value` is what the
    `action` needs; in the actions that rename, it replaces the name `former`. `after` are the positions that
    the reader has written before.
    """

    correlation: str
    action: str
    value: str = ""
    former: str = ""
    books: tuple[str, ...] = ()
    filters: dict[str, Any] | None = None
    sort: str = "title"
    after: str = ""


class MergeChoices(msgspec.Struct, frozen=True, kw_only=True):
    """Which book is kept, which one is merged into it, and the fields whose value is the other one's."""

    correlation: str
    kept: str
    other: str
    taken: tuple[str, ...] = ()
    after: str = ""


class JobReport(msgspec.Struct, kw_only=True):
    """What became of the books of a job. `continued`: it was begun again after a restart.

    `positions` include all that the job has written.
    """

    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    continued: bool = False
    positions: str = ""
