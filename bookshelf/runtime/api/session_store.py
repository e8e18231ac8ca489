"""Where sessions are kept: the port of the routes with sessions, and its adapter for one process."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Protocol

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.errors import Gone
from bookshelf.cqrs.message import Command
from bookshelf.cqrs.position import Position
from bookshelf.cqrs.session_route import SessionParts
from bookshelf.runtime.clock import Clock

#: The domain of sessions that one process keeps.
NO_DOMAIN = "local"
#: The most sessions that one process keeps; those that were used least recently are dropped.
MOST = 100_000


class SessionStore(Protocol):
    """Reads and changes sessions and what all clients share. `domain` is the name that they belong to."""

    parts: SessionParts
    domain: str
    idle_s: float

    @property
    def fault(self) -> str | None:
        """Why not all sessions are here yet; None if they are."""

    async def start(self) -> None:
        """Begin to read the sessions."""

    async def complete(self) -> None:
        """Return once all sessions that there were at the start are here."""

    async def read(
        self, aggregate: Aggregate[Any], key: str, after: Iterable[Position] = (), *, to_end: bool = False
    ) -> Any:  # noqa: ANN401 (the aggregate's state)
        """Return a state, once it has these positions, or with `to_end` all that there is.

        Raises `Problem` (behind).
        """

    async def ask(
        self,
        aggregate: Aggregate[Any],
        key: str,
        command: Command,
        *,
        actor: str,
        command_id: str,
        content_hash: str = "",
    ) -> CommandResult:
        """Return the result of a command, once its events are durable. Raises `Refused`, `Problem`."""

    async def stop(self) -> None:
        """Stop reading."""


class ProcessSessions:
    """Keeps sessions in this process: they end with it, and no other node has them."""

    def __init__(self, parts: SessionParts, idle_s: float, clock: Clock) -> None:
        self.parts = parts
        self.domain = NO_DOMAIN
        self.idle_s = idle_s
        self._clock = clock
        self._states: OrderedDict[tuple[str, str], Any] = OrderedDict()

    fault: str | None = None

    async def start(self) -> None:
        """Do nothing: there are no sessions."""

    async def complete(self) -> None:
        """Return: there is nothing to read."""

    async def stop(self) -> None:
        """Do nothing: the sessions end with the process."""

    async def read(
        self,
        aggregate: Aggregate[Any],
        key: str,
        after: Iterable[Position] = (),  # noqa: ARG002 (the port's signature)
        *,
        to_end: bool = False,  # noqa: ARG002 (as above)
    ) -> Any:  # noqa: ANN401 (the aggregate's state)
        """Return a state, with what was due by now."""
        place = aggregate.name, key
        state = self._states.get(place)
        if state is None:
            return aggregate.initial
        self._states.move_to_end(place)
        while aggregate.due is not None and (wanted := aggregate.due(state)) is not None:
            moment, command = wanted
            if moment > self._clock.now():
                break
            state = self._states[place] = aggregate.fold(aggregate.decide(state, command), state)
        return state

    async def ask(
        self,
        aggregate: Aggregate[Any],
        key: str,
        command: Command,
        *,
        actor: str,  # noqa: ARG002 (the port's signature)
        command_id: str,  # noqa: ARG002 (as above)
        content_hash: str = "",  # noqa: ARG002 (as above)
    ) -> CommandResult:
        """Return the result of a command. Raises `Refused`."""
        state = await self.read(aggregate, key)
        try:
            state = aggregate.fold(aggregate.decide(state, command), state)
        except Gone:
            self._states.pop((aggregate.name, key), None)
            raise
        self._states[aggregate.name, key] = state
        while len(self._states) > MOST:
            self._states.popitem(last=False)
        return CommandResult(key, state, 0, None, replayed=False)
