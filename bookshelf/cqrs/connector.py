"""Declares a connector: for each of its events a call of one outside system, its provider."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bookshelf.cqrs.handler import HandlerPorts
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.process import CommandSender, Send, once_each
from bookshelf.cqrs.view import Recorded

#: Calls the provider for an event, and returns the commands that its answer leads to. The text is the event's
#: id: it is the same in every call for this event, so the provider recognises a repetition by it.
Call = Callable[[Any, Recorded, str, HandlerPorts], Awaitable[Iterable[Send]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector(CommandSender):
    """Calls one outside system (its provider) for events, at least once each.

    The calls for one subject follow each other; those for different subjects run at the same time and end in
    any order. So its commands go to aggregate instances that it addresses for one subject only. A call that
    raises, or takes longer than `deadline_s` seconds, has failed: its event becomes a dead letter and is
    retried. The exceptions of `unreachable` mean that the provider did not answer: after some in a row,
    further calls wait.
    """

    calls: Mapping[type[Event], Call]
    deadline_s: float = 30.0
    unreachable: tuple[type[Exception], ...] = (OSError,)

    @property
    def events(self) -> frozenset[type[Event]]:
        """The events that have calls."""
        return frozenset(self.calls)

    async def call(self, recorded: Recorded, ports: HandlerPorts) -> list[tuple[str, Send]]:
        """Call the provider for an event; return the commands, each with the name of the call.

        Raises `SentTwice`, or whatever the call raises.
        """
        call = self.calls[type(recorded.event)]
        return once_each(
            (call.__name__, send) for send in await call(recorded.event, recorded, recorded.id, ports)
        )
