"""A command endpoint without an owner: what it makes of requests."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest
from support.fixed_infrastructure import CountedIds, FixedClock

from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.route import CommandRoute
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.http.message import Response, request
from bookshelf.http.problem import Problem
from bookshelf.runtime.aggregate.command import CommandRequest
from bookshelf.runtime.api.commands import CommandEndpoint
from bookshelf.runtime.api.forwarding import OwnerForwarder
from bookshelf.runtime.api.identity import Callers, LocalReader


class Asked:
    """Stands for the host of a route's aggregate: keeps the commands, and carries none out."""

    def __init__(
        self, route: CommandRoute, ids: CountedIds | None = None, callers: Callers | None = None
    ) -> None:
        self.commands: list[CommandRequest] = []
        self.aggregate = route.aggregate
        self.owned: frozenset[int] = frozenset()
        #: What a command leads to; without it, every command is refused.
        self.result: CommandResult | None = None
        #: Set once a command waits for a position, and what it waits for.
        self.waiting = asyncio.Event()
        self.caught_up = asyncio.Event()
        ids = ids or CountedIds()
        nobody = OwnerForwarder(route.aggregate.name, LocalDiscovery(), cast("Any", None))
        self._endpoint = CommandEndpoint(
            route, cast("Any", self), FixedClock(), ids, nobody, callers or LocalReader()
        )

    async def send(self, content: bytes, **headers: str) -> None:
        """Send a request, header names with underscores."""
        with pytest.raises(Problem, match="only asked"):
            await self._endpoint(request("POST", "/", content, **headers), {})

    async def answer(self, path: Mapping[str, str], query: str = "", content: bytes = b"") -> Response:
        """Send a request with these values of the path, and return the answer with `result`."""
        return await self._endpoint(request("POST", f"/?{query}", content, Idempotency_Key="key"), path)

    def partition(self, _subject: str) -> int:
        return 0

    async def catch_up_to(self, _subject: str, _offset: int) -> None:
        self.waiting.set()
        await self.caught_up.wait()

    async def ask(self, sent: CommandRequest) -> CommandResult:
        self.commands.append(sent)
        if self.result is not None:
            return self.result
        raise Problem("unavailable", "it was only asked")
