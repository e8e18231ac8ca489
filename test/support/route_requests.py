"""One aggregate of the shelf that requests change, by its routes and its decider, without a service."""

from typing import Any

import msgspec
from support.fixed_infrastructure import NOW

from bookshelf.cqrs.handler import RequestContext
from bookshelf.cqrs.route import CommandRoute
from bookshelf.http.router import Router
from bookshelf.runtime.decoding import Decoder
from bookshelf.shelf import book, lists, reading_routes
from bookshelf.shelf.events import EVENTS
from bookshelf.shelf.undo import PastEvent, Undo, undo

_ROUTER: Router[CommandRoute] = Router()
for _route in (*book.ROUTES, *reading_routes.ROUTES, *lists.COMMAND_ROUTES):
    _ROUTER.add(_route.method, _route.path, _route)


class RouteRequests:
    """Keeps the events of one aggregate in `past`."""

    def __init__(self, aggregate_id: str) -> None:
        self.id = aggregate_id
        self.past: list[PastEvent] = []

    def send(self, method: str, target: str, body: Any = None, undoes: str = "") -> str:  # noqa: ANN401 (JSON)
        """Carry a request out; return its change, or nothing if it changed nothing. Raises `Refused`."""
        path, _, query = target.partition("?")
        route, _, values = _ROUTER.find(method, path)
        fields = {field.encode_name for field in msgspec.structs.fields(route.params)}
        params = Decoder(route.params).parameters({k: v for k, v in values.items() if k in fields}, query)
        context = RequestContext(at=NOW, params=params)
        command = route.command(Decoder(route.body).body(msgspec.json.encode(body or {})), context)
        state = route.aggregate.fold(past.event for past in self.past)
        change = f"change-{len(self.past)}"
        events = [EVENTS.as_read(event) for event in route.aggregate.decide(state, command)]
        self.past += [PastEvent(event, change, undoes) for event in events]
        return change if events else ""

    def undo(self, change: str) -> Undo:
        """Return how a change is taken back."""
        return undo(self.id, self.past, {change}, 7)[change]

    def take_back(self, change: str) -> list[str]:
        """Undo a change; return the changes that this made."""
        requests = self.undo(change).undo
        assert isinstance(requests, tuple)
        made = [self.send(request.method, request.path, request.body, change) for request in requests]
        return [change for change in made if change]
