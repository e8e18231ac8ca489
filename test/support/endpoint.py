"""A command endpoint without an owner: what it makes of requests."""

import asyncio
from typing import Any, NoReturn, cast

import pytest
from support.ports import CountedIds, FixedClock

from bookshelf.cqrs.route import CommandRoute
from bookshelf.http.message import request
from bookshelf.http.problem import Problem
from bookshelf.runtime.aggregate.command import CommandRequest
from bookshelf.runtime.api.commands import CommandEndpoint


class Asked:
    """Stands for the host of a route's aggregate: keeps the commands, and carries none out."""

    def __init__(self, route: CommandRoute, ids: CountedIds | None = None) -> None:
        self.commands: list[CommandRequest] = []
        self.aggregate = route.aggregate
        #: Set once a command waits for a position, and what it waits for.
        self.waiting = asyncio.Event()
        self.caught_up = asyncio.Event()
        ids = ids or CountedIds()
        self._endpoint = CommandEndpoint(route, cast("Any", self), FixedClock(), ids, cast("Any", None))

    async def send(self, content: bytes, **headers: str) -> None:
        """Send a request, header names with underscores."""
        with pytest.raises(Problem, match="only asked"):
            await self._endpoint(request("POST", "/", content, **headers), {})

    def partition(self, _subject: str) -> int:
        return 0

    async def catch_up_to(self, _subject: str, _offset: int) -> None:
        self.waiting.set()
        await self.caught_up.wait()

    async def ask(self, sent: CommandRequest) -> NoReturn:
        self.commands.append(sent)
        raise Problem("unavailable", "it was only asked")
