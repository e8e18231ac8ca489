"""The control door of a process: for whoever can read its data folder, and for no one else.

It listens on loopback; every request carries the key that is in the folder's note.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bookshelf.cqrs.position import parse_position
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.drop import drop
from bookshelf.runtime.edge.decode import Reader
from bookshelf.runtime.edge.edge import Edge
from bookshelf.runtime.progress import Progress
from bookshelf.runtime.service import ServiceHost
from bookshelf.runtime.telemetry import Meters
from bookshelf.runtime.view import letters
from bookshelf.runtime.view.host import ViewHost
from bookshelf.runtime.world import World

_encode = msgspec.json.Encoder().encode


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """Which dead letters: one view's or all; one key's or all; or the one at a position."""

    view: str | None = None
    key: str | None = None
    position: str | None = None


_read_order = Reader(Order).body


class Control:
    """What an operator may do with the running services."""

    def __init__(self, services: Sequence[ServiceHost], world: World, token: str) -> None:
        self._world = world
        self._views = {name: view for service in services for name, view in service.views.items()}
        self._token = token
        self._edge = Edge("control", Meters())
        self._edge.add("GET", "/letters", self._listed)
        self._edge.add("POST", "/letters/retry", self._retry)
        self._edge.add("POST", "/letters/drop", self._drop)
        self._edge.add("POST", "/views/{name}/rebuild", self._rebuild)

    async def handle(self, request: Request) -> Response:
        """Answer a request that has the key; any other is told nothing."""
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return Response(403, {})
        return await self._edge.handle(request)

    def _view(self, name: str) -> ViewHost:
        try:
            return self._views[name]
        except KeyError:
            msg = f"there is no view {name}; there are {', '.join(sorted(self._views))}"
            raise Problem("not-found", msg) from None

    def _chosen(self, order: Order) -> list[ViewHost]:
        return [self._view(order.view)] if order.view else list(self._views.values())

    async def _listed(self, _request: Request, _path: Mapping[str, str]) -> Response:
        found = [letter for view in self._views.values() for letter in await letters.listed(view.rows)]
        return _json(found)

    async def _retry(self, request: Request, _path: Mapping[str, str]) -> Response:
        order = await _order(request)
        return _json(
            {"applied": sum([await letters.retry(view.rows, order.key) for view in self._chosen(order)])}
        )

    async def _drop(self, request: Request, _path: Mapping[str, str]) -> Response:
        order = await _order(request)
        position = parse_position(order.position or "")
        found = {view: await letters.find(view.rows, position) for view in self._views.values()}
        known = [letter for letter in found.values() if letter is not None]
        if known and all(letter.behind for letter in known):
            msg = f"{position} waits behind an earlier record of {known[0].key}; drop or retry that one first"
            raise Problem("conflict", msg)
        if known:
            dropped = await drop(self._world, known[0].key, position)
            for view in found:
                await view.after([dropped])
        return _json({"dropped": len(known)})

    async def _rebuild(self, _request: Request, path: Mapping[str, str]) -> Response:
        view = self._view(path["name"])
        return Response(200, {"Content-Type": "application/jsonl"}, Progress(view.rebuild).stream())


async def _order(request: Request) -> Order:
    order: Order = _read_order(await request.body.read(1 << 16))
    return order


def _json(value: Any) -> Response:  # noqa: ANN401 (anything that can be encoded)
    return Response(200, {"Content-Type": "application/json"}, _encode(value))
