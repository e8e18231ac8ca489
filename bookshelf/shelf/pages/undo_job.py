"""The job that takes back all changes with one correlation id, like those of an import."""

from typing import Any
from urllib.parse import quote

import msgspec

from bookshelf.shelf.library_files.shelf_copy import pages, seeing
from bookshelf.shelf.library_files.undoing import Undoing
from bookshelf.site.jobs import JobRun


class UndoChoices(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes are taken back, and the correlation id of the undo itself."""

    correlation: str
    own: str


async def undo_all(run: JobRun) -> dict[str, Any]:
    """Take back all changes of a correlation id, the newest first; return how many there were.

    Changes that were taken back before are left as they are. Raises `ShelfFault`.
    """
    choices = msgspec.convert(run.job.parameters, UndoChoices)
    target = f"/changes?correlation={quote(choices.correlation, safe='')}&limit=100"
    after = seeing("")  # a browser knows no positions of what an import wrote
    undoing = Undoing(run.api, choices.own, after)
    total, left = await undoing.take_back_all(pages(run.api, target, after), run.progress)
    await run.add_lines("left", enumerate({"change": each.change, "reason": each.reason} for each in left))
    return {"taken_back": total - len(left), "left": len(left), "positions": undoing.positions}
