"""Sends the commands of an import in bulk requests: those that wait at the same time, together."""

import asyncio
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from bookshelf.cqrs.api_client import ApiClient
from bookshelf.shelf.library_files.origins import IMPORT
from bookshelf.shelf.library_files.shelf_copy import SHELF, ShelfFault, seeing

#: The most items and bytes of a request: a service takes 1,000 and 8 MiB.
_ITEMS_MAX = 500
_BYTES_MAX = 6 << 20
#: Statuses of items that are sent again, and how often at the most; pauses grow from the first to the last.
_AGAIN = frozenset({429, 502, 503, 504})
_TRIES = 20
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 2.0
_OF_READINGS = frozenset({"readings", "rating", "review", "passages", "finished"})


class BulkAnswer(NamedTuple):
    """The answer to one command: the id of its subject, and the number of what it created there.

    `known` is true for a repetition of a command that was carried out before. `position` includes its events,
    and `version` is that of its subject after it, for If-Match. `detail` is why it was refused.
    """

    status: int
    id: str
    number: int
    known: bool
    position: str
    version: str
    detail: str

    @property
    def is_outdated(self) -> bool:
        """True if the command was not carried out because its subject has changed since it was read."""
        return self.status == HTTPStatus.PRECONDITION_FAILED

    @property
    def is_refused(self) -> bool:
        """True if the command was not carried out."""
        return self.status >= HTTPStatus.BAD_REQUEST


class _Waiting(NamedTuple):
    """A command that is to be sent, as JSON, with what its answer is set on."""

    key: str
    item: bytes
    answer: asyncio.Future[BulkAnswer]


class _Queue:
    """The commands for one bulk route; the next request begins when the last one was answered."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.waiting: list[_Waiting] = []
        self.tries = 0

    def take(self) -> list[_Waiting]:
        """Take what fits into one request."""
        count, size = 0, 0
        for each in self.waiting[:_ITEMS_MAX]:
            size += len(each.item)
            if count and size > _BYTES_MAX:
                break
            count += 1
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken


def key_of(content: bytes) -> str:
    """Return the idempotency key of a command, the digest of all that it does."""
    return IMPORT + blake2b(content, digest_size=16).hexdigest()


class BulkSender:
    """Sends commands under one correlation id. Commands on one thing keep their sequence."""

    def __init__(self, api: ApiClient, correlation: str) -> None:
        self._api = api
        self._correlation = correlation
        self._queues: dict[str, _Queue] = {}
        self._newest: dict[str, int] = {}

    @property
    def positions(self) -> str:
        """The newest position of each partition that was written, for Bookshelf-After."""
        return ", ".join(f"{place}@{offset}" for place, offset in self._newest.items())

    @property
    def seen(self) -> Mapping[str, str]:
        """The header of a query that is to see all that was sent before."""
        return seeing(self.positions)

    def note(self, positions: str) -> None:
        """Note positions that later queries are to see."""
        for text in filter(None, positions.split(", ")):
            place, _, offset = text.rpartition("@")
            self._newest[place] = max(int(offset), self._newest.get(place, 0))

    async def send(
        self,
        method: str,
        path: str,
        body: object,
        key: str,
        *,
        if_match: str | None = None,
        undoes: str | None = None,
    ) -> BulkAnswer:
        """Return the answer to a command with this idempotency key. Raises `ShelfFault`."""
        command = {"method": method, "path": path, "body": body, "key": key}
        command |= {"if_match": if_match, "undoes": undoes}
        item = msgspec.json.encode({name: value for name, value in command.items() if value is not None})
        answer: asyncio.Future[BulkAnswer] = asyncio.get_running_loop().create_future()
        route = _route_of(path)
        queue = self._queues.setdefault(route, _Queue())
        queue.waiting.append(_Waiting(key, item, answer))
        while not answer.done():
            async with queue.turn:
                if not answer.done():
                    await asyncio.sleep(0)  # all that is sent at this moment goes together
                    await self._send_next(route, queue)
        return answer.result()

    async def _send_next(self, route: str, queue: _Queue) -> None:
        """Send one request; items that the service was too busy for wait for the next one."""
        taken = queue.take()
        key = key_of("".join(each.key for each in taken).encode())
        headers = {"Idempotency-Key": key, "Bookshelf-Correlation": self._correlation}
        items = msgspec.Raw(b"[" + b",".join(each.item for each in taken) + b"]")
        answer = await self._api.send("POST", SHELF + route, items, headers)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise ShelfFault(answer.detail)
        position = answer.headers.get("Bookshelf-Position", "")
        self.note(position)
        busy = []
        for each, result in zip(taken, answer.body, strict=True):
            if result["status"] in _AGAIN:
                busy.append(each)
            else:
                each.answer.set_result(_answer_of(result, position))
        queue.waiting[:0] = busy
        queue.tries = queue.tries + 1 if len(busy) == len(taken) else 0
        if queue.tries == _TRIES:
            raise ShelfFault(_detail(answer.body[0]))
        if busy:
            await asyncio.sleep(min(_FIRST_PAUSE_S * 2**queue.tries, _LAST_PAUSE_S))


def _route_of(path: str) -> str:
    """Return the bulk route of the service that has the path of a command."""
    kind, *rest = path.strip("/").split("/")
    is_reading = kind == "books" and not _OF_READINGS.isdisjoint(rest[1:2])
    return f"/{'readings' if is_reading else kind}/bulk"


def _detail(result: Mapping[str, Any]) -> str:
    problem = result.get("problem", {})
    return str(problem.get("detail") or result["status"])


def _answer_of(result: Mapping[str, Any], position: str) -> BulkAnswer:
    steps: Iterator[str] = reversed(result.get("location", "").split("/"))
    last = next(steps, "")
    return BulkAnswer(
        status=result["status"],
        id=unquote(result.get("id", "")),
        number=int(last) if last.isdigit() else 0,
        known=result.get("replayed", False) or "key-reused" in result.get("problem", {}).get("type", ""),
        position=position,
        version=result.get("etag", ""),
        detail=_detail(result),
    )
