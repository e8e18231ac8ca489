"""The kinds of jobs of the reader's site: import, undo of many changes, change of many books."""

from collections.abc import Mapping
from typing import Any

from bookshelf.site.jobs import JobKind, JobRun

IMPORT, UNDO, CHANGE = "import", "undo", "change"


# What reads files is loaded only once a job needs it: services of other processes never do.
async def _import(run: JobRun) -> dict[str, Any]:
    from bookshelf.shelf.pages.import_job import import_file  # noqa: PLC0415 (see above)

    return await import_file(run)


async def _undo(run: JobRun) -> dict[str, Any]:
    from bookshelf.shelf.pages.undo_job import undo_all  # noqa: PLC0415 (see above)

    return await undo_all(run)


JOBS: Mapping[str, JobKind] = {IMPORT: _import, UNDO: _undo}
