"""Takes many changes back: their commands go out in bulk requests."""

import asyncio
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

from bookshelf.cqrs.api_client import ApiClient
from bookshelf.shelf.library_files.bulk_sender import BulkSender
from bookshelf.shelf.library_files.shelf_copy import SHELF

#: Books, lists and goals whose changes are taken back at the same time.
_AT_ONCE = 500
#: How often a change is read again because its book has changed since.
_TRIES = 5
#: The reasons of changes that are left: later changes prevent it; others change the same again and again.
BLOCKED, CHANGING = "blocked", "changing"

Shown = Mapping[str, Any]


class LeftChange(NamedTuple):
    """A change that was not taken back: why, and which later changes prevent it."""

    change: str
    reason: str
    blocked_by: tuple[str, ...] = ()


class Undoing:
    """Takes changes back under one correlation id. What was taken back before counts as done."""

    def __init__(self, api: ApiClient, correlation: str, seen: Mapping[str, str] | None = None) -> None:
        """`seen` is the header of the queries until something was sent."""
        self._api = api
        self._own = correlation
        self._sender = BulkSender(api, correlation)
        self._seen = seen or {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    @property
    def positions(self) -> str:
        """The newest position of each partition that was written, for Bookshelf-After."""
        return self._sender.positions

    async def take_back_all(
        self, listed: AsyncIterable[Shown], progress: Callable[[int, int], None]
    ) -> tuple[int, list[LeftChange]]:
        """Take back changes as the shelf lists them, the newest first; return their number, and those left.

        Raises `ShelfFault`.
        """
        of_subjects: dict[str, list[str]] = {}
        newest: dict[str, Shown] = {}
        async for shown in listed:
            if shown["subject"] not in of_subjects:  # only its requests are valid before others were sent
                newest[shown["id"]] = {name: shown.get(name) for name in ("undo", "blocked_by", "undone")}
            of_subjects.setdefault(shown["subject"], []).append(shown["id"])
        total = sum(map(len, of_subjects.values()))
        left: list[LeftChange] = []
        done = 0

        async def of_subject(changes: Sequence[str]) -> None:
            nonlocal done
            async with self._slots:
                for change in changes:
                    if (found := await self.take_back(change, newest.get(change))) is not None:
                        left.append(found)
                    done += 1
                    progress(done, total)

        await asyncio.gather(*map(of_subject, of_subjects.values()))
        return total, left

    async def take_back(self, change: str, shown: Shown | None = None) -> LeftChange | None:
        """Take one change back, which the shelf has `shown` before or is asked for. Raises `ShelfFault`."""
        for _ in range(_TRIES):
            if shown is None:
                seen = self._sender.seen or self._seen
                answer = await self._api.get(f"{SHELF}/changes/{quote(change, safe='')}", seen)
                if answer.status >= HTTPStatus.BAD_REQUEST:
                    return LeftChange(change, answer.detail)
                shown = answer.body
            if shown.get("undone"):
                return None
            if blocked := shown.get("blocked_by"):
                return LeftChange(change, BLOCKED, tuple(blocked))
            refused = await self._send_all(change, shown["undo"])
            if refused != CHANGING:
                return None if refused is None else LeftChange(change, refused)
            shown = None
        return LeftChange(change, CHANGING)

    async def _send_all(self, change: str, requests: Sequence[Shown]) -> str | None:
        """Send the requests of an undo in sequence; return why one was refused, if any."""
        for place, asked in enumerate(requests):
            key = f"{self._own}-{change}-{place}-{asked['if_match'] or ''}".replace('"', "")
            status, detail = await self._send(change, asked, key)
            if status == HTTPStatus.PRECONDITION_FAILED:
                return CHANGING
            if status >= HTTPStatus.BAD_REQUEST:
                return detail
        return None

    async def _send(self, change: str, asked: Shown, key: str) -> tuple[int, str]:
        """Send one request; return the status of its answer, and the detail of a problem."""
        method, path, body, match = (asked[name] for name in ("method", "path", "body", "if_match"))
        if path.startswith("/goals/"):  # goals have no bulk route: there is one a year
            own = {"Idempotency-Key": key, "Bookshelf-Undoes": change, "Bookshelf-Correlation": self._own}
            headers = own if match is None else {**own, "If-Match": match}
            single = await self._api.send(method, f"{SHELF}{path}", body, headers)
            self._sender.note(single.headers.get("Bookshelf-Position", ""))
            return single.status, single.detail
        answer = await self._sender.send(method, path, body, key, if_match=match, undoes=change)
        return answer.status, answer.detail
