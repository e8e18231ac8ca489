"""The job that takes back all changes with one correlation id, like those of an import."""

import asyncio
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any
from urllib.parse import quote

import msgspec

from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.shelf.library_files.shelf_copy import SHELF, ShelfFault, pages
from bookshelf.site.jobs import JobFault, JobRun

#: Books, lists and goals whose changes are taken back at the same time.
_AT_ONCE = 16
#: How often a change is read again because its book has changed since.
_TRIES = 5
_CHANGED, _ERROR = 412, 400


class UndoChoices(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes are taken back, and the correlation id of the undo itself.

    `after` are the positions that the reader has written before.
    """

    correlation: str
    own: str
    after: str = ""


async def undo_all(run: JobRun) -> dict[str, Any]:
    """Take back all changes of a correlation id, the newest first; return how many there were.

    Changes that were taken back before are left as they are. Raises `JobFault`.
    """
    choices = msgspec.convert(run.job.parameters, UndoChoices)
    target = f"/changes?correlation={quote(choices.correlation, safe='')}&limit=100"
    try:
        after = {"Bookshelf-After": choices.after} if choices.after else {}
        listed = pages(run.api, target, after)
        found = [(str(change["subject"]), str(change["id"])) async for change in listed]
    except ShelfFault as fault:
        raise JobFault(str(fault)) from fault
    undoing = _Undoing(run, choices.own, len(found))
    ordered = sorted(found, key=itemgetter(0))  # a stable sort: the newest change of a subject stays first
    of_subjects = [[change for _, change in group] for _, group in groupby(ordered, itemgetter(0))]
    async with asyncio.TaskGroup() as group:
        for changes in of_subjects:
            group.create_task(undoing.take_back(changes))
    await run.add_lines("left", enumerate(undoing.left))
    taken_back = len(found) - len(undoing.left)
    return {"taken_back": taken_back, "left": len(undoing.left), "positions": ", ".join(undoing.positions)}


class _Undoing:
    """Takes changes back; `left` are those that it could not, each with the reason."""

    def __init__(self, run: JobRun, own: str, total: int) -> None:
        self._run = run
        self._own = own
        self._total = total
        self._done = 0
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._newest: dict[str, int] = {}
        self.left: list[dict[str, str]] = []

    @property
    def positions(self) -> list[str]:
        """The newest position of each partition that was written."""
        return [f"{partition}@{offset}" for partition, offset in self._newest.items()]

    async def take_back(self, changes: list[str]) -> None:
        """Take back changes of one book, list or goal, the newest first."""
        after: dict[str, str] = {}
        async with self._slots:
            for change in changes:
                reason = await self._take_back(change, after)
                if reason:
                    self.left.append({"change": change, "reason": reason})
                self._done += 1
                self._run.progress(self._done, self._total)

    async def _take_back(self, change: str, after: dict[str, str]) -> str:
        """Take one change back; return why it was left as it is."""
        for _ in range(_TRIES):
            shown = await self._run.api.get(f"{SHELF}/changes/{quote(change, safe='')}", after)
            if shown.status >= _ERROR:
                return shown.detail
            if shown.body.get("undone"):
                return ""
            if shown.body.get("blocked_by"):
                return "blocked"
            refused = await self._send(change, shown.body["undo"], after)
            if refused is None:
                return ""
            if refused.status != _CHANGED:
                return refused.detail
        return "changing"

    async def _send(
        self, change: str, requests: list[Mapping[str, Any]], after: dict[str, str]
    ) -> ApiAnswer | None:
        """Send the requests of an undo; return the answer that refused one, if any."""
        for place, asked in enumerate(requests):
            match = asked["if_match"]
            headers = {
                "Idempotency-Key": f"{self._own}-{change}-{place}-{match or ''}".replace('"', ""),
                "Bookshelf-Undoes": change,
                "Bookshelf-Correlation": self._own,
                **({} if match is None else {"If-Match": match}),
            }
            answer = await self._run.api.send(
                asked["method"], f"{SHELF}{asked['path']}", asked["body"], headers
            )
            if answer.status >= _ERROR:
                return answer
            if position := answer.headers.get("Bookshelf-Position"):
                after["Bookshelf-After"] = position
                partition, _, offset = position.rpartition("@")
                self._newest[partition] = max(int(offset), self._newest.get(partition, 0))
        return None
