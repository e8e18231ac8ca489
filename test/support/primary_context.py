"""Counters whose primary keeps their values in memory, and writes whole values, as one writer.

A former primary that still writes would overwrite what the present one has written, unless it is fenced.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import ClassVar

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.envelope import NO_TOKEN
from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.cqrs.service import Service
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.aggregate.command import NotOwner
from bookshelf.runtime.api.header_fields import KEY

GROUP = "counters"
#: Tries of a write, and seconds between two.
_TRIES, _AGAIN_S = 100, 0.1


class ValueSet(Event, frozen=True):
    """The counter has this value."""

    TYPE: ClassVar[str] = "test.value-set.v1"
    value: int


class SetValue(Command, frozen=True):
    """Give the counter this value."""

    TYPE: ClassVar[str] = "test.set-value.v1"
    value: int


class CounterValue(State, frozen=True):
    """The value of a counter."""

    value: int = 0


def decide(_state: CounterValue, command: Command) -> list[Event]:
    return [ValueSet(value=command.value)] if isinstance(command, SetValue) else []


def evolve(state: CounterValue, event: Event) -> CounterValue:
    return CounterValue(value=event.value) if isinstance(event, ValueSet) else state


def counter_aggregate(*, fenced: bool) -> Aggregate[CounterValue]:
    """Return the aggregate; without `fenced` it has the planted defect."""
    return Aggregate(
        name="counter",
        topic="counters",
        catalogue=Catalogue(ValueSet),
        initial=CounterValue(),
        decide=decide,
        evolve=evolve,
        takes=(SetValue,),
        fenced=fenced,
    )


async def at_once() -> None:
    """Return: nothing is waited for."""


class Counters:
    """The service of one process. `pause` is awaited between the decision on a value and its write.

    Planted defects: without `fenced` the counters compare no tokens; without `claims` a read raises none.
    """

    def __init__(
        self, *, fenced: bool = True, claims: bool = True, pause: Callable[[], Awaitable[None]] = at_once
    ) -> None:
        self._counter = counter_aggregate(fenced=fenced)
        self._claims = claims
        self.pause = pause
        #: The values that this process knows as the primary with a token.
        self._values: dict[tuple[int, str], int] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.asked = 0
        #: How many changes have been decided on, and wait for `pause`.
        self.paused = 0
        self.service = Service(
            name="counters",
            summary="Counters of one primary",
            tags=("counters",),
            port=0,
            runs=(self._counter,),
            serves=(
                HandlerRoute(
                    method="POST",
                    path="/counters/{id}/more",
                    summary="Add one",
                    handler=self._add,
                    requires=(),
                    heeds=(KEY,),
                    deadline_s=300,
                ),
                HandlerRoute(path="/counters/{id}", summary="The value", handler=self._read, requires=()),
            ),
            primary_of=GROUP,
        )

    async def _add(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        self.asked += 1
        token, counter = ports.primary_token, context.path["id"]
        if token is None:
            raise Problem("unavailable", "this is a backup")
        async with self._turns[counter]:
            known = self._values.get((token, counter))
            if known is None:
                read = await ports.state(self._counter, counter, token=token if self._claims else NO_TOKEN)
                known = read.value
            self.paused += 1
            await self.pause()
            self.paused -= 1
            result = await self._write(ports, counter, SetValue(known + 1), request.headers.get(KEY), token)
            if result.replayed:
                self._values.pop((token, counter), None)
            else:
                self._values[token, counter] = known + 1
        return Response(200, {"Content-Type": "application/json"}, msgspec.json.encode(result.state.value))

    async def _write(
        self, ports: HandlerPorts, counter: str, command: SetValue, key: str | None, token: int
    ) -> CommandResult:
        """Write a value, and try again while the partition moves: a former primary insists, too."""
        for _ in range(_TRIES):
            try:
                return await ports.ask(self._counter, counter, command, command_id=key, token=token)
            except NotOwner:
                await asyncio.sleep(_AGAIN_S)  # sleep: between two tries
        raise Problem("unavailable", "the counter has no owner")

    async def _read(self, _request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        self.asked += 1
        value = (await ports.state(self._counter, context.path["id"], token=NO_TOKEN)).value
        return Response(200, {"Content-Type": "application/json"}, msgspec.json.encode(value))
